"""The Soft Rasterizer as a source of gradients: exact derivatives of blurred images."""

from __future__ import annotations

from torch import Tensor

from ...constants import DEFAULTS, Estimates
from ...renderers.black_box import BlackBox
from ...renderers.soft import render_soft
from ..batch import Batch
from .source import GradientSource, LossResult, SourceTraits, Surface


class Soft(GradientSource):
    """Images whose triangles are blurred, against photographs that are not.

    Pixels beside an outline have a gradient, and the surface keeps a bias of the blur's size; see `render_soft`. As
    every source of the registry it is called with a renderer and a seed, and has no use for them.
    """

    traits = SourceTraits(exact_colors=True, reaches_colors=True, lambda_=5.0)

    def __init__(self, renderer: BlackBox, seed: int, constants: Estimates = DEFAULTS.estimates) -> None:
        super().__init__()
        self.constants = constants

    def loss(
        self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch, *, progress: float
    ) -> LossResult:
        """See `GradientSource`."""
        self.renders += len(batch)
        colors = fit.shaded(vertices, albedo, batch)
        sigma, gamma = self.constants.soft_sigma, self.constants.soft_gamma
        images = render_soft(vertices, fit.faces, colors, batch.cameras, sigma=sigma, gamma=gamma)
        loss, shown = fit.difference.losses(images, batch)
        return LossResult(loss, float(shown))
