"""What an error says."""

from __future__ import annotations


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


class OutputError(OSError):
    """Standard output cannot be written; no input's fault."""
