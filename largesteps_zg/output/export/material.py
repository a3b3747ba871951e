"""The maps of a material beside its base colour."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

USUAL_INDEX = 1.5  # of refraction, in glTF without KHR_materials_ior


@dataclass(frozen=True)
class Material:
    """The maps of a material beside its base colour; all of them linear, row 0 on top, in one layout.

    Attributes
    ----------
    roughness : (H, W) uint8 tensor
        0 to 255 for 0 to 1: the root of GGX's alpha. (1, 1) for the same everywhere.
    metalness : (H, W) uint8 tensor
        0 to 255 for 0 to 1, of the same shape.
    index : float
        Of refraction, of what is no metal, >= 1.
    normals : (H, W, 3) uint8 tensor, optional
        The normal of a finer surface in the tangent frame of each texel (see `tangents`): x right, y up, z out.

    Raises
    ------
    ValueError
        If shapes or types don't fit, or the index is below 1.
    """

    roughness: Tensor
    metalness: Tensor
    index: float = USUAL_INDEX
    normals: Tensor | None = None

    def __post_init__(self) -> None:
        for name in ("roughness", "metalness"):
            value = getattr(self, name)
            if value.dim() != 2 or value.dtype != torch.uint8 or value.shape != self.roughness.shape:
                raise ValueError(
                    f"{name}: expected uint8 of shape (H, W), as roughness has, got {value.dtype} of "
                    f"{tuple(value.shape)}"
                )
        if not (math.isfinite(self.index) and self.index >= 1):
            raise ValueError(f"index: expected a number >= 1, got {self.index}; 1.5 is usual")
        if self.normals is not None and (
            self.normals.dim() != 3 or self.normals.shape[2] != 3 or self.normals.dtype != torch.uint8
        ):
            raise ValueError(
                f"normals: expected uint8 of shape (H, W, 3), got {self.normals.dtype} of {tuple(self.normals.shape)}"
            )

    @property
    def uniform(self) -> bool:
        """Whether roughness and metalness are the same everywhere, and need no image."""
        return self.roughness.numel() == 1

    @property
    def reflectance(self) -> float:
        """What is mirrored straight on where there is no metal, F0."""
        return ((self.index - 1) / (self.index + 1)) ** 2


def matt() -> Material:
    """As rough as there is, and no metal."""
    return Material(torch.full((1, 1), 255, dtype=torch.uint8), torch.zeros(1, 1, dtype=torch.uint8))
