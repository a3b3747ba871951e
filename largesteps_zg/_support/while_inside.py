"""Changes of the whole process that last while some thread is at work here, and are then undone."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from functools import partial


class WhileInside:
    """A context for any number of threads: the first one in makes a change, the last one out undoes it.

    Where each thread remembers what it found, and puts that back, two threads go wrong: the one that came second and
    leaves last puts back what the first had set.

    Parameters
    ----------
    change : callable
        Makes the change; gives what undoes it.
    """

    def __init__(self, change: Callable[[], Callable[[], object]]) -> None:
        self._lock = threading.Lock()
        self._change = change
        self._inside: list[int] = []  # threads, as often as they are
        self._undo: Callable[[], object] = bool
        if hasattr(os, "register_at_fork"):
            # A forked process has one thread, and what another one held would be held for ever.
            release = self._lock.release
            os.register_at_fork(
                before=self._lock.acquire, after_in_parent=release, after_in_child=self._leave_others
            )

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._undo = self._change()
            self._inside.append(threading.get_ident())

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside.remove(threading.get_ident())
            if not self._inside:
                self._undo()

    def _leave_others(self) -> None:
        """In a forked process: the other threads are not inside any more."""
        here = [thread for thread in self._inside if thread == threading.get_ident()]
        if self._inside and not here:
            self._undo()
        self._inside = here
        self._lock.release()


def _ignore_warnings() -> Callable[[], object]:
    kept = warnings.catch_warnings()
    kept.__enter__()
    warnings.simplefilter("ignore")
    return partial(kept.__exit__, None, None, None)


# No warning is shown: other packages are at work.
silence = WhileInside(_ignore_warnings)
