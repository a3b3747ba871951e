"""A mesh whose colours are an image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...mesh.mesh import Mesh
from .material import Material


@dataclass(frozen=True)
class TexturedMesh:
    """A triangle mesh and an image that is wrapped around it.

    Attributes
    ----------
    mesh : Mesh
        With colours at its vertices where they are known, for files that hold no image.
    uv : (N, 2) float tensor
        In [0, 1]; u to the right, v up from the image's *lower* border, as in OBJ and Blender (glTF counts from the
        upper one). There are more than vertices, because a vertex on a seam has one for each side.
    faces_uv : (F, 3) int64 tensor
        For each corner of `mesh.faces` its place in the image.
    image : (H, W, 3) uint8 tensor
        sRGB, row 0 on top.
    material : Material, optional
        Its other maps; matt by default.

    Raises
    ------
    ValueError
        If shapes or types don't fit, if an index is out of range, or if two vertices share a `uv`.
    """

    mesh: Mesh
    uv: Tensor
    faces_uv: Tensor
    image: Tensor
    material: Material | None = None

    def __post_init__(self) -> None:
        if self.uv.dim() != 2 or self.uv.shape[1] != 2 or not self.uv.is_floating_point():
            raise ValueError(
                f"uv: expected floats of shape (N, 2), got {self.uv.dtype} {tuple(self.uv.shape)}"
            )
        if self.faces_uv.shape != self.mesh.faces.shape:
            raise ValueError(
                f"faces_uv: expected the shape of the faces, {tuple(self.mesh.faces.shape)}, "
                f"got {tuple(self.faces_uv.shape)}"
            )
        shape = tuple(self.image.shape)
        if len(shape) != 3 or shape[-1] != 3 or 0 in shape or self.image.dtype != torch.uint8:
            raise ValueError(f"image: expected uint8 of shape (H, W, 3), got {self.image.dtype} of {shape}")
        low, high = (int(x) for x in self.faces_uv.aminmax()) if self.faces_uv.numel() else (0, -1)
        if low < 0 or high >= len(self.uv):
            raise ValueError(f"faces_uv: expected indices in [0, {len(self.uv)}), got {low} to {high}")
        if not torch.equal(self.owners[self.faces_uv], self.mesh.faces.long()):
            raise ValueError(
                "faces_uv: expected one vertex for each uv, got a uv that several vertices share"
            )

    @property
    def owners(self) -> Tensor:
        """(N,) int64: the vertex that each uv belongs to."""
        owners = torch.zeros(len(self.uv), dtype=torch.long, device=self.uv.device)
        owners[self.faces_uv.reshape(-1)] = self.mesh.faces.reshape(-1).long()
        return owners
