"""Texture coordinates that a mesh brings along, kept from its file to the image that is baked for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .file_parts import obj_has_coordinates, texture_coordinates, texture_image

if TYPE_CHECKING:
    import trimesh

_ROUNDING = 1e-4  # outside [0, 1] that is no tiling; `bake` allows as much
_LEAST_AREA = 1e-4  # of the image; below, all faces look at a few points of it, as on a palette


@dataclass(frozen=True)
class Layout:
    """Where the faces of a mesh lie in an image.

    Attributes
    ----------
    corners : (F, 3, 2) float32 tensor
        u to the right, v up from the lower border, at each corner of each face.
    size : int, optional
        Texels along each side of the image that the file has, where it is square.
    images : int
        How many different ones its parts have, none counted as one.
    """

    corners: Tensor
    size: int | None = None
    images: int = 1

    @property
    def obstacle(self) -> str:
        """Why no single image can be made for it, or ""."""
        if self.images > 1:
            return "its parts do not share one image"
        low, high = (float(x) for x in self.corners.aminmax())
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            return f"it is tiled, with coordinates from {low:.3g} to {high:.3g}"
        return ""

    def indexed(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """``(faces_uv, uv)`` for `bake` and `TexturedMesh`: one row of `uv` for each place of each vertex."""
        rows = torch.cat([faces.reshape(-1, 1).double(), self.corners.reshape(-1, 2).double()], dim=1)
        places, index = torch.unique(rows, dim=0, return_inverse=True)
        return index.view(-1, 3), places[:, 1:].float().clamp(0, 1)

    @property
    def area(self) -> float:
        """Of all its triangles together; the image has 1."""
        return _area(self.corners)


def layout_of(path: Path, parts: list[trimesh.Trimesh]) -> tuple[Layout | None, str]:
    """The layout of a file's parts, as `read_parts` gives them.

    Returns
    -------
    layout : Layout or None
    fault : str
        Why there is none although the file has texture coordinates, or "".
    """
    found = [texture_coordinates(part) for part in parts]
    count = sum(len(part.faces) for part in parts)
    bare = sum(len(part.faces) for part, uv in zip(parts, found, strict=True) if uv is None)
    if bare == count:
        return None, "not all corners of its faces have them" if obj_has_coordinates(path) else ""
    if bare:
        return None, f"{bare} of {count} faces have none"
    pairs = zip(parts, found, strict=True)
    corners = torch.from_numpy(np.concatenate([uv[part.faces] for part, uv in pairs if uv is not None]))
    odd = int((~torch.isfinite(corners)).any(dim=2).sum())
    if odd:
        return None, f"those at {odd} of {3 * count} corners are not finite"
    if _area(corners) < _LEAST_AREA:
        return None, "the faces have no area in the image"
    images = {None if image is None else image.tobytes(): image for image in map(texture_image, parts)}
    layout = Layout(corners.float(), images=len(images))
    (image, *others) = images.values()
    if image is not None and not others and image.width == image.height:
        layout = replace(layout, size=image.width)
    return layout, ""


def _area(corners: Tensor) -> float:
    """Of all triangles (F, 3, 2) together."""
    a, b, c = corners.double().unbind(1)
    (ux, uy), (vx, vy) = (b - a).unbind(1), (c - a).unbind(1)
    return 0.5 * float((ux * vy - uy * vx).abs().sum())
