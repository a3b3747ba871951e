"""Meshes made from formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .._support.checks import as_number
from .mesh import Mesh

if TYPE_CHECKING:
    pass


def icosphere(
    subdivisions: int = 4,
    *,
    radius: float = 1.0,
    center: Sequence[float] = (0.0, 0.0, 0.0),
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Mesh:
    """A sphere of nearly equal triangles: an icosahedron whose faces are split in four, again and again.

    Parameters
    ----------
    subdivisions : int
        n >= 0 gives 10 * 4^n + 2 vertices and 20 * 4^n faces; 4 gives 2,562 and 5,120.
    radius : float
    center : three floats

    Raises
    ------
    ValueError
        Negative or more than 9 subdivisions (5 million faces), or a radius that is not positive.

    Examples
    --------
    >>> icosphere(1).faces.shape
    torch.Size([80, 3])
    """
    if as_number("subdivisions", subdivisions, "an integer in [0, 9]") not in range(10):
        raise ValueError(f"subdivisions: expected an integer in [0, 9], got {subdivisions}")
    if not radius > 0:
        raise ValueError(f"radius: expected a length > 0, got {radius}")
    golden = (1 + 5**0.5) / 2
    corners = [(a, b * golden, 0.0) for b in (1, -1) for a in (-1.0, 1.0)]  # three golden rectangles
    corners += [(0.0, a, b * golden) for b in (1, -1) for a in (-1.0, 1.0)]
    corners += [(b * golden, 0.0, a) for b in (1, -1) for a in (-1.0, 1.0)]
    points = torch.tensor(corners, dtype=torch.float64)
    # The faces are the triples of corners that are mutually at distance 2, the edge of this icosahedron.
    near = torch.cdist(points, points).sub(2).abs() < 1e-9
    triples = torch.combinations(torch.arange(12), 3)
    i, j, k = triples.T
    faces = triples[near[i, j] & near[j, k] & near[k, i]]  # (20, 3)
    inward = torch.linalg.det(points[faces]) < 0
    faces[inward] = faces[inward].flip(1)
    for _ in range(int(subdivisions)):
        points, faces = _split_in_four(torch.nn.functional.normalize(points, dim=1), faces)
    points = torch.nn.functional.normalize(points, dim=1) * radius + torch.tensor(center, dtype=torch.float64)
    return Mesh(points.to(device=device, dtype=dtype), faces.to(device=device))


def _split_in_four(points: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Each triangle becomes four; the new vertices are the midpoints of the edges."""
    half = torch.cat([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]]).sort(dim=1).values
    edges, inverse = torch.unique(half, dim=0, return_inverse=True)
    a, b, c = faces.T
    opposite_a, opposite_b, opposite_c = (inverse + len(points)).view(3, -1)
    quarters = [(a, opposite_c, opposite_b), (b, opposite_a, opposite_c), (c, opposite_b, opposite_a)]
    quarters.append((opposite_a, opposite_b, opposite_c))
    middle = points[edges].mean(dim=1)
    return torch.cat([points, middle]), torch.cat([torch.stack(quarter, dim=1) for quarter in quarters])
