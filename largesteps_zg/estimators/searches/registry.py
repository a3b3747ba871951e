"""The searches by name. A new one is one file and one line here, and inherits the family's tests."""

from __future__ import annotations

from collections.abc import Callable

from .annealing import SimulatedAnnealing
from .cma_es import CMAES
from .genetic import GeneticAlgorithm
from .search import Search

# Each is made with (start, *, sigma, seed) and options of its own.
SEARCHES: dict[str, Callable[..., Search]] = {
    "cma-es": CMAES,
    "genetic": GeneticAlgorithm,
    "annealing": SimulatedAnnealing,
}
