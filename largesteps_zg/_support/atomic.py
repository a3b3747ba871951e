"""Files that are whole or absent: write beside, then rename.

A run can be stopped at any moment, by Ctrl-C, a full disk or a power cut. A reader must then find either the
previous file or the new one, never half of one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
        Where the folder does not exist or cannot be written. Whatever the block itself raises passes through.

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
    part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        if error.filename is None or Path(os.fsdecode(error.filename)) != part:
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from None  # nobody has asked for `part`
    finally:
        part.unlink(missing_ok=True)  # gone already where the rename succeeded
