"""Whose fault an error is: the input's, the machine's, or the program's. The command line answers each differently."""

from __future__ import annotations

import contextlib
import platform
import sys
import traceback
from collections.abc import Iterator

from .._support.errors import OutputError, one_line
from .._support.stopping import status_of
from .._version import __version__

BAD_INPUT, FAILED = 2, 1


class InputError(ValueError):
    """What the user gave cannot work; the message is for the user, the cause has the details."""


class RunError(Exception):
    """A run that could not end well although the program did what it should; the message says why."""


@contextlib.contextmanager
def inputs() -> Iterator[None]:
    """Within this, inputs are read and options are checked: there a ValueError, OSError or ImportError is the user's.

    The same errors elsewhere are the program's: a ValueError from the middle of a run says nothing to the user.
    """
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        if isinstance(error, (BrokenPipeError, OutputError)):
            raise  # standard output's; whoever read it has seen enough
        raise InputError(one_line(error)) from error


def answer(error: BaseException, *, debug: bool = False) -> int:
    """Say in one line on standard error what went wrong; the exit status."""
    status, text = _verdict(error)
    if debug and not isinstance(error, KeyboardInterrupt):
        traceback.print_exception(error)
    elif not debug and text.startswith(_INTERNAL):
        text += "; please report it with what the same command prints with --debug"
    print(f"largesteps-zg: {text}", file=sys.stderr)
    return status


_INTERNAL = "internal error"


def _verdict(error: BaseException) -> tuple[int, str]:
    if isinstance(error, KeyboardInterrupt):
        return status_of(error), "stopped"
    if isinstance(error, InputError):
        return BAD_INPUT, one_line(error)
    if isinstance(error, (RunError, OSError)):
        return FAILED, one_line(error)
    if isinstance(error, MemoryError) or _is_full_gpu(error):
        detail = one_line(error).rstrip(".")
        return FAILED, f"out of memory ({detail}); try a smaller --max-size or --max-vertices"
    told = f"{type(error).__name__}: {one_line(error)}"
    return FAILED, f"{_INTERNAL} in version {__version__} on Python {platform.python_version()}: {told}"


def _is_full_gpu(error: BaseException) -> bool:
    """Whether PyTorch says so, which raises a RuntimeError for it, on the CPU an unnamed one."""
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    )
