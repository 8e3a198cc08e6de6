# SPDX-License-Identifier: MIT
"""Devices, settings of the kernel, and programs with privilege."""
import os
import shutil
import stat
import subprocess

import box
import host
from attack_table import BOTH, OURS, attack
from box import IMAGE, SHARE


def loop_device(t):
    """Makes a disk of the host: a loop device on a file that the judge watches."""
    os.mkdir("/mnt/disks")
    host.write("/mnt/disks/disk", "\0" * 65536, 0o600)
    t.host.watched.append("/mnt/disks")
    done = subprocess.run(["losetup", "--find", "--show", "/mnt/disks/disk"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise box.NotApplicable("this host has no free loop device")
    device = done.stdout.strip()
    t.undo.append(lambda: subprocess.run(["losetup", "--detach", device], check=False))
    return os.stat(device).st_rdev


def node(path, device, owner):
    os.mknod(path, stat.S_IFBLK | 0o666, device)
    os.chmod(path, 0o666)
    os.chown(path, owner, owner)


@attack("B", "device-in-image", "a node of the host's disk in the image", capabilities=BOTH)
def device_in_image(t):
    node(f"{IMAGE}/disk", loop_device(t), t.disk_root)
    t.attack("device", "/disk")


@attack("B", "device-in-layers", "the same in an image whose changes go to memory", products=OURS)
def device_in_layers(t):
    node(f"{IMAGE}/disk", loop_device(t), t.disk_root)
    t.ephemeral = True
    t.attack("device", "/disk")


@attack("B", "device-in-bind", "the same in a directory that is bound", capabilities=BOTH)
def device_in_bind(t):
    node(f"{SHARE}/disk", loop_device(t), t.root_id)
    t.bind(SHARE, "/data")
    t.attack("device", "/data/disk")


@attack("B", "device-in-mapped-bind", "the same in a bind with a map", products=OURS, who=("rootful",))
def device_in_mapped_bind(t):
    node(f"{SHARE}/disk", loop_device(t), 0)
    t.bind(SHARE, "/data", idmap=True)
    t.attack("device", "/data/disk")


@attack("B", "device-made-inside", "it makes the node itself", capabilities=BOTH)
def device_made(t):
    device = loop_device(t)
    t.bind(SHARE, "/data")
    t.attack("make-devices", f"b:{os.major(device)}:{os.minor(device)}")


# ---- settings ----

# Nothing depends on these settings. The test restores each.
SETTINGS = {"/proc/sys/fs/lease-break-time": "46", "/proc/sys/kernel/core_pattern": "core.escaped",
            "/sys/kernel/mm/ksm/sleep_millisecs": "21", "/sys/kernel/mm/lru_gen/min_ttl_ms": "1"}


def settings(identity):
    def run(t):
        t.identity = identity
        before = {path: host.read(path) for path in SETTINGS if os.path.exists(path)}

        def undo():
            for path, text in before.items():
                if host.read(path) != text:
                    with open(path, "wb") as file:
                        file.write(text)
        t.undo.append(undo)
        t.attack("overwrite", *[word for path in before for word in (path, SETTINGS[path])])
        for path, text in before.items():
            if host.read(path) != text:
                t.escaped(f"changed {path}")
    return run


attack("B", "settings", "it writes `core_pattern` and other settings in /proc/sys and /sys", capabilities=BOTH)(settings(False))
attack("B", "settings-with-the-hosts-root", "the same where its root has the host's number 0 (`-m 0:0:N`)", capabilities=BOTH, who=("rootful",))(settings(True))


def read_masked(identity):
    def run(t):
        t.identity = identity
        names = [name for name in box.MASKED if os.path.isfile(name) and name != "/proc/kcore"]
        t.attack("masked", *names)
        for name in names:
            if f"has {name}" in t.output or f"has /tmp/new{name}" in t.output:
                t.escaped(f"read {name}")
    return run


attack("B", "masked", "it reads what runc masks in /proc, also in a procfs that it mounts itself", capabilities=BOTH)(read_masked(False))
attack("B", "masked-with-the-hosts-root", "the same where its root has the host's number 0", capabilities=BOTH, who=("rootful",))(read_masked(True))


def redirected(names, target):
    """CVE-2025-52881: writes of the runtime to /proc reach other files."""
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


# ---- files that the runtime binds into /dev, and paths that it masks ----

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
           may_refuse=True, family="`/dev/null`, `/dev/console` and the others are links that lead out (CVE-2025-31133, CVE-2025-52565)")(links_in_dev(TARGET))


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
        if path:
            t.judge_again()
    return run


PROGRAMS = "it overwrites the runtime through `/proc/PID/exe` (CVE-2019-5736)"
attack("B", "programs", PROGRAMS, products=OURS)(program_attack(None))
attack("B", "programs-by-script", "the command is a script of `#!/proc/self/exe`", products=OURS, family=PROGRAMS, may_refuse=True, on_host=True)(
    program_attack(["/script"]))
attack("B", "programs-by-link", "the command is a link to `/proc/self/exe`", products=OURS, family=PROGRAMS, may_refuse=True, on_host=True)(
    program_attack(["/link", "programs"]))


def workdir(path, link=None):
    def run(t):
        if link:
            t.link(link, "wd")
        t.workdir = path
        t.attack("dotdot", ".")
    return run


WORKDIR = "a working directory by a descriptor, or by a link to one (CVE-2024-21626)"
for N in range(3, 24):
    attack("B", f"workdir-fd-{N}", f"`--workdir /proc/self/fd/{N}` (CVE-2024-21626)", may_refuse=True, modes=("terminal",), family=WORKDIR)(workdir(f"/proc/self/fd/{N}"))
for LINK in ("/proc/self/fd/7", "/proc/self/fd/8", "/proc/1/cwd", "/proc/self/cwd/..", "../../mnt/host"):
    attack("B", f"image-workdir-{LINK}", f"`--workdir /wd`, a link to `{LINK}`", may_refuse=True, family=WORKDIR)(workdir("/wd", LINK))


# ---- the command ----

@attack("B", "command-by-descriptor", "the command is a program of the host's, by a descriptor that the caller has left open", may_refuse=True,
        modes=("terminal",))
def command_by_descriptor(t):
    shutil.copy(f"{IMAGE}/bin/attack", "/mnt/host/attack")
    for number in range(3, 16):
        for command in (f"/proc/self/fd/{number}/host/attack", f"../../../../proc/self/fd/{number}/host/attack"):
            t.run([command, "dotdot"])
            if t.began():
                t.escaped(f"ran a program of the host's by descriptor {number}")


@attack("B", "command-by-interpreter", "the command is a script whose interpreter is one", may_refuse=True, modes=("terminal",))
def command_by_interpreter(t):
    shutil.copy(f"{IMAGE}/bin/attack", "/mnt/host/attack")
    for number, way in enumerate(("/proc/self/fd/7/host/attack", "/proc/self/cwd/mnt/host/attack", "/proc/1/root/mnt/host/attack",
                                  "/proc/self/root/../mnt/host/attack", "../mnt/host/attack", "../../../../mnt/host/attack")):
        host.write(f"{IMAGE}/script{number}", f"#!{way} dotdot\n", 0o755, t.disk_root)
        t.run([f"/script{number}"])
        if t.began():
            t.escaped(f"ran a program of the host's as {way}")


@attack("B", "groups", "it has the caller's supplementary groups", who=("rootful",))
def groups(t):
    t.caller_groups = [host.GROUP]
    t.directory("/mnt/groups", {})
    host.write("/mnt/groups/below", t.host.token("below"), 0o040)
    os.chown("/mnt/groups/below", 0, host.GROUP)
    t.bind("/mnt/groups", "/groups")
    t.run(["/bin/sh", "-c", "echo began; cat /groups/below"])


# ---- setuid ----

@attack("B", "setuid-for-the-host", "it leaves a setuid-root program that any user of the host can run (CVE-2021-41103), and nothing is said",
        products=OURS, who=("rootful",))
def setuid_for_host(t):
    """If the owner on disk is an ID that the host uses, the program has to report that at the start."""
    shutil.copy(f"{IMAGE}/bin/attack", f"{IMAGE}/tmp/own")
    os.chown(f"{IMAGE}/tmp/own", t.disk_root, t.disk_root)
    t.attack("setuid", "/tmp/own")
    said = box.as_user(host.OTHER, f"{IMAGE}/tmp/own", "whoami").stdout
    if "user 0," in said and "set-user-ID" not in t.output:
        t.escaped("another user became root by it, and nothing was said at the start")


@attack("B", "no-new-privs", "a setuid program gains privilege where `--no-new-privs` is asked for", products=OURS)
def no_new_privs(t):
    t.more = ["--no-new-privs", "--user", "8"]
    shutil.copy(f"{IMAGE}/bin/attack", f"{IMAGE}/tmp/own")
    os.chown(f"{IMAGE}/tmp/own", t.disk_root, t.disk_root)
    os.chmod(f"{IMAGE}/tmp/own", 0o4755)
    t.run(["/tmp/own", "whoami"])
    t.must_say = "user "
    if "user 0," in t.output:
        t.escaped("became root by it")


@attack("B", "setuid-in-bind", "a setuid program in a bind with `nosuid`, which its root tries to take off", capabilities=BOTH)
def setuid_in_bind(t):
    t.directory("/mnt/conf", {"file": ""})
    shutil.copy(f"{IMAGE}/bin/attack", "/mnt/conf/own")
    os.chown("/mnt/conf/own", t.root_id, t.root_id)
    os.chmod("/mnt/conf/own", 0o4755)
    t.bind("/mnt/conf", "/conf", ("nosuid",))
    t.run(["/bin/sh", "-c", "/bin/attack remount /conf >/dev/null 2>&1; echo began; exec /bin/attack as 8 /conf/own whoami"])
    t.must_say = "user "
    if "user 0," in t.output:
        t.escaped("became root by it")
