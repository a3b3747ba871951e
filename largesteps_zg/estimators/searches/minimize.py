"""The loop of evaluating what a search asks for, to a budget."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..estimate import Parameters
from ..evaluation.objective import Objective, as_objective
from .registry import SEARCHES
from .search import Search, check_integer


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    parameters : tensor or tuple of tensors
        The point of the least loss, in the form of the start.
    loss : float
        Its loss, as it was evaluated.
    evaluations : int
        Calls of the function, one for each parameter set.
    history : tuple of (int, float)
        Evaluations so far and the least loss so far, after each generation.
    stopped : str
        "evaluations" (no more allowed), "callback", or the search's own reason.
    """

    parameters: Parameters
    loss: float
    evaluations: int
    history: tuple[tuple[int, float], ...]
    stopped: str


def minimize(
    f: Callable[..., Any] | Objective,
    start: Parameters,
    *,
    search: str = "cma-es",
    evaluations: int = 1000,
    sigma: float | tuple[float, ...] = 0.3,
    seed: int = 0,
    callback: Callable[[Search], Any] | None = None,
    **options: Any,
) -> SearchResult:
    """Search for a minimum of a function that is only called.

    Parameters
    ----------
    f : callable or Objective
        Called with as many tensors as there are parameter tensors; gives a number. An `Objective` says how: in batches,
        or through an executor.
    start : tensor or tuple of tensors
        Where the search begins; float32 or float64, finite, on one device.
    search : str
        A name in `SEARCHES`: "cma-es", "genetic", "annealing".
    evaluations : int
        The most calls of f. A last generation that would go beyond is cut.
    sigma : float or tuple of floats
        Spread of the first points around the start, in the parameters' unit. The most important number: about a third
        of the distance to the minimum for "cma-es"; a tenth, at least, for the others, which stay within 10 sigma.
    seed : int
        The same seed gives the same result, however f is evaluated.
    callback : callable, optional
        Called with the search after each generation; anything true that it returns ends the search.
    **options
        The search's own: ``population``, ``covariance``, ``temperature``.

    Returns
    -------
    SearchResult

    Raises
    ------
    ValueError
        An argument out of its range, or an option that the search does not have.
    ImportError
        The search's library is not installed.
    EvaluationError
        f raised, or gave no finite number; the error has the parameters.

    Notes
    -----
    None of the searches uses a gradient, so none needs f to be continuous; and their costs grow with the number of
    parameters. A quadratic of 500, curvatures 1 to 100, from a loss of 11,000 in 20,000 evaluations: CMA-ES comes to
    19, the genetic algorithm to 970, annealing to 1,100, random points to 10,500.

    Examples
    --------
    >>> import torch
    >>> target = torch.tensor([1.0, -2.0])
    >>> result = minimize(lambda x: (x - target).abs().sum(), torch.zeros(2), evaluations=400)
    >>> result.parameters.round(decimals=3), result.evaluations
    (tensor([ 1., -2.]), 400)
    """
    check_integer("evaluations", evaluations, least=1)
    objective = as_objective(f)
    searcher = _make(search, start, sigma=sigma, seed=seed, **options)
    try:
        return _searched(searcher, objective, evaluations, callback)
    finally:
        searcher.close()


def _searched(
    searcher: Search, objective: Objective, evaluations: int, callback: Callable[[Search], Any] | None
) -> SearchResult:
    """Evaluate what a search asks for until something ends it."""
    history: list[tuple[int, float]] = []
    stopped = None
    while stopped is None:
        points = searcher.ask(limit=evaluations - searcher.evaluations)
        searcher.tell(objective.losses(_unstack(points)))
        history.append((searcher.evaluations, searcher.best_loss))
        if callback is not None and callback(searcher):
            stopped = "callback"
        elif searcher.evaluations == evaluations:
            stopped = "evaluations"
        else:
            stopped = searcher.stopped
    return SearchResult(searcher.best, searcher.best_loss, searcher.evaluations, tuple(history), stopped)


def _make(name: str, start: Parameters, **arguments: Any) -> Search:
    """The search, or ValueError if there is none of that name, or it does not know an option."""
    if name not in SEARCHES:
        raise ValueError(f"search: expected {', '.join(SEARCHES)}, got {name!r}")
    kind = SEARCHES[name]
    known = list(inspect.signature(kind).parameters)[1:]
    for option in arguments:
        if option not in known:
            raise ValueError(f"options: expected those of {name} ({', '.join(known)}), got {option}")
    return kind(start, **arguments)


def _unstack(points: Parameters) -> list[tuple[Tensor, ...]]:
    """The arguments of f for each point, with memory of their own: views would be sent to processes with all points."""
    tensors = (points,) if isinstance(points, Tensor) else points
    return [tuple(t[i].clone() for t in tensors) for i in range(len(tensors[0]))]
