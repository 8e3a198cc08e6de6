# SPDX-License-Identifier: MIT
"""The attacked host, and the judge of what happened to it.

A host is a mount namespace with a tmpfs at /mnt, some files and processes, and a caller. The caller is a process
in a session of its own, on a terminal. It starts a container as a shell script would. All of it is made for one
run, and disappears with it.
"""
import ctypes
import fcntl
import hashlib
import os
import pty
import secrets
import select
import signal
import stat
import sys
import termios
import time
import zlib

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x20000
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MS_SHARED = 0x20, 0x1000, 0x4000, 1 << 18, 1 << 20
SYS_ADD_KEY, SYS_KEYCTL = 248, 250
KEYCTL_JOIN_SESSION_KEYRING, KEYCTL_READ, KEYCTL_SETPERM = 1, 11, 5
SESSION_KEYRING = -3

# An ordinary user, which exists only in this mount namespace. Its callers keep their keys until the end, and a user
# may have 200. Groups of attacks run at the same time, so each one uses another user.
USER = 50000 + 2 * (zlib.crc32(" ".join(sys.argv[1:]).encode()) % 2000)
OTHER = USER + 1  # another user
GROUP = 64244  # a group that the caller is a member of
SHIFTED = 1731000000  # the first ID on the host of a container that root started
SUBORDINATE = 1732000000  # the same for the ordinary user's container
COUNT = 65536
SECONDS = 30  # a run that lasts longer hangs


def check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def mount(source, target, kind=None, flags=0, data=None):
    text = [None if t is None else os.fsencode(t) for t in (source, target, kind)]
    check(LIBC.mount(text[0], text[1], text[2], ctypes.c_ulong(flags), data and data.encode()), f"mount {target}")


