"""Evaluations through an executor: what is sent, whose the executor is, what happens when workers die or hang."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from ..._support.errors import first_line
from .evaluate import Failure, Point, UnusableResult, evaluate
from .worker_pool import WorkerPool


class Workers:
    """An executor that is made again when it breaks, if that is possible, and closed if it is ours.

    Parameters
    ----------
    executor : concurrent.futures.Executor, or a function that makes one
        One that is given stays its owner's and is never shut down; but a `WorkerPool` that broke is of no use to
        anybody, so it is ended, and one that is made like it, and is ours, takes its place.
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
        return self.executor.workers if isinstance(self.executor, WorkerPool) else None

    @property
    def replaceable(self) -> bool:
        """Whether another executor can take the place of one that broke."""
        return self._make is not None

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
            failed: list[Failure] = []

            def here(point: Point) -> Any:
                if failed:  # by one before it, for threads begin in order: nobody needs what comes after
                    return failed[0]
                # Copies, as everywhere: the function may use them up.
                outcome = evaluate(function, tuple(x.to("cpu", copy=True) for x in point), as_loss)
                if isinstance(outcome, Failure):
                    failed.append(outcome)
                return outcome

            return lambda point: executor.submit(here, point)
        sent = cast(Any, function)
        if isinstance(executor, ProcessPoolExecutor):
            sent = self._parcel(function)

        def send(point: Point) -> Future[Any]:
            # The ticket makes every task different: Dask takes equal ones for the same, even a lost one's repetition.
            arguments = dumps(tuple(x.cpu() for x in point))
            return executor.submit(_work, sent, arguments, as_loss, uuid.uuid4().hex)

        return send

    def discard(self, pending: Iterable[Future[Any]], *, broken: bool) -> None:
        """Stops what is under way as far as that is possible; an executor that is ours or broken is not used again."""
        executor = self._current
        # Where some are cancelled and then a process dies, Python before 3.12 stumbles and leaks the rest.
        if not isinstance(executor, ProcessPoolExecutor):
            for future in pending:
                future.cancel()
        if self._make is None and broken and isinstance(executor, WorkerPool):
            self._make = executor.again
        if self._make is None or executor is None:
            return
        if isinstance(executor, WorkerPool):
            executor.end()
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


_IMPORTED_BY = os.getpid()


def _forked() -> bool:
    """Whether this process is a copy of the program, and not of a server or new."""
    parent = multiprocessing.parent_process()
    return parent is not None and parent.pid == os.getppid() and os.getpid() != _IMPORTED_BY


def _work(function: Any, point: bytes, as_loss: bool, ticket: str) -> Any:
    """One evaluation, in a worker: a float, or any result packed, or a `Failure`."""
    if _forked() and torch.get_num_threads() > 1:
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


# Seconds that idle workers get to end by themselves; they need a few hundredths.
_GRACE = 3.0


def _shut_down(executor: Executor) -> None:
    """Shuts an executor down, waits for its workers a while, and ends processes that are left.

    A worker that died may have held a lock that another one waits for: nothing of Python's own would end that one.
    """
    # A thread, because a shutdown that waits can't be told for how long.
    waiting = threading.Thread(target=executor.shutdown, name="closing", daemon=True)
    waiting.start()
    waiting.join(_GRACE)
    if waiting.is_alive() and isinstance(executor, WorkerPool):
        executor.end()
        waiting.join(_GRACE)
