"""Warnings of other packages are not shown while they are at work here, in however many threads."""

from __future__ import annotations

import threading
import warnings


class _Silence:
    """Within this no warning is shown; when the last thread leaves, all is as the first one found it.

    `warnings.catch_warnings` in each thread would not do: the filters are the process's, and of two threads the one
    that came second and leaves last puts back what the first had set.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._kept = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._kept = warnings.catch_warnings()
                self._kept.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._kept.__exit__(None, None, None)


silence = _Silence()
