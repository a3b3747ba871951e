"""What rasterization found: the covered pixels of a batch of views, as a compact list."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Fragments:
    """The covered pixels of B views of H x W pixels, in the order of view, row and column.

    Attributes
    ----------
    points : (B, V, 3) float
        Homogeneous pixel coordinates ``(u z, v z, z)`` that were rasterized; gradients go back to them.
    faces : (F, 3) int32
        Vertex indices.
    edges : (E, 6) int32
        Edge table of the mesh, see :func:`largesteps_zg.rasterizer.silhouette_edges.edge_table`.
    resolution : (H, W)
    near : float
        Depth below which nothing is drawn.
    pixels : (N,) int32
        Covered pixels, as an index into the flattened (B, H, W).
    triangles : (N,) int32
        The nearest triangle at each covered pixel.
    slots : (B H W,) int32
        The inverse of `pixels`: position among the fragments of its view, -1 for an empty pixel.
    sides : (B, F) uint8
        1 where a triangle turns its counter-clockwise side to the camera.
    view_ends : (B + 1,) int32
        Fragments of view b are ``view_ends[b]:view_ends[b + 1]``.
    backend : str
        Which backend made these; its `interpolate` and `antialias` continue.
    """

    points: Tensor
    faces: Tensor
    edges: Tensor
    resolution: tuple[int, int]
    near: float
    pixels: Tensor
    triangles: Tensor
    slots: Tensor
    sides: Tensor
    view_ends: Tensor
    backend: str = "warp"

    def triangle_ids(self) -> Tensor:
        """(B, H, W) int32: the nearest triangle at every pixel, -1 where there is none."""
        ids = torch.full_like(self.slots, -1)
        ids[self.pixels.long()] = self.triangles
        return ids.view(len(self.points), *self.resolution)
