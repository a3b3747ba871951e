"""Searches that use no gradient."""

from .annealing import SimulatedAnnealing as SimulatedAnnealing
from .cma_es import CMAES as CMAES
from .genetic import GeneticAlgorithm as GeneticAlgorithm
from .minimize import SearchResult as SearchResult
from .minimize import minimize as minimize
from .registry import SEARCHES as SEARCHES
from .search import Search as Search
