"""What native code prints through C's own streams: caught where it says something, and handed on where it does not."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

# Held while a stream is exchanged. Forking waits for it, so that no child begins with the wrong stream.
_exchange = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_exchange.acquire, after_in_parent=_exchange.release, after_in_child=_exchange.release
    )


@contextlib.contextmanager
def caught(stream: str) -> Iterator[list[str]]:
    """Lines that native code writes to "stdout" or "stderr" meanwhile; the list is filled at the end.

    Only the C library's variable of that name is exchanged. File descriptors stay as they are, so that neither other
    threads of Python nor child processes notice. What other native threads print meanwhile is caught, too: call
    `hand_on` with the lines that are not yours. Where the C library has no such variable (Windows, musl) the list
    stays empty and everything is printed.
    """
    lines: list[str] = []
    library = _library()
    name = {"linux": stream, "darwin": f"__{stream}p"}.get(sys.platform)
    if library is None or name is None:
        yield lines
        return
    with _exchange:
        memory, buffer, size = _memory(name)
        library.rewind(memory)
        variable = ctypes.c_void_p.in_dll(library, name)
        before, variable.value = variable.value, memory
        try:
            yield lines
        finally:
            variable.value = before
            library.fflush(memory)
            lines += ctypes.string_at(buffer, size.value).decode(errors="replace").splitlines()


@cache
def _memory(name: str) -> tuple[Any, ctypes.c_void_p, ctypes.c_size_t]:
    """A stream into memory, with where that is and how much: never closed, because native code may keep what it saw."""
    buffer, size = ctypes.c_void_p(), ctypes.c_size_t()
    return _library().open_memstream(ctypes.byref(buffer), ctypes.byref(size)), buffer, size


def hand_on(lines: list[str], stream: str) -> None:
    """Print lines to C's stream after all."""
    library = _library()
    if lines and library is not None:
        name = stream if sys.platform == "linux" else f"__{stream}p"
        target = ctypes.c_void_p.in_dll(library, name)
        library.fputs("".join(f"{line}\n" for line in lines).encode(), target)
        library.fflush(target)


@cache
def _library() -> Any:
    """The C library with its signatures, or None where its streams are no variables."""
    if sys.platform not in ("linux", "darwin"):
        return None
    library = ctypes.PyDLL(None)  # unlike CDLL, keeps the GIL
    if sys.platform == "linux" and not hasattr(library, "gnu_get_libc_version"):
        return None  # musl's streams are constants
    library.open_memstream.restype = ctypes.c_void_p
    library.open_memstream.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.rewind.argtypes = library.fflush.argtypes = [ctypes.c_void_p]
    library.fputs.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    return library
