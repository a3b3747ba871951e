"""The plainest source of gradients: the differentiable rasterizer."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...renderers.rasterized import render
from ..batch import Batch
from .source import GradientSource, Surface


class Rasterized(GradientSource):
    """The differentiable rasterizer: exact derivatives, shading and silhouettes, from one rendering."""

    exact_colors = True
    reaches_colors = True
    reaches_cameras = True
    lambda_ = 5.0
    max_vertices = 50_000

    def loss(
        self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch, *, progress: float
    ) -> Tensor:
        """See `GradientSource`."""
        self.renders += len(batch)
        colors = fit.shaded(vertices, albedo, batch)
        images = render(vertices, fit.faces, colors, batch.cameras, edges=fit.edges, backend=fit.backend)
        self.shown = None
        if fit.difference.brightness not in (None, 1.0):
            with torch.no_grad():
                self.shown = float(replace(fit.difference, brightness=1.0).loss(images, batch))
        return fit.difference.loss(images, batch)
