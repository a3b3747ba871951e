"""What every search is: points to evaluate out, their losses in."""

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..estimate import Parameters
from ..packing import Packing

# Where a search is confined, in sigmas to either side of the start: far enough not to matter to one that is local, and
# for one that is global, the box in which it looks everywhere.
REACH = 10.0


class Search(ABC):
    """A minimiser that names the points it wants evaluated, `ask`, and takes their losses, `tell`.

    The libraries underneath see ``z = (x - start) / sigma``, in float64: all of them begin around 0 with spread 1.

    Parameters
    ----------
    start : tensor or tuple of tensors
        float32 or float64, finite, on one device.
    sigma : float or tuple of floats
        Spread of the first points around the start, in the parameters' unit; > 0. One for all tensors or one for each.
    seed : int
        >= 0. The same seed gives the same points, bit for bit, if told the same losses.

    Attributes
    ----------
    best : tensor or tuple of tensors
        The point of the least loss so far, in the form of the start, which it is at first.
    best_loss : float
        Infinite at first.
    evaluations : int
        Points whose losses were told.
    stopped : str or None
        Why the search has nothing more to ask; None while it has.

    Raises
    ------
    ValueError
        A parameter that is none, or a number out of its range.
    ImportError
        The library is not installed.
    """

    def __init__(self, start: Parameters, *, sigma: float | tuple[float, ...], seed: int) -> None:
        self._packing = Packing(start)
        self._single = isinstance(start, Tensor)
        self._start = self._packing.flat.cpu().double()  # (P,)
        self._widths = (
            self._packing.widths("sigma", _check_sigma(sigma, self._packing.tensors)).cpu().double()
        )
        self._seed = check_integer("seed", seed, least=0)
        self._asked: Tensor | None = None  # (N, P)
        self._more = 0  # points of the generation that the caller had no evaluations left for
        self._best = self._packing.flat
        self.best_loss = math.inf
        self.evaluations = 0
        self.stopped: str | None = None

    @property
    def best(self) -> Parameters:
        """The point of the least loss so far."""
        return self._packing.restore(self._best)

    @property
    def done(self) -> bool:
        """Whether there is nothing more to ask."""
        return self.stopped is not None

    def ask(self, limit: int | None = None) -> Parameters:
        """The points that the search wants evaluated next.

        Parameters
        ----------
        limit : int, optional
            At most so many, at least 1, for those who have no more evaluations left. If the search wanted more, it
            cannot go on after it is told their losses: these still count for `best`.

        Returns
        -------
        tensor or tuple of tensors
            A leading axis of N, then as the start; its types and device.

        Raises
        ------
        RuntimeError
            Losses are owed from the last time, or the search is done.
        """
        if self._asked is not None:
            raise RuntimeError(
                f"ask: the losses of {len(self._asked)} points are owed; give them to tell() before asking again"
            )
        if self.stopped is not None:
            raise RuntimeError(f"ask: the search is done ({self.stopped}); start another from `best`")
        if limit is not None:
            check_integer("limit", limit, least=1)
        z = self._ask()  # (N, P)
        vectors = self._start + self._widths * torch.from_numpy(z[:limit])
        self._more = len(z) - len(vectors)
        self._asked = vectors.to(self._packing.flat.dtype).to(self._packing.flat.device)
        stacked = tuple(torch.stack(parts) for parts in zip(*self._packing.points(self._asked), strict=True))
        return stacked[0] if self._single else stacked

    def tell(self, losses: Float[Tensor, " N"] | Sequence[float]) -> None:
        """Take the losses of the points that `ask` gave, in their order.

        Parameters
        ----------
        losses : (N,) tensor or sequence of floats
            Finite.

        Raises
        ------
        ValueError
            Not N finite numbers. The search is as it was: the right ones can still be told.
        RuntimeError
            Nothing was asked.
        """
        if self._asked is None:
            raise RuntimeError("tell: no losses are owed; call ask() first")
        values = _check_losses(losses, len(self._asked))
        least = int(values.argmin())
        if values[least] < self.best_loss:
            self.best_loss = float(values[least])
            self._best = self._asked[least].clone()
        self.evaluations += len(values)
        self._asked = None
        if self._more:
            self.stopped = "limit"
            self.close()
        else:
            self.stopped = self._tell(values)

    def close(self) -> None:
        """End the search, and what it holds besides memory; done without being asked when nobody refers to it."""
        self.stopped = self.stopped or "closed"

    @abstractmethod
    def _ask(self) -> np.ndarray:
        """Points (N, P) as float64, with the start at 0 and a spread of 1."""

    @abstractmethod
    def _tell(self, losses: np.ndarray) -> str | None:
        """Take the losses (N,) as float64; say why the search is at its end, if it is."""


def load_library(name: str, needs: str) -> Any:
    """A module that is not among the package's own requirements.

    Raises
    ------
    ImportError
        With the cause and the install line.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ImportError(
            f'{needs}: {package} cannot be imported ({error}); run: pip install "largesteps_zg[search]"'
        ) from error


def check_integer(name: str, value: int, *, least: int) -> int:
    """The number, or ValueError unless it is whole and large enough."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}: expected a whole number of at least {least}, got {value!r}")
    return int(value)


def _check_sigma(sigma: float | tuple[float, ...], tensors: int) -> list[float]:
    """One spread for each tensor, or ValueError."""
    values = list(sigma) if isinstance(sigma, tuple | list) else [sigma] * tensors
    if len(values) != tensors:
        raise ValueError(
            f"sigma: expected one number, or one for each of {tensors} tensors, got {len(values)}"
        )
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ValueError(f"sigma: expected finite numbers > 0, got {value!r}")
    return [float(value) for value in values]


def _check_losses(losses: Tensor | Sequence[float], count: int) -> np.ndarray:
    """Losses (N,) as float64, or ValueError unless they are finite numbers, one for each point."""
    tensor = torch.as_tensor(losses).detach()
    if tuple(tensor.shape) != (count,):
        raise ValueError(
            f"losses: expected {count}, one for each point asked for, got shape {tuple(tensor.shape)}"
        )
    values = tensor.cpu().double().numpy()
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ValueError(
            f"losses: expected finite numbers, got {values[wrong[0]]} for point {wrong[0]} of {count}; give a "
            "large one where the function has no value"
        )
    return values
