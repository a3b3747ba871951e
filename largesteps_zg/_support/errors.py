"""What an error says."""

from __future__ import annotations

import sys
import warnings


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


class OutputError(OSError):
    """Standard output cannot be written; no input's fault."""


def hush_others() -> None:
    """Show no warnings of other packages in this process: they are for programmers, who ask for them with -W."""
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", module=r"(?!largesteps_zg\b)")
