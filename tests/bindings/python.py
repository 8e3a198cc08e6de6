#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Python package on an installed library: against the header first, then on the running kernel. TAP."""
import contextlib
import ctypes
import errno
import os
import runpy
import select
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # in the source tree
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import header  # noqa: E402 # pylint: disable=wrong-import-position

INCLUDE = os.environ.get("IDM_TEST_INCLUDE", "")
if INCLUDE:
    sys.path.insert(0, os.path.join(header.SOURCE, "bindings/python"))
    import idmount
    from idmount import _abi, constants
test = header.Tests()


def same(expected, got):
    assert expected == got, f"expected {expected!r}, got {got!r}"


@contextlib.contextmanager
def raises(kind, **attributes):
    try:
        yield
    except kind as error:
        for name, value in attributes.items():
            same((name, value), (name, getattr(error, name)))
    else:
        raise AssertionError(f"expected {kind.__name__}, got no exception")


def bound_constants():
    bound = {prefix + name: int(value) for enum, prefix in constants.PREFIXES.items()
             for name, value in enum.__members__.items()}
    return {**bound, **constants.OTHERS}


def faults_of(declared):
    """What the package lacks of a header."""
    left_out = _abi.LEFT_OUT
    names = declared.functions | declared.constants | set(declared.structs)
    faults = header.missing(declared.functions, _abi.PROTOTYPES, left_out)
    faults += header.missing(declared.constants, bound_constants(), left_out)
    faults += header.missing(declared.structs, _abi.STRUCTS, left_out)
    faults += header.needless(names, left_out)
    for name, struct in _abi.STRUCTS.items():
        members = [field[0] for field in struct._fields_]
        if members != declared.structs.get(name):
            faults.append(f"{name}: expected the members {declared.structs.get(name)}, got {members}")
    return faults


@test
def every_declaration_is_bound_or_left_out():
    same([], faults_of(header.Header(header.read_header())))


@test
def a_header_that_grows_is_noticed():
    header.check_growth(faults_of, (
        ("struct idm_path {", "struct idm_more {\n\tint a;\n};\nstruct idm_path {", "idm_more"),
        ("\tuint32_t attr_clear;", "\tuint32_t more;\n\tuint32_t attr_clear;", "idm_tree_options")))


@test
def layouts_are_those_of_the_compiler():
    body = ""
    numbers = {}
    for name, struct in _abi.STRUCTS.items():
        body += f'printf("{name} %zu\\n", sizeof(struct {name}));\n'
        numbers[name] = ctypes.sizeof(struct)
        for field in (member[0] for member in struct._fields_):
            body += f'printf("{name}.{field} %zu\\n", offsetof(struct {name}, {field}));\n'
            body += f'printf("{name}.{field}.size %zu\\n", sizeof(((struct {name} *)0)->{field}));\n'
            numbers[f"{name}.{field}"] = getattr(struct, field).offset
            numbers[f"{name}.{field}.size"] = getattr(struct, field).size
    same(numbers, header.run_c(INCLUDE, body))


@test
def constants_have_their_values():
    bound = bound_constants()
    body = "".join(f'printf("{name} %lld\\n", (long long)({name}));\n' for name in bound)
    same(bound, header.run_c(INCLUDE, body))


