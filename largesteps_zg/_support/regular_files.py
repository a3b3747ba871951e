"""Files that are read whole: regular ones of a size that is known beforehand, never a pipe or a device."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# A million frames of a transforms.json take about 400 bytes each, and text of this size about 1 GiB once it is parsed.
LARGEST_TEXT = 2**28


def check_regular(path: Path, *, largest: int | None = None) -> None:
    """One line where a file can't be read to its end: opening a pipe waits for ever, a device has no end.

    Raises
    ------
    OSError
        There is no such file, or it may not be looked at.
    ValueError
        It is a folder, a named pipe, a device or a socket, or has more than `largest` bytes.
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


def read_regular(path: Path, *, largest: int | None = None) -> bytes:
    """The bytes of a regular file; raises as `check_regular` does."""
    check_regular(path, largest=largest)
    return path.read_bytes()


def _kind(mode: int) -> str:
    """What is no regular file."""
    kinds = {"a folder": stat.S_ISDIR, "a named pipe": stat.S_ISFIFO, "a socket": stat.S_ISSOCK}
    return next((name for name, is_one in kinds.items() if is_one(mode)), "a device")
