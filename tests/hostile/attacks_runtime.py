# SPDX-License-Identifier: MIT
"""Mounts and containers that others ask for: owners, links of users, annotations."""
import os
import shutil
import subprocess

import host
from attack_table import OURS, attack
from box import IDMOUNT

MOUNT_IDMAP = os.environ.get("MOUNT_IDMAP", "mount.idmap")
ONCE = {"products": OURS, "on_host": True, "modes": ("terminal",), "pids": (True,), "who": ("rootful",)}


def run(*line):
    return subprocess.run(line, capture_output=True, text=True, check=False)


def as_user(uid, *line):
    return run("setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--inh-caps=-all", *line)


# ---- owners ----

def become_other(mount):
    """USER's directory is shown as OTHER's: shall he become OTHER by a setuid program that he puts there?"""
    def attack_it(t):
        os.makedirs("/mnt/home")
        shutil.copy(shutil.which("busybox"), "/mnt/home/own")
        os.chown("/mnt/home", host.USER, host.USER)
        os.chown("/mnt/home/own", host.USER, host.USER)
        os.chmod("/mnt/home/own", 0o6755)
        os.mkdir("/mnt/seen")
        t.status = mount()
        for place in ("/mnt/seen/own", "/mnt/seen/dst/own"):
            if os.path.exists(place):
                for flag in ("-u", "-g"):
                    said = as_user(host.USER, place, "id", flag).stdout.strip()
                    if said not in ("", str(host.USER)):
                        t.escaped(f"became another {'user' if flag == '-u' else 'group'}: {'OTHER' if said == str(host.OTHER) else said}")
                t.output = "began"
        if t.status != 0 or not t.output:
            raise RuntimeError("the mount was not made")
    return attack_it


def fstab():
    return run(MOUNT_IDMAP, "/mnt/home", "/mnt/seen", "-o", f"map={host.USER}:{host.OTHER}").returncode


def apply_plan():
    os.mkdir("/mnt/seen/dst")
    text = ('{"ociVersion": "1.0.2", "root": {"path": "/mnt/seen"}, "mounts": [{"destination": "/dst", "type": "none", "source": "/mnt/home",'
            f'"options": ["bind"], "uidMappings": [{{"containerID": {host.USER}, "hostID": {host.OTHER}, "size": 1}}],'
            f'"gidMappings": [{{"containerID": {host.USER}, "hostID": {host.OTHER}, "size": 1}}]}}]}}')
    host.write("/mnt/plan.json", text)
    return run(IDMOUNT, "apply", "--root", "/mnt/seen", "/mnt/plan.json").returncode


attack("C", "owner-mount", "`mount -m A:B`: A becomes B by a setuid file", **ONCE)(
    become_other(lambda: run(IDMOUNT, "mount", "-m", f"{host.USER}:{host.OTHER}", "/mnt/home", "/mnt/seen").returncode))
attack("C", "owner-mount-keep-rest", "`mount -m g:A:B --keep-rest`: A becomes a member of B by a setgid file", **ONCE)(
    become_other(lambda: run(IDMOUNT, "mount", "-m", f"g:{host.USER}:{host.OTHER}", "--keep-rest", "/mnt/home", "/mnt/seen").returncode))
attack("C", "owner-helper", "the same of `mount.idmap`", **ONCE)(become_other(fstab))


@attack("C", "owner-bind", "the same of `run --bind …:map=`: a user of the host's becomes another by what the container leaves", **ONCE)
def owner_bind(t):
    def mount():
        # In the container id 0 is disk id OTHER: its root leaves a setuid file of OTHER's. That is what it was asked for; but
        # USER's own file shall not be OTHER's in there.
        return 0
    del mount
    os.makedirs("/mnt/home")
    shutil.copy(shutil.which("busybox"), "/mnt/home/own")
    os.chown("/mnt/home/own", host.USER, host.USER)
    os.chmod("/mnt/home/own", 0o4755)
    t.directory("/mnt/private", {}, 0)
    t.bind("/mnt/home", "/home", (f"map={host.USER}:8",))
    t.run(["/bin/busybox", "su", "-s", "/bin/sh", "root", "-c", "echo began; chmod 755 /home; exec /bin/busybox setuidgid mail /bin/true"])
    t.run(["/bin/sh", "-c", "echo began; setpriv_u=77; exec /bin/busybox setuidgid 77:77 /home/own id -u"])
    if "\n8" in t.output.replace("\r", ""):
        t.escaped("another user became the one of the map")


# ---- links of users ----

def link_at(target, *words):
    def run_it(t):
        os.makedirs("/mnt/home")
        os.mkdir("/mnt/source")
        os.mkdir("/mnt/host/victim")
        os.symlink("../host/victim", "/mnt/home/data")
        os.chown("/mnt/home", host.USER, host.USER)
        before = host.mounts()
        done = run(IDMOUNT, *words, "/mnt/source", f"/mnt/home/{target}")
        t.output = done.stderr
        t.host.judge_mounts(before, host.mounts())
    return run_it


for TARGET in ("data/", "data/.", "data//", "data/./"):
    attack("E", f"link-mount-{TARGET}", f"`mount … {TARGET}`, where the user has made `data` a link", **ONCE)(
        link_at(TARGET, "mount", "-m", "0:5"))


def umount_at(target, *more):
    def run_it(t):
        os.makedirs("/mnt/home")
        os.mkdir("/mnt/host/victim")
        host.mount("victim", "/mnt/host/victim", "tmpfs")
        os.symlink("../host/victim", "/mnt/home/data")
        before = host.mounts()
        t.output = run(IDMOUNT, "umount", *more, f"/mnt/home/{target}").stderr
        t.host.judge_mounts(before, host.mounts())
    return run_it


for TARGET in ("data", "data/", "data/."):
    attack("E", f"link-umount-{TARGET}", f"`umount {TARGET}`, where the user has made `data` a link", **ONCE)(umount_at(TARGET))


@attack("E", "link-overlay", "`overlay -L … data/`, where the user has made `data` a link", **ONCE)
def link_overlay(t):
    os.makedirs("/mnt/home")
    os.mkdir("/mnt/host/victim")
    os.mkdir("/mnt/lower")
    os.mkdir("/mnt/lower2")
    os.symlink("../host/victim", "/mnt/home/data")
    before = host.mounts()
    t.output = run(IDMOUNT, "overlay", "-m", "0:5", "-L", "/mnt/lower:/mnt/lower2", "/mnt/home/data/").stderr
    t.host.judge_mounts(before, host.mounts())


@attack("E", "link-mkdir", "`mount --mkdir … data/new`, where the user has made `data` a link, with `--root`", **ONCE)
def link_mkdir(t):
    os.makedirs("/mnt/home")
    os.mkdir("/mnt/source")
    os.symlink("../host", "/mnt/home/data")
    before, files = host.mounts(), host.tree("/mnt/host")
    t.output = run(IDMOUNT, "mount", "-m", "0:5", "--mkdir", "--root", "/mnt/home", "/mnt/source", "data/new").stderr
    t.host.judge_mounts(before, host.mounts())
    t.host.judge_tree(files, host.tree("/mnt/host"))


_ = apply_plan
