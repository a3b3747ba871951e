"""A triangle mesh in NumPy with the edge lengths that it shall have, the sides of its edges, arithmetic on faces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ...constants import DEFAULTS, Remeshing
from ...geometry.half_edges import HalfEdges, half_edge_table

Array = np.ndarray


@dataclass(frozen=True)
class Sized:
    """A triangle mesh with the edge length it shall have.

    Attributes
    ----------
    vertices : (V, 3) float64 array
    faces : (F, 3) int64 array
    lengths : (V,) float64 array
        Target length at each vertex, > 0.
    fixed : (V,) bool array
        Vertices that stay where they are.
    rules : Remeshing
        What the edits keep.
    """

    vertices: Array
    faces: Array
    lengths: Array
    fixed: Array
    rules: Remeshing = DEFAULTS.remeshing


@dataclass(frozen=True)
class EdgeSides:
    """Edges with what lies on their two sides.

    ::

              thirds[e, 0]
                  /\\
                 /  \\   face 0 runs from ends[e, 0] to ends[e, 1]
        ends    /____\\
        [e, 0]  \\    /  ends[e, 1]
                 \\  /   face 1 runs back
                  \\/
              thirds[e, 1]

    Attributes
    ----------
    ends : (E, 2) int64 array
    faces, thirds : (E, 2) int64 array
        -1 beyond a border.
    keys : (E,) int64 array
        Rising; lower end * V + higher end.
    table : HalfEdges
        Where all of this is from.
    """

    ends: Array
    faces: Array
    thirds: Array
    keys: Array
    table: HalfEdges

    @cached_property
    def of_corner(self) -> Array:
        """(F, 3) the edge from each corner of a face to the next."""
        return self.table.edge_of_side.numpy()

    @property
    def border(self) -> Array:
        """(E,) bool: edges of one face."""
        return self.faces[:, 1] < 0


def edge_sides(faces: Array, count: int) -> EdgeSides:
    """Edges of a manifold with `count` vertices."""
    table = half_edge_table(torch.from_numpy(faces), count)
    number, begin = table.number.numpy(), table.begin.numpy()
    second = table.count.numpy() > 1
    first = number[begin]
    other = np.where(second, number[np.minimum(begin + 1, len(number) - 1)], -1)
    start = faces.reshape(-1)
    end, third = faces[:, [1, 2, 0]].reshape(-1), faces[:, [2, 0, 1]].reshape(-1)
    return EdgeSides(
        ends=np.stack([start[first], end[first]], axis=1),
        faces=np.stack([first // 3, np.where(second, other // 3, -1)], axis=1),
        thirds=np.stack([third[first], np.where(second, third[other], -1)], axis=1),
        keys=table.keys.numpy(),
        table=table,
    )


def ratios(mesh: Sized, ends: Array) -> Array:
    """Length over target length of pairs (..., 2) of vertices."""
    a, b = ends[..., 0], ends[..., 1]
    length = length_of(mesh.vertices[a] - mesh.vertices[b])
    return 2 * length / (mesh.lengths[a] + mesh.lengths[b])


def normals_of(corners: Array) -> Array:
    """(..., 3) normals, twice the area long, of triangles (..., 3 corners, 3)."""
    x, y = corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]
    normal = np.empty_like(x)  # np.cross takes five times as long
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        normal[..., i] = x[..., j] * y[..., k] - x[..., k] * y[..., j]
    return normal


def dot(x: Array, y: Array) -> Array:
    """Products of vectors (..., 3)."""
    return np.einsum("...i,...i->...", x, y)  # summing along an axis of three takes three times as long


def length_of(vectors: Array) -> Array:
    """Lengths of vectors (..., 3)."""
    return np.sqrt(dot(vectors, vectors))


def unit(vectors: Array) -> Array:
    """Vectors (..., 3) of length 1, or 0."""
    return vectors / np.maximum(length_of(vectors), 1e-300)[..., None]


def area_normals(vertices: Array, faces: Array) -> Array:
    """(V, 3) area-weighted normals, not normalised."""
    normal = normals_of(vertices[faces])
    return sum_at(faces, normal, len(vertices))


def sum_at(where: Array, values: Array, count: int) -> Array:
    """(count, C) sums of values (N, C), each added at all of its indices (N, K)."""
    sums = np.zeros((count, values.shape[1]))
    for i in range(values.shape[1]):
        column = np.ascontiguousarray(values[:, i])
        for k in range(where.shape[1]):
            sums[:, i] += np.bincount(where[:, k], column, count)
    return sums


def quality(corners: Array) -> Array:
    """Shape of triangles (..., 3 corners, 3): 1 equilateral, 0 degenerate."""
    squares = sum(length_of(corners[..., i, :] - corners[..., i - 1, :]) ** 2 for i in range(3))
    area = length_of(normals_of(corners))
    return 2 * 3**0.5 * area / np.maximum(squares, 1e-300)


def without_unused(mesh: Sized) -> Sized:
    """The mesh without vertices that no face uses."""
    used = np.zeros(len(mesh.vertices), dtype=bool)
    used[mesh.faces.reshape(-1)] = True
    faces = (np.cumsum(used) - 1)[mesh.faces]
    return Sized(mesh.vertices[used], faces, mesh.lengths[used], mesh.fixed[used], mesh.rules)
