"""What an error says, and which warnings are shown."""

from __future__ import annotations

import logging
import sys
import warnings

_hushed = False


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def first_line(error: BaseException, most: int | None = None) -> str:
    """The first line of what an error says, of at most so many characters; its type where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0][:most]


class OutputError(OSError):
    """Standard output cannot be written; no input's fault."""


class OwnWarning(RuntimeWarning):
    """A warning of this package, which users of the command line see."""


def hush_others() -> None:
    """Show no warnings and log lines of other packages in this process: programmers ask for them with -W.

    A warning's module tells nothing: packages make theirs point at whoever called them, which is this package.
    """
    global _hushed
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", category=OwnWarning)
        logging.lastResort = logging.NullHandler()  # who takes what nobody has asked for
        _hushed = True


def hushed() -> bool:
    """Whether `hush_others` was called: then processes that this one starts call it too."""
    return _hushed
