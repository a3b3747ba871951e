"""Changes of the whole process that last while some thread is at work here, and are then undone."""

from __future__ import annotations

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
        self._change, self._inside = change, 0
        self._undo: Callable[[], object] = bool

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._undo = self._change()
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._undo()


def _ignore_warnings() -> Callable[[], object]:
    kept = warnings.catch_warnings()
    kept.__enter__()
    warnings.simplefilter("ignore")
    return partial(kept.__exit__, None, None, None)


# No warning is shown: other packages are at work.
silence = WhileInside(_ignore_warnings)