def new_mount_namespace():
    check(LIBC.unshare(CLONE_NEWNS), "unshare")
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def write(path, text, mode=0o644, owner=0):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    if mode is not None:
        os.chown(path, owner, owner)
        os.chmod(path, mode)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def drop_to(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def tree(top):
    """Returns all files below a directory, with everything that an attacker could change."""
    found = {}
    for path, _, files in os.walk(top):
        for name in ["."] + files:
            file = os.path.join(path, name)
            st = os.lstat(file)
            content = hashlib.sha256(read(file)).hexdigest() if stat.S_ISREG(st.st_mode) else ""
            found[file] = (st.st_mode, st.st_uid, st.st_gid, st.st_size, content)
    return found


def mounts():
    return read("/proc/self/mountinfo").decode(errors="replace").splitlines()


def is_alive(pid):
    """Whether the process is alive, and neither a zombie nor stopped."""
    return Host.state(pid) not in ("Z", "X", "T", "t")


class Caller:
    """Starts a command on a terminal, as a script does. Afterwards it reads the terminal's input."""

    def __init__(self, uid, mode, closed, environment, secret, groups=(), cgroup=None):
        self.uid, self.mode, self.closed, self.groups, self.cgroup = uid, mode, closed, groups, cgroup
        self.environment, self.secret = environment, secret

    def start(self, command):
        self.master, slave = pty.openpty()
        self.pipe_out, pipe_in = os.pipe() if self.mode == "pipes" else (None, None)
        self.said, said = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.master)
                self.live(command, slave, pipe_in, said)
            finally:
                os._exit(99)
        os.close(slave)
        os.close(said)
        if pipe_in is not None:
            os.close(pipe_in)

    def live(self, command, slave, pipe_in, said):
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        if self.cgroup:
            write(f"{self.cgroup}/cgroup.procs", "0", None)
        if self.uid:
            os.fchown(slave, self.uid, -1)
            drop_to(self.uid)
        elif self.groups:
            os.setgroups(self.groups)
        for to in range(3):
            os.dup2(slave, to)
        self.quiet_terminal(slave)
        os.set_inheritable(said, False)
        self.make_key()
        neighbour = os.fork()
        if neighbour == 0:
            signal.pause()
        pid = os.fork()
        if pid == 0:
            self.execute(command, pipe_in)
        os.write(said, f"pid {pid}\nneighbour {neighbour}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(said, f"status {os.waitstatus_to_exitcode(status)}\n".encode())
        self.tell_of_terminal(said)
        self.tell_of_keys(said)
        os.write(said, b"alive\n")
        signal.pause()

    @staticmethod
    def quiet_terminal(fd):
        mode = termios.tcgetattr(fd)
        mode[3] &= ~termios.ECHO
        mode[1] &= ~termios.OPOST
        termios.tcsetattr(fd, termios.TCSANOW, mode)

    @staticmethod
    def nothing_to_read():
        """Returns an empty pipe. /dev/null would not do, because crun changes the owner of its standard streams."""
        reading, writing = os.pipe()
        os.close(writing)
        return reading

    def execute(self, command, pipe_in):
        try:
            if self.mode == "pipes":
                os.dup2(self.nothing_to_read(), 0)
                os.dup2(pipe_in, 1)
                os.dup2(pipe_in, 2)
            # Descriptors that a careless caller leaves open.
            os.dup2(os.open("/mnt", os.O_RDONLY | os.O_DIRECTORY), 7)
            os.dup2(os.open("/proc/self/ns/mnt", os.O_RDONLY), 8)
            for fd in self.closed:
                os.close(fd)
            os.execve(command[0], command, self.environment)
        except OSError as error:
            os.write(2, f"{command[0]}: {error}\n".encode())
        os._exit(98)

    def make_key(self):
        LIBC.syscall(SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, None)
        self.key = LIBC.syscall(SYS_ADD_KEY, b"user", b"idmount-canary", self.secret.encode(), len(self.secret),
                                SESSION_KEYRING)

    def tell_of_keys(self, said):
        text, ring = ctypes.create_string_buffer(256), (ctypes.c_int * 64)()
        n = LIBC.syscall(SYS_KEYCTL, KEYCTL_READ, self.key, text, 255)
        os.write(said, b"key " + text.raw[:max(n, 0)] + b"\n")
        n = LIBC.syscall(SYS_KEYCTL, KEYCTL_READ, SESSION_KEYRING, ring, ctypes.sizeof(ring))
        os.write(said, f"keys {n // 4}\n".encode())

    @staticmethod
    def tell_of_terminal(said):
        """Reports whether the caller still has its terminal, and the input that a shell would read."""
        try:
            fd = os.open("/dev/tty", os.O_RDWR | os.O_NONBLOCK)
            os.write(said, f"foreground {os.tcgetpgrp(fd)} {os.getpgrp()}\n".encode())
        except OSError as error:
            os.write(said, f"no terminal: {error.strerror}\n".encode())
            return
        try:
            os.write(said, b"typed " + os.read(fd, 4096).replace(b"\n", b"|") + b"\n")
        except BlockingIOError:
            os.write(said, b"typed\n")
        except OSError as error:
            os.write(said, f"no terminal: {error.strerror}\n".encode())


class Host:
    def __init__(self):
        token = secrets.token_hex(8)
        self.tokens = {f"TOKEN-{kind}-{token}": what for kind, what in (
            ("file", "read a file of the host"), ("key", "read the caller's key"),
            ("env", "read the caller's environment"), ("below", "read what a mount covers"))}
        self.mark = f"MARK-{token}"  # in the files for the container
        self.watched, self.found, self.pids = ["/mnt/host"], [], []
        self.blind = self.deaf = False
        self.started = None

    def token(self, kind):
        return next(t for t in self.tokens if t.startswith(f"TOKEN-{kind}-"))

    def make(self):
        new_mount_namespace()
        mount("work", "/mnt", "tmpfs", 0, "mode=755")
        os.mkdir("/mnt/host")
        os.chmod("/mnt/host", 0o777)
        write("/mnt/host/secret", self.token("file"))
        write("/mnt/host/file", "original\n", 0o666)
        self.make_user()
        for uid in (0, USER):
            self.pids.append(self.canary(uid))

    def make_user(self):
        os.mkdir("/mnt/etc")
        lines = {
            "passwd": f"hostile:x:{USER}:{USER}::/mnt:/bin/sh\nother:x:{OTHER}:{OTHER}::/mnt:/bin/sh\n",
            "group": f"hostile:x:{USER}:\nother:x:{OTHER}:\n",
            "subuid": f"hostile:{SUBORDINATE}:{COUNT}\n", "subgid": f"hostile:{SUBORDINATE}:{COUNT}\n"}
        for name, more in lines.items():
            if os.path.exists(f"/etc/{name}"):
                old = read(f"/etc/{name}").decode(errors="replace") if name in ("passwd", "group") else ""
                write(f"/mnt/etc/{name}", old + more)
                mount(f"/mnt/etc/{name}", f"/etc/{name}", None, MS_BIND)

    @staticmethod
    def canary(uid):
        pid = os.fork()
        if pid == 0:
            os.setsid()
            if uid:
                drop_to(uid)
            while True:
                signal.pause()
        return pid

    # ---- one run ----

    def escaped(self, what):
        if what not in self.found:
            self.found.append(what)

    def run(self, command, caller, inspect=None):
        """Runs a command until it exits. Returns its exit status (None: it hung) and its output."""
        before = {top: tree(top) for top in self.watched}
        mounts_before = mounts()
        caller.start(command)
        output, told = self.attend(caller, inspect)
        self.judge_caller(caller, told)
        for top, files in before.items():
            self.judge_tree(files, tree(top))
        self.judge_mounts(mounts_before, mounts())
        for pid in self.pids:
            if not is_alive(pid):
                self.escaped("killed or stopped a process of the host")
        for token, what in self.tokens.items():
            if token.encode() in output:
                self.escaped(what)
        status = told.get("status")
        return int(status) if status is not None else None, output.decode(errors="replace")

    def attend(self, caller, inspect):
        """Reads all output until the caller has finished its report, or is dead."""
        output, said, end, inspected = b"", b"", time.monotonic() + SECONDS, False
        self.caller = caller
        fds = [fd for fd in (caller.master, caller.pipe_out, caller.said) if fd is not None]
        while caller.said in fds and time.monotonic() < end:
            for fd in select.select([fd for fd in fds if not self.deaf or fd == caller.said], [], [], 0.5)[0]:
                try:
                    data = os.read(fd, 65536)
                except OSError:
                    data = b""
                if not data:
                    fds.remove(fd)
                    if fd == caller.said:
                        self.await_exit(caller, end)
                elif fd == caller.said:
                    said += data
                    if said.startswith(b"pid ") and b"\n" in said:
                        self.started = int(said.split()[1])
                else:
                    output += data
            if b"alive\n" in said:
                break
            if not inspected and self.is_waiting(output):
                inspected = True
                time.sleep(0.05)
                if not inspect or not inspect():
                    self.end_attackers()
            if not self.go_on(caller):
                break
        output += self.rest(caller.master) + (self.rest(caller.pipe_out) if caller.pipe_out is not None else b"")
        told = {}
        for line in said.decode(errors="replace").splitlines():
            word, _, rest = line.partition(" ")
            told[word] = rest
        return output, told

    @staticmethod
    def await_exit(caller, end):
        """The kernel closes the descriptors of a killed process before it shows the process as dead."""
        while is_alive(caller.pid) and time.monotonic() < end:
            time.sleep(0.001)

    def is_waiting(self, output):
        if self.blind:
            return any(b"attack\0descriptors" in read(f"/proc/{pid}/cmdline") and self.state(pid) == "S"
                       for pid in self.attackers())
        return b"waiting" in output

    @staticmethod
    def state(pid):
        return (read(f"/proc/{pid}/stat").decode(errors="replace").rpartition(")")[2].split() or ["X"])[0]

    def go_on(self, caller):
        """Kills attackers that have stopped themselves. Returns whether the caller can still report."""
        attackers = self.attackers()
        if attackers and all(not is_alive(pid) for pid in attackers):
            self.end_attackers()
        return is_alive(caller.pid)

    @staticmethod
    def rest(fd):
        data = b""
        while select.select([fd], [], [], 0)[0]:
            try:
                more = os.read(fd, 65536)
            except OSError:
                break
            if not more:
                break
            data += more
        return data

    def judge_caller(self, caller, told):
        if "alive" not in told:
            done, _ = os.waitpid(caller.pid, os.WNOHANG)
            if done or not is_alive(caller.pid):
                self.escaped("killed or stopped the caller")
            else:
                self.escaped("the caller hangs")
            return
        if told.get("typed", "").strip("|x"):  # x: see type_and_terminate()
            self.escaped(f"typed for the caller: {told['typed'][:40]}")
        if "no" in told:
            self.escaped("took the caller's terminal away")
        if "foreground" in told and len(set(told["foreground"].split())) > 1:
            self.escaped("took the caller's place in the foreground")
        if told.get("key") != caller.secret:
            self.escaped("changed the caller's key")
        if told.get("keys") != "1":
            self.escaped("changed the caller's keyring")
        if not is_alive(int(told["neighbour"])):
            self.escaped("killed or stopped another process of the caller's")

    def judge_tree(self, before, after):
        for path in sorted(set(before) | set(after)):
            if before.get(path) != after.get(path):
                how = "made" if path not in before else "removed" if path not in after else "changed"
                self.escaped(f"{how} {path}")

    def judge_mounts(self, before, after):
        for line in after:
            if line not in before:
                self.escaped(f"mounted on the host: {' '.join(line.split()[4:6])}")
        if any(line not in after for line in before):
            self.escaped("unmounted or changed a mount of the host")

    # ---- checks while the container runs ----

    @staticmethod
    def attackers():
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    if os.path.basename(os.readlink(f"/proc/{entry}/exe")) == "attack":
                        found.append(int(entry))
                except OSError:
                    pass
        return found

    def end_attackers(self):
        for pid in self.attackers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def status_of(self, pid):
        lines = read(f"/proc/{pid}/status").decode(errors="replace").splitlines()
        return {line.partition(":")[0]: line.partition(":")[2].strip() for line in lines}

    def inspect_descriptors(self):
        """The attacker's processes may have no descriptors except those of the caller's output."""
        usual = ("/dev/null", "/dev/pts/", "pipe:", "/dev/console", "/dev/tty", "/0", "/1", "/2")
        for pid in self.attackers():
            for fd in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                if int(fd) > 2 or not target.startswith(usual):
                    self.escaped(f"has descriptor {'N' if int(fd) > 2 else fd}: {target.split(':')[0]}")

    def type_and_terminate(self):
        """Types more than a terminal can store, while the container does not read. Then terminates it."""
        os.set_blocking(self.caller.master, False)
        try:
            for _ in range(64):
                os.write(self.caller.master, b"x" * 1023 + b"\n")
                time.sleep(0.002)
        except BlockingIOError:
            pass
        os.set_blocking(self.caller.master, True)
        os.kill(self.started, signal.SIGTERM)
        return True

    def look_away_and_terminate(self):
        """Stops reading the output of the container. Then terminates it."""
        self.deaf = True
        time.sleep(0.3)
        os.kill(self.started, signal.SIGTERM)
        return True

    def inspect_tracers(self):
        attackers = self.attackers()
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) not in attackers:
                if int(self.status_of(entry).get("TracerPid", "0")) in attackers:
                    self.escaped(f"traces {self.status_of(entry).get('Name')}")

    def inspect_namespaces(self):
        found = {os.readlink(f"/proc/{pid}/ns/user") for pid in self.attackers()}
        if len(found) > 1:
            self.escaped("has a user namespace below its own")

    def inspect_capabilities(self):
        """The attacker may have only the 14 capabilities that runc and Docker grant by default."""
        usual = sum(1 << n for n in (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31))
        for pid in self.attackers():
            status = self.status_of(pid)
            for name in ("CapBnd", "CapEff", "CapPrm"):
                more = int(status[name], 16) & ~usual
                if more:
                    self.escaped(f"has the capabilities {more:x} ({name})")
