"""Handles that have shrunk to threads: three edges around and without a thickness, they can only be cut."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .fairing import Array, LocalSurface


def thread_cut(surface: LocalSurface, vertices: Array) -> tuple[LocalSurface, Array] | None:
    """Cut the thinnest handle three edges around at some vertices, and close both ends; None if there is none.

    Parameters
    ----------
    surface : LocalSurface
        Closed around these vertices.
    vertices : (N,) int array

    Returns
    -------
    surface : LocalSurface
        With three vertices more, which lie where those of the cut do, and two faces more. It has as many parts as
        before: what would fall apart is not cut.
    doubled : (3,) int array
        The vertices of which there are two now, in the order of the new ones.
    """
    for corners in _loops(surface, vertices):
        made = _cut(surface, corners)
        if made is not None and _parts(made.faces) == _parts(surface.faces):
            return made, np.array(corners)
    return None


def _loops(surface: LocalSurface, vertices: Array) -> list[tuple[int, int, int]]:
    """Three vertices that are neighbours of one another without being a face, by the length around them."""
    faces = surface.faces[surface.faces_at(surface.grown(vertices, 1))]
    around: dict[int, set[int]] = {}
    for a, b, c in faces.tolist():
        for x, y, z in ((a, b, c), (b, c, a), (c, a, b)):
            around.setdefault(x, set()).update((y, z))
    known = {tuple(sorted(face)) for face in faces.tolist()}
    found: dict[tuple[int, int, int], float] = {}
    for a in vertices.tolist():
        for b in around.get(a, ()):
            for c in around[a] & around[b]:
                x, y, z = sorted((a, b, c))
                if (x, y, z) not in known:
                    places = surface.vertices[[x, y, z]]
                    found[x, y, z] = float(np.linalg.norm(places - np.roll(places, 1, axis=0), axis=1).sum())
    return sorted(found, key=lambda loop: found[loop])


def _cut(surface: LocalSurface, corners: tuple[int, int, int]) -> LocalSurface | None:
    """Both ends closed by a face; None where a vertex has not one fan of faces, cut in two by the loop."""
    number = len(surface.vertices)
    result = surface.faces.copy()
    for i, vertex in enumerate(corners):
        side = _side(surface, vertex, corners[i - 1], corners[(i + 1) % 3])
        if side is None:
            return None
        part = result[side]
        result[side] = np.where(part == vertex, number + i, part)
    a, b, c = corners
    # Faces to the left of the loop have its edges as they run: the face that closes them has them the other way round.
    caps = [[number, number + 2, number + 1], [a, b, c]]
    return LocalSurface(np.r_[surface.vertices, surface.vertices[list(corners)]], np.r_[result, caps])


def _side(surface: LocalSurface, vertex: int, before: int, after: int) -> Array | None:
    """The faces around a vertex to the left of the way from one neighbour over it to another; None if it has none."""
    numbers = surface.faces_at(np.array([vertex]))
    ahead: dict[int, tuple[int, int]] = {}  # from the corner after the vertex: the face, and its third corner
    for number in numbers.tolist():
        face = surface.faces[number].tolist()
        at = face.index(vertex)
        ahead[face[at - 2]] = number, face[at - 1]
    side: list[int] = []
    corner = after
    while corner != before:
        if corner not in ahead or len(side) == len(numbers):
            return None
        number, corner = ahead[corner]
        side.append(number)
    return np.array(side) if 0 < len(side) < len(numbers) else None


def _parts(faces: Array) -> int:
    """How many parts a surface has."""
    used, place = np.unique(faces, return_inverse=True)
    place = place.reshape(-1, 3)
    ends = np.r_[place[:, 0], place[:, 0]], np.r_[place[:, 1], place[:, 2]]
    joined = coo_array((np.ones(len(ends[0]), dtype=bool), ends), shape=(len(used),) * 2)
    return int(connected_components(joined, directed=False)[0])
