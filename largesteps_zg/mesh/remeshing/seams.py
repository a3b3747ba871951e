"""Lines of a surface that remeshing has to keep: its borders, and the rims of thin sheets."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .sized_mesh import Array, EdgeSides, dot, normals_of, unit

# A ridge between faces whose normals have a smaller cosine is the rim of a sheet, where it is so many edges long: of
# folds in a noisy surface it is a few.
SHARP, LONG = -0.2, 8


def rims(vertices: Array, faces: Array, sides: EdgeSides) -> Array:
    """(E,) bool: edges of at most 78 degrees at which one side of a sheet turns into the other.

    Relaxing a vertex of a rim and putting it back on the surface moves it inwards, and the sheet becomes smaller with
    each round: by a third on leaves of which a side has a thousand vertices.
    """
    normals = unit(normals_of(vertices[faces]))
    inner = np.flatnonzero(~sides.border)
    first, second = sides.faces[inner].T
    across = vertices[sides.thirds[inner, 1]] - vertices[sides.ends[inner, 0]]
    ridge = (dot(normals[first], normals[second]) < SHARP) & (dot(normals[first], across) < 0)
    inner = inner[ridge]
    start, end = sides.ends[inner].T
    count = len(vertices)
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(count, count))
    line = connected_components(graph, directed=False)[1][start]
    result = np.zeros(len(sides.ends), dtype=bool)
    result[inner] = np.bincount(line, minlength=count)[line] >= LONG
    return result


def seams(vertices: Array, faces: Array, sides: EdgeSides) -> Array:
    """(E, 2) the ends of borders and rims."""
    return sides.ends[sides.border | rims(vertices, faces, sides)]


def seam_neighbors(ends: Array, count: int) -> tuple[Array, Array]:
    """(V,) the two vertices beside each along its seam; -1 away from seams, at their ends, and where they branch."""
    start, end = np.concatenate([ends, ends[:, ::-1]]).T
    low, high = np.full(count, count), np.full(count, -1)
    np.minimum.at(low, start, end)
    np.maximum.at(high, start, end)
    within = (np.bincount(start, minlength=count) == 2) & (low < high)
    return np.where(within, low, -1), np.where(within, high, -1)


def vertices_of(ends: Array, count: int) -> Array:
    """(V,) bool: vertices of some edges."""
    found = np.zeros(count, dtype=bool)
    found[ends.reshape(-1)] = True
    return found
