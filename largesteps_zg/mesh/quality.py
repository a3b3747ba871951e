"""How good triangles are, and which are turned over."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..geometry.half_edges import edge_faces
from .distances import _face_crosses


def triangle_quality(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> Tensor:
    """(F,) shape of each triangle, 4 √3 area / (sum of the squared edges): 1 equilateral, 0 degenerate."""
    a, b, c = vertices[faces.long()].unbind(dim=1)
    squares = ((b - a) ** 2 + (c - b) ** 2 + (a - c) ** 2).sum(dim=1)
    tiny = torch.finfo(vertices.dtype).tiny
    return 2 * 3**0.5 * _face_crosses(vertices, faces).norm(dim=1) / squares.clamp(min=tiny)


def degenerate_faces(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], *, quality: float = 1e-3
) -> int:
    """Number of triangles that are needles or points: `triangle_quality` below `quality`."""
    return int((triangle_quality(vertices, faces) < quality).sum())


def flipped(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> Tensor:
    """(F,) bool: faces that look against the surface around them, as where it is folded over.

    A face is flipped when its normal points away from the mean of the unit normals at its corners, each of
    which is the area-weighted mean over the faces that meet there. At the rim of a thin sheet that mean says nothing,
    for the two sides cancel: so the face must look against its neighbours too, by the sum of the cosines, or lie in a
    groove of less than 90 degrees. A rim is a ridge, a fold has a groove beside its ridge.
    """
    cross = _face_crosses(vertices, faces)
    corners = faces.long()
    normals = torch.zeros_like(vertices).index_add_(0, corners.T.reshape(-1), cross.repeat(3, 1))
    around = torch.nn.functional.normalize(normals, dim=1)[corners].sum(dim=1)
    against = (cross * around).sum(dim=1) < 0
    if not bool(against.any()):
        return against
    sides = edge_faces(corners)
    inner = sides.faces[:, 1] >= 0
    first, second = sides.faces[inner].T
    start, end = vertices[sides.edges[inner]].unbind(dim=1)
    unit = torch.nn.functional.normalize(cross, dim=1)
    cosines = (unit[first] * unit[second]).sum(dim=1)
    neighbors = torch.zeros_like(cross[:, 0]).index_add_(0, first, cosines).index_add_(0, second, cosines)
    rise = (unit[first] * (vertices[sides.opposite[inner, 1]] - start)).sum(dim=1)
    groove = (cosines < 0) & (rise > -1e-3 * (end - start).norm(dim=1))  # what is folded flat is in one too
    grooved = torch.zeros_like(against)
    grooved[torch.cat([first[groove], second[groove]])] = True
    return against & ((neighbors < 0) | grooved)


def flipped_faces(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> int:
    """Number of faces that look against the surface around them (see `flipped`)."""
    return int(flipped(vertices, faces).sum())
