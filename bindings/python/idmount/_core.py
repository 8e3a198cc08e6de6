# SPDX-License-Identifier: MIT
"""Errors, and descriptors that close themselves."""
from __future__ import annotations

import ctypes
import os
import select
import time
from types import TracebackType
from typing import Any, Callable, Protocol, Type, TypeVar, Union

from ._abi import ErrorRange, ErrorStruct, library
from .constants import Step


class Error(OSError):
    """A failed call of the library.

    errno is that of the kernel or the library. step is a Step, or a number that this package does not know. subject is
    the path or the map entry concerned, reason the cause, kernel the kernel's own words, hint a remedy. Unknown parts
    are empty. str() is the library's message.
    """

    step: int

    def __init__(self, errnum: int, message: str, *, step: int = 0, subject: str = "", reason: str = "",
                 kernel: str = "", hint: str = "") -> None:
        super().__init__(errnum, message)
        try:
            self.step = Step(step)
        except ValueError:
            self.step = step
        self.subject = subject
        self.reason = reason
        self.kernel = kernel
        self.hint = hint

    def __str__(self) -> str:
        return str(self.strerror)

    @property
    def step_text(self) -> str:
        """The words of the step in the message: "open tree"."""
        return str(library.idm_error_step_text(int(self.step)).decode())


class HasFileno(Protocol):
    """A file, a socket or a Descriptor."""

    def fileno(self) -> int:
        """The descriptor's number."""


FdLike = Union[int, HasFileno]
PathLike = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
AT_FDCWD = -100


def fd_of(fd: FdLike | None, none: int = -1) -> int:
    """The number of a descriptor, or `none`."""
    if fd is None:
        return none
    number = fd if isinstance(fd, int) else fd.fileno()
    if number < 0:
        raise ValueError(f"expected a descriptor, got {number}")
    return number


def text_of(value: bytes | None) -> str:
    """A path or text of the library, with bytes that are no UTF-8 as os.fsdecode() has them."""
    return os.fsdecode(value) if value else ""


def bytes_of(value: PathLike | None) -> bytes | None:
    """A path or text for the library. A NUL is refused, because C would cut the text there."""
    if value is None:
        return None
    result = os.fsencode(value)
    if b"\0" in result:
        raise ValueError("embedded null byte")
    return result


def _part(err: ErrorStruct, part: ErrorRange) -> str:
    buffer = ctypes.create_string_buffer(part.length + 1)
    library.idm_error_part(ctypes.byref(err), part, buffer, len(buffer))
    return text_of(buffer.value)


def error_of(err: ErrorStruct) -> Error:
    """The exception for an error that the library has described."""
    return Error(err.errnum, text_of(err.message), step=err.step, subject=_part(err, err.subject),
                 reason=_part(err, err.reason), kernel=_part(err, err.kernel), hint=text_of(err.hint))


def call(function: Callable[..., int], *arguments: Any) -> int:
    """Calls a function whose last parameter is `err`. Raises Error if the result is negative."""
    err = ErrorStruct()
    result = function(*arguments, ctypes.byref(err))
    if result < 0:
        raise error_of(err)
    return result


def check(result: int) -> int:
    """Raises Error for the result of a function without `err`."""
    if result < 0:
        raise Error(-result, os.strerror(-result))
    return result


class Deadline:
    """A time-out in seconds, or None for no limit."""

    def __init__(self, timeout: float | None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout

    def wait_readable(self, fd: int) -> bool:
        """Waits for the descriptor. Signal handlers run, so that Ctrl-C interrupts it. False after the time-out."""
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if self._end is None:
            return bool(poll.poll())
        return bool(poll.poll(max(0, (self._end - time.monotonic()) * 1000)))


Self = TypeVar("Self", bound="Closing")


class Closing:
    """A context manager that closes at its end."""

    def close(self) -> None:
        """Releases what this object has. A second call does nothing."""
        raise NotImplementedError

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: Type[BaseException] | None, value: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class Descriptor(Closing):
    """A descriptor that this object owns. It is closed by close(), by `with` and with the object."""

    _fd = -1

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        """The descriptor. Raises ValueError after close() and detach()."""
        if self._fd < 0:
            raise ValueError("the descriptor is closed")
        return self._fd

    def detach(self) -> int:
        """The descriptor, which the caller closes from now on."""
        fd = self.fileno()
        self._fd = -1
        return fd

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class Handle(Closing):
    """A pointer of the library that a function frees."""

    _pointer: int | None = None
    _free: Callable[[int], None]

    def close(self) -> None:
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            type(self)._free(pointer)

    @property
    def pointer(self) -> int:
        """The pointer. Raises ValueError after close()."""
        if self._pointer is None:
            raise ValueError("the object is closed")
        return self._pointer
