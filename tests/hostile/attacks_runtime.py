# SPDX-License-Identifier: MIT
"""Mounts and containers on behalf of other users: owners, links of users, annotations."""
import json
import os
import shutil

import box
import host
from attack_table import OURS, attack
from box import ATTACK, IDMOUNT, as_user, run

MOUNT_IDMAP = os.environ.get("MOUNT_IDMAP", "mount.idmap")
OWNER = "a user becomes another one by a setuid or setgid file that a mount shows as the other's"
ONCE = {"products": OURS, "on_host": True, "modes": ("terminal",), "pids": (True,), "who": ("rootful",)}


# ---- owners ----

def become_other(mount):
    """A mount shows USER's directory as OTHER's. USER tries to become OTHER by a setuid program in it."""
    def attack_it(t):
        os.makedirs("/mnt/home")
        shutil.copy(ATTACK, "/mnt/home/own")
        os.chown("/mnt/home", host.USER, host.USER)
        os.chown("/mnt/home/own", host.USER, host.USER)
        os.chmod("/mnt/home/own", 0o6755)
        os.mkdir("/mnt/seen")
        t.status = mount()
        for place in ("/mnt/seen/own", "/mnt/seen/dst/own"):
            said = as_user(host.USER, place, "whoami").stdout if os.path.exists(place) else ""
            if said:
                t.output = said
            for kind in ("user", "group"):
                if f"{kind} {host.OTHER}" in said:
                    t.escaped(f"became another {kind}")
        if t.status != 0 or not t.output:
            raise RuntimeError("the mount was not made")
    return attack_it


def fstab():
    return run(MOUNT_IDMAP, "/mnt/home", "/mnt/seen", "-o", f"map={host.USER}:{host.OTHER}").returncode


def apply_plan():
    os.mkdir("/mnt/seen/dst")
    row = f"{host.USER}:{host.OTHER}:1"
    host.write("/mnt/plan.json", json.dumps([
        {"Type": "bind", "Source": "/mnt/seen", "Target": "", "Options": ["bind"]},
        {"Type": "bind", "Source": "/mnt/home", "Target": "/dst", "Options": ["bind", f"uidmap={row}", f"gidmap={row}"]}]))
    return run(IDMOUNT, "apply", "/mnt/plan.json", "/mnt/seen").returncode


attack("C", "owner-mount", "`mount -m A:B`: A becomes B by a setuid file", family=OWNER, **ONCE)(
    become_other(lambda: run(IDMOUNT, "mount", "-m", f"{host.USER}:{host.OTHER}", "/mnt/home", "/mnt/seen").returncode))
attack("C", "owner-mount-keep-rest", "`mount -m g:A:B --keep-rest`: A becomes a member of B by a setgid file", family=OWNER, **ONCE)(
    become_other(lambda: run(IDMOUNT, "mount", "-m", f"g:{host.USER}:{host.OTHER}", "--keep-rest", "/mnt/home", "/mnt/seen").returncode))
attack("C", "owner-helper", "the same of `mount.idmap`", family=OWNER, **ONCE)(become_other(fstab))


attack("C", "owner-apply", "the same of a plan's bind", family=OWNER, **ONCE)(become_other(apply_plan))


@attack("C", "owner-bind", "the same of `run --bind …:map=`: a user of the container's becomes another", family=OWNER, products=OURS, who=("rootful",))
def owner_bind(t):
    os.makedirs("/mnt/home")
    shutil.copy(ATTACK, "/mnt/home/own")
    os.chown("/mnt/home/own", host.USER, host.USER)
    os.chmod("/mnt/home/own", 0o6755)
    t.bind("/mnt/home", "/home", (f"map={host.USER}:8",))
    t.run(["/bin/sh", "-c", "echo began; exec /bin/attack as 99 /home/own whoami"])
    t.must_say = "user "
    if "user 8," in t.output or "group 8" in t.output:
        t.escaped("became another user of the container's")


# ---- links of users ----

