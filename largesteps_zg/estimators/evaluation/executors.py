"""Evaluations through an executor: what is sent, whose the executor is, what happens when workers die or hang."""

from __future__ import annotations

import io
import multiprocessing
import pickle
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from ..._support.errors import first_line
from .evaluate import Failure, Point, UnusableResult, evaluate


def processes(workers: int | None = None, *, threads: int = 1) -> Callable[[], ProcessPoolExecutor]:
    """What to give as `executor` for worker processes that get on with torch: ``Objective(f, executor=processes())``.

    Parameters
    ----------
    workers : int, optional
        How many; one for each processor by default.
    threads : int
        Torch's threads in each. Many small processes are faster than few that fight for the processors.

    Notes
    -----
    The workers are forked from a server that has imported this package and done nothing else (``forkserver``), or,
    where there is none, start from nothing (``spawn``). Forking the program itself, which is Python's default on Linux
    before 3.14, copies locks that nobody will open: after torch has used its threads, a forked worker that uses
    them too waits forever. With either method a script needs ``if __name__ == "__main__":``.
    """
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context: Any = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["__main__", __name__])
    start = torch.set_num_threads
    return partial(ProcessPoolExecutor, workers, mp_context=context, initializer=start, initargs=(threads,))


class Workers:
    """An executor that is made again when it breaks, if that is possible, and closed if it is ours.

    Parameters
    ----------
    executor : concurrent.futures.Executor, or a function that makes one
        One that is given stays its owner's and is never shut down; but a ProcessPoolExecutor that broke is of no use to
        anybody, so it is terminated, and one that is made like it, and is ours, takes its place.
    """

    def __init__(self, executor: Executor | Callable[[], Executor]) -> None:
        self._current = executor if isinstance(executor, Executor) else None
        self._make = None if isinstance(executor, Executor) else executor
        self._started = False
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._sent = _Parcel("", b"")

    @property
    def executor(self) -> Executor:
        """The present one, made when there is none."""
        if self._current is None:
            assert self._make is not None
            made = self._make()
            if not isinstance(made, Executor):
                raise ValueError(
                    f"executor: expected a function that makes a concurrent.futures.Executor, got one that made "
                    f"{type(made).__name__}"
                )
            self._current, self._started = made, False
        return self._current

    @property
    def count(self) -> int | None:
        """How many evaluations run at the same time; None if the executor does not say."""
        return getattr(self.executor, "_max_workers", None)

    def starting(self) -> Future[Any] | None:
        """Done when the first worker of a new executor has started; None where one has."""
        if self._started:
            return None
        future = self.executor.submit(int)
        self._started = True
        return future

    def sender(self, function: Callable[..., Any], as_loss: bool) -> Callable[[Point], Future[Any]]:
        """What submits the function at a point; `received` turns the future's result into the function's."""
        executor = self.executor
        if isinstance(executor, ThreadPoolExecutor):
            # Copies, as everywhere: the function may use them up.
            return lambda point: executor.submit(
                evaluate, function, tuple(x.to("cpu", copy=True) for x in point), as_loss
            )
        forked, sent = False, cast(Any, function)
        if isinstance(executor, ProcessPoolExecutor):
            context = getattr(executor, "_mp_context", multiprocessing)
            forked = context.get_start_method() == "fork"
            sent = self._parcel(function)

        def send(point: Point) -> Future[Any]:
            # The ticket makes every task different: Dask takes equal ones for the same, even a lost one's repetition.
            arguments = dumps(tuple(x.cpu() for x in point))
            return executor.submit(_work, sent, arguments, as_loss, forked, uuid.uuid4().hex)

        return send

    def discard(self, pending: Iterable[Future[Any]], *, broken: bool) -> None:
        """Stops what is under way as far as that is possible; an executor that is ours or broken is not used again."""
        executor = self._current
        pool = isinstance(executor, ProcessPoolExecutor)
        # Where some are cancelled and then a process dies, Python before 3.12 stumbles and leaks the rest.
        if not pool:
            for future in pending:
                future.cancel()
        if self._make is None and broken and type(executor) is ProcessPoolExecutor:
            self._make = _recipe(executor)
        if self._make is None or executor is None:
            return
        if pool:
            _terminate(executor, _processes_of(executor))
        executor.shutdown(wait=False)
        self._current = None

    def close(self, wait: bool = True) -> None:
        """Shuts an executor down that is ours, within seconds; the next use makes another."""
        executor = self._current
        if self._make is not None and executor is not None:
            self._current = None
            if wait:
                _shut_down(executor)
            else:
                executor.shutdown(wait=False)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder, self._sent = None, _Parcel("", b"")

    def _parcel(self, function: Callable[..., Any]) -> _Address:
        """The function in a file that each process reads once: with its images it may be larger than all parameters."""
        try:
            content = dumps(function)
        except Exception as error:
            raise ValueError(
                f"function: expected one that can be pickled for worker processes, got {function!r} "
                f"({first_line(error)}); define it with def at the top of a module, and bind data to it with "
                "functools.partial"
            ) from error
        if content != self._sent.content:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="objective-", ignore_cleanup_errors=True)
            path = Path(self._folder.name) / uuid.uuid4().hex
            path.write_bytes(content)
            if self._sent.path:
                Path(self._sent.path).unlink(missing_ok=True)
            self._sent = _Parcel(str(path), content)
        return _Address(self._sent.path)


