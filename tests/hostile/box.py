# SPDX-License-Identifier: MIT
"""Starts the same container with each program, and tries one attack in it."""
import json
import os
import re
import shutil
import subprocess
import time

import host
from host import COUNT, SHIFTED, USER

HERE = os.path.dirname(os.path.abspath(__file__))
IDMOUNT = os.environ.get("IDMOUNT", "idmount")
ATTACK = os.environ.get("IDM_ATTACK", "attack")
LIBRARY = os.environ.get("IDM_ATTACK_LIBRARY", "library")
BUSYBOX = shutil.which("busybox")
IMAGE = "/mnt/img"
SHARE = "/mnt/share"
NAMES = "sh id stat touch cat ls dd mkdir mount umount true sleep ln".split()
USUAL_CAPABILITIES = ["CAP_" + name for name in (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
    "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE")]
ALL_CAPABILITIES = ["CAP_" + name for name in (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST "
    "NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE "
    "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM "
    "BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE").split()]
MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def run(*line):
    return subprocess.run(line, capture_output=True, text=True, check=False)


def as_user(uid, *line):
    return run("setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--inh-caps=-all", *line)


class NotApplicable(Exception):
    """The program lacks the feature that the attack is about."""


def describe(who, mode, has_pid, capabilities):
    more = "" if capabilities == "usual" else f", {capabilities} capabilities"
    return f"{who}, {mode}, {'its own PIDs' if has_pid else 'host PIDs'}{more}"


class Bind:
    def __init__(self, source, target, words=(), idmap=False, recursive=False):
        self.source, self.target, self.words = source, target, tuple(words)
        self.idmap, self.recursive = idmap, recursive


class Try:
    """One run of one attack: its surroundings, its files and its result."""

    def __init__(self, product, who, mode, has_pid, capabilities):
        self.product, self.who, self.mode, self.has_pid = product, who, mode, has_pid
        self.capabilities = capabilities
        self.host = host.Host()
        self.binds, self.closed, self.more = [], (), []
        self.read_only = self.identity = self.ephemeral = False
        self.workdir, self.inspect, self.own_program = None, None, False
        self.status, self.output, self.refused = None, "", False
        self.caller_groups, self.caller_cgroup, self.undo = [], None, []
        self.must_say = "began"  # this output proves that the attack was tried

    @property
    def rootless(self):
        return self.who == "rootless"

    @property
    def root_id(self):
        """The ID of the container's root on the host."""
        if self.rootless:
            return USER
        return 0 if self.identity or self.product in ("bwrap", "chroot") else SHIFTED

    @property
    def disk_root(self):
        """The owner of the image's files."""
        return 0 if self.product == "idmount" and not self.rootless else self.root_id

    # ---- the files for the attacker ----

    def make(self):
        self.host.make()
        self.make_image(IMAGE)
        self.directory(SHARE, {"marker": self.host.mark, "file": "original\n"})

    def make_image(self, top):
        for name in ("", "bin", "dev", "proc", "sys", "etc", "var", "data", "run"):
            os.mkdir(f"{top}/{name}".rstrip("/"))
        os.mkdir(f"{top}/tmp")
        os.chmod(f"{top}/tmp", 0o777)
        shutil.copy(ATTACK, f"{top}/bin/attack")
        shutil.copy(BUSYBOX, f"{top}/bin/busybox")
        for name in NAMES:
            os.symlink("busybox", f"{top}/bin/{name}")
        host.write(f"{top}/etc/passwd", "root:x:0:0::/:/bin/sh\nmail:x:8:8::/:/bin/sh\nnobody:x:99:99::/:/bin/sh\n")
        host.write(f"{top}/etc/group", "root:x:0:\nmail:x:8:\n")
        self.give(top)

    def give(self, top):
        for path, directories, files in os.walk(top):
            for name in [path] + [os.path.join(path, n) for n in directories + files]:
                os.lchown(name, self.disk_root, self.disk_root)

    def directory(self, path, files, owner=None):
        """Makes a directory of the host for the container, whose root may write to it."""
        os.makedirs(path, 0o755)
        owner = self.root_id if owner is None else owner
        for name, text in files.items():
            host.write(f"{path}/{name}", text, 0o644, owner)
        os.chown(path, owner, owner)

    def link(self, target, name):
        path = f"{IMAGE}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        os.symlink(target, path)
        os.lchown(path, self.disk_root, self.disk_root)

    def bind(self, source, target, words=(), **more):
        self.binds.append(Bind(source, target, words, **more))

    # ---- the attack ----

    def attack(self, *command):
        """Runs the attacker's program in the container."""
        return self.run(["/bin/attack", *command])

    def run(self, command):
        line = globals()["start_" + self.product](self, command)
        return self.run_on_host(line)

    def run_on_host(self, line):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SECRET": self.host.token("env"), "LC_ALL": "C",
                       "XDG_RUNTIME_DIR": "/mnt/runtime", "HOME": "/mnt"}
        caller = host.Caller(USER if self.rootless else 0, self.mode, self.closed, environment,
                             self.host.token("key"), self.caller_groups, self.caller_cgroup)
        if not os.path.isdir("/mnt/runtime"):
            os.mkdir("/mnt/runtime")
            os.chown("/mnt/runtime", caller.uid, caller.uid)
        self.status, self.output = self.host.run(line, caller, self.inspect)
        self.refused = not self.began() and self.status not in (0, None)
        return self.output

    def escaped(self, what):
        self.host.escaped(what)

    def must_have_bind(self, mark_seen):
        """The requested bind has to exist, or the start has to fail."""
        if self.status == 0 and not mark_seen:
            self.escaped("the bind was dropped in silence")

    def judge_again(self):
        """Waits for processes that survive the container, and judges the files again."""
        files = {top: host.tree(top) for top in self.host.watched}
        time.sleep(1.2)
        for top, before in files.items():
            self.host.judge_tree(before, host.tree(top))

    def began(self):
        return self.must_say in self.output


