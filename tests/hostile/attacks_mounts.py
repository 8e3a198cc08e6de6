# SPDX-License-Identifier: MIT
"""The order of mounts in a root filesystem, and changes to them afterwards."""
import os
import shutil
import subprocess

import box
import host
from attack_table import BOTH, OURS, attack
from box import IMAGE, SHARE


# ---- targets that are the root, or lead out ----

def on_root(target, link=None):
    def run(t):
        if link:
            t.link(link, "data")
        t.bind(SHARE, target)
        t.attack("dotdot", "/data", "/data/..", target)
        # The image is still the root, so the requested bind is missing.
        t.must_have_bind(False)
    return run


ON_ROOT = "a bind on the root, however it is spelt, or as a link of the image leads"
THROUGH_LINK = "a bind on a path that a link of the image, `..` or a link in /proc leads out of the root"
LIBRARY = "the same mounts by the library alone (`idm_child_start()`)"

for TARGET in ("/", "//", "/.", "/./", "/data/..", "/bin/../"):
    attack("A", f"bind-on-{TARGET}", f"a bind on the root, spelt `{TARGET}`", may_refuse=True, family=ON_ROOT)(on_root(TARGET))
for LINK, TARGET in ((".", "/data/"), (".", "/data/."), ("/", "/data/"), ("..", "/data/"), ("bin/..", "/data/"),
                     (".", "/data/data/"), (".", "/data")):
    attack("A", f"image-{LINK}-bind-on-{TARGET}", f"a bind on `{TARGET}`, which the image makes a link to `{LINK}`",
           may_refuse=True, family=ON_ROOT)(on_root(TARGET, LINK))


def through_link(link, name, target, is_file=False):
    def run(t):
        os.makedirs(f"{IMAGE}/var", exist_ok=True)
        if link:
            t.link(link, name)
        t.bind(f"{SHARE}/marker" if is_file else SHARE, target)
        marker = target if is_file else f"{target}/marker"
        t.run(["/bin/sh", "-c", f"echo began; cat {marker}; /bin/attack dotdot {target}"])
        t.must_have_bind(t.host.mark in t.output)
    return run


for LINK, NAME, TARGET in (
        ("../../mnt/host", "lnk", "/lnk/made"), ("../mnt/host", "lnk", "/lnk/made"), ("/mnt/host", "lnk", "/lnk/made"),
        ("../../mnt", "lnk", "/lnk/host"), ("../run", "var/run", "/var/run/lock"),
        ("/run", "var/run", "/var/run/lock"), ("../../../../../../mnt/host", "var/run", "/var/run/lock"),
        ("/proc/self/root/../mnt/host", "lnk", "/lnk/made"), ("/proc/1/root/mnt/host", "lnk", "/lnk/made"),
        ("/proc/self/cwd/../mnt/host", "lnk", "/lnk/made"), ("/dev/fd/7/host", "lnk", "/lnk/made"),
        ("/proc/self/fd/7/host", "lnk", "/lnk/made"), ("/proc/thread-self/root/../mnt/host", "lnk", "/lnk/made")):
    attack("A", f"image-link-{LINK}-bind-on-{TARGET}", f"a bind on `{TARGET}`, where `{NAME}` is a link to `{LINK}`",
           may_refuse=True, family=THROUGH_LINK)(through_link(LINK, NAME, TARGET))
for TARGET in ("/../mnt/host/made", "/bin/../../mnt/host/made", "/data/../../../mnt/host/made", "/proc/self/root/mnt/host/made"):
    attack("A", f"bind-on-{TARGET}", f"a bind on `{TARGET}`", may_refuse=True, family=THROUGH_LINK)(through_link(None, None, TARGET))
attack("A", "image-link-file-bind", "a bind of a file on `/lnk/made`, where `lnk` is a link to `../../mnt/host`",
       may_refuse=True, family=THROUGH_LINK)(through_link("../../mnt/host", "lnk", "/lnk/made", is_file=True))
attack("A", "image-link-file-itself", "a bind of a file on `/lnk`, a link to `../../mnt/host/file`",
       may_refuse=True, family=THROUGH_LINK)(through_link("../../mnt/host/file", "lnk", "/lnk", is_file=True))


@attack("A", "second-bind-through-first", "a second bind follows a link that the first one contains", may_refuse=True, family=THROUGH_LINK)
def second_bind(t):
    os.symlink("../../mnt/host", f"{SHARE}/out")
    os.symlink("/mnt/host", f"{SHARE}/out2")
    t.bind(SHARE, "/data")
    t.directory("/mnt/second", {"marker": t.host.mark})
    t.bind("/mnt/second", "/data/out/made")
    t.bind("/mnt/second", "/data/out2/made2")
    t.attack("dotdot", "/data/out/made")