LINKS = "`mount`, `umount`, `overlay` on a path of a user's, who has made a link of it"


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
    attack("E", f"link-mount-{TARGET}", f"`mount … {TARGET}`, where the user has made `data` a link", family=LINKS, **ONCE)(
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
    attack("E", f"link-umount-{TARGET}", f"`umount {TARGET}`, where the user has made `data` a link", family=LINKS, **ONCE)(umount_at(TARGET))


@attack("E", "link-overlay", "`overlay -L … data/`, where the user has made `data` a link", family=LINKS, **ONCE)
def link_overlay(t):
    os.makedirs("/mnt/home")
    os.mkdir("/mnt/host/victim")
    os.mkdir("/mnt/lower")
    os.mkdir("/mnt/lower2")
    os.symlink("../host/victim", "/mnt/home/data")
    before = host.mounts()
    t.output = run(IDMOUNT, "overlay", "-m", "0:5", "-L", "/mnt/lower:/mnt/lower2", "/mnt/home/data/").stderr
    t.host.judge_mounts(before, host.mounts())


@attack("E", "link-mkdir", "`mount --mkdir … data/new`, where the user has made `data` a link, with `--root`", family=LINKS, **ONCE)
def link_mkdir(t):
    os.makedirs("/mnt/home")
    os.mkdir("/mnt/source")
    os.symlink("../host", "/mnt/home/data")
    before, files = host.mounts(), host.tree("/mnt/host")
    t.output = run(IDMOUNT, "mount", "-m", "0:5", "--mkdir", "--root", "/mnt/home", "/mnt/source", "data/new").stderr
    t.host.judge_mounts(before, host.mounts())
    t.host.judge_tree(files, host.tree("/mnt/host"))



# ---- annotations: their author is not the host's root ----

KUBERNETES = {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-namespace": "default"}
ANNOTATED = "a pod's annotations ask the hook for a map by which it gets files of others"


def start_annotated(t, annotations, command):
    """Starts a container of runc as user 1000, without a user namespace, with the hook."""
    if not shutil.which("runc"):
        raise box.NotApplicable("runc is not installed")
    t.bind("/mnt/volume", "/data", ("rw",))
    config = box.oci_config(t, command)
    config["annotations"] = annotations
    config["hooks"] = {"createRuntime": [{"path": IDMOUNT, "args": ["idmount", "oci-hook"]}]}
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "user"]
    del config["linux"]["uidMappings"], config["linux"]["gidMappings"]
    line = box.start_oci(t, command, "runc", [])
    host.write("/mnt/bundle/config.json", json.dumps(config))
    t.run_on_host(line)


def annotated(annotations, owner):
    def run_it(t):
        os.makedirs("/mnt/volume")
        os.chown("/mnt/volume", owner, owner)
        os.chmod("/mnt/volume", 0o700)
        host.write("/mnt/volume/below", t.host.token("below"), 0o600, owner)
        shutil.copy(ATTACK, "/mnt/volume/own")
        os.chown("/mnt/volume/own", owner, owner)
        start_annotated(t, annotations, ["/bin/sh", "-c", "echo began; cat /data/below; cp /bin/attack /data/left; chmod 4755 /data/left"])
        if os.path.exists("/mnt/volume/left"):
            t.escaped(f"left a file of the host's user {os.stat('/mnt/volume/left').st_uid}")
    return run_it


PODS = {**ONCE, "on_host": False, "may_refuse": True, "family": ANNOTATED}
attack("D", "annotation-kubernetes-root", "a pod asks for `0:1000`", **PODS)(
    annotated({**KUBERNETES, "io.idmount.map/data": "0:1000"}, 0))
attack("D", "annotation-kubernetes-tenant", "a pod asks for another tenant's `2000:1000`", **PODS)(
    annotated({**KUBERNETES, "io.idmount.map/data": "2000:1000"}, 2000))
attack("D", "annotation-kubernetes-slashes", "the same with the destination spelt `//data/`", **PODS)(
    annotated({**KUBERNETES, "io.idmount.map//data/": "idmap=b:2000:1000"}, 2000))
attack("D", "annotation-kubernetes-crio", "a pod of CRI-O's asks for `2000:1000`", **PODS)(
    annotated({"io.kubernetes.cri-o.ContainerType": "container", "io.kubernetes.pod.namespace": "default", "io.idmount.map/data": "2000:1000"}, 2000))
attack("D", "annotation-image-root", "an image asks for `0:1000` by its own annotations", **PODS)(
    annotated({"io.idmount.map/data": "0:1000"}, 0))
attack("D", "annotation-image-root-hidden", "the same with root in a range", **PODS)(
    annotated({"io.idmount.map/data": "0:1000:1+1:1001:10"}, 0))


def lost_annotation(annotations):
    """A container with the annotation has to get a map, or fail."""
    def run_it(t):
        os.makedirs("/mnt/volume")
        start_annotated(t, annotations, ["/bin/sh", "-c", "echo began"])
        if t.began():
            t.escaped("the annotation was ignored in silence")
    return run_it


for KEY, VALUE in (("io.idmount.map", "2000:1000"), ("io.idmount.map/data", ""), ("io.idmount.map/nowhere", "2000:1000"),
                   ("io.idmount.map/", "2000:1000")):
    attack("E", f"annotation-lost-{KEY}={VALUE}", f"the annotation `{KEY}={VALUE}`", **{**PODS, "family": "annotations that would be ignored in silence"})(
        lost_annotation({KEY: VALUE}))
