"""All evaluations of a call, through workers that may die or hang."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future
from dataclasses import dataclass
from typing import Any

from .evaluate import EvaluationError, Failure, Point
from .executors import Workers, received

# How long workers may take to come up before that counts as hanging, seconds.
_STARTUP = 60.0


@dataclass(frozen=True)
class _Trouble:
    """Evaluations that were lost with what did them.

    Attributes
    ----------
    suspects : list of int
        Those that may have been the reason.
    broken : bool
        The executor is of no use any more.
    """

    suspects: list[int]
    broken: bool
    what: str
    cause: Exception | None


class _Stalled(Exception):
    """Nothing finished for too long."""


def gather(
    workers: Workers,
    function: Callable[..., Any],
    points: Sequence[Point],
    outcomes: dict[int, Any],
    *,
    as_loss: bool,
    timeout: float | None,
    retries: int,
) -> None:
    """Fills `outcomes` with what the function gives at each point, or up to the first `Failure`.

    The failure with the lowest number is always among them, so that the error does not depend on the workers.

    Raises
    ------
    EvaluationError
        An evaluation was lost more than `retries` times.
    """
    lost = [0] * len(points)
    pending: dict[Future[Any], int] = {}
    while todo := _todo(outcomes, len(points)):
        try:
            trouble = _round(workers, function, points, todo, outcomes, pending, as_loss, timeout)
        except BaseException:
            workers.discard(pending, broken=False)
            raise
        if trouble is None:
            continue
        if trouble.broken:
            workers.discard(pending, broken=True)
        over = isinstance(trouble.cause, BrokenExecutor) and not workers.replaceable
        pending.clear()
        for index in trouble.suspects:
            lost[index] += 1
        hopeless = [index for index in trouble.suspects if over or lost[index] > retries]
        if hopeless:
            index = hopeless[0]
            what = f"was lost {lost[index]} times: {trouble.what}"
            if hopeless[1:]:
                what += f" (so were {', '.join(map(str, hopeless[1:]))} beside it)"
            if not outcomes and trouble.broken and trouble.cause is not None:
                what += "; a script must start workers within `if __name__ == '__main__':`"
            if over:
                what += "; give executor=processes(N), which replaces workers that die"
            raise EvaluationError.of(what, index, len(points), points[index]) from trouble.cause


def _todo(outcomes: dict[int, Any], count: int) -> list[int]:
    """Evaluations to do: those before the first failure that are not done yet."""
    end = min((index for index, outcome in outcomes.items() if isinstance(outcome, Failure)), default=count)
    return [index for index in range(end) if index not in outcomes]


def _round(
    workers: Workers,
    function: Callable[..., Any],
    points: Sequence[Point],
    todo: list[int],
    outcomes: dict[int, Any],
    pending: dict[Future[Any], int],
    as_loss: bool,
    timeout: float | None,
) -> _Trouble | None:
    """Submits what is to do and waits for it; trouble ends it early, a failure when all that runs has finished."""
    done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
    upcoming = deque(todo)
    strays: list[int] = []
    cause: Exception | None = None
    end = len(points)
    count = workers.count
    # Twice the workers, so that nobody waits; what has not been submitted need not be taken back.
    window = len(todo) if count is None else 2 * count
    try:
        send = workers.sender(function, as_loss)
        if timeout is not None:
            _await_start(workers, max(timeout, _STARTUP))
        while True:
            while upcoming and len(pending) < window and upcoming[0] < end:
                future = send(points[upcoming[0]])
                pending[future] = upcoming.popleft()
                future.add_done_callback(done.put)
            if not pending:
                return _Trouble(strays, False, _first_line(cause), cause) if strays else None
            future = _next(done, timeout)
            index = pending.pop(future)
            try:
                error = future.exception()
            except CancelledError as cancelled:
                error = cancelled
            if isinstance(error, BrokenExecutor) or not isinstance(error, Exception | None):
                raise error
            if error is None:
                outcomes[index] = received(future.result())
                if isinstance(outcomes[index], Failure) and index < end:
                    end = index
                    _cancel_after(end, pending, count)
            elif index < end:  # not the function's error, which comes as a result
                strays.append(index)
                cause = error
    except BrokenExecutor as error:
        reason: Exception | None = error
        what = f"its worker died ({_first_line(error)})"
    except _Stalled as stalled:
        what, reason = str(stalled), None
    # Executors start evaluations in order, so that those under way are the first.
    running = sum(future.running() for future in pending)
    suspects = [index for index in todo if index not in outcomes][: count or running or None]
    return _Trouble(suspects, True, what, reason)


def _cancel_after(end: int, pending: dict[Future[Any], int], count: int | None) -> None:
    """Takes back what nobody needs after a failure, where all was submitted at once."""
    if count is None:
        for future in [future for future, index in pending.items() if index > end]:
            future.cancel()


def _await_start(workers: Workers, timeout: float) -> None:
    """Waits for the first worker, so that imports do not count as a part of an evaluation."""
    future = workers.starting()
    if future is not None:
        done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        future.add_done_callback(done.put)
        _next(done, timeout).result()


def _next(done: queue.SimpleQueue[Future[Any]], timeout: float | None) -> Future[Any]:
    """The next future that is done."""
    start = time.monotonic()
    while True:
        try:
            # In pieces, because on Windows Ctrl-C does not end a wait.
            return done.get(timeout=1.0 if timeout is None else min(1.0, timeout))
        except queue.Empty:
            if timeout is not None and time.monotonic() - start >= timeout:
                raise _Stalled(f"no evaluation finished within {timeout:g} s") from None


def _first_line(error: Exception | None) -> str:
    """Type and first line of a message."""
    first, *_ = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {first}"