@attack("A", "system-directories-that-lead-out", "`/dev`, `/proc` and `/sys` of the image are links that lead out", may_refuse=True)
def system_directories(t):
    os.mkdir("/mnt/host/dev")
    for name in ("dev", "proc", "sys"):
        t.link(f"../../mnt/host/{name}", name)
    t.attack("dotdot")


def library_on(target, link=None, mapped=True):
    def run(t):
        if link:
            t.link(link, "data")
        library = "/mnt/library"
        shutil.copy(box.LIBRARY, library)
        os.chmod(library, 0o755)
        map_text = f"0:{box.SHIFTED}:{box.COUNT}" if mapped else ""
        line = [library, IMAGE, map_text, SHARE, target, "/bin/attack", "dotdot", "/data"]
        if t.rootless:
            line = ["/usr/bin/unshare", "--user", "--map-root-user", "--mount"] + line[:2] + [""] + line[3:]
        t.run_on_host(line)
    return run


for TARGET, LINK in (("/", None), ("//", None), ("/data/..", None), ("/data/", "."), ("/data/made", "../../mnt/host")):
    attack("A", f"library-bind-on-{TARGET}{'-link' if LINK else ''}",
           f"`idm_child_start()` alone: a mount on `{TARGET}`" + (f", a link to `{LINK}`" if LINK else ""),
           products=OURS, pids=(True,), may_refuse=True, family=LIBRARY)(library_on(TARGET, LINK))


# ---- mounts that were only attached ----

@attack("A", "remount-bind", "the container's root removes `ro,nosuid,nodev` from a bind", capabilities=BOTH)
def remount_bind(t):
    t.directory("/mnt/conf", {"file": "original\n"})
    t.host.watched.append("/mnt/conf")
    t.bind("/mnt/conf", "/conf", ("ro", "nosuid", "nodev"))
    t.attack("remount", "/conf")


@attack("A", "remount-mapped-bind", "the same of a bind with a map, on files of the host's root", capabilities=BOTH, products=OURS, who=("rootful",))
def remount_mapped(t):
    t.directory("/mnt/conf", {"file": "original\n"}, 0)
    os.chmod("/mnt/conf/file", 0o600)
    t.host.watched.append("/mnt/conf")
    t.bind("/mnt/conf", "/conf", ("ro", "nosuid", "nodev"), idmap=True)
    t.attack("remount", "/conf")


@attack("A", "remount-recursive-bind", "the same of a mount below a recursive bind", capabilities=BOTH)
def remount_recursive(t):
    t.directory("/mnt/conf", {"file": "original\n"})
    os.mkdir("/mnt/conf/sub")
    host.mount("sub", "/mnt/conf/sub", "tmpfs", 0, "mode=777")
    host.write("/mnt/conf/sub/file", "original\n", 0o666)
    host.mount(None, "/mnt/conf/sub", None, host.MS_REMOUNT | host.MS_BIND | 1 | 2 | 4)  # read-only, nosuid, nodev
    t.host.watched.append("/mnt/conf")
    t.bind("/mnt/conf", "/conf", ("ro", "nosuid", "nodev"), recursive=True)
    t.attack("remount", "/conf/sub")


@attack("A", "remount-read-only-root", "the container's root makes a read-only root filesystem writable", capabilities=BOTH)
def remount_root(t):
    host.write(f"{IMAGE}/file", "original\n", 0o666, t.disk_root)
    t.host.watched.append(IMAGE)
    t.read_only = True
    t.attack("remount", "/")


@attack("A", "remount-system", "the same of `/sys` and its cgroups, of `/proc/sys`, and of the host's filesystem as a whole", capabilities=BOTH)
def remount_system(t):
    mounts = host.mounts
    options = sorted(line.split()[5] + line.split(" - ")[1] for line in mounts())
    t.attack("superblock", "/", "/sys", "/sys/fs/cgroup", "/dev", "/dev/shm", "/data")
    if options != sorted(line.split()[5] + line.split(" - ")[1] for line in mounts()):
        t.escaped("changed a filesystem of the host's")


