"""Estimates of the gradient of the whole loss: one number a picture, whatever the renderer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...constants import DEFAULTS, Estimates
from ...estimators.differentiable import differentiable
from ...estimators.estimate import Estimator
from ...estimators.smoothed import Smoothed
from ...estimators.spsa import SPSA
from ...estimators.zerograds import ZeroGrads
from ...renderers.black_box import BlackBox
from ..batch import Batch
from .sampled import Sampled
from .source import GradientSource, LossResult, SourceTraits, Surface, between


class LatentSource(Sampled):
    """An estimator of the gradient of the whole loss, in the latent, where a perturbation is a smooth deformation.

    Latent, colours and light are perturbed together, as far as they are not known.

    Parameters
    ----------
    make : callable
        Gives an estimator whose ``estimate`` takes a `width`. Called for every topology.
    renderer : BlackBox
    seed : int
    step_factor, momentum : float
        See `SourceTraits`.
    constants : Estimates, optional
        Among them sizes of the perturbations.
    """

    def __init__(
        self,
        make: Callable[[], Estimator],
        renderer: BlackBox,
        seed: int,
        *,
        step_factor: float,
        momentum: float = 0.9,
        constants: Estimates = DEFAULTS.estimates,
    ) -> None:
        super().__init__(renderer, seed)
        # With bending ZeroGrads needs more than twice the renders for the same image loss.
        self.traits = SourceTraits(
            step_factor=step_factor, momentum=momentum, lambda_bound=5.0, bending_share=0.0
        )
        self._make, self._constants = make, constants
        self._estimator = make()

    def topology_changed(self) -> None:
        """Other parameters, so an estimator that knows nothing."""
        self._estimator = self._make()

    def loss(
        self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch, *, progress: float
    ) -> LossResult:
        """See `GradientSource`."""
        shape, paint, difference = fit.shape, fit.paint, fit.difference
        parts = (shape.latent, paint.latent, fit.light)
        shares = (1.0, self._constants.color_share, self._constants.light_share)
        size = between(*self._constants.latent_widths, progress)
        width = tuple(share * size for share, part in zip(shares, parts, strict=True) if part.requires_grad)

        def value(latent: Tensor, color_latent: Tensor, light: Tensor) -> float:
            moved = shape.from_differential(latent)
            colors = fit.shaded(moved, paint.from_differential(color_latent), batch, light=light)
            images = self.renderer(moved, fit.faces, colors, batch.cameras).images
            return float(difference.of_pixels(images, batch).sum(dtype=torch.float64))

        sampled = differentiable(value, self._estimator, generator=self.generator, width=width)
        loss = sampled(*parts)
        self.renders += sampled.evaluations * len(batch)
        return LossResult(loss, float(loss.detach()))

    def state_dict(self) -> dict[str, Any]:
        """Its own, and the estimator's."""
        return {**super().state_dict(), "estimator": self._estimator.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        self._estimator = self._make()
        self._estimator.load_state_dict(state["estimator"])


def zerograds(renderer: BlackBox, seed: int, constants: Estimates = DEFAULTS.estimates) -> GradientSource:
    """The surrogate remembers. Momentum would remember a second time, and the two together swing."""

    def make() -> Estimator:
        return ZeroGrads(
            pairs=constants.pairs,
            width=constants.surrogate_width,
            depth=constants.surrogate_depth,
            k_phi=1,
            rate=constants.surrogate_rate,
            memory=constants.surrogate_memory,
        )

    return LatentSource(make, renderer, seed, step_factor=1.0, momentum=0.0, constants=constants)


def smoothed(renderer: BlackBox, seed: int, constants: Estimates = DEFAULTS.estimates) -> GradientSource:
    """Differences weighted by a Gaussian's derivative, and momentum to average them."""
    return LatentSource(
        lambda: Smoothed(pairs=constants.pairs), renderer, seed, step_factor=2.0, constants=constants
    )


def spsa(renderer: BlackBox, seed: int, constants: Estimates = DEFAULTS.estimates) -> GradientSource:
    """All parameters at random signs at once, and momentum to average."""
    return LatentSource(
        lambda: SPSA(pairs=constants.pairs), renderer, seed, step_factor=2.0, constants=constants
    )
