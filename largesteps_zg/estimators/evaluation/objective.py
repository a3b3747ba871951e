"""A function that is only called: evaluated here, in one batch, by threads, by processes, or on a cluster."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from ..._support.values import check_count
from .evaluate import Failure, Point, evaluate, number, numbers
from .executors import Workers
from .gathering import gather


class Objective:
    """A function of one or more tensors, and how it is to be evaluated at many points.

    The losses are the same, bit for bit and in order, whatever evaluates them, as long as the function gives the same
    there.

    Parameters
    ----------
    function : callable
        Gets one tensor for each parameter tensor, as copies that do not require gradients and without autograd, and
        returns its loss: a number, or a tensor or array of one element.
    batched : bool
        The function gets each tensor with a leading axis of N, and returns N losses. Not together with an executor.
    executor : concurrent.futures.Executor, or a function that makes one
        Evaluations are its tasks, one for each point. `processes()`, a ``ThreadPoolExecutor`` for functions that
        wait or release the GIL, Dask's ``Client(...).get_executor(pure=False)``, ``MPIPoolExecutor``, and others. One
        that is given is never shut down unless it is broken; one that is made by the function is closed by `close`.
    timeout : float, optional
        Seconds. If no evaluation finished for so long, those under way are repeated; give it more than the slowest
        takes. The start of the workers does not count.
    retries : int
        How often an evaluation is repeated that was lost with a worker, because it died or hung.

    Attributes
    ----------
    evaluations : int
        Those that gave a result so far. A repeated one counts once.

    Raises
    ------
    ValueError
        Arguments that do not fit.

    Notes
    -----
    Where: without an executor tensors stay on their device; through one the function gets tensors on the CPU.

    Function: a process pool needs one that can be pickled: defined at the top of a module, with ``functools.partial``
    for its data. A worker process keeps its copy until the function changes, so what it makes once (a renderer's
    context) stays. Dask sends the function with every evaluation; there let it load large data itself. Without
    ``pure=False`` Dask also hashes it each time.

    Processes: those of `processes()` are replaced where they die and ended where they hang; a ``ProcessPoolExecutor``
    of another kind that breaks is the end of the call. Prefer ``spawn`` or ``forkserver`` to ``fork``: torch's threads
    do not survive it. (In forked workers torch therefore runs on one thread; sums over many numbers may differ in the
    last bits from those on more threads.) Threads cannot be stopped: a hung one keeps its place, and the program from
    ending.

    Ctrl-C ends the call at once, and the workers with it if they are ours.

    Cost of an evaluation, besides the function, with 7,686 numbers on two cores: 12 microseconds here, 40 in a thread,
    0.3 ms in a process, 4 ms with Dask. Processes add 1 ms in each call for every megabyte of the function's data.

    Examples
    --------
    >>> import torch
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with Objective(lambda x: x.square().sum(), executor=ThreadPoolExecutor) as objective:
    ...     objective.losses([(torch.tensor([3.0, 4.0]),), (torch.ones(2),)])
    tensor([25.,  2.], dtype=torch.float64)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        batched: bool = False,
        executor: Executor | Callable[[], Executor] | None = None,
        timeout: float | None = None,
        retries: int = 2,
    ) -> None:
        _check(function, batched, executor, timeout, retries)
        self.function = function
        self.batched = batched
        self.timeout = timeout
        self.retries = retries
        self.evaluations = 0
        self._workers = None if executor is None else Workers(executor)
        if self._workers is not None:
            weakref.finalize(self, self._workers.close, wait=False)

    def losses(self, points: Sequence[tuple[Tensor, ...]]) -> Float64[Tensor, " N"]:
        """The loss at each point.

        Parameters
        ----------
        points : sequence of tuples of tensors
            N parameter sets.

        Returns
        -------
        (N,) float64 tensor on the CPU
            Wherever the points are: not every device has float64.

        Raises
        ------
        EvaluationError
            The function raised, gave no finite number, or was lost too often.
        """
        return torch.tensor(self._evaluate(points, as_loss=True), dtype=torch.float64)

    def results(self, points: Sequence[tuple[Tensor, ...]]) -> list[Any]:
        """Whatever the function returns at each point, unchecked; of a batch, the rows or items.

        Raises
        ------
        EvaluationError
            The function raised, gave another number of results than points, or was lost too often.
        """
        return self._evaluate(points, as_loss=False)

    def close(self) -> None:
        """Shuts down workers that are ours; a later call starts new ones.

        Worker processes that do not end within seconds (hung, or waiting for a dead one) are terminated.
        """
        if self._workers is not None:
            self._workers.close()

    def __enter__(self) -> Objective:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _evaluate(self, points: Sequence[Point], *, as_loss: bool) -> list[Any]:
        """Results in order."""
        points = _checked(points)
        if not points:
            return []
        if self.batched:
            return self._batch(points, as_loss=as_loss)
        outcomes: dict[int, Any] = {}
        try:
            if self._workers is None:
                for index, point in enumerate(points):
                    outcomes[index] = evaluate(self.function, tuple(x.clone() for x in point), as_loss)
                    if isinstance(outcomes[index], Failure):
                        break
            else:
                gather(
                    self._workers,
                    self.function,
                    points,
                    outcomes,
                    as_loss=as_loss,
                    timeout=self.timeout,
                    retries=self.retries,
                )
        finally:
            self.evaluations += sum(not isinstance(outcome, Failure) for outcome in outcomes.values())
        return _without_failures(outcomes, points)

    def _batch(self, points: list[Point], *, as_loss: bool) -> list[Any]:
        """Results of one call for all points."""
        count = len(points)
        batch = tuple(torch.stack(tensors) for tensors in zip(*points, strict=True))
        rows = evaluate(lambda *tensors: numbers(self.function(*tensors), count), batch, False)
        if isinstance(rows, Failure):
            raise rows.error(None, count, batch)
        if as_loss:
            rows = [evaluate(lambda row=row: number(row), (), False) for row in rows]
        self.evaluations += sum(not isinstance(row, Failure) for row in rows)
        return _without_failures(dict(enumerate(rows)), points)