@attack("A", "uncover-bind", "the container's root unmounts a bind that covers a directory of the image", capabilities=BOTH)
def uncover_bind(t):
    for name in ("data", "etc"):
        host.write(f"{IMAGE}/{name}/below", t.host.token("below"), 0o644, t.disk_root)
        t.bind(SHARE, f"/{name}")
    t.attack("uncover", "/data", "/etc")


@attack("A", "uncover-hosts-mount", "it unmounts a mount by which the host covers a part of a recursive bind", capabilities=BOTH)
def uncover_hosts(t):
    t.directory("/mnt/conf", {})
    os.mkdir("/mnt/conf/sub")
    host.write("/mnt/conf/sub/below", t.host.token("below"))
    host.mount("cover", "/mnt/conf/sub", "tmpfs", 0, "mode=755")
    t.bind("/mnt/conf", "/conf", recursive=True)
    t.attack("uncover", "/conf/sub")


@attack("A", "uncover-system", "it unmounts `/proc`, `/sys` or `/dev`, below which the image has something", capabilities=BOTH)
def uncover_system(t):
    for name in ("dev", "sys", "proc"):
        host.write(f"{IMAGE}/{name}/below", t.host.token("below"), 0o644, t.disk_root)
    t.attack("uncover", "/dev", "/sys", "/proc")


@attack("A", "uncover-root", "it unmounts, moves or covers the root itself", capabilities=BOTH)
def uncover_root(t):
    t.attack("uncover", "/", "/..", "/.")


@attack("A", "dotdot", "`..` from each directory of a plain container", capabilities=BOTH, modes=("tty", "terminal"))
def plain_dotdot(t):
    t.bind(SHARE, "/data")
    t.attack("dotdot", "/data", "/tmp", "/dev/shm")


@attack("A", "chroot", "the way out of a chroot, by a second one", capabilities=BOTH)
def chroot(t):
    t.attack("chroot")


# ---- mounts that propagate to the host ----

def propagate(words):
    def run(t):
        t.directory("/mnt/shared", {})
        host.mount("/mnt/shared", "/mnt/shared", None, host.MS_BIND)
        host.mount(None, "/mnt/shared", None, host.MS_SHARED)
        os.mkdir("/mnt/shared/sub")
        os.chown("/mnt/shared/sub", t.root_id, t.root_id)
        t.bind("/mnt/shared", "/shared", words)
        t.attack("mount-on", "/shared/sub", "/shared")
    return run


attack("B", "mount-in-shared-bind", "it mounts in a bind of a shared mount", capabilities=BOTH)(propagate(()))
attack("B", "mount-in-bind-that-is-asked-shared", "it mounts in a bind with the word `shared`", products=OURS,
       may_refuse=True)(propagate(("shared",)))
attack("B", "mount-in-bind-that-is-asked-rshared", "it mounts in a recursive bind with the word `shared`", products=OURS,
       may_refuse=True, family="it mounts in a bind with the word `shared`")(propagate(("shared", "recursive")))


@attack("B", "mount-in-shared-root", "it mounts in a root filesystem that is a shared mount", capabilities=BOTH)
def shared_root(t):
    host.mount(IMAGE, IMAGE, None, host.MS_BIND | host.MS_REC)
    host.mount(None, IMAGE, None, host.MS_SHARED | host.MS_REC)
    t.attack("mount-on", "/data", "/tmp", "/")


# ---- cgroups ----

def cgroup_place():
    for line in host.mounts():
        fields = line.split()
        if line.split(" - ")[1].startswith("cgroup2 "):
            return fields[4]
    return None


@attack("A", "cgroup", "it kills the caller by their cgroup, in the host's cgroup filesystem or in one of its own", capabilities=BOTH)
def cgroup(t):
    place = cgroup_place()
    if not place:
        raise box.NotApplicable("this host has no cgroup2")
    name = f"idm-hostile-{t.host.mark}"
    group = f"{place}/{name}"
    os.mkdir(group)
    owner = host.USER if t.rootless else 0
    t.caller_cgroup = group

    def undo():
        subprocess.run(["sh", "-c", f"echo 0 >{group}/cgroup.freeze; echo 1 >{group}/cgroup.kill; sleep .1; find {group} -depth -type d -exec rmdir {{}} +"],
                       check=False, stderr=subprocess.DEVNULL)
    t.undo.append(undo)
    # Owners are as in a cgroup that systemd delegates to a user.
    for entry in ("", "cgroup.procs", "cgroup.kill", "cgroup.freeze", "cgroup.threads", "cgroup.subtree_control"):
        os.chown(f"{group}/{entry}", owner, owner)
    t.attack("cgroup", ".", name, f"../{name}")