# ---- idmount ----

def idmount_program(t):
    """Copies the program for an ordinary user. The user owns the copy if the attack is on it."""
    path = "/mnt/bin/idmount"
    if not os.path.exists(path):
        os.mkdir("/mnt/bin")
        shutil.copy(IDMOUNT, path)
        if t.own_program:
            os.chown(path, t.root_id, t.root_id)
    return path


def start_idmount(t, command):
    line = [idmount_program(t), "run", "--rootfs", IMAGE]
    if not t.rootless:
        line += ["-m", f"0:{0 if t.identity else SHIFTED}:{COUNT}"]
    line += ["--tty" if t.mode == "tty" else "--no-tty"]
    line += [] if t.has_pid else ["--no-pid"]
    line += ["--read-only"] if t.read_only else []
    line += ["--ephemeral"] if t.ephemeral else []
    line += ["--workdir", t.workdir] if t.workdir else []
    line += ["--cap-add", "ALL"] if t.capabilities == "all" else []
    for b in t.binds:
        words = list(b.words) + (["idmap"] if b.idmap else []) + (["recursive"] if b.recursive else [])
        line += ["--bind", ":".join([b.source, b.target] + ([",".join(words)] if words else []))]
    return line + t.more + ["--"] + list(command)


# ---- the others ----

def start_bwrap(t, command):
    if t.mode == "tty":
        raise NotApplicable("bwrap makes no terminal")
    if t.ephemeral:
        raise NotApplicable("bwrap 0.8 has no overlay")
    line = [shutil.which("bwrap"), "--unshare-user", "--uid", "0", "--gid", "0", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
            "--new-session", "--clearenv", "--setenv", "PATH", "/bin"]
    line += ["--cap-drop", "ALL"]
    for capability in USUAL_CAPABILITIES if t.capabilities == "usual" else ["ALL"]:
        line += ["--cap-add", capability]
    line += ["--ro-bind" if t.read_only else "--bind", IMAGE, "/"]
    line += ["--unshare-pid", "--proc", "/proc"] if t.has_pid else ["--bind", "/proc", "/proc"]
    line += ["--dev", "/dev", "--ro-bind", "/sys", "/sys"]
    for b in t.binds:
        if set(b.words) - {"ro", "nosuid", "nodev"} or b.idmap:
            raise NotApplicable("bwrap has no such bind")
        line += ["--ro-bind" if "ro" in b.words else "--bind", b.source, b.target]
    line += ["--chdir", t.workdir] if t.workdir else []
    return line + t.more + list(command)


