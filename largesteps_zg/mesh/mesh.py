"""Mesh: vertices, faces and colours in one place; starting shapes; files in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    Attributes
    ----------
    vertices : (V, 3) float tensor
    faces : (F, 3) int64 tensor
        Counter-clockwise seen from outside.
    colors : (V, 3) float tensor, optional
        Linear RGB in [0, 1].
    """

    vertices: Tensor
    faces: Tensor
    colors: Tensor | None = None

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Mesh:
        """The same mesh on another device, or with another type of floats (faces stay integers)."""
        return Mesh(
            self.vertices.to(device=device, dtype=dtype),
            self.faces.to(device=device),
            None if self.colors is None else self.colors.to(device=device, dtype=dtype),
        )
