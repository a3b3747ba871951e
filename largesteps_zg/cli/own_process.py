"""What the command does to the process that it has to itself; the library does none of it."""

from __future__ import annotations

from .._support.ending import stop_at_once


def take_over() -> None:
    """Make a process ready for a command, before PyTorch is loaded.

    A signal ends the process at once, until a command asks for more. Threads that have nothing to do sleep. Where
    standard streams are closed, files that are opened later would get their numbers, and what is printed would go
    into them: they lead nowhere. What standard output refuses is said by its name; what standard error refuses is
    nowhere to be said, and ends no run. Other packages' warnings are not shown.
    """
    stop_at_once()  # first: until then Ctrl-C prints a traceback
    import os
    import sys

    from .._support.errors import hush_others
    from .streams import Forgiving, Named, through

    hush_others()
    # Beside other programs threads that spin while they wait take the others' time, and their own program's too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False, encoding="utf-8"))
    sys.stdout = through(Named, sys.stdout)
    sys.stderr = through(Forgiving, sys.stderr)
