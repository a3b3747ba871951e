"""Files that are read whole: regular ones of a size that is known beforehand, never a pipe or a device."""

from __future__ import annotations

import codecs
import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

# A million frames of a transforms.json take about 400 bytes each, and text of this size about 1 GiB once it is parsed.
LARGEST_TEXT = 2**28


_LONGEST_PART, LONGEST_PATH = 255, 4095  # bytes, on the file systems of Linux, macOS and Windows
# Control characters and ends of lines would break the one line of a message, half surrogates the file system.
_NOT_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")


def names_a_file(name: str) -> bool:
    """Whether a file can have a name, with folders or without, that stands in another file."""
    if not name or any(unicodedata.category(letter) in _NOT_IN_NAMES for letter in name):
        return False
    data = name.encode()
    parts = data.replace(b"\\", b"/").split(b"/")
    return len(data) <= LONGEST_PATH and max(map(len, parts)) <= _LONGEST_PART


def check_regular(path: Path, *, largest: int | None = None) -> None:
    """One line where a file can't be read to its end: opening a pipe waits for ever, a device has no end.

    Raises
    ------
    OSError
        There is no such file, or it may not be looked at.
    ValueError
        It is a folder, a named pipe, a device or a socket, has more than `largest` bytes, or is a pointer of Git LFS.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(
            f"{path}: expected a regular file, got {_kind(status.st_mode)}; copy its content into a file"
        )
    if largest is not None and status.st_size > largest:
        raise ValueError(
            f"{path}: expected at most {largest:,} bytes, got {status.st_size:,}; is it the right file?"
        )
    if status.st_size < _LARGEST_POINTER:
        with path.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                raise PointerError(f"{path}: a pointer of Git LFS in place of the file; run `git lfs pull`")


_POINTER, _LARGEST_POINTER = b"version https://git-lfs.", 1024  # bytes, as Git LFS's specification has them


class PointerError(ValueError):
    """What a checkout without Git LFS has in place of a file."""


def read_regular(path: Path, *, largest: int | None = None) -> bytes:
    """The bytes of a regular file; raises as `check_regular` does."""
    check_regular(path, largest=largest)
    return path.read_bytes()


def irregular(folder: Path) -> dict[str, str]:
    """Names in a folder -> "a named pipe", "a device" or "a socket", of what is no folder and no regular file."""
    found = sorted(path for path in folder.iterdir() if path.exists()) if folder.is_dir() else []
    return {
        path.name: _kind(os.stat(path).st_mode) for path in found if not (path.is_file() or path.is_dir())
    }


class NoTextError(ValueError):
    """Bytes that are no text of the encoding that they are in by their first ones."""


# The longer first: UTF-32's begins as UTF-16's does.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def text_of(data: bytes, path: Path, *, encoding: str = "") -> str:
    """The text of a file: UTF-8, or UTF-16 and UTF-32 where a byte order mark says so, as Windows writes them.

    Raises
    ------
    NoTextError
        A ValueError that names file, encoding and byte.
    """
    encoding = encoding or _encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _no_text(path, encoding, error, f"at {error.start:,}") from None


def lines_of(path: Path, *, longest: int) -> Iterator[str]:
    """The lines of a regular file of text, which need not fit into memory.

    Raises
    ------
    ValueError
        It is no regular file; a line of more than `longest` characters; as `text_of` does.
    """
    check_regular(path)
    with path.open("rb") as file:
        encoding = _encoding(file.read(4))
    number = 1
    with path.open(encoding=encoding) as text:
        try:
            while line := text.readline(longest):
                if len(line) == longest and line[-1] != "\n":
                    raise ValueError(
                        f"{path}: line {number}: expected at most {longest:,} characters; is it the right file?"
                    )
                yield line
                number += 1
        except UnicodeDecodeError as error:
            raise _no_text(path, encoding, error, f"in line {number:,} or after") from None


def _encoding(start: bytes) -> str:
    return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8-sig")


def _no_text(path: Path, encoding: str, error: UnicodeDecodeError, place: str) -> NoTextError:
    name, byte = encoding.removesuffix("-sig").upper(), error.object[error.start]
    return NoTextError(f"{path}: expected {name} text, got byte {byte:#04x} {place}; save it as UTF-8")


def _kind(mode: int) -> str:
    """What is no regular file."""
    kinds = {"a folder": stat.S_ISDIR, "a named pipe": stat.S_ISFIFO, "a socket": stat.S_ISSOCK}
    return next((name for name, is_one in kinds.items() if is_one(mode)), "a device")
