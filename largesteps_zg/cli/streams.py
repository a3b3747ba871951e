"""Standard streams that can't be written, as on a full disk: what becomes of the error."""

from __future__ import annotations

import io
from typing import Any, TextIO

from .._support.errors import OutputError


class Named(io.FileIO):
    """Standard output, whose errors say that they are its own: by themselves they name no file."""

    def write(self, data: Any, /) -> int:
        """All of it, or an OutputError; a reader that has gone is no fault."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.errno, error.strerror, "standard output") from None


class Forgiving(io.FileIO):
    """Standard error, of whose errors nobody could be told."""

    def write(self, data: Any, /) -> int:
        """As much as can be."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def through(kind: type[io.FileIO], stream: TextIO) -> TextIO:
    """The same stream through a file of that kind; as it is where it is none of Python's plain ones."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if type(raw) is not io.FileIO:  # a console of Windows
        return stream
    stream.flush()
    made = kind(raw.fileno(), "wb", closefd=False)
    made.name = raw.name  # what programs show of it
    return io.TextIOWrapper(
        made if stream.buffer is raw else io.BufferedWriter(made),
        encoding=stream.encoding, errors=stream.errors, newline=None,
        line_buffering=stream.line_buffering, write_through=stream.write_through,
    )  # fmt: skip
