"""Estimates of the gradient of the whole loss: one number a picture, whatever the renderer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...estimators.differentiable import differentiable
from ...estimators.estimate import Estimator
from ...estimators.smoothed import Smoothed
from ...estimators.spsa import SPSA
from ...estimators.zerograds import ZeroGrads
from ...renderers.black_box import BlackBox
from ..batch import Batch
from .sampled import Sampled
from .source import GradientSource, Surface, between


class _Width:
    """A size of perturbations that the source sets at every step."""

    def __init__(self, share: float) -> None:
        self.share, self.value = share, share

    def __call__(self, _: int) -> float:
        return self.value


class LatentSource(Sampled):
    """An estimator of the gradient of the whole loss, in the latent, where a perturbation is a smooth deformation.

    Latent, colours and light are perturbed together, as far as they are not known.

    Parameters
    ----------
    make : callable
        From the sizes of the perturbations, callables, one for each parameter tensor, to an estimator. Called for every
        topology.
    renderer : BlackBox
    seed : int
    widths : (float, float)
        Sizes in the latent at the beginning and at the end of the run, in scene radii.
    step_factor, momentum : float
        See `GradientSource`.
    """

    lambda_bound = 5.0
    bending_share = 0.0  # with it ZeroGrads needs more than twice the renders for the same image loss
    color_share, light_share = 0.5, 0.1  # sizes for colours and light over that for positions

    def __init__(
        self,
        make: Callable[[tuple[_Width, ...]], Estimator],
        renderer: BlackBox,
        seed: int,
        *,
        widths: tuple[float, float],
        step_factor: float,
        momentum: float = 0.9,
    ) -> None:
        super().__init__(renderer, seed)
        self._make, self.widths = make, widths
        self.step_factor, self.momentum = step_factor, momentum
        self._sizes: tuple[_Width, ...] = ()
        self._estimator: Estimator | None = None
        self._loaded: dict[str, Any] | None = None

    def topology_changed(self) -> None:
        """Other parameters, so an estimator that knows nothing."""
        self._estimator, self._loaded = None, None

    def loss(
        self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch, *, progress: float
    ) -> Tensor:
        """See `GradientSource`."""
        parts = (fit.latent, fit.color_latent, fit.light)
        shares = (1.0, self.color_share, self.light_share)
        estimator = self._ready(
            [share for share, part in zip(shares, parts, strict=True) if part.requires_grad]
        )
        for size in self._sizes:
            size.value = size.share * between(*self.widths, progress)

        def value(latent: Tensor, color_latent: Tensor, light: Tensor) -> float:
            moved, paint = fit.shape.from_differential(latent), fit.paint.from_differential(color_latent)
            colors = fit.shaded(moved, paint, batch, light=light)
            images = self.renderer(moved, fit.faces, colors, batch.cameras).images
            return float(fit.difference.of_pixels(images, batch).sum(dtype=torch.float64))

        sampled = differentiable(value, estimator, generator=self.generator)
        loss = sampled(*parts)
        self.renders += sampled.evaluations * len(batch)
        return loss

    def _ready(self, shares: list[float]) -> Estimator:
        """The estimator for the present parameters."""
        if self._estimator is None:
            self._sizes = tuple(_Width(share) for share in shares)
            self._estimator = self._make(self._sizes)
            if self._loaded is not None:
                self._estimator.load_state_dict(self._loaded)
                self._loaded = None
        return self._estimator

    def state_dict(self) -> dict[str, Any]:
        """Its own, and the estimator's."""
        estimator = self._loaded if self._estimator is None else self._estimator.state_dict()
        return {**super().state_dict(), "estimator": estimator}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        self._estimator, self._loaded = None, state["estimator"]


PAIRS = 10  # as published for ZeroGrads' large problems
WIDTHS = 0.3, 0.1


def zerograds(renderer: BlackBox, seed: int) -> GradientSource:
    """The surrogate remembers; momentum would do so a second time, and the two together swing."""

    def make(sizes: tuple[_Width, ...]) -> Estimator:
        return ZeroGrads(sigma=sizes, pairs=PAIRS, width=32, depth=1, k_phi=1, rate=1.0, memory=0.85)

    return LatentSource(make, renderer, seed, widths=WIDTHS, step_factor=1.0, momentum=0.0)


def smoothed(renderer: BlackBox, seed: int) -> GradientSource:
    """Differences of a Gaussian\'s derivative, and momentum to average them."""

    def make(sizes: tuple[_Width, ...]) -> Estimator:
        return Smoothed(sigma=sizes, pairs=PAIRS)

    return LatentSource(make, renderer, seed, widths=WIDTHS, step_factor=2.0)


def spsa(renderer: BlackBox, seed: int) -> GradientSource:
    """All parameters at random signs at once, and momentum to average."""

    def make(sizes: tuple[_Width, ...]) -> Estimator:
        return SPSA(epsilon=sizes, pairs=PAIRS)

    return LatentSource(make, renderer, seed, widths=WIDTHS, step_factor=2.0)
