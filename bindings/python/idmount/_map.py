# SPDX-License-Identifier: MIT
"""Maps: each ID on disk appears as another one."""
from __future__ import annotations

import ctypes
import errno
from typing import Callable, Iterable, NamedTuple, Optional, Union

from ._abi import EntryStruct, HardeningStruct, library
from ._core import FdLike, Handle, PathLike, bytes_of, call, check, fd_of
from .constants import MAP_PARSE_LOOKUP, Attr, Format, HardenAs, Kind


class Entry(NamedTuple):
    """`count` IDs: disk, disk + 1, ... appear as seen, seen + 1, ..."""

    disk: int
    seen: int
    count: int = 1  # type: ignore[assignment] # hides that of tuple


class Reason(NamedTuple):
    """An ID on disk that appears as another one."""

    kind: Kind
    disk: int
    seen: int


class Hardening(NamedTuple):
    """The attributes that make a mount with a map safe, and the ID that is the reason, or None."""

    attr: Attr
    reason: Optional[Reason]


def reason_of(why: HardeningStruct) -> Reason | None:
    """The reason that the library has reported."""
    return Reason(Kind(why.kind), why.disk, why.seen) if why.kind else None


def _entry(entry: tuple[int, ...]) -> EntryStruct:
    return EntryStruct(*Entry(*entry))


class Map(Handle):
    """A map. Map("0:100000:65536") parses text; without text the map is empty.

    With lookup=True the text may name users, files and "auto", for which the library asks the system.
    """

    _free: Callable[[int], None] = library.idm_map_free

    def __init__(self, text: PathLike | None = None, *, lookup: bool = False) -> None:
        pointer = ctypes.c_void_p()
        check(library.idm_map_new(ctypes.byref(pointer)))
        self._pointer = pointer.value
        if text is not None:
            self.parse(text, lookup=lookup)

    @classmethod
    def from_pid(cls, pid: int) -> Map:
        """The map of the user namespace of a process."""
        new = cls()
        call(library.idm_map_add_pid, new.pointer, pid)
        return new

    @classmethod
    def from_userns(cls, userns: FdLike) -> Map:
        """The map of a user namespace."""
        new = cls()
        call(library.idm_map_add_userns, new.pointer, fd_of(userns))
        return new

    @classmethod
    def from_mount(cls, file: FdLike) -> Map:
        """The map of the mount that holds an open file."""
        new = cls()
        call(library.idm_map_add_mount, new.pointer, fd_of(file))
        return new

    @classmethod
    def from_subid(cls, owner: str) -> Map:
        """The subordinate ranges of a user, as they appear to IDs from 0 on."""
        new = cls()
        call(library.idm_map_add_subid, new.pointer, bytes_of(owner))
        return new

    def copy(self) -> Map:
        """A map of its own with the same entries."""
        new = Map()
        for kind in (Kind.UID, Kind.GID):
            new.add(kind, self.entries(kind))
        return new

    def add(self, kinds: int, entries: Iterable[tuple[int, ...]]) -> None:
        """Adds entries (disk, seen) or (disk, seen, count) to one side or both."""
        array = [_entry(entry) for entry in entries]
        call(library.idm_map_add, self.pointer, kinds, (EntryStruct * len(array))(*array), len(array))

    def parse(self, text: PathLike, *, lookup: bool = False) -> None:
        """Adds the entries of a text, in any of the dialects of idm_map(3)."""
        call(library.idm_map_parse, self.pointer, bytes_of(text), MAP_PARSE_LOOKUP if lookup else 0)

    def parse_kernel(self, kind: int, text: PathLike) -> None:
        """Adds the lines of /proc/PID/uid_map or gid_map to one side."""
        call(library.idm_map_parse_kernel, self.pointer, kind, bytes_of(text))

    def keep_rest(self, kinds: int = Kind.BOTH) -> None:
        """Maps all other IDs of the caller's user namespace to themselves."""
        call(library.idm_map_keep_rest, self.pointer, kinds)

    def keep_rest_within(self, within: Map, kinds: int = Kind.BOTH) -> None:
        """Maps all other IDs in the disk column of another map to themselves."""
        call(library.idm_map_keep_rest_within, self.pointer, kinds, within.pointer)

    def invert(self) -> None:
        """Exchanges disk and seen."""
        library.idm_map_invert(self.pointer)

    def compose(self, then: Map) -> None:
        """Lets each ID pass through this map first, and through the other second."""
        check(library.idm_map_compose(self.pointer, then.pointer))

    def _translate(self, function: Callable[..., int], kind: int, number: int) -> int | None:
        other = ctypes.c_uint32()
        result = function(self.pointer, kind, number, ctypes.byref(other))
        if result == -errno.ENOENT:
            return None
        check(result)
        return other.value

    def to_seen(self, kind: int, disk: int) -> int | None:
        """The ID that an ID on disk appears as, or None."""
        return self._translate(library.idm_map_to_seen, kind, disk)

    def to_disk(self, kind: int, seen: int) -> int | None:
        """The ID on disk that appears as an ID, or None."""
        return self._translate(library.idm_map_to_disk, kind, seen)

    def entries(self, kind: int) -> list[Entry]:
        """The entries of one side: sorted by disk, neighbours merged."""
        array = ctypes.POINTER(EntryStruct)()
        n = library.idm_map_entries(self.pointer, kind, ctypes.byref(array))
        return [Entry(array[i].disk, array[i].seen, array[i].count) for i in range(n)]

    def check(self) -> None:
        """Raises Error if the kernel would not accept the map for a mount."""
        call(library.idm_map_check, self.pointer)

    def format(self, form: Format = Format.TEXT, kinds: int = Kind.BOTH) -> str:
        """The map as text."""
        length = check(library.idm_map_print(self.pointer, form, kinds, None, 0))
        buffer = ctypes.create_string_buffer(length + 1)
        check(library.idm_map_print(self.pointer, form, kinds, buffer, len(buffer)))
        return buffer.value.decode()

    def hardening(self, harden_as: HardenAs = HardenAs.MOUNT, container: Map | None = None) -> Hardening:
        """The attributes that make a mount with this map safe, and why."""
        why = HardeningStruct()
        attr = library.idm_map_hardening(self.pointer, harden_as, container.pointer if container else None,
                                         ctypes.byref(why))
        return Hardening(Attr(attr), reason_of(why))

    def __str__(self) -> str:
        return self.format()

    def __repr__(self) -> str:
        return f"Map({self.format()!r})" if self._pointer else "Map(closed)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Map):
            return NotImplemented
        return bool(library.idm_map_equal(self.pointer, other.pointer))

    __hash__ = None  # type: ignore[assignment] # a map can change


MapLike = Union[Map, str]


def map_of(source: MapLike) -> Map:
    """A map, or the map of a text without lookups."""
    return source if isinstance(source, Map) else Map(source)