@test
def annotations_agree_with_the_code():
    if shutil.which("mypy") is None:
        raise header.Skip("mypy is missing: install mypy")
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(["mypy", "--strict", "--cache-dir", cache, os.path.dirname(idmount.__file__)],
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


@test
def a_map_translates():
    mapping = idmount.Map("u:0:100000:10,g:5:7")
    same(100003, mapping.to_seen(idmount.Kind.UID, 3))
    same(5, mapping.to_disk(idmount.Kind.GID, 7))
    same(None, mapping.to_seen(idmount.Kind.UID, 10))
    same([idmount.Entry(0, 100000, 10)], mapping.entries(idmount.Kind.UID))
    same("u:0:100000:10,g:5:7:1", str(mapping))
    same("uids=0-100000-10;gids=5-7-1", mapping.format(idmount.Format.CRUN))
    copy = mapping.copy()
    same(mapping, copy)
    copy.invert()
    assert mapping != copy
    copy.compose(mapping)
    same([(100000, 100000, 10)], copy.entries(idmount.Kind.UID))
    copy.add(idmount.Kind.BOTH, [(1, 2)])
    copy.parse_kernel(idmount.Kind.UID, "7 8 1\n")
    same(8, copy.to_seen(idmount.Kind.UID, 7))
    rest = idmount.Map("1:2")
    rest.keep_rest_within(idmount.Map("0:0:10"))
    same([(0, 0, 1), (1, 2, 1), (3, 3, 7)], rest.entries(idmount.Kind.UID))
    rest.keep_rest()
    rest.check()
    same((idmount.Attr.NOSUID | idmount.Attr.NODEV, (idmount.Kind.UID, 1, 2)), rest.hardening())
    same((idmount.Attr(0), None), idmount.Map("0:0:9").hardening())
    with raises(ValueError):
        mapping.to_seen(idmount.Kind.UID, -1)
    with raises(ValueError):
        mapping.add(idmount.Kind.UID, [(1 << 32, 0)])
    mapping.close()
    with raises(ValueError):
        str(mapping)


# ctypes cuts them off: 1 << 32 was the user 0, and -1 kept the caller's.
@test
def numbers_that_do_not_fit_are_refused():
    too_many = 1 << 32
    for options in ({"uid": too_many}, {"uid": -1}, {"gid": too_many}, {"groups": [too_many]}, {"flags": 1 << 64},
                    {"fds": {0: too_many}}, {"fds": {too_many: 0}}, {"join": [too_many]}, {"namespaces": too_many},
                    {"capabilities": idmount.Capabilities(0, 0, 0, 1 << 64, 0)}, {"process_group": too_many},
                    {"mounts": [idmount.ChildMount("/", attr=too_many)]}):
        with raises(ValueError):
            idmount.child_start(["true"], **options)
    for call in (lambda: idmount.Map.from_pid(too_many + 1), lambda: idmount.Map.from_userns(too_many),
                 lambda: idmount.Map("0:1").entries(too_many + 1), lambda: idmount.UsernsCache(-1),
                 lambda: idmount.list_mounts(too_many), lambda: idmount.tree_open("/", flags=too_many),
                 lambda: idmount.tree_open("/", attr_set=-1)):
        with raises(ValueError):
            call()


@test
def an_error_carries_its_parts():
    with raises(idmount.Error, errno=errno.EINVAL, step=idmount.Step.PARSE_MAP, step_text="parse map",
                subject="0:1:x", reason='expected a number, got "x"'):
        idmount.Map("0:1:x")
    with raises(OSError, errno=errno.EINVAL):
        idmount.Map().check()
    with raises(ValueError):
        idmount.Map("0:1\0:2")
    try:
        idmount.child_start(["/missing/\udcff"])
    except idmount.Error as error:
        same((errno.ENOENT, "/missing/\\377"), (error.errno, error.subject))
        same(str(error), error.strerror)


@test
def what_is_closed_cannot_be_used():
    read, write = os.pipe()
    os.close(write)
    with idmount.Descriptor(read) as descriptor:
        same(read, descriptor.fileno())
    with raises(ValueError):
        descriptor.fileno()
    descriptor.close()
    with raises(OSError, errno=errno.EBADF):
        os.fstat(read)
    with raises(ValueError):
        idmount.tree_open("/", -1)


@test
def the_host_is_described():
    same("0.1.0", idmount.version())
    features = {feature.name: feature for feature in idmount.features()}
    assert "idmapped-mounts" in features and features["idmapped-mounts"].since == "5.12"
    same("/", idmount.list_path("/").target)


def new_tree(directory):
    """A tmpfs with a file that belongs to 3:4, and directories below it."""
    subprocess.run(["mount", "-t", "tmpfs", "test", directory], check=True)
    for name in ("src", "dst", "upper", "work"):
        os.mkdir(os.path.join(directory, name))
    with open(os.path.join(directory, "src/file"), "w", encoding="utf-8"):
        pass
    os.chown(os.path.join(directory, "src/file"), 3, 4)


@contextlib.contextmanager
def scratch():
    with tempfile.TemporaryDirectory() as directory:
        new_tree(directory)
        try:
            yield directory
        finally:
            subprocess.run(["umount", "-R", "-l", directory], check=True)


def owner(path):
    stat = os.stat(path)
    return stat.st_uid, stat.st_gid


@test.root
def a_mount_is_there_as_long_as_its_block():
    with scratch() as top:
        with idmount.mounted("0:100000:65536", top + "/src", top + "/new/target", mkdir=True) as tree:
            same((100003, 100004), owner(top + "/new/target/file"))
            info = idmount.list_path(top + "/new/target")
            same(top + "/new/target", info.target)
            assert idmount.Attr.IDMAP | idmount.Attr.NOSUID in info.attr, info.attr
            if info.map_state == idmount.MapState.READ:
                same(idmount.Map("0:100000:65536"), info.map)
                same(info.map, idmount.Map.from_mount(tree))
                assert info.id in [mount.id for mount in idmount.list_mounts()]
        same([], os.listdir(top + "/new/target"))
        with raises(KeyError):
            with idmount.mounted("0:1:9", top + "/src", top + "/dst"):
                raise KeyError
        same([], os.listdir(top + "/dst"))
        with raises(idmount.Error, errno=errno.ENOENT, subject=top + "/missing", step=idmount.Step.OPEN_TARGET):
            idmount.mount("0:1:9", top + "/src", top + "/missing")
        idmount.mount("0:1:9", top + "/src", top + "/dst").close()
        idmount.umount(top + "/dst")
        same([], os.listdir(top + "/dst"))
        assert idmount.check_path(top).fstype == "tmpfs"


@test.root
def user_namespaces_come_from_a_cache():
    with idmount.UsernsCache(2) as cache, cache.open("0:5:9") as one, cache.open("0:5:9") as two:
        same(os.fstat(one.fileno()).st_ino, os.fstat(two.fileno()).st_ino)
        same(idmount.Map("0:5:9"), idmount.Map.from_userns(one))


@test.root
def an_overlay_has_a_map_and_progress():
    with scratch() as top:
        calls = []
        options = {"lower": [top + "/src"], "upper": top + "/upper", "work": top + "/work", "map_": "0:100000:65536",
                   "options": {"volatile": None}}
        with idmount.overlay_open(progress=lambda done, all_: calls.append((done, all_)), **options) as tree:
            tree.attach(top + "/dst")
            same((100003, 100004), owner(top + "/dst/file"))
            tree.umount()
        assert calls and calls[-1][0] == calls[-1][1], calls

        def cancel(done, all_):
            raise KeyError(done, all_)

        with raises(KeyError):
            idmount.overlay_open(progress=cancel, **options)


@test.root
def a_plan_is_applied_and_undone():
    with scratch() as top:
        with idmount.Plan() as plan:
            plan.add("bind", top + "/src", None, ["rbind"], map_="0:100000:65536")
            same((0, None), plan.harden())
            plan.apply(top + "/new", journal=top + "/journal", flags=idmount.PlanApplyFlag.MKDIR)
        same((100003, 100004), owner(top + "/new/file"))
        idmount.plan_undo(top + "/journal")
        same(False, os.path.exists(top + "/new"))
        with idmount.Plan() as plan:
            plan.add("bind", top + "/src", map_="5:0")
            same((1, (idmount.Kind.UID, 5, 0)), plan.harden())
            with plan.open() as tree:
                tree.attach(top + "/dst")
        with idmount.Plan() as plan, raises(idmount.Error, errno=errno.EINVAL):
            plan.read("[{}]", form=idmount.PlanFormat.CONTAINERD)


@test
def a_child_runs_and_is_reaped():
    read, write = os.pipe()
    with idmount.child_start(["sh", "-c", 'printf %s "$WORD"; exit 7'], environ={"WORD": "word", "PATH": "/bin"},
                             fds={1: write}, flags=idmount.ChildFlag.SEARCH_PATH) as child:
        os.close(write)
        with open(read, encoding="utf-8") as file:
            same("word", file.read())
        result = child.wait()
    same((child.pid, os.CLD_EXITED, 7, 7), (*result, result.returncode))
    with raises(idmount.Error, errno=errno.ENOENT, step=idmount.Step.EXECUTE, subject="/missing"):
        idmount.child_start(["/missing"])
    with idmount.child_start(["sleep", "1000"], path="/bin/sleep") as child:
        with raises(TimeoutError):
            child.wait(0)
        child.signal(signal.SIGKILL)
        same(-signal.SIGKILL, child.wait().returncode)


@test.root
def a_child_runs_in_namespaces():
    read, write = os.pipe()
    with idmount.child_start(["/bin/sh", "-c", "echo $$ $(id -u) $(cat /proc/sys/kernel/hostname)"], fds={1: write},
                             namespaces=idmount.Namespace.PID | idmount.Namespace.MOUNT | idmount.Namespace.UTS,
                             map_="0:100000:65536", uid=0, gid=0, groups=[], hostname="box",
                             mounts=[idmount.ChildMount("/proc", "proc")]) as child:
        os.close(write)
        with open(read, encoding="utf-8") as file:
            same("1 0 box\n", file.read())
        same(0, child.wait().returncode)


@test
def a_reaper_delivers_each_exit_once():
    with idmount.Reaper() as reaper:
        data = {}
        for status in (1, 2, 3):
            with idmount.child_start(["/bin/sh", "-c", f"exit {status}"]) as child:
                reaper.add(child, data.setdefault(status, object()))
        select.select([reaper], [], [])
        seen = {result.status: which for result, which in (reaper.next() for _ in data)}
        same(data, seen)
        with raises(TimeoutError):
            reaper.next(0)
        with idmount.child_start(["/bin/sh", "-c", "exit 4"]) as child:
            number = reaper.add(child, flags=idmount.ReaperAddFlag.HOLD)
        same(4, reaper.wait(number).returncode)
        with raises(idmount.Error, errno=errno.ESRCH):
            reaper.wait(number)
        reaper.start_forkserver()
        child, _ = reaper.start(["/bin/sh", "-c", "exit 5"], "five")
        with child:
            result, which = reaper.next()
        same((5, "five", child.pid), (result.returncode, which, result.pid))
        child, number = reaper.start(["/bin/sh", "-c", "exit 6"], hold=True)
        child.close()
        same(6, reaper.wait(number, 1e9).returncode)


@test.root
def the_example_mounts():
    with scratch() as top:
        program = os.path.join(header.SOURCE, "examples/box.py")
        script = runpy.run_path(program)
        command = ["sh", "-c", 'exit $(($(stat -c %u "$0") - 100000))', top + "/dst/file"]
        same(3, script["main"](["box.py", "0:100000:65536", top + "/src", top + "/dst", *command]))
        same([], os.listdir(top + "/dst"))


@test
def no_descriptor_is_left():
    same(FDS, sorted(os.listdir("/proc/self/fd")))


def main():
    header.in_own_mounts()
    with header.installed() as (include, library, _):
        environment = {**os.environ, "IDM_TEST_INCLUDE": include, "LD_LIBRARY_PATH": library,
                       "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run([sys.executable, "-X", "dev", __file__], check=False, env=environment).returncode


if __name__ == "__main__":
    if not INCLUDE:
        sys.exit(main())
    FDS = sorted(os.listdir("/proc/self/fd"))
    sys.exit(test.run())
