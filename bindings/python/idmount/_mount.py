# SPDX-License-Identifier: MIT
"""User namespaces, trees, overlays and plans."""
from __future__ import annotations

import contextlib
import ctypes
from typing import Any, Callable, Iterable, Iterator, Mapping, Sequence

from . import _abi
from ._abi import HardeningStruct, library
from ._core import AT_FDCWD, Descriptor, FdLike, Handle, PathLike, bytes_of, call, check, fd_of
from ._map import Map, MapLike, Reason, map_of, reason_of
from .constants import AttachFlag, PlanFormat, Propagation, TreeFlag, UmountFlag, UpperIds

Progress = Callable[[int, int], object]


def sized(struct: Any, **members: Any) -> Any:
    """A struct of options with its size, the defaults of the library, and these members."""
    options = struct()
    getattr(library, _abi.INITIALISERS[struct])(ctypes.byref(options), ctypes.sizeof(struct))
    return with_members(options, members)


def with_members(struct: Any, members: Mapping[str, Any]) -> Any:
    """Sets members of a struct."""
    for name, value in members.items():
        setattr(struct, name, value)
    return struct


def array_of(struct: Any, rows: Sequence[Any]) -> Any:
    """An array of structs, each from the tuple of its members."""
    return (struct * len(rows))(*[struct(*row) for row in rows])


def userns_open(map_: MapLike, flags: int = 0) -> Descriptor:
    """Opens a user namespace that carries a map."""
    source = map_of(map_)
    return Descriptor(call(library.idm_userns_open, source.pointer, flags))


class UsernsCache(Handle):
    """A cache of user namespaces. Its key is the content of a map."""

    _free: Callable[[int], None] = library.idm_userns_cache_free

    def __init__(self, size: int = 64) -> None:
        pointer = ctypes.c_void_p()
        call(library.idm_userns_cache_new, size, ctypes.byref(pointer))
        self._pointer = pointer.value

    def open(self, map_: MapLike) -> Descriptor:
        """As userns_open(), from the cache if possible."""
        source = map_of(map_)
        return Descriptor(call(library.idm_userns_cache_open, self.pointer, source.pointer))


class Tree(Descriptor):
    """A detached mount. Closing it undoes everything; after attach() the mount stays."""

    def attach(self, target: PathLike, *, dirfd: FdLike | None = None, flags: int = 0,
               propagation: Propagation = Propagation.DEFAULT) -> None:
        """Attaches the tree at a target, in one step."""
        options = sized(_abi.AttachOptions, flags=flags, propagation=propagation)
        call(library.idm_tree_attach, self.fileno(), fd_of(dirfd, AT_FDCWD), bytes_of(target), ctypes.byref(options))

    def umount(self) -> None:
        """Unmounts the attached tree, wherever it was moved to, and all mounts below it."""
        call(library.idm_umount_fd, self.fileno(), UmountFlag.LAZY)


def tree_open(path: PathLike, userns: FdLike | None = None, *, dirfd: FdLike | None = None, flags: int = 0,
              attr_set: int = 0, attr_clear: int = 0, propagation: Propagation = Propagation.DEFAULT) -> Tree:
    """Opens a detached copy of the mount that holds a path, with the map of a user namespace if there is one."""
    options = sized(_abi.TreeOptions, flags=flags, attr_set=attr_set, attr_clear=attr_clear, propagation=propagation)
    return Tree(call(library.idm_tree_open, fd_of(dirfd, AT_FDCWD), bytes_of(path), fd_of(userns),
                     ctypes.byref(options)))


def umount(target: PathLike, flags: int = 0, *, dirfd: FdLike | None = None) -> None:
    """Unmounts the top mount at a target."""
    call(library.idm_umount, fd_of(dirfd, AT_FDCWD), bytes_of(target), flags)


