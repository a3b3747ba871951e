"""Edges of more than two faces and points where a surface touches itself, taken apart."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from ...geometry.half_edges import half_edge_table
from .patchwork import Surface


def check_crowded(faces: Tensor, name: str, most: float) -> int:
    """Number of edges with more than two faces; ValueError where they are more than a share of all."""
    count = half_edge_table(faces).count
    crowded = int((count > 2).sum())
    if crowded > most * len(count):
        raise ValueError(
            f"{name}: expected at most two faces at an edge, got {crowded} of {len(count)} edges with more; "
            "this is no surface but a heap of triangles: reconstruct one from it (Poisson) first"
        )
    return crowded


def connected(one: np.ndarray, other: np.ndarray, count: int) -> Tensor:
    """(count,) labels of the components of a graph given by its edges."""
    graph = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(count, count))
    return torch.from_numpy(connected_components(graph.tocsr(), directed=False)[1].astype(np.int64))


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
    before = math.inf
    while crowded := int((half_edge_table(surface.faces).count > 2).sum()):
        # Where the fans of an edge hang together at both of its ends, it gets a middle, where they do not. But where
        # faces lie in one line, each half may say otherwise which of them go on in each other: then none do.
        surface = _split_fans(_bisected(surface), pairing=crowded < before)
        before = crowded
    return surface


def _bisected(surface: Surface) -> Surface:
    """A new vertex in the middle of crowded edges, as many of them as there are without two in one face."""
    table = half_edge_table(surface.faces)
    busy: set[int] = set()
    middles: list[int] = []
    cut: list[tuple[int, int, int]] = []  # face, corner from which the edge runs, new vertex
    for edge in (table.count > 2).nonzero()[:, 0].tolist():
        some = table.number[table.begin[edge] :][: table.count[edge]]
        sides = [divmod(number, 3) for number in some.tolist()]
        mine = {face for face, _ in sides}
        if mine & busy:
            continue
        busy |= mine
        cut += [(face, corner, len(surface.vertices) + len(middles)) for face, corner in sides]
        middles.append(edge)
    return _halved(surface, torch.tensor(cut), table.edges[middles])


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


def _split_fans(surface: Surface, *, pairing: bool = True) -> Surface:
    """A vertex for each fan, which at edges of more than two faces goes on as `_around` says, or, without, ends."""
    table = half_edge_table(surface.faces)
    vertices = surface.vertices.numpy()
    ends, third, upwards = (
        table.edges.numpy(),
        table.third(table.number).numpy(),
        table.rises(table.number).numpy(),
    )
    pairs: list[tuple[int, int]] = []
    for edge in (table.count > 2).nonzero()[:, 0].tolist() if pairing else ():
        first, count = int(table.begin[edge]), int(table.count[edge])
        some = slice(first, first + count)
        around = _around(vertices[ends[edge]], vertices[third[some]], upwards[some])
        pairs += [(first + i, first + j) for i, j in around]
    more = table.number[torch.tensor(pairs, dtype=torch.int64).view(-1, 2)]
    one, other = (torch.cat([twins, more[:, i]]) for i, twins in enumerate(table.twins()))
    # The sides of a pair have both ends in common: link the faces' corners there.
    here, there = (torch.cat(table.corners(number)).numpy() for number in (one, other))
    fan = connected(here, there, surface.faces.numel())
    old = torch.empty(int(fan.max()) + 1, dtype=torch.int64)
    old[fan] = surface.faces.reshape(-1)
    return surface.regrouped(old, fan.view(-1, 3))


def _around(ends: np.ndarray, thirds: np.ndarray, upwards: np.ndarray) -> list[tuple[int, int]]:
    """Which of the faces around one edge go on in each other: neighbours with solid between them."""
    axis = ends[1] - ends[0]
    axis = axis / max(float(np.linalg.norm(axis)), 1e-300)
    out = thirds - ends[0]
    out = out - (out @ axis)[:, None] * axis
    x = out[0] / max(float(np.linalg.norm(out[0])), 1e-300)
    angle = np.arctan2(out @ np.cross(axis, x), out @ x)
    order = np.argsort(angle, kind="stable")
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    for i, j in zip(order.tolist(), np.roll(order, -1).tolist(), strict=True):
        # Angles grow counter-clockwise seen against the edge; a face that runs upwards has its inside before it.
        if upwards[j] and not upwards[i] and not {i, j} & taken:
            pairs.append((i, j))
            taken |= {i, j}
    return pairs
