"""CMA-ES by the library `cma` (BSD), the work of its author."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import numpy as np

from ..._support.while_inside import silence
from ..estimate import Parameters
from .search import Search, check_integer, load_library

COVARIANCES = ("auto", "full", "diagonal")

# The most parameters to which "auto" gives a full covariance: a matrix of 128 MiB, about 1.2 GB in all.
FULL_UP_TO = 4096

# Memory in all, in P x P matrices of float64: 7.2 to 8.4 measured with cma 4.5 at P = 1000 to 4096.
_MATRICES = 9


class CMAES(Search):
    """Covariance matrix adaptation: a Gaussian that learns the shape of the valley it is in.

    Each generation draws N points, ranks them, and moves mean, covariance and step size towards the better half. It
    sees the order of the losses only, not their values.

    Parameters
    ----------
    start : tensor or tuple of tensors
        The first mean; not evaluated itself.
    sigma : float or tuple of floats
        The first spread; about a third of the distance to the minimum is good.
    seed : int
    population : int, optional
        N, at least 3; ``4 + 3 log(P)`` if None. Larger is more robust against noise and local minima.
    covariance : "auto", "full" or "diagonal"
        "full" takes up to 9 matrices of P x P float64 (72 P^2 bytes) and O(P^2) time for each point: 0.3 GB and 10 ms
        at 2,000 parameters, 1.2 GB and 70 ms at 4,096; 2.8 TB at 196,608. "diagonal" takes O(P) of both and learns a
        scale for each parameter, but no correlations. "auto" is "full" up to 4,096 parameters, whatever the machine,
        or else "diagonal".

    Attributes
    ----------
    covariance : str
        "full" or "diagonal": what "auto" came to.

    Raises
    ------
    ValueError
        As `Search`; or a full covariance that does not fit this machine's memory.
    ImportError
        `cma` is not installed.

    Notes
    -----
    Stops by itself when its steps are below 1e-9 sigma ("tolx"), above 1000 sigma ("tolfacupx": begin with a larger
    sigma), or by cma's other tests of steps and of stagnation. Differences between losses stop nothing: on a plateau
    all losses are equal, and the search has to cross it.

    All N points of a generation can be evaluated at once.

    References
    ----------
    Hansen, Ostermeier. Completely Derandomized Self-Adaptation in Evolution Strategies. Evolutionary Computation
    9(2), 2001.
    Hansen, Akimoto, Baudis. CMA-ES/pycma on Github. Zenodo, doi:10.5281/zenodo.2559634, 2019.

    Examples
    --------
    >>> import torch
    >>> search = CMAES(torch.zeros(2), sigma=0.5)
    >>> while not search.done and search.best_loss > 1e-6:
    ...     points = search.ask()  # (6, 2)
    ...     search.tell((points - torch.tensor([1.0, -2.0])).square().sum(dim=1))
    >>> search.best.round(decimals=2)
    tensor([ 1., -2.])
    """

    def __init__(
        self,
        start: Parameters,
        *,
        sigma: float | tuple[float, ...] = 0.3,
        seed: int = 0,
        population: int | None = None,
        covariance: str = "auto",
    ) -> None:
        super().__init__(start, sigma=sigma, seed=seed)
        count = len(self._start)
        self.covariance = _choose(covariance, count)
        random = np.random.default_rng(self._seed)
        options = {
            "CMA_diagonal": self.covariance == "diagonal",
            # Numbers of our own, and "nan" for the seed: cma would seed NumPy's global generator.
            "randn": lambda *shape: random.standard_normal(shape),
            "seed": np.nan,
            "verbose": -9,
            "verb_log": 0,
            "tolx": 1e-9,
            "tolfun": 0,
            "tolfunhist": 0,
            "tolflatfitness": np.inf,
        }
        if population is not None:
            options["popsize"] = check_integer("population", population, least=3)
        library = load_library("cma", "CMAES")
        with _quietly():
            self._strategy = library.CMAEvolutionStrategy(np.zeros(count), 1.0, options)
        self._points: list[np.ndarray] = []

    def _ask(self) -> np.ndarray:
        with _quietly():
            self._points = self._strategy.ask()
        return np.stack(self._points)

    def _tell(self, losses: np.ndarray) -> str | None:
        with _quietly():
            self._strategy.tell(self._points, losses.tolist())
            return " and ".join(self._strategy.stop()) or None


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without cma's warnings, and NumPy's global generator put back: in 500 dimensions cma draws from it."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        with silence:
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _choose(covariance: str, count: int) -> str:
    """Full or diagonal, or ValueError if that is impossible."""
    if covariance not in COVARIANCES:
        raise ValueError(f"covariance: expected {', '.join(COVARIANCES)}, got {covariance!r}")
    if covariance == "auto":
        return "full" if count <= FULL_UP_TO else "diagonal"
    need, have = _MATRICES * 8 * count**2, _memory()
    if covariance == "full" and have is not None and need > have:
        raise ValueError(
            f"covariance: expected diagonal or auto for {count} parameters, got full, which takes "
            f"{need / 2**30:.0f} GiB ({_MATRICES} matrices of {count} x {count}); this machine has {have / 2**30:.0f}"
        )
    return covariance


def _memory() -> int | None:
    """Bytes of this machine's memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
