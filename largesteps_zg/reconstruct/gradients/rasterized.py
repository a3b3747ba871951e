"""The plainest source of gradients: the differentiable rasterizer."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ...constants import Estimates
from ...renderers.black_box import BlackBox
from ...renderers.rasterized import drawn, fragments_of, homogeneous_pixels, render
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
        if batch.trust is not None:
            return self._apart(fit, vertices, albedo, batch)
        colors = fit.shaded(vertices, albedo, batch)
        images = render(vertices, fit.faces, colors, batch.cameras, edges=fit.edges, backend=fit.backend)
        loss, shown = fit.difference.losses(images, batch)
        return LossResult(loss, float(shown))

    def _apart(self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch) -> LossResult:
        """Colours learn from all pixels in full, and the shape as much as they are trusted beside other witnesses."""
        whole = replace(batch, trust=None)
        seen = fragments_of(vertices, fit.faces, batch.cameras, edges=fit.edges, backend=fit.backend)
        images = drawn(fit.shaded(vertices, albedo.detach(), batch), seen)
        loss = fit.difference.loss(images, batch)
        points = homogeneous_pixels(vertices.detach(), batch.cameras)  # cameras learn from both
        still = replace(seen, points=points.contiguous())
        images = drawn(fit.shaded(vertices.detach(), albedo, whole), still)
        of_colors, shown = fit.difference.losses(images, whole)
        return LossResult(loss + of_colors, float(shown))


def rasterized(renderer: BlackBox, seed: int, constants: Estimates) -> Rasterized:
    """As the registry calls sources: nothing is called here, and nothing is drawn."""
    return Rasterized()
