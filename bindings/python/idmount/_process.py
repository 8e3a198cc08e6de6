# SPDX-License-Identifier: MIT
"""Programs in namespaces, and the reaping of children."""
from __future__ import annotations

import ctypes
import errno
import itertools
import os
import threading
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Optional, Sequence

from . import _abi
from ._abi import ExitStruct, library
from ._core import Deadline, Descriptor, Error, FdLike, Handle, PathLike, bytes_of, call, fd_of
from ._map import MapLike, map_of
from ._mount import array_of, with_members
from .constants import CHILD_KEEP_ID, EXIT_LOST, ChildFlag, Propagation, ReaperAddFlag


class Exit(NamedTuple):
    """How a process exited: code is os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED or EXIT_LOST."""

    pid: int
    code: int
    status: int

    @property
    def returncode(self) -> int | None:
        """As subprocess.Popen.returncode: the exit status, or the negative signal. None if it is lost."""
        if self.code == EXIT_LOST:
            return None
        return self.status if self.code == os.CLD_EXITED else -self.status


class ChildMount(NamedTuple):
    """A mount in a child's mount namespace: a new filesystem, a detached tree, or a copy of what is at the target."""

    target: str
    fstype: Optional[str] = None
    source: Optional[str] = None
    options: Optional[str] = None
    attr: int = 0
    flags: int = 0
    tree: Optional[FdLike] = None


class Capabilities(NamedTuple):
    """Capabilities as sets of bits."""

    effective: int
    permitted: int
    inheritable: int
    bounding: int
    ambient: int


class Child(Descriptor):
    """A started program. fileno() is its pidfd. Closing it leaves the program alone."""

    def __init__(self, pidfd: int, pid: int) -> None:
        super().__init__(pidfd)
        self.pid = pid

    def wait(self, timeout: float | None = None) -> Exit:
        """Waits until the program has exited, and reaps it. Raises TimeoutError after `timeout` seconds."""
        if not Deadline(timeout).wait_readable(self.fileno()):
            raise TimeoutError(errno.ETIMEDOUT, "the process has not exited")
        result = ExitStruct()
        call(library.idm_child_wait, self.fileno(), -1, ctypes.byref(result))
        return _exit_of(result)

    def signal(self, number: int) -> None:
        """Sends a signal to the program. 0 only checks whether it exists."""
        call(library.idm_child_signal, self.fileno(), number)

    def signal_group(self, number: int) -> None:
        """Sends a signal to the process group that the program leads."""
        call(library.idm_child_signal_group, self.fileno(), number)


def _exit_of(result: ExitStruct) -> Exit:
    return Exit(result.pid, result.code, result.status)


def _strings(words: Iterable[PathLike]) -> Any:
    encoded = [bytes_of(word) for word in words]
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


def _environment(environ: Mapping[str, str] | None) -> Any:
    if environ is None:
        return None
    return _strings(f"{name}={value}" for name, value in environ.items())


def _mounts(mounts: Sequence[ChildMount]) -> Any:
    return array_of(_abi.ChildMountStruct, [
        (bytes_of(mount.target), bytes_of(mount.fstype), bytes_of(mount.source), bytes_of(mount.options), mount.attr,
         mount.flags, fd_of(mount.tree)) for mount in mounts])


Starter = Callable[[Any], int]


def _child_options(**members: Any) -> Any:
    struct = _abi.ChildOptions()
    library.idm_child_options_init(ctypes.byref(struct), ctypes.sizeof(struct), ctypes.sizeof(_abi.ChildMountStruct))
    return with_members(struct, members)


def _start(starter: Starter, argv: Sequence[PathLike], *, path: PathLike | None = None,
           program: FdLike | None = None, environ: Mapping[str, str] | None = None, cwd: PathLike | None = None,
           fds: Mapping[int, FdLike | None] | None = None, flags: int = 0, namespaces: int = 0,
           map_: MapLike | None = None, join: Sequence[FdLike] = (), root: FdLike | None = None,
           propagation: Propagation = Propagation.DEFAULT, mounts: Sequence[ChildMount] = (),
           hostname: str | None = None, uid: int = CHILD_KEEP_ID, gid: int = CHILD_KEEP_ID,
           groups: Sequence[int] | None = None, capabilities: Capabilities | None = None, process_group: int = 0,
           terminal: FdLike | None = None, cgroup: FdLike | None = None, seccomp: FdLike | None = None,
           staging: FdLike | None = None) -> Child:
    """Starts a program. It has been executed when the call returns.

    path is argv[0] unless it is given. fds maps the program's descriptors to the caller's, or to None for closed ones.
    idm_child_start(3) describes all options.
    """
    if not argv:
        raise ValueError("expected a program in argv, got none")
    mapping = None if map_ is None else map_of(map_)
    pid = ctypes.c_int()
    moved = [(fd_of(fd), number) for number, fd in (fds or {}).items()]
    joined = [fd_of(fd) for fd in join]
    if groups is not None:
        flags |= ChildFlag.SET_GROUPS
    some_groups = list(groups or ())
    struct = _child_options(
        flags=flags, namespaces=namespaces, program_fd=fd_of(program),
        path=bytes_of(argv[0] if path is None else path), argv=_strings(argv), envp=_environment(environ),
        cwd=bytes_of(cwd), fds=array_of(_abi.ChildFd, moved), n_fds=len(moved),
        map=mapping.pointer if mapping else None, join_fds=_abi.numbers(ctypes.c_int, joined),
        n_join_fds=len(joined), root_fd=fd_of(root), propagation=propagation, mounts=_mounts(mounts),
        n_mounts=len(mounts), hostname=bytes_of(hostname), uid=uid,
        gid=gid, groups=_abi.numbers(ctypes.c_uint32, some_groups), n_groups=len(some_groups),
        capabilities=ctypes.pointer(_abi.CapabilitiesStruct(*capabilities)) if capabilities else None,
        process_group=process_group, terminal_fd=fd_of(terminal), cgroup_fd=fd_of(cgroup), pid=ctypes.pointer(pid),
        seccomp_fd=fd_of(seccomp), staging_fd=fd_of(staging))
    return Child(starter(ctypes.byref(struct)), pid.value)


