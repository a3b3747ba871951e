"""Closest points on the right side of a surface that may be thin."""

from __future__ import annotations

import numpy as np
import torch

from ..closest import closest_on
from ..triangle_tree import TriangleTree
from .sized_mesh import Array, dot, normals_of, unit


def facing_points(
    points: Array, normals: Array, reach: Array, surface: TriangleTree
) -> tuple[Array, Array, Array]:
    """The closest points of a surface, on the side that looks the same way as the normals of the points.

    On a thin sheet the other side may be nearer to a point. Seen from a little farther out it is not.

    Parameters
    ----------
    points, normals : (N, 3) float64 array
        The latter of any length.
    reach : (N,) float64 array
        Points that meet the wrong side are moved half of that outwards for a second try.
    surface : TriangleTree

    Returns
    -------
    found : (N,) int64 array
        A face.
    weights : (N, 3) float64 array
        Barycentric coordinates on it.
    facing : (N,) bool array
        False where the second try failed too; the first one is returned there.
    """
    vertices, faces = surface.vertices.numpy(), surface.faces.numpy()
    normals = unit(normals)

    def ask(rows: Array, outwards: float) -> tuple[Array, Array, Array]:
        lifted = points[rows] + outwards * reach[rows, None] * normals[rows]
        nearest = closest_on(surface, torch.from_numpy(lifted))
        number = nearest.faces.numpy()
        there = normals_of(vertices[faces[number]])
        return number, nearest.weights.numpy(), dot(there, normals[rows]) >= 0

    found, weights, facing = ask(np.arange(len(points)), 0.0)
    lost = np.flatnonzero(~facing)
    if len(lost):
        again, where, agrees = ask(lost, 0.5)
        rows = lost[agrees]
        found[rows], weights[rows], facing[rows] = again[agrees], where[agrees], True
    return found, weights, facing
