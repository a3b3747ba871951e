"""Worker processes that get on with torch, and that can be ended whatever they do."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import torch


def processes(
    workers: int | None = None, *, threads: int = 1, method: str | None = None
) -> Callable[[], WorkerPool]:
    """What to give as `executor` for worker processes that get on with torch: ``Objective(f, executor=processes())``.

    Parameters
    ----------
    workers : int, optional
        How many; one for each processor by default.
    threads : int
        Torch's threads in each. Many small processes are faster than few that fight for the processors.
    method : {"forkserver", "spawn", "fork"}, optional
        How they start; the first that the system has by default.

    Notes
    -----
    The workers are forked from a server that has imported this package and done nothing else (``forkserver``), or,
    where there is none, start from nothing (``spawn``). Forking the program itself, which is Python's default on Linux
    before 3.14, copies locks that nobody will open: after torch has used its threads, a forked worker that uses
    them too waits forever. With the first two a script needs ``if __name__ == "__main__":``.
    """
    return partial(WorkerPool, workers, threads=threads, method=method)


class WorkerPool(ProcessPoolExecutor):
    """A pool that knows its processes: those that hang can be ended, and a pool like it made. See `processes`.

    Attributes
    ----------
    workers : int
        Evaluations that run at the same time.
    again : callable
        Makes another pool like this one.
    """

    def __init__(self, workers: int | None = None, *, threads: int = 1, method: str | None = None) -> None:
        most = 61 if sys.platform == "win32" else None  # handles that Windows waits for at the same time
        self.workers = workers or min(os.cpu_count() or 1, most or sys.maxsize)
        self.again = partial(type(self), workers, threads=threads, method=method)
        methods = multiprocessing.get_all_start_methods()
        method = method or ("forkserver" if "forkserver" in methods else "spawn")
        self._ours = _Keeping(multiprocessing.get_context(method))
        if method == "forkserver":
            self._ours.set_forkserver_preload(["__main__", __name__])
        start = torch.set_num_threads
        context: Any = self._ours
        super().__init__(self.workers, mp_context=context, initializer=start, initargs=(threads,))

    def end(self) -> None:
        """End the processes, whatever they do. The pool is broken then, and clears up after itself."""
        alive = [process for process in self._ours.made if process.is_alive()]
        for process in alive:
            process.kill()
        for process in alive:
            process.join(1)


class _Keeping:
    """A context of multiprocessing that keeps what it starts: a pool tells nobody before Python 3.14."""

    def __init__(self, context: Any) -> None:
        self._context, self.made = context, list[Any]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def Process(self, *arguments: Any, **options: Any) -> Any:
        """As the context's own."""
        self.made.append(self._context.Process(*arguments, **options))
        return self.made[-1]
