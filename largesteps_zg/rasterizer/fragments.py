"""What rasterization found: the covered pixels of a batch of views, as a compact list."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .registry import load_backend


@dataclass(frozen=True)
class Fragments:
    """The covered pixels of B views of H x W pixels, in the order of view, row and column.

    Attributes
    ----------
    points : (B, V, 3) float
        Homogeneous pixel coordinates ``(u z, v z, z)`` that were rasterized, or ``(u w, v w, w)``; gradients go
        back to them.
    faces : (F, 3) int32
        Vertex indices.
    edges : (E, 6) int32
        Edge table of the mesh, see :func:`largesteps_zg.rasterizer.silhouette_edges.edge_table`.
    resolution : (H, W)
    near : float
        Depth below which nothing is drawn; 1/2 with a `closeness`.
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
    closeness : (B, V) float or None
        ``w - z`` of clip space, where depth is z/w instead of the points' last coordinate.
    reached : (N,) float32 or None
        The largest closeness / w, where it is kept: with a `closeness`, and in layers.
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
    closeness: Tensor | None = None
    reached: Tensor | None = None

    def triangle_ids(self) -> Tensor:
        """(B, H, W) int32: the nearest triangle at every pixel, -1 where there is none."""
        ids = torch.full_like(self.slots, -1)
        ids[self.pixels.long()] = self.triangles
        return ids.view(len(self.points), *self.resolution)

    def image(self, rows: Tensor, background: float = 0.0) -> Tensor:
        """(B, H, W, ...): one row (N, ...) for each covered pixel at its place; differentiable in the rows."""
        if len(rows) != len(self.pixels):
            raise ValueError(f"rows: expected {len(self.pixels)}, one a fragment, got {len(rows)}")
        empty = rows.new_full((len(self.slots), *rows.shape[1:]), background)
        image = empty.index_copy(0, self.pixels.long(), rows)
        return image.view(len(self.points), *self.resolution, *rows.shape[1:])

    def barycentrics(self) -> Tensor:
        """(N, 3): perspective-correct weights of the triangle's corners; differentiable in the points."""
        corners = torch.arange(3, dtype=torch.int32, device=self.faces.device)
        own = corners.expand(len(self.faces), 3).contiguous()
        weights = torch.eye(3, dtype=self.points.dtype, device=self.points.device)[None]
        return load_backend(self.backend).interpolate(weights, self, own)

    def depths(self) -> Tensor:
        """(N,): z/w of clip space, or else the points' last coordinate; differentiable in the points."""
        attributes = self.points[..., 2:]
        if self.closeness is not None:
            attributes = torch.cat([attributes, self.closeness[..., None]], dim=2)
        found = load_backend(self.backend).interpolate(attributes.contiguous(), self)
        return found[:, 0] if self.closeness is None else 1 - found[:, 1] / found[:, 0]
