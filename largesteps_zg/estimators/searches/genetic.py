"""A genetic algorithm by the library `pymoo` (Apache 2.0)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..estimate import Parameters
from .search import REACH, Search, check_integer, load_library


class GeneticAlgorithm(Search):
    """A population whose better members have children: recombined, mutated, and kept if they are better.

    Tournament selection, simulated binary crossover (index 15), polynomial mutation (index 20) and survival of the
    best N of parents and children: pymoo's algorithm and settings.

    Parameters
    ----------
    start : tensor or tuple of tensors
        The first member of the first population; the others are Gaussian around it.
    sigma : float or tuple of floats
        Their spread. The search is confined to 10 sigma on either side of the start; a mutation changes a parameter
        by half a sigma or so.
    seed : int
    population : int
        N, at least 2; 50 unless given.

    Raises
    ------
    ValueError
        As `Search`.
    ImportError
        `pymoo` is not installed.

    Notes
    -----
    Uses the order of the losses only. Stops by itself only when no child differs from all parents.

    All N points of a generation can be evaluated at once. Memory is O(N P).

    References
    ----------
    Blank, Deb. pymoo: Multi-Objective Optimization in Python. IEEE Access 8, 2020.

    Examples
    --------
    >>> import torch
    >>> search = GeneticAlgorithm(torch.zeros(2), sigma=0.5)
    >>> while search.evaluations < 3000:
    ...     points = search.ask()  # (50, 2)
    ...     search.tell((points - torch.tensor([1.0, -2.0])).square().sum(dim=1))
    >>> bool(search.best_loss < 1e-3)
    True
    """

    def __init__(
        self,
        start: Parameters,
        *,
        sigma: float | tuple[float, ...] = 0.3,
        seed: int = 0,
        population: int = 50,
    ) -> None:
        super().__init__(start, sigma=sigma, seed=seed)
        check_integer("population", population, least=2)
        self._algorithm = _algorithm(len(self._start), population, self._seed)
        self._next: Any = self._algorithm.ask()  # one ahead: only asking tells whether there are children

    def _ask(self) -> np.ndarray:
        return np.asarray(self._next.get("X"), dtype=np.float64)

    def _tell(self, losses: np.ndarray) -> str | None:
        problem = load_library("pymoo.problems.static", "GeneticAlgorithm").StaticProblem(
            self._algorithm.problem, F=losses[:, None]
        )
        self._algorithm.evaluator.eval(problem, self._next)
        self._algorithm.tell(infills=self._next)
        self._next = self._algorithm.ask()
        return "no child differs from its parents" if self._next is None else None


def _algorithm(count: int, population: int, seed: int) -> Any:
    """pymoo's algorithm on a box around 0, set up and silent."""
    algorithms = load_library("pymoo.algorithms.soo.nonconvex.ga", "GeneticAlgorithm")
    problems = load_library("pymoo.core.problem", "GeneticAlgorithm")
    terminations = load_library("pymoo.core.termination", "GeneticAlgorithm")
    config = load_library("pymoo.config", "GeneticAlgorithm").Config
    # Its first population is ours, from another stream of the same seed than the one that it draws from.
    random = np.random.default_rng([seed, 1])
    first = np.clip(random.standard_normal((population, count)), -REACH, REACH)
    first[0] = 0
    box = np.full(count, REACH)
    warnings, config.warnings = config.warnings, {**config.warnings, "not_compiled": False}
    try:
        algorithm = algorithms.GA(pop_size=population, sampling=first)
    finally:
        config.warnings = warnings
    algorithm.setup(
        problems.Problem(n_var=count, n_obj=1, xl=-box, xu=box),
        termination=terminations.NoTermination(),
        seed=seed,
        verbose=False,
    )
    return algorithm
