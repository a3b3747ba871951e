"""Where the parameters are, as a network sees it: in units of the perturbations, and as waves of several lengths."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from .packing import Packing


def encode(y: Float[Tensor, "N P"], bands: int) -> list[Float[Tensor, "N P"]]:
    """The numbers themselves, then ``sin(pi y / 2^k)`` and ``cos(pi y / 2^k)`` for k from 1 to `bands`.

    Waves of 4, 8, 16, ... units: the shortest that samples a unit apart can tell, and longer ones. A positional
    encoding of the published kind starts at a length and goes down from there.

    References
    ----------
    Mildenhall et al. NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis. ECCV 2020.
    """
    blocks = [y]
    for band in range(1, bands + 1):
        phase = y * (math.pi / 2**band)
        blocks += [phase.sin(), phase.cos()]
    return blocks


def derivative(y: Float[Tensor, " P"], bands: int) -> list[Float[Tensor, " P"]]:
    """Of each block of `encode`, by y."""
    blocks = [torch.ones_like(y)]
    for band in range(1, bands + 1):
        rate = math.pi / 2**band
        blocks += [rate * (rate * y).cos(), -rate * (rate * y).sin()]
    return blocks


class Place:
    """The parameters, as they are or through the features."""

    def __init__(self, packing: Packing, sigma: Tensor, features: Callable[..., Tensor] | None) -> None:
        self.sigma, self._packing, self._features = sigma, packing, features
        self.value = packing.flat
        if features is not None:
            with torch.enable_grad():
                self._tensors = [t.clone().requires_grad_() for t in packing.points(packing.flat[None])[0]]
                self._mapped = features(*self._tensors)
            self.value = self._mapped.detach().reshape(-1)

    def inputs(self, points: Tensor) -> Tensor:
        """Points (N, P), as they are or through the features."""
        if self._features is None:
            return points
        return torch.stack([self._features(*point).reshape(-1) for point in self._packing.points(points)])

    def pull_back(self, gradient: Tensor) -> Tensor:
        """From a derivative by `value` to one by the parameters."""
        if self._features is None:
            return gradient
        parts = torch.autograd.grad(
            self._mapped, self._tensors, gradient.view_as(self._mapped), retain_graph=True
        )
        return torch.cat([part.reshape(-1).to(self._packing.flat.dtype) for part in parts])
