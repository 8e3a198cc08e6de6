# SPDX-License-Identifier: MIT
"""What is mounted, and what this host can do."""
from __future__ import annotations

import ctypes
from typing import Any, Callable, NamedTuple, TypeVar

from . import _abi
from ._abi import EntryStruct, library
from ._core import AT_FDCWD, Error, FdLike, PathLike, bytes_of, call, error_of, fd_of, text_of
from ._map import Map
from ._mount import sized
from .constants import Attr, Kind, MapState, Propagation


class MountInfo(NamedTuple):
    """A mount, as idm_list(3) describes it. Only with map_state READ or PARTLY it has a map."""

    id: int
    parent_id: int
    namespace_id: int
    namespace_inode: int
    attr: Attr
    propagation: Propagation
    map_state: MapState
    target: str
    source: str
    root: str
    fstype: str
    map: Map | None
    dev_major: int
    dev_minor: int


class Feature(NamedTuple):
    """An ability of the running kernel. errno says why it is unavailable, or is 0."""

    name: str
    what: str
    since: str
    available: bool
    errno: int
    hint: str


class Check(NamedTuple):
    """The result of check_path(). why is the reason if the path is not mappable, or not writable."""

    mappable: bool
    mapped: bool
    writable: bool
    disk_id_checked: bool
    fstype: str
    why: Error | None


Item = TypeVar("Item")


def _copy_map(pointer: int | None) -> Map | None:
    if not pointer:
        return None
    copy = Map()
    for kind in (Kind.UID, Kind.GID):
        array = ctypes.POINTER(EntryStruct)()
        n = library.idm_map_entries(pointer, kind, ctypes.byref(array))
        copy.add(kind, [(array[i].disk, array[i].seen, array[i].count) for i in range(n)])
    return copy


def _mount_info(mount: Any) -> MountInfo:
    return MountInfo(mount.id, mount.parent_id, mount.namespace_id, mount.namespace_inode, Attr(mount.attr),
                     Propagation(mount.propagation), MapState(mount.map_state), text_of(mount.target),
                     text_of(mount.source), text_of(mount.root), text_of(mount.fstype), _copy_map(mount.map),
                     mount.dev_major, mount.dev_minor)


def _feature(feature: Any) -> Feature:
    return Feature(text_of(feature.name), text_of(feature.what), text_of(feature.since), feature.available,
                   feature.errnum, text_of(feature.hint))


def _collect(kind: str, convert: Callable[[Any], Item], function: Callable[..., int], *arguments: Any) -> list[Item]:
    """The items of an iterator, which the function makes."""
    iterator = ctypes.c_void_p()
    call(function, *arguments, ctypes.byref(iterator))
    following = getattr(library, f"idm_{kind}_iter_next")
    items = []
    try:
        while pointer := following(iterator):
            items.append(convert(pointer.contents))
    finally:
        getattr(library, f"idm_{kind}_iter_free")(iterator)
    return items


def list_mounts(flags: int = 0) -> list[MountInfo]:
    """The ID-mapped mounts, in the order of mounting."""
    return _collect("list", _mount_info, library.idm_list_iter_new, flags)


def list_path(path: PathLike, flags: int = 0, *, dirfd: FdLike | None = None) -> MountInfo:
    """The mount that holds a path, mapped or not."""
    return _collect("list", _mount_info, library.idm_list_path_iter_new, fd_of(dirfd, AT_FDCWD), bytes_of(path),
                    flags)[0]


def features() -> list[Feature]:
    """Every feature of the kernel that the library uses, found out by trying."""
    return _collect("feature", _feature, library.idm_feature_iter_new, 0)


def check_path(path: PathLike, flags: int = 0, *, dirfd: FdLike | None = None) -> Check:
    """Checks whether a path can be ID-mapped."""
    result = sized(_abi.CheckStruct)
    why = _abi.ErrorStruct()
    call(library.idm_check_path, fd_of(dirfd, AT_FDCWD), bytes_of(path), flags, ctypes.byref(result),
         ctypes.byref(why))
    return Check(result.mappable, result.mapped, result.writable, result.disk_id_checked, text_of(result.fstype),
                 error_of(why) if why.errnum else None)


def version() -> str:
    """The version of the library in use."""
    return text_of(library.idm_version())
