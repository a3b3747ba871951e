"""Simulated annealing by SciPy, whose function that calls ours is turned into one that is asked."""

from __future__ import annotations

import inspect
import math
import threading
import weakref
from queue import SimpleQueue
from typing import Any

import numpy as np

from ..estimate import Parameters
from .search import REACH, Search

_FIRST_TEMPERATURE = 5230.0  # SciPy's, of which the lengths of its steps are a function


class SimulatedAnnealing(Search):
    """Generalised simulated annealing: a walk that accepts worse losses while it is hot.

    `scipy.optimize.dual_annealing` without its local searches, which would take derivatives. At each temperature 2 P
    points, one after the other: first P that change all parameters, then each parameter alone.

    Parameters
    ----------
    start : tensor or tuple of tensors
        The first point.
    sigma : float or tuple of floats
        The walk is confined to 10 sigma on either side of the start, and leaves it by one side to come in by the
        other. Its first steps go anywhere in that box, later ones are shorter.
    seed : int
    temperature : float
        The first, in units of the loss at the start (of 1 where that is 0); > 0.

    Raises
    ------
    ValueError
        As `Search`.

    Notes
    -----
    One point at a time: nothing to gain from an executor. The temperature falls with the number of points over 2 P
    (and starts again, elsewhere in the box, after 1,240 temperatures), so in many dimensions a budget ends while the
    walk is hot; then mostly the steps along single parameters help. Never done by itself.

    SciPy's function runs in a thread of its own, which waits while the points are evaluated, and ends with `close`,
    with the last reference to the search, or with the program.

    References
    ----------
    Tsallis, Stariolo. Generalized Simulated Annealing. Physica A 233, 1996.
    Xiang, Sun, Fan, Gong. Generalized Simulated Annealing Algorithm and Its Application to the Thomson Model. Physics
    Letters A 233, 1997.

    Examples
    --------
    >>> import torch
    >>> search = SimulatedAnnealing(torch.zeros(2), sigma=0.5)
    >>> while search.evaluations < 3000:
    ...     point = search.ask()  # (1, 2)
    ...     search.tell((point - torch.tensor([1.0, -2.0])).square().sum(dim=1))
    >>> bool(search.best_loss < 1e-2)
    True
    """

    def __init__(
        self,
        start: Parameters,
        *,
        sigma: float | tuple[float, ...] = 0.3,
        seed: int = 0,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(start, sigma=sigma, seed=seed)
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature: expected a finite number > 0, got {temperature}")
        self._temperature = temperature
        self._scale: float | None = None  # of losses to SciPy's temperatures, known with the first loss
        self._points: SimpleQueue[Any] = SimpleQueue()
        self._losses: SimpleQueue[float | None] = SimpleQueue()
        # The thread must not know the search, or the search would never be forgotten.
        arguments = (self._points, self._losses, len(self._start), self._seed)
        self._thread = threading.Thread(target=_anneal, args=arguments, daemon=True, name="annealing")
        self._finalizer = weakref.finalize(self, _end, self._thread, self._losses)

    def close(self) -> None:
        """End the search and its thread."""
        self._finalizer()
        super().close()

    def _ask(self) -> np.ndarray:
        if self._thread.ident is None:
            self._thread.start()
        point = self._points.get()
        if isinstance(point, BaseException):
            raise point
        return point[None]

    def _tell(self, losses: np.ndarray) -> str | None:
        if self._scale is None:
            self._scale = _FIRST_TEMPERATURE / (self._temperature * (abs(losses[0]) or 1.0))
        self._losses.put(float(losses[0]) * self._scale)
        return None


class _Closed(Exception):
    """Unwinds SciPy's function."""


def _anneal(points: SimpleQueue[Any], losses: SimpleQueue[float | None], count: int, seed: int) -> None:
    """SciPy's annealing around 0: the function's arguments go into one queue, its values come from another."""
    from scipy.optimize import dual_annealing

    def evaluate(z: np.ndarray) -> float:
        points.put(z)
        loss = losses.get()
        if loss is None:
            raise _Closed
        return loss

    # SciPy called it `seed` before version 1.15.
    name = "rng" if "rng" in inspect.signature(dual_annealing).parameters else "seed"
    try:
        dual_annealing(
            evaluate,
            [(-REACH, REACH)] * count,
            x0=np.zeros(count),
            no_local_search=True,
            initial_temp=_FIRST_TEMPERATURE,
            maxiter=2**62,
            maxfun=2**62,
            **{name: np.random.default_rng(seed)},
        )
    except _Closed:
        pass
    # An error would be lost with the thread, and who waits for a point would wait forever.
    except BaseException as error:
        points.put(error)


def _end(thread: threading.Thread, losses: SimpleQueue[float | None]) -> None:
    """End the thread and wait for it: it is at its next point in no time."""
    losses.put(None)
    # The collector may run in the thread itself.
    if thread.ident is not None and thread is not threading.current_thread():
        thread.join()