class _Parcel(NamedTuple):
    path: str
    content: bytes


class _Address(NamedTuple):
    path: str


class _Packed(NamedTuple):
    content: bytes


def received(value: Any) -> Any:
    """The function's result, or a `Failure`, from that of a future."""
    return pickle.loads(value.content) if isinstance(value, _Packed) else value


def _work(function: Any, point: bytes, as_loss: bool, forked: bool, ticket: str) -> Any:
    """One evaluation, in a worker: a float, or any result packed, or a `Failure`."""
    if forked and torch.get_num_threads() > 1:
        torch.set_num_threads(1)  # more would wait forever for threads that did not come along
    try:
        opened = _open(function) if isinstance(function, _Address) else function
    except Exception as error:
        cure = "define it in a module that workers can import"
        return Failure(f"could not begin: no function in the worker ({error}); {cure}", error).portable()
    outcome = evaluate(opened, pickle.loads(point), as_loss)
    if not isinstance(outcome, Failure) and not as_loss:
        try:
            return _Packed(dumps(outcome))
        except Exception as error:
            outcome = Failure.of(UnusableResult(f"{type(outcome).__name__} that cannot be pickled ({error})"))
    return outcome.portable() if isinstance(outcome, Failure) else outcome


_opened: tuple[str, Any] = ("", None)


def _open(address: _Address) -> Any:
    """The function that was sent, the same object as long as it has not changed: what it made at first stays made."""
    global _opened
    if _opened[0] != address.path:
        _opened = (address.path, pickle.loads(Path(address.path).read_bytes()))
    return _opened[1]


def dumps(value: Any) -> bytes:
    """Pickled, with tensors on the CPU as plain arrays: no file descriptor for each, as torch's own way between
    processes has, and ten times faster than torch's way into files."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    """Python's own, but for tensors."""

    def reducer_override(self, value: Any) -> Any:
        plain = type(value) is Tensor and value.layout is torch.strided and not value.requires_grad
        if not plain or value.device.type != "cpu" or value.is_quantized:
            return NotImplemented
        content = value.resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8).numpy()
        return _tensor, (content, value.dtype, tuple(value.shape))


def _tensor(content: np.ndarray, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """The tensor that was sent, with memory of its own."""
    tensor = torch.empty(shape, dtype=dtype)
    if content.size:
        tensor.view(-1).view(torch.uint8).copy_(torch.tensor(content))
    return tensor


def _recipe(pool: ProcessPoolExecutor) -> Callable[[], ProcessPoolExecutor] | None:
    """What makes another pool like this one; None where a Python to come keeps these things elsewhere."""
    parts = {"_max_workers": "max_workers", "_mp_context": "mp_context", "_initializer": "initializer"}
    parts["_initargs"] = "initargs"
    if not all(hasattr(pool, name) for name in parts):
        return None
    options = {argument: getattr(pool, name) for name, argument in parts.items()}
    if getattr(pool, "_max_tasks_per_child", None) is not None:  # since 3.11
        options["max_tasks_per_child"] = cast(Any, pool)._max_tasks_per_child
    return partial(ProcessPoolExecutor, **options)


# Seconds that idle workers get to end by themselves; they need a few hundredths.
_GRACE = 3.0


def _shut_down(executor: Executor) -> None:
    """Shuts an executor down, waits for its workers a while, and ends processes that are left.

    A worker that died may have held a lock that another one waits for: nothing of Python's own would end that one.
    """
    processes = _processes_of(executor)
    # A thread, because a shutdown that waits can't be told for how long.
    waiting = threading.Thread(target=executor.shutdown, name="closing", daemon=True)
    waiting.start()
    waiting.join(_GRACE)
    if waiting.is_alive() and processes:
        for process in processes:
            process.kill()
        waiting.join(_GRACE)


def _processes_of(executor: Any) -> list[Any]:
    """The processes of a pool; none once it has been shut down or has found out itself that it is broken."""
    return list((getattr(executor, "_processes", None) or {}).values())


def _terminate(executor: Any, processes: list[Any]) -> None:
    """Ends the processes of a pool, whatever they do."""
    if hasattr(executor, "kill_workers"):  # since Python 3.14; what follows reaches into older ones
        executor.kill_workers()
        return
    pipe = getattr(getattr(executor, "_call_queue", None), "_reader", None)
    manager = getattr(executor, "_executor_manager_thread", None)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(1)
        if process.is_alive():
            process.kill()
    if manager is not None and pipe is not None:
        # Python before 3.11.6 may leave its manager waiting, also at exit, for a thread that writes to a full pipe that
        # nobody reads. Not closed before: two threads that close it together would close another's descriptor.
        manager.join(1)
        if manager.is_alive():
            pipe.close()
