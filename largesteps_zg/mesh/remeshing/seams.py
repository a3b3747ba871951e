"""Lines of a surface that remeshing has to keep: its borders, and the rims of thin sheets."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ...constants import DEFAULTS, Remeshing
from .sized_mesh import Array, EdgeSides, dot, normals_of, unit


def rims(vertices: Array, faces: Array, sides: EdgeSides, rules: Remeshing = DEFAULTS.remeshing) -> Array:
    """(E,) bool: edges of at most 78 degrees at which one side of a sheet turns into the other.

    Relaxing a vertex of a rim and putting it back on the surface moves it inwards, and the sheet becomes smaller with
    each round: by a third on leaves of which a side has a thousand vertices.
    """
    inner = np.flatnonzero(~sides.border)
    inner = inner[may_be_rims(vertices, faces, sides, inner, rules)]
    result = np.zeros(len(sides.ends), dtype=bool)
    if len(inner) < rules.rim_edges:
        return result
    used, place = np.unique(sides.ends[inner], return_inverse=True)
    start, end = place.reshape(-1, 2).T
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(len(used), len(used)))
    line = connected_components(graph, directed=False)[1][start]
    result[inner] = np.bincount(line)[line] >= rules.rim_edges
    return result


def may_be_rims(vertices: Array, faces: Array, sides: EdgeSides, edges: Array, rules: Remeshing) -> Array:
    """(N,) bool: which of some inner edges are as sharp as a rim, wherever they lead."""
    first, second = sides.faces[edges].T
    if 2 * len(edges) < len(faces):
        n_first, n_second = (unit(normals_of(vertices[faces[side]])) for side in (first, second))
    else:
        normals = unit(normals_of(vertices[faces]))
        n_first, n_second = normals[first], normals[second]
    across = vertices[sides.thirds[edges, 1]] - vertices[sides.ends[edges, 0]]
    return (dot(n_first, n_second) < rules.rim) & (dot(n_first, across) < 0)


def seams(vertices: Array, faces: Array, sides: EdgeSides, rules: Remeshing) -> Array:
    """(E, 2) the ends of borders and rims."""
    return sides.ends[sides.border | rims(vertices, faces, sides, rules)]


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