def child_start(argv: Sequence[PathLike], **options: Any) -> Child:
    return _start(lambda struct: call(library.idm_child_start, struct), argv, **options)


child_start.__doc__ = _start.__doc__


class Reaper(Handle):
    """Reports the exit of each child that was added to it, once, with an object of the program's.

    fileno() is readable while next() can deliver an exit. Any number of threads may call the methods but close().
    """

    _free: Callable[[int], None] = library.idm_reaper_free

    def __init__(self) -> None:
        self._data: dict[int, object] = {}
        self._kept: set[int] = set()  # of orphans: delivered any number of times
        self._tokens = itertools.count(1)
        self._lock = threading.Lock()
        pointer = ctypes.c_void_p()
        call(library.idm_reaper_new, ctypes.byref(pointer))
        self._pointer = pointer.value

    def fileno(self) -> int:
        """The descriptor for an event loop."""
        return int(library.idm_reaper_fd(self.pointer))

    def _keep(self, data: object, always: bool) -> int:
        with self._lock:
            token = next(self._tokens)
            self._data[token] = data
            if always:
                self._kept.add(token)
            return token

    def _drop(self, token: int) -> object:
        with self._lock:
            return self._data[token] if token in self._kept else self._data.pop(token, None)

    def _with_data(self, data: object, function: Callable[[int], object], always: bool = False) -> int:
        token = self._keep(data, always)
        try:
            function(token)
        except BaseException:
            with self._lock:
                del self._data[token]
                self._kept.discard(token)
            raise
        return token

    def add(self, pidfd: FdLike, data: object = None, flags: int = 0) -> int:
        """Watches a child. Returns its number for wait(), which only children with ReaperAddFlag.HOLD have."""
        return self._with_data(data, lambda token: call(library.idm_reaper_add, self.pointer, fd_of(pidfd), flags,
                                                        token))

    def next(self, timeout: float | None = None) -> tuple[Exit, object]:
        """The next exit and the object of the child. Raises TimeoutError after `timeout` seconds."""
        deadline = Deadline(timeout)
        result = ExitStruct()
        token = ctypes.c_void_p()
        while True:
            readable = deadline.wait_readable(self.fileno())
            try:
                call(library.idm_reaper_next, self.pointer, 0, ctypes.byref(result), ctypes.byref(token))
                return _exit_of(result), self._drop(token.value or 0)
            except Error as error:
                if error.errno != errno.ETIMEDOUT:
                    raise
            if not readable:
                raise TimeoutError(errno.ETIMEDOUT, "no child has exited")

    def wait(self, number: int, timeout: float | None = None) -> Exit:
        """The exit of one child with ReaperAddFlag.HOLD. Raises Error with ETIMEDOUT after `timeout` seconds.

        Signal handlers run after the call only.
        """
        result = ExitStruct()
        milliseconds = -1 if timeout is None else min(max(0, int(timeout * 1000)), 0x7FFFFFFF)
        call(library.idm_reaper_wait, self.pointer, number, milliseconds, ctypes.byref(result))
        self._drop(number)
        return _exit_of(result)

    def adopt(self, data: object = None, flags: int = 0) -> None:
        """Delivers the exits of orphans as well, each with `data`."""
        self._with_data(data, lambda token: call(library.idm_reaper_adopt, self.pointer, flags, token), True)

    def start_forkserver(self, data: object = None, flags: int = 0) -> None:
        """Starts a process that starts children for the program. Its orphans are delivered with `data`."""
        self._with_data(data, lambda token: call(library.idm_reaper_start_forkserver, self.pointer, flags, token),
                        True)

    def start(self, argv: Sequence[PathLike], data: object = None, *, hold: bool = False,
              **options: Any) -> tuple[Child, int]:
        """As child_start(), as a child of the fork server, and watches it. Returns the child and its number."""
        children: list[Child] = []
        flags = ReaperAddFlag.HOLD if hold else 0

        def start(token: int) -> None:
            children.append(_start(lambda struct: call(library.idm_reaper_start, self.pointer, struct, flags, token),
                                   argv, **options))

        number = self._with_data(data, start)
        return children[0], number
