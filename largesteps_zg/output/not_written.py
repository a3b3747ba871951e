"""A file that cannot be written does not keep others from being written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._support.errors import one_line


class NotWritten(dict[str, str]):
    """Files that could not be written, as where the disk is full, and why.

    Parameters
    ----------
    folder : Path
        Named where an error names no file.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    @contextmanager
    def noting(self) -> Iterator[None]:
        """A file that cannot be written is noted; what else fits on the disk is worth having."""
        try:
            yield
        except OSError as error:
            self[str(error.filename or self._folder)] = error.strerror or one_line(error)

    def told(self) -> str:
        """What could not be written and why, in one line."""
        return "; ".join(f"{file}: {cause}" for file, cause in self.items())
