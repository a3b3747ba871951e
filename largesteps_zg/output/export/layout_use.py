"""How a mesh's own texture layout uses its image: how many texels lie in faces, and how much of it overlaps."""

from __future__ import annotations

import torch

from ...mesh.texture_layout import Layout
from ...rasterizer.api import rasterize

_SIDE = 1024  # texels a side of the raster that counts overlaps; a layout of whole charts covers many of them


def covered(layout: Layout, side: int) -> int:
    """The number of texels with their centre in a face, in an image of `side` texels a side."""
    points = layout.corners.reshape(-1, 2) * side
    points = torch.cat([points, torch.ones_like(points[:, :1])], dim=1)[None].contiguous()
    faces = torch.arange(points.shape[1]).view(-1, 3)
    return len(rasterize(points, faces, (side, side), near=0.5).pixels)


def overlap(layout: Layout) -> float:
    """The share of a layout's area that lies on other parts of the layout. These parts share their colours."""
    return max(0.0, 1 - covered(layout, _SIDE) / (layout.area * _SIDE**2))