def mount(map_: MapLike, source: PathLike, target: PathLike, *, recursive: bool = False, mkdir: bool = False,
          attr_set: int | None = None) -> Tree:
    """Mounts a directory or file at a target, with a map: all in one call.

    Without attr_set the mount gets the attributes of Map.hardening(). The mount stays when the Tree is closed.
    """


    mapping = map_of(map_)
    attr = mapping.hardening().attr if attr_set is None else attr_set
    with userns_open(mapping) as userns:
        tree = tree_open(source, userns, flags=TreeFlag.RECURSIVE if recursive else 0, attr_set=attr)
    try:
        tree.attach(target, flags=AttachFlag.MKDIR if mkdir else 0)
    except BaseException:
        tree.close()
        raise
    return tree


@contextlib.contextmanager
def mounted(map_: MapLike, source: PathLike, target: PathLike, **options: Any) -> Iterator[Tree]:
    """As mount(), for `with`: the mount is detached at the end, also after an exception."""
    with mount(map_, source, target, **options) as tree:
        try:
            yield tree
        finally:
            tree.umount()


def staging_open() -> Descriptor:
    """Opens a staging namespace, for programs that mount often before Linux 6.15."""
    return Descriptor(call(library.idm_staging_open, 0))


class UpperCache(Handle):
    """A cache for the search for other overlays on an upper directory."""

    _free: Callable[[int], None] = library.idm_upper_cache_free

    def __init__(self) -> None:
        pointer = ctypes.c_void_p()
        call(library.idm_upper_cache_new, ctypes.byref(pointer))
        self._pointer = pointer.value


class Guard:
    """Keeps an exception of a callback until the library has returned. C cannot pass it on."""

    def __init__(self) -> None:
        self.raised: BaseException | None = None

    def run(self, function: Callable[[], object]) -> int:
        """Calls the function. Returns 1, which stops the library, if it raises."""
        try:
            function()
        except BaseException as error:  # also KeyboardInterrupt
            self.raised = error
            return 1
        return 0

    def call(self, *arguments: Any) -> int:
        """call(), which prefers the callback's exception."""
        try:
            result = call(*arguments)
        except Exception:
            if self.raised is None:
                raise
            result = 1
        if self.raised is not None:
            raise self.raised
        return result

    def progress(self, function: Progress | None) -> Any:
        """The callback of the library for a function(done, all)."""
        if function is None:
            return _abi.PROGRESS(0)
        wanted = function
        return _abi.PROGRESS(lambda done, all_, _: self.run(lambda: wanted(done, all_)))


Layer = PathLike


def _paths(paths: Sequence[Layer]) -> Any:
    return array_of(_abi.Path, [(AT_FDCWD, bytes_of(path)) for path in paths])


def _path(path: Layer | None) -> Any:
    return None if path is None else ctypes.pointer(_abi.Path(AT_FDCWD, bytes_of(path)))


def overlay_open(lower: Sequence[Layer], *, data: Sequence[Layer] = (), upper: Layer | None = None,
                 work: Layer | None = None, map_: MapLike | None = None, upper_ids: UpperIds = UpperIds.SHIFTED,
                 options: Mapping[str, str | None] | None = None, attr: int = 0, source: str | None = None,
                 flags: int = 0, progress: Progress | None = None, staging: FdLike | None = None,
                 upper_cache: UpperCache | None = None) -> Tree:
    """Opens a detached overlay. The top layer is the first of `lower`. An option without a value has None.

    progress(done, all) is called for each layer. Its exception cancels the call.
    """
    mapping = None if map_ is None else map_of(map_)
    words = [(bytes_of(name), bytes_of(value)) for name, value in (options or {}).items()]
    guard = Guard()
    struct = sized(_abi.OverlayOptions, flags=flags, lower=_paths(lower), n_lower=len(lower), data=_paths(data),
                   n_data=len(data), upper=_path(upper), work=_path(work),
                   map=mapping.pointer if mapping else None, upper_ids=upper_ids,
                   options=array_of(_abi.MountOption, words), n_options=len(words), attr=attr,
                   source=bytes_of(source), progress=guard.progress(progress), staging_fd=fd_of(staging),
                   upper_cache=upper_cache.pointer if upper_cache else None)
    return Tree(guard.call(library.idm_overlay_open, ctypes.byref(struct)))


