"""How a mesh's own texture layout uses its image: which texels lie in faces, and how much lies on one another."""

from __future__ import annotations

import torch

from ...mesh.texture_layout import Layout
from ...rasterizer.api import rasterize

_SIDE = 1024  # texels a side of the raster on which overlaps are counted; a layout of whole charts covers many of them


def covered(layout: Layout, side: int) -> int:
    """How many texels of an image of so many a side have their centre in a face."""
    points = layout.corners.reshape(-1, 2) * side
    points = torch.cat([points, torch.ones_like(points[:, :1])], dim=1)[None].contiguous()
    faces = torch.arange(points.shape[1]).view(-1, 3)
    return len(rasterize(points, faces, (side, side), near=0.5).pixels)


def overlap(layout: Layout) -> float:
    """Share of a layout's area that lies on other parts of it, which then have their colours in common."""
    return max(0.0, 1 - covered(layout, _SIDE) / (layout.area * _SIDE**2))