def as_objective(f: Callable[..., Any] | Objective) -> Objective:
    """The objective itself, or that of a function, evaluated one by one."""
    return f if isinstance(f, Objective) else Objective(f)


def _without_failures(outcomes: dict[int, Any], points: list[Point]) -> list[Any]:
    """Outcomes in order; the first failure is raised."""
    for index in sorted(outcomes):
        if isinstance(outcomes[index], Failure):
            raise outcomes[index].error(index, len(points), points[index])
    return [outcomes[index] for index in range(len(points))]


def _checked(points: Sequence[Point]) -> list[Point]:
    """Points without autograd; a tensor in the place of a point would be taken apart into its rows."""
    wrong = [p for p in points if not (isinstance(p, tuple | list) and all(isinstance(x, Tensor) for x in p))]
    if wrong:
        raise ValueError(
            f"points: expected tuples of tensors, got {type(wrong[0]).__name__}; write (tensor,)"
        )
    return [tuple(x.detach() for x in point) for point in points]


def _check(function: Any, batched: bool, executor: Any, timeout: float | None, retries: int) -> None:
    """Arguments of an objective."""
    if not callable(function):
        raise ValueError(f"function: expected a callable, got {type(function).__name__}")
    if executor is not None and not isinstance(executor, Executor) and not callable(executor):
        cure = (
            "give client.get_executor(pure=False)" if hasattr(executor, "get_executor") else "see processes()"
        )
        raise ValueError(
            "executor: expected a concurrent.futures.Executor or a function that makes one, got "
            f"{type(executor).__name__}; {cure}"
        )
    if batched and executor is not None:
        raise ValueError(
            "executor: expected None for a batched function, which gets all points in one call; give one of the two"
        )
    if timeout is not None and not (timeout > 0 and math.isfinite(timeout)):
        raise ValueError(f"timeout: expected seconds > 0 or None, got {timeout}")
    if timeout is not None and executor is None:
        raise ValueError(
            "timeout: expected None without an executor, for nobody could stop the function here"
        )
    check_count("retries", retries, least=0)
