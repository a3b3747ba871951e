"""Mesh: vertices, faces and colours in one place; starting shapes; files in and out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..images.color import linear_to_srgb

if TYPE_CHECKING:
    import trimesh


# Farther from the origin than this many extents 32-bit positions lose detail: 3e-6 of the extent and more.
_FAR = 100.0


# Positions in text keep this share of the mesh's extent, the last digit of 32-bit floats.
_RESOLUTION = 1e-7


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


def lies_far(vertices: Tensor) -> bool:
    """Whether a mesh lies so far from the origin, as on a map, that 32-bit positions lose detail."""
    low, high = vertices.detach().double().aminmax(dim=0)
    return bool((0.5 * (low + high)).norm() > _FAR * (high - low).max())


def compact(mesh: Mesh) -> Mesh:
    """The same mesh with 32-bit floats, or as it is where these would lose detail (see `lies_far`)."""
    return mesh if lies_far(mesh.vertices) else mesh.to(dtype=torch.float32)


def _eight_bit_colors(mesh: Mesh, *, linear: bool) -> np.ndarray | None:
    """(V, 3) uint8, where the mesh has colours."""
    if mesh.colors is None:
        return None
    if mesh.colors.shape != mesh.vertices.shape:
        raise ValueError(
            f"colors: expected shape {tuple(mesh.vertices.shape)}, like the vertices, got {tuple(mesh.colors.shape)}"
        )
    light = mesh.colors.detach().double().cpu().clamp(0, 1)
    encoded = light if linear else linear_to_srgb(light)
    colors: np.ndarray = (encoded * 255).round().to(torch.uint8).numpy()
    return colors


def _exported(part: trimesh.Trimesh, suffix: str, *, far: bool) -> Any:
    """The content of an OBJ, STL or GLB file, in which no position of a mesh far from the origin is rounded."""
    import trimesh

    if suffix == ".obj":
        return part.export(file_type="obj", digits=decimals(part.vertices))
    if suffix == ".stl":
        return part.export(file_type="stl_ascii" if far else "stl")
    if not far:
        return part.export(file_type="glb")
    middle = part.bounds.mean(axis=0)
    part.vertices = part.vertices - middle  # not in place: the array is the mesh's own
    scene = trimesh.Scene()
    scene.add_geometry(part, transform=trimesh.transformations.translation_matrix(middle))
    return scene.export(file_type="glb")


def decimals(vertices: np.ndarray) -> int:
    """Digits after the point that positions (V, 3) need in text."""
    extent = float(np.ptp(vertices, axis=0).max()) or 1.0
    return min(max(-math.floor(math.log10(extent * _RESOLUTION)), 0), 17)
