"""Files that are whole or absent: write beside, then rename.

A run can be stopped at any moment, by Ctrl-C, a full disk or a power cut. A reader must then find either the
previous file or the new one, never half of one.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .ending import last_acts

_DIGITS = 8  # of a part's name
_open: set[Path] = set()  # parts that are being written in this process


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside `path` to write to; it becomes `path` when the block ends well, and is removed when not.

    Parameters
    ----------
    path
        The file to be written. Its folder must exist. A file that is already there is replaced.

    Yields
    ------
    Path
        In the same folder, so that the rename stays on one file system, and with the same suffix, so that
        writers which choose a format by suffix choose the right one.

    Raises
    ------
    OSError
        Where the folder does not exist or cannot be written, or the disk is full; it names `path`. Whatever else the
        block itself raises passes through.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "run.json") as part:
    ...     _ = part.write_text("{}")
    >>> [file.name for file in folder.iterdir()]
    ['run.json']
    """
    path = Path(path)
    # A plain name and not tempfile.mkstemp: that one makes files that only their owner may read.
    part = path.with_name(f".{path.stem}.{secrets.token_hex(_DIGITS // 2)}{path.suffix}")
    _open.add(part)
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) != part:
            raise
        if error.errno is None:  # Pillow's encoders
            raise OSError(f"{path}: {error}") from error
        # Nobody has asked for `part`, and what write() raises names no file at all.
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        part.unlink(missing_ok=True)  # gone already where the rename succeeded
        _open.discard(part)


def discard_parts() -> None:
    """Remove what is half-written in this process, which is about to end at once."""
    for part in list(_open):
        part.unlink(missing_ok=True)


last_acts.append(discard_parts)


def remove_leftovers(folder: Path, ours: Callable[[str], bool]) -> list[str]:
    """Remove the parts of files that killed processes left in a folder; what was removed.

    `ours` tells by a file's own name. No other process may be writing such files there.
    """
    removed = []
    for path in sorted(folder.glob(".*")):
        found = re.fullmatch(rf"\.(.+)\.[0-9a-f]{{{_DIGITS}}}(\.[^.]+)?", path.name)
        if found and ours(f"{found[1]}{found[2] or ''}"):
            path.unlink(missing_ok=True)
            removed.append(path.name)
    return removed
