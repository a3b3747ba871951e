"""A mesh while it is mended, with what belongs to its vertices and to the corners of its faces."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Surface:
    """Vertices and faces, and values at both that go where these go.

    Attributes
    ----------
    vertices : (V, 3) float64 tensor
    faces : (F, 3) int64 tensor
    colors : (V, 3) float64 tensor or None
    corners : (F, 3, K) float tensor or None
        At the corners of the faces, such as texture coordinates.
    """

    vertices: Tensor
    faces: Tensor
    colors: Tensor | None = None
    corners: Tensor | None = None

    def kept(self, which: Tensor) -> Surface:
        """Some of the faces: a mask or indices."""
        corners = None if self.corners is None else self.corners[which]
        return replace(self, faces=self.faces[which], corners=corners)

    def turned(self, which: Tensor) -> Surface:
        """The faces of a mask (F,) wound the other way."""
        faces = torch.where(which[:, None], self.faces.flip(1), self.faces)
        corners = self.corners
        if corners is not None:
            corners = torch.where(which[:, None, None], corners.flip(1), corners)
        return replace(self, faces=faces, corners=corners)

    def regrouped(self, old: Tensor, faces: Tensor) -> Surface:
        """The same faces between other vertices, each a copy of the one whose index (W,) is given."""
        colors = None if self.colors is None else self.colors[old]
        return replace(self, vertices=self.vertices[old], faces=faces, colors=colors)
