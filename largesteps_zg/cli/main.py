"""The door of the command line. Loads nothing before the process is ready to be stopped."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Its words. By default those of the process, which is then taken to be the command's own; with words given,
        nothing is changed for the process but while a run is on, so that other programs, notebooks and threads may
        call this.

    Returns
    -------
    int
        The exit status: 0; 2 for bad input; 1 for a run that failed and for faults of the program, which ask for a
        report; 128 + N where signal N stopped it, 130 for Ctrl-C.
    """
    if argv is None:
        from .own_process import take_over

        take_over()
    from .program import run

    return run(argv)


def command() -> NoReturn:
    """The command `largesteps-zg`: `main`, and the end of the process.

    Python itself would take PyTorch apart for up to a second, in which a signal finds no handler.
    """
    status = main()
    import atexit
    import os

    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # was said, or can't be
            pass
    os._exit(status)


if __name__ == "__main__":
    command()
