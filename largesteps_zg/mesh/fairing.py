"""A region of a surface faired, as smooth as what is around allows, short edges merged; or lifted off another."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array, diags
from scipy.sparse.linalg import splu

from .intersections import self_intersections
from .quality import flipped, triangle_quality

Array = np.ndarray


@dataclass(frozen=True)
class LocalSurface:
    """A triangle mesh in which what is near a vertex is found without looking at the whole.

    Attributes
    ----------
    vertices : (V, 3) float64 array
    faces : (F, 3) int64 array
        Some vertices may be unused.
    """

    vertices: Array
    faces: Array

    @cached_property
    def _incident(self) -> csr_array:
        corners = self.faces.reshape(-1)
        number = np.repeat(np.arange(len(self.faces)), 3)
        values = np.ones(len(corners), dtype=bool)
        return coo_array((values, (corners, number)), shape=(len(self.vertices), len(self.faces))).tocsr()

    @cached_property
    def boxes(self) -> tuple[Array, Array]:
        """(F, 3) and (F, 3) the lowest and the highest coordinates of each face."""
        corners = self.vertices[self.faces]
        return corners.min(axis=1), corners.max(axis=1)

    def moved(self, vertices: Array) -> LocalSurface:
        """The same faces elsewhere."""
        other = LocalSurface(vertices, self.faces)
        other.__dict__["_incident"] = self._incident
        return other

    def faces_at(self, vertices: Array) -> Array:
        """The faces, by number, that have one of some vertices."""
        return np.unique(self._incident[vertices].indices)

    def grown(self, vertices: Array, rings: int) -> Array:
        """Some vertices, and those at most so many edges away."""
        for _ in range(rings):
            vertices = np.unique(self.faces[self.faces_at(vertices)])
        return vertices


def wrong_faces(vertices: Array, faces: Array, needle: float) -> Array:
    """(F,) bool: faces that are folded over, pass through others, or have hardly an area."""
    positions, corners = torch.from_numpy(vertices), torch.from_numpy(faces)
    wrong = flipped(positions, corners) | self_intersections(positions, corners)
    return (wrong | (triangle_quality(positions, corners) < needle)).numpy()


def wrong_around(surface: LocalSurface, vertices: Array, needle: float) -> Array:
    """Which of the faces at some vertices are wrong, by number; only what may touch these faces is looked at."""
    own = surface.faces_at(vertices)
    low, high = surface.boxes
    # Faces that share a corner with them, which make the normals there, are among these.
    near = (low <= high[own].max(axis=0)).all(axis=1) & (high >= low[own].min(axis=0)).all(axis=1)
    rows = np.flatnonzero(near)
    used, faces = np.unique(surface.faces[rows], return_inverse=True)
    wrong = rows[wrong_faces(surface.vertices[used], faces.reshape(-1, 3), needle)]
    return np.intersect1d(wrong, own, assume_unique=True)


def faired(surface: LocalSurface, inner: Array, order: int) -> Array | None:
    """(V, 3) positions at which some vertices lie as smoothly as the others allow; None if nothing holds them.

    Of first order they are a membrane, each in the middle of its neighbours: it lies within the hull of its rim, and
    where the rim is flat it has no fold. Of second order they are a plate, which goes on in the directions of the rim.
    """
    known = surface.grown(inner, order)
    if len(known) == len(inner):
        return None
    faces = surface.faces[surface.faces_at(known)]
    used, place = np.unique(faces, return_inverse=True)
    a, b = (place.reshape(-1, 3)[:, i].reshape(-1) for i in ([0, 1, 2], [1, 2, 0]))
    joined = coo_array((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(len(used),) * 2).tocsr()
    joined.data[:] = 1.0  # an edge comes once for each of its faces
    degree = joined.sum(axis=1)
    matrix = (_diagonal(degree) - joined).tocsr()
    if order == 2:
        matrix = (matrix @ _diagonal(1 / degree) @ matrix).tocsr()
    free = np.zeros(len(used), dtype=bool)
    free[np.searchsorted(used, inner)] = True
    rows = matrix[np.flatnonzero(free)]
    held = rows[:, np.flatnonzero(~free)] @ surface.vertices[used[~free]]
    return _solved(surface.vertices, inner, rows[:, np.flatnonzero(free)], -held)


def lifted(surface: LocalSurface, places: Array, rings: int, way: float) -> Array:
    """(V, 3) positions with some vertices moved along their normals, and those around them by less and less.

    Two sides of a thin part that pass through each other come apart outward; parts that reach into each other, inward.
    """
    share = np.zeros(len(surface.vertices))
    for ring in range(rings, -1, -1):
        share[surface.grown(places, ring)] += 1 / (rings + 1)
    inner = np.flatnonzero(share)
    faces = surface.faces[surface.faces_at(surface.grown(inner, 1))]
    a, b, c = (surface.vertices[faces[:, i]] for i in range(3))
    normals = np.zeros_like(surface.vertices)
    np.add.at(normals, faces, np.cross(b - a, c - a)[:, None])
    smooth = np.zeros_like(normals)
    np.add.at(smooth, faces, normals[faces].sum(axis=1)[:, None])
    smooth /= np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), np.finfo(float).tiny)
    return surface.vertices + way * share[:, None] * smooth


def _diagonal(values: Array) -> csr_array:
    return csr_array(diags(values))


def diffused(surface: LocalSurface, reach: Array) -> Array:
    """(V, 3) positions smoothed over `reach` edges, another number at each vertex; where it is 0 they stay.

    The positions of (x - given) / reach² + (uniform Laplacian of x) = 0: `LargeSteps` with a λ of each vertex.
    """
    inner = np.flatnonzero(reach > 0)
    outer = surface.grown(inner, 1)
    faces = surface.faces[surface.faces_at(inner)]
    place = np.zeros(len(reach), dtype=np.int64)
    place[outer] = np.arange(len(outer))
    a, b = (place[faces[:, i]].reshape(-1) for i in ([0, 1, 2], [1, 2, 0]))
    joined = coo_array((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(len(outer),) * 2).tocsr()
    joined.data[:] = 1.0
    free = place[inner]
    pull = 1 / reach[inner] ** 2
    matrix = _diagonal(pull + joined[free].sum(axis=1)) - joined[free][:, free]
    held = np.setdiff1d(np.arange(len(outer)), free)
    right = pull[:, None] * surface.vertices[inner] + joined[free][:, held] @ surface.vertices[outer[held]]
    return _solved(surface.vertices, inner, matrix, right)


def _solved(vertices: Array, inner: Array, matrix: csr_array, right: Array) -> Array:
    """The positions with those of `inner` from a system of linear equations."""
    factor = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    result = vertices.copy()
    result[inner] = factor.solve(right)
    return result


def merged(surface: LocalSurface, inner: Array, shortest: float) -> LocalSurface:
    """Without edges of some vertices that are shorter.

    The two ends become one vertex, and two faces go, one edge at a time.

    The link condition keeps the topology: both ends know the two vertices across, and nobody else, in common; and a
    tetrahedron stays. A border keeps its vertices. A finger three edges around is shortened from its tip. What was
    merged stays in the table, unused.

    References
    ----------
    Dey, Edelsbrunner, Guha, Nekhayev: Topology Preserving Edge Contraction. Publications de l'Institut Mathématique
    66(80), 1999.
    """
    near = surface.faces_at(surface.grown(inner, 1)).tolist()
    faces = {number: surface.faces[number].tolist() for number in near}
    at: dict[int, set[int]] = {}
    for number, corners in faces.items():
        for corner in corners:
            at.setdefault(corner, set()).add(number)
    may, points = set(inner.tolist()), surface.vertices

    def length(a: int, b: int) -> float:
        return float(np.linalg.norm(points[a] - points[b]))

    def around(a: int) -> set[int]:
        return {corner for number in at[a] for corner in faces[number]} - {a}

    queue = [(length(a, b), a, b) for a in sorted(may) for b in around(a) if length(a, b) < shortest]
    heapq.heapify(queue)
    lost, gone = set(), set()
    while queue:
        _, a, b = heapq.heappop(queue)
        if a in lost or b in lost or b not in around(a):
            continue
        shared = at[a] & at[b]
        across = {corner for number in shared for corner in faces[number]} - {a, b}
        border = len(around(a)) > len(at[a])  # an open fan has a neighbour more than faces
        tetrahedron = around(a) | around(b) == across | {a, b}
        if len(shared) != 2 or around(a) & around(b) != across or border or tetrahedron:
            continue
        for number in shared:
            for corner in faces[number]:
                at[corner].discard(number)
            gone.add(number)
        for number in at[a]:
            faces[number] = [b if corner == a else corner for corner in faces[number]]
        at[b] |= at.pop(a)
        lost.add(a)
        for c in around(b):  # what was refused may be sound now
            for x, y in ((b, c), (c, b)):
                if x in may and length(x, y) < shortest:
                    heapq.heappush(queue, (length(x, y), x, y))
    result = surface.faces.copy()
    for number, corners in faces.items():
        result[number] = corners
    return LocalSurface(points, np.delete(result, sorted(gone), axis=0))