def oci_mounts(t):
    proc = ({"destination": "/proc", "type": "proc", "source": "proc"} if t.has_pid else
            {"destination": "/proc", "type": "none", "source": "/proc", "options": ["rbind", "nosuid", "noexec", "nodev"]})
    found = [
        proc,
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]}]
    for b in t.binds:
        if b.idmap:
            raise NotApplicable("no map of a bind in these releases")
        found.append({"destination": b.target, "type": "none", "source": b.source,
                      "options": ["rbind" if b.recursive else "bind", *b.words]})
    return found


def oci_config(t, command):
    def row(inside, outside, count):
        return {"containerID": inside, "hostID": outside, "size": count}

    if t.rootless:
        rows = [row(0, USER, 1), row(1, host.SUBORDINATE, COUNT)]
    else:
        rows = [row(0, t.root_id, COUNT)]
    kinds = ["mount", "ipc", "uts", "user"] + (["pid"] if t.has_pid else [])
    names = USUAL_CAPABILITIES if t.capabilities == "usual" else ALL_CAPABILITIES
    capabilities = {kind: names for kind in ("bounding", "effective", "permitted")}
    return {
        "ociVersion": "1.0.2",
        "process": {"terminal": t.mode == "tty", "user": {"uid": 0, "gid": 0}, "args": list(command),
                    "env": ["PATH=/bin"], "cwd": t.workdir or "/", "capabilities": capabilities, "noNewPrivileges": False},
        "root": {"path": IMAGE, "readonly": t.read_only},
        "hostname": "box",
        "mounts": oci_mounts(t),
        "linux": {"namespaces": [{"type": kind} for kind in kinds], "uidMappings": rows, "gidMappings": rows,
                  "maskedPaths": MASKED, "readonlyPaths": READ_ONLY}}


def write_bundle(t, command):
    os.makedirs("/mnt/bundle", exist_ok=True)
    os.makedirs("/mnt/state", exist_ok=True)
    os.chown("/mnt/state", USER if t.rootless else 0, -1)
    host.write("/mnt/bundle/config.json", json.dumps(oci_config(t, command)))


def start_oci(t, command, runtime, more):
    if t.ephemeral:
        raise NotApplicable("an OCI bundle has no such word")
    write_bundle(t, command)
    line = [shutil.which(runtime), "--root", "/mnt/state", *more]
    name = f"idm-hostile-{t.host.mark}"
    t.undo.append(lambda: run(*line, "delete", "--force", name))
    return [*line, "run", "-b", "/mnt/bundle", name]


def start_runc(t, command):
    return start_oci(t, command, "runc", [])


def start_crun(t, command):
    # crun 1.8 does not support cgroups of both versions side by side.
    if run("stat", "-f", "-c", "%T", "/sys/fs/cgroup").stdout.strip() == "tmpfs":
        run("umount", "-R", "/sys/fs/cgroup")
        run("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
    return start_oci(t, command, "crun", ["--cgroup-manager=disabled"])


# ---- the judge's own trial ----

def start_chroot(t, command):
    """Starts no container, but a plain chroot, in which the judge has to see each escape."""
    script = ""
    for b in t.binds:
        script += f"mkdir -p {IMAGE}{b.target}; mount --bind {b.source} {IMAGE}{b.target}\n"
        script += f"mount -o remount,bind,{','.join(b.words)} {IMAGE}{b.target}\n" if b.words else ""
    script += f"mount --rbind /proc {IMAGE}/proc; mount --rbind /dev {IMAGE}/dev; mount --rbind /sys {IMAGE}/sys\n"
    return ["/usr/bin/unshare", "--mount", "--propagation", "unchanged", "/bin/sh", "-c",
            script + f'exec chroot {IMAGE} "$@"', "sh", *command]


def version(product):
    program = IDMOUNT if product == "idmount" else shutil.which(product)
    if not program:
        return None
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d[\w.+-]*", text)
    return found[0] if found else "?"
