"""Edges of more than two faces and points where a surface touches itself, taken apart."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from .patchwork import Surface

_MOST = 0.2  # of the edges; what is beyond is no surface with faults but a heap of triangles


def check_crowded(faces: Tensor, name: str) -> int:
    """Number of edges with more than two faces; ValueError where they are too many for a surface."""
    count = np.bincount(sides(faces)[3])
    crowded = int((count > 2).sum())
    if crowded > _MOST * len(count):
        raise ValueError(
            f"{name}: expected at most two faces at an edge, got {crowded} of {len(count)} edges with more; "
            "this is no surface but a heap of triangles: reconstruct one from it (Poisson) first"
        )
    return crowded


def connected(one: np.ndarray, other: np.ndarray, count: int) -> Tensor:
    """(count,) labels of the components of a graph given by its edges."""
    graph = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(count, count))
    return torch.from_numpy(connected_components(graph.tocsr(), directed=False)[1].astype(np.int64))


def sides(faces: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The 3F sides of faces, sorted so that those of one edge follow each other.

    Returns
    -------
    face, corner : which side: from that corner of that face to the next; (3F,)
    upwards : whether it runs from the smaller index to the larger
    edge : number of the edge, ascending
    """
    f = faces.numpy()
    start, end = f.reshape(-1), np.roll(f, -1, axis=1).reshape(-1)
    key = np.minimum(start, end) * (int(f.max()) + 1) + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    edge = np.concatenate([[0], np.cumsum(np.diff(key[order]) != 0)])
    return order // 3, order % 3, (start < end)[order], edge


def split(surface: Surface) -> Surface:
    """A vertex of its own for every fan of faces; at edges of more than two faces those go on together that bound the
    same solid.

    ::

           |  solid            |
        ---+---        ->   ---'           two boxes that touch in an edge come apart
     solid |                       .---
                                   |
    """
    surface = _split_fans(surface)
    # Where the fans of an edge hang together at both of its ends, it gets a middle, where they do not.
    while len(where := _crowded(surface.faces)):
        surface = _split_fans(_bisected(surface, where))
    return surface


def _crowded(faces: Tensor) -> np.ndarray:
    """(K, 2) ends of the edges of more than two faces."""
    face, corner, _, edge = sides(faces)
    first = np.flatnonzero(np.diff(edge, prepend=-1))[np.bincount(edge) > 2]
    ends = np.stack([face[first], corner[first], (corner[first] + 1) % 3], axis=1)
    f = faces.numpy()
    return np.sort(np.stack([f[ends[:, 0], ends[:, 1]], f[ends[:, 0], ends[:, 2]]], axis=1), axis=1)


def _bisected(surface: Surface, where: np.ndarray) -> Surface:
    """A new vertex in the middle of edges, as many of them as there are without two in one face."""
    face, corner, _, edge = sides(surface.faces)
    f = surface.faces.numpy()
    ends = np.sort(np.stack([f[face, corner], f[face, (corner + 1) % 3]], axis=1), axis=1)
    at: dict[tuple[int, int], list[int]] = {(int(a), int(b)): [] for a, b in where}
    for side in np.flatnonzero(np.isin(edge, edge[np.isin(ends, where).all(axis=1)])).tolist():
        key = (int(ends[side, 0]), int(ends[side, 1]))
        if key in at:
            at[key].append(side)
    busy: set[int] = set()
    middles: list[tuple[int, int]] = []
    cut: list[tuple[int, int, int]] = []  # face, corner from which the edge runs, new vertex
    for key, around in at.items():
        mine = {int(face[side]) for side in around}
        if mine & busy:
            continue
        busy |= mine
        cut += [(int(face[side]), int(corner[side]), len(surface.vertices) + len(middles)) for side in around]
        middles.append(key)
    return _halved(surface, torch.tensor(cut), torch.tensor(middles))


def _halved(surface: Surface, cut: Tensor, ends: Tensor) -> Surface:
    """Faces cut in two from the middle of an edge to the corner across, the halves last; new vertices between ends."""
    face, corner, middle = cut.unbind(1)
    order = (corner[:, None] + torch.arange(3)) % 3
    a, b, c = surface.faces[face[:, None], order].unbind(1)
    halves = torch.stack([a, middle, c, middle, b, c], dim=1).view(-1, 3)
    left = torch.ones(len(surface.faces), dtype=torch.bool)
    left[face] = False
    corners = surface.corners
    if corners is not None:
        a, b, c = corners[face[:, None], order].unbind(1)
        m = (a + b) / 2
        corners = torch.cat([corners[left], torch.stack([a, m, c, m, b, c], dim=1).view(-1, 3, a.shape[1])])
    colors = surface.colors
    return Surface(
        torch.cat([surface.vertices, surface.vertices[ends].mean(dim=1)]),
        torch.cat([surface.faces[left], halves]),
        None if colors is None else torch.cat([colors, colors[ends].mean(dim=1)]),
        corners,
    )


def _split_fans(surface: Surface) -> Surface:
    """A vertex for each fan, which at edges of more than two faces goes on as `_around` says."""
    vertices, faces = surface.vertices, surface.faces
    face, corner, upwards, edge = sides(faces)
    count = np.bincount(edge)
    first = np.flatnonzero(np.diff(edge, prepend=-1))
    pairs = [(i, i + 1) for i in first[count == 2].tolist()]
    for i in np.flatnonzero(count > 2).tolist():
        some = np.arange(first[i], first[i] + count[i])
        pairs += _around(vertices.numpy(), faces.numpy(), face[some], corner[some], upwards[some], some)
    # The sides of a pair have both ends in common: link the faces' corners there.
    one, other = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    start, end = 3 * face + corner, 3 * face + (corner + 1) % 3
    opposed = upwards[one] != upwards[other]
    here = np.concatenate([start[one], end[one]])
    there = np.concatenate(
        [np.where(opposed, end[other], start[other]), np.where(opposed, start[other], end[other])]
    )
    fan = connected(here, there, 3 * len(faces))
    old = torch.empty(int(fan.max()) + 1, dtype=torch.int64)
    old[fan] = faces.reshape(-1)
    return surface.regrouped(old, fan.view(-1, 3))


def _around(
    vertices: np.ndarray,
    faces: np.ndarray,
    face: np.ndarray,
    corner: np.ndarray,
    upwards: np.ndarray,
    numbers: np.ndarray,
) -> list[tuple[int, int]]:
    """Which of the faces around one edge go on in each other: neighbours with solid between them."""
    ends = np.sort([faces[face[0], corner[0]], faces[face[0], (corner[0] + 1) % 3]])
    axis = vertices[ends[1]] - vertices[ends[0]]
    axis = axis / max(float(np.linalg.norm(axis)), 1e-300)
    out = vertices[faces[face, (corner + 2) % 3]] - vertices[ends[0]]
    out = out - (out @ axis)[:, None] * axis
    x = out[0] / max(float(np.linalg.norm(out[0])), 1e-300)
    angle = np.arctan2(out @ np.cross(axis, x), out @ x)
    order = np.argsort(angle, kind="stable")
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    for i, j in zip(order.tolist(), np.roll(order, -1).tolist(), strict=True):
        # Angles grow counter-clockwise seen against the edge; a face that runs upwards has its inside before it.
        if upwards[j] and not upwards[i] and not {i, j} & taken:
            pairs.append((int(numbers[i]), int(numbers[j])))
            taken |= {i, j}
    return pairs
