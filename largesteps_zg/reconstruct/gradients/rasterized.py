"""The plainest source of gradients: the differentiable rasterizer."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ...constants import Estimates
from ...renderers.black_box import BlackBox
from ...renderers.rasterized import render
from ..batch import Batch
from .source import GradientSource, LossResult, Surface
from .traits import EXACT


class Rasterized(GradientSource):
    """The differentiable rasterizer: exact derivatives, shading and silhouettes, from one rendering."""

    traits = EXACT

    def loss(
        self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch, *, progress: float
    ) -> LossResult:
        """See `GradientSource`."""
        self.renders += len(batch)
        colors = fit.shaded(vertices, albedo, batch)
        images = render(vertices, fit.faces, colors, batch.cameras, edges=fit.edges, backend=fit.backend)
        difference = fit.difference
        loss = difference.loss(images, batch)
        shown = loss
        if difference.brightness not in (None, 1.0) or batch.trust is not None:
            whole = difference if difference.brightness is None else replace(difference, brightness=1.0)
            shown = whole.loss(images.detach(), replace(batch, trust=None))
        return LossResult(loss, float(shown.detach()))


def rasterized(renderer: BlackBox, seed: int, constants: Estimates) -> Rasterized:
    """As the registry calls sources: nothing is called here, and nothing is drawn."""
    return Rasterized()