class Plan(Handle):
    """An ordered list of mounts that together make one root filesystem."""

    _free: Callable[[int], None] = library.idm_plan_free

    def __init__(self) -> None:
        pointer = ctypes.c_void_p()
        check(library.idm_plan_new(ctypes.byref(pointer)))
        self._pointer = pointer.value

    def add(self, type_: str | None = None, source: PathLike | None = None, target: PathLike | None = None,
            options: Iterable[str] = (), *, map_: MapLike | None = None, dirfd: FdLike | None = None,
            flags: int = 0) -> None:
        """Adds a mount at the end. Without a target it is the root."""
        mapping = None if map_ is None else map_of(map_)
        words = [bytes_of(word) for word in options]
        struct = sized(_abi.PlanAddOptions, flags=flags, dirfd=fd_of(dirfd, AT_FDCWD), type=bytes_of(type_),
                       source=bytes_of(source), target=bytes_of(target),
                       options=(ctypes.c_char_p * len(words))(*words), n_options=len(words),
                       map=mapping.pointer if mapping else None)
        call(library.idm_plan_add, self.pointer, ctypes.byref(struct))

    def read(self, text: str | bytes, *, form: PlanFormat = PlanFormat.ANY, map_: MapLike | None = None,
             dirfd: FdLike | None = None) -> None:
        """Adds the mounts of a JSON text: a list of containerd, or config.json of an OCI bundle."""
        mapping = None if map_ is None else map_of(map_)
        data = text.encode() if isinstance(text, str) else text
        struct = sized(_abi.PlanReadOptions, format=form, dirfd=fd_of(dirfd, AT_FDCWD),
                       map=mapping.pointer if mapping else None)
        call(library.idm_plan_read, self.pointer, data, len(data), ctypes.byref(struct))

    def harden(self, container: Map | None = None) -> tuple[int, Reason | None]:
        """Adds the attributes of Map.hardening().

        Returns how many mounts got one because of an ID, and the first such ID or None.
        """
        why = HardeningStruct()
        n = library.idm_plan_harden(self.pointer, container.pointer if container else None, ctypes.byref(why))
        return n, reason_of(why)

    def open(self, *, flags: int = 0, upper_ids: UpperIds = UpperIds.SHIFTED, progress: Progress | None = None,
             staging: FdLike | None = None, upper_cache: UpperCache | None = None) -> Tree:
        """Assembles the plan as one detached tree."""
        guard = Guard()
        struct = _apply_options(guard, None, flags, upper_ids, progress, staging, upper_cache)
        return Tree(guard.call(library.idm_plan_open, self.pointer, ctypes.byref(struct)))

    def apply(self, target: PathLike, *, journal: PathLike | None = None, dirfd: FdLike | None = None, flags: int = 0,
              upper_ids: UpperIds = UpperIds.SHIFTED, progress: Progress | None = None,
              staging: FdLike | None = None, upper_cache: UpperCache | None = None) -> None:
        """Opens the plan, and attaches it at a target. plan_undo() undoes what the journal lists."""
        guard = Guard()
        struct = _apply_options(guard, journal, flags, upper_ids, progress, staging, upper_cache)
        guard.call(library.idm_plan_apply, self.pointer, fd_of(dirfd, AT_FDCWD), bytes_of(target),
                   ctypes.byref(struct))


def _apply_options(guard: Guard, journal: PathLike | None, flags: int, upper_ids: UpperIds, progress: Progress | None,
                   staging: FdLike | None, upper_cache: UpperCache | None) -> Any:
    return sized(_abi.PlanApplyOptions, flags=flags, upper_ids=upper_ids, journal=bytes_of(journal),
                 progress=guard.progress(progress), staging_fd=fd_of(staging),
                 upper_cache=upper_cache.pointer if upper_cache else None)


def plan_undo(journal: PathLike, flags: int = 0) -> None:
    """Undoes what a journal lists, also after a crash or a restart of the machine."""
    call(library.idm_plan_undo, bytes_of(journal), flags)
