"""Splits, collapses and flips of edges: each pass edits an independent set at once, so that no loop runs over edges.

Lengths are relative throughout: an edge's length over the mean of the target lengths at its ends, its *ratio*.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .seams import may_be_rims, rims, seam_neighbors, vertices_of
from .sized_mesh import (
    Array,
    EdgeSides,
    Sized,
    area_normals,
    dot,
    edge_sides,
    length_of,
    normals_of,
    quality,
    ratios,
    unit,
    without_unused,
)

LONGEST, SHORTEST = 4 / 3, 4 / 5  # ratios at which splitting, and collapsing, brings an edge nearer to 1
_IDLE = 0.3  # of the edits of a first pass: where a pass makes fewer, the next round, after relaxing, makes the others
_NEVER = np.iinfo(np.int64).max


def split(mesh: Sized, passes: int = 16) -> Sized:
    """Halve edges longer than 4/3: those that are the longest of all their faces, and all that are far longer."""
    for _ in range(passes):
        sides = edge_sides(mesh.faces, len(mesh.vertices))
        ratio = ratios(mesh, sides.ends)
        if not (ratio > LONGEST).any():
            break
        rank = np.empty(len(ratio), dtype=np.int64)
        rank[np.argsort(ratio, kind="stable")] = np.arange(len(ratio))
        own = np.take_along_axis(sides.of_corner, rank[sides.of_corner].argmax(axis=1)[:, None], axis=1)
        agreed = np.bincount(own[:, 0], minlength=len(ratio)) == 2 - sides.border
        mesh = _halve(mesh, sides, (ratio > LONGEST) & (agreed | (ratio > 2 * LONGEST)))
    return mesh


def _halve(mesh: Sized, sides: EdgeSides, marked: Array) -> Sized:
    """Put a vertex into the middle of each marked edge.

    ::

          c            c            c
         /|\\          / \\          / \\
        / | \\        / _ n        k---n
       /  |  \\      /_/ / \\      / \\ / \\
      a---m---b    a---m---b    a---m---b
    """
    ends = sides.ends[marked]
    middle = np.where(marked, len(mesh.vertices) + np.cumsum(marked) - 1, -1)
    vertices = np.concatenate([mesh.vertices, mesh.vertices[ends].mean(axis=1)])
    inside = middle[sides.of_corner]  # (F, 3): the vertex between each corner and the next
    halved = (inside >= 0).sum(axis=1)
    parts = [mesh.faces[halved == 0]]
    for number in (1, 2, 3):
        which = halved == number
        is_split = inside[which] >= 0
        # Turned so that corner a starts the only marked edge, or ends the only unmarked one.
        turn = is_split.argmax(axis=1) if number == 1 else (is_split.argmin(axis=1) + 1) % 3
        around = (turn[:, None] + np.arange(3)) % 3
        a, b, c = np.take_along_axis(mesh.faces[which], around, axis=1).T
        m, n, k = np.take_along_axis(inside[which], around, axis=1).T
        if number == 1:
            new = [(a, m, c), (m, b, c)]
        elif number == 2:
            an, cm = (length_of(vertices[p] - vertices[q]) for p, q in ((a, n), (c, m)))
            new = [(m, b, n), (a, m, np.where(an < cm, n, c)), (np.where(an < cm, a, m), n, c)]
        else:
            new = [(a, m, k), (m, b, n), (k, n, c), (m, n, k)]
        parts += [np.stack(face, axis=1) for face in new]
    return Sized(
        vertices,
        np.concatenate(parts),
        np.concatenate([mesh.lengths, mesh.lengths[ends].mean(axis=1)]),
        np.append(mesh.fixed, np.zeros(len(ends), dtype=bool)),
        mesh.rules,
    )


def collapse(mesh: Sized, generator: np.random.Generator, passes: int = 20) -> Sized:
    """Merge the ends of edges shorter than 4/5, where neither the topology nor the surface suffers.

    Ends when the passes become idle: what is left is for the next round, when vertices have been spread out.
    """
    count = len(mesh.vertices)
    refused, first = np.zeros(0, dtype=np.int64), 0
    for _ in range(passes):
        sides = edge_sides(mesh.faces, count)
        ratio = ratios(mesh, sides.ends)
        edges = np.flatnonzero(ratio < SHORTEST)
        edges = edges[~np.isin(sides.keys[edges], refused)]
        share = _share_of_first(mesh, sides, edges)
        edges, share = edges[share >= 0], share[share >= 0]
        if not len(edges):
            break
        # Short ones first, but not strictly: along a gradient of lengths each would wait for the next.
        order = np.argsort(ratio[edges] * generator.uniform(0.5, 1, len(edges)), kind="stable")
        chosen = order[_apart(sides, edges[order], count)]
        edges, share = edges[chosen], share[chosen]
        place = _merged(mesh, sides.ends[edges], share)
        sound = _linked(sides, edges, count) & _faces_stay_sound(mesh, sides.ends[edges], place)
        refused = np.append(refused, sides.keys[edges[~sound]])
        mesh = _merge(mesh, sides.ends[edges[sound]], share[sound])
        first = max(first, sound.sum())
        if sound.sum() < _IDLE * first:
            break
    return without_unused(mesh)


def _share_of_first(mesh: Sized, sides: EdgeSides, edges: Array) -> Array:
    """(N,) how much of an edge's first end is in the vertex that replaces both; -1 where they must not be merged."""
    count = len(mesh.vertices)
    seam = sides.border | rims(mesh.vertices, mesh.faces, sides, mesh.rules)
    held = vertices_of(sides.ends[seam], count) | mesh.fixed
    a, b = sides.ends[edges].T
    share = np.where(held[a], np.where(held[b], -1.0, 1.0), np.where(held[b], 0.0, 0.5))
    along = np.flatnonzero(seam[edges])
    if len(along):
        # Along a border or a rim, the vertex that is nearest to the line between its two neighbours goes.
        stray = _strays(mesh, sides.ends[seam])
        first, second = stray[a[along]], stray[b[along]]
        share[along] = np.where(first < second, 0.0, 1.0)
        share[along[np.minimum(first, second) >= mesh.rules.stray]] = -1.0
    # The vertices across lose a face and must keep a fan: three faces inside, one at a border.
    degree = np.bincount(sides.ends.reshape(-1), minlength=count)
    on_border = vertices_of(sides.ends[sides.border], count)
    spare = np.append(degree > np.where(on_border, 2, 3), True)  # row -1: beyond a border
    return np.where(spare[sides.thirds[edges]].all(axis=1), share, -1.0)


def _strays(mesh: Sized, seam: Array) -> Array:
    """(V,) how far a seam moves when this vertex goes, in target lengths; infinite for those that must stay."""
    before, after = seam_neighbors(seam, len(mesh.vertices))
    stray = np.full(len(mesh.vertices), np.inf)
    inner = np.flatnonzero((before >= 0) & (after >= 0) & ~mesh.fixed)
    stray[inner] = (
        _distance_to_segment(mesh.vertices, inner, before[inner], after[inner]) / mesh.lengths[inner]
    )
    return stray


def _distance_to_segment(points: Array, of: Array, start: Array, end: Array) -> Array:
    """Distance of points[of] to the segments between points[start] and points[end]."""
    x, along = points[of] - points[start], points[end] - points[start]
    t = np.clip(dot(x, along) / np.maximum(dot(along, along), 1e-300), 0, 1)
    return length_of(x - t[:, None] * along)


def _apart(sides: EdgeSides, edges: Array, count: int) -> Array:
    """Which of the edges, the first ones rather than later ones, can be collapsed side by side: none joins two of them.

    A vertex that loses a face to two of them has six neighbours or more, and so enough left.
    """
    left, chosen = np.arange(len(edges)), []
    for _ in range(4):  # by then the set is nearly as large as it can get
        first = left[left <= _first_near(sides, edges, left, left, count)]
        chosen.append(first)
        left = left[_first_near(sides, edges, first, left, count) == _NEVER]
    return np.concatenate(chosen)


def _first_near(sides: EdgeSides, edges: Array, claims: Array, asked: Array, count: int) -> Array:
    """For each of the edges asked for, the first one of those that claim which is not apart from it."""
    at = np.full(count, _NEVER)
    for i in range(2):
        np.minimum.at(at, sides.ends[edges[claims], i], claims)
    around = at.copy()
    for i in range(2):
        np.minimum.at(around, sides.ends[:, i], at[sides.ends[:, 1 - i]])
    a, b = sides.ends[edges[asked]].T
    return np.minimum(around[a], around[b])


def _merged(mesh: Sized, ends: Array, share: Array) -> Array:
    """(N, 3) where the vertices go that replace the two ends."""
    return share[:, None] * mesh.vertices[ends[:, 0]] + (1 - share[:, None]) * mesh.vertices[ends[:, 1]]


def _owners(ends: Array, count: int) -> Array:
    """(V,) the edge, of edges that are apart, that each vertex is an end of, or -1."""
    owner = np.full(count, -1)
    owner[ends] = np.arange(len(ends))[:, None]
    return owner


def _linked(sides: EdgeSides, edges: Array, count: int) -> Array:
    """The link condition: both ends know the vertices across the edge, and nobody else, in common."""
    owner = _owners(sides.ends[edges], count)
    found = []
    for i in range(2):
        mine, other = owner[sides.ends[:, i]], sides.ends[:, 1 - i]
        leaves = (mine >= 0) & (owner[other] < 0)
        found.append(mine[leaves] * count + other[leaves])
    key = np.sort(np.concatenate(found))
    shared = np.bincount(key[1:][key[1:] == key[:-1]] // count, minlength=len(edges))
    return shared == 2 - sides.border[edges]


def _faces_stay_sound(mesh: Sized, ends: Array, place: Array) -> Array:
    """Whether merging leaves the faces around unfolded, no worse in shape, and their edges short enough."""
    owner = _owners(ends, len(mesh.vertices))
    of = owner[mesh.faces]
    at = of >= 0
    changed = at[:, 0].astype(np.int8) + at[:, 1] + at[:, 2] == 1  # those with both ends vanish
    faces, moved = mesh.faces[changed], at[changed]
    old, new = mesh.vertices[faces], mesh.vertices[faces]
    new[moved] = place[of[changed][moved]]
    normals = area_normals(mesh.vertices, mesh.faces)
    around = unit(normals[faces[:, 0]] + normals[faces[:, 1]] + normals[faces[:, 2]])
    n_old, n_new = unit(normals_of(old)), unit(normals_of(new))
    upright_old, upright_new = (dot(n, around) for n in (n_old, n_new))
    rules = mesh.rules
    fine = (upright_new > rules.upright) | (upright_new > upright_old)
    fine &= (dot(n_old, n_new) > rules.turned) | (upright_old < rules.upright)
    q_old, q_new = quality(old), quality(new)
    fine &= (q_new > rules.merged_quality) | (q_new > rules.merged_loss * q_old)
    lengths = mesh.lengths[faces]
    for i in range(3):
        length = length_of(new[:, i] - new[:, i - 1])
        too_long = 2 * length > LONGEST * (lengths[:, i] + lengths[:, i - 1])
        fine &= ~(too_long & (moved[:, i] | moved[:, i - 1]))
    spoiled = np.zeros(len(ends), dtype=bool)
    spoiled[of[changed][~fine].max(axis=1)] = True
    return ~spoiled


def _merge(mesh: Sized, ends: Array, share: Array) -> Sized:
    """Collapse edges that are apart; the second ends stay behind unused."""
    a, b = ends.T
    vertices, lengths, fixed = mesh.vertices.copy(), mesh.lengths.copy(), mesh.fixed.copy()
    vertices[a] = _merged(mesh, ends, share)
    lengths[a] = share * lengths[a] + (1 - share) * lengths[b]
    fixed[a] |= fixed[b]
    rename = np.arange(len(vertices))
    rename[b] = a
    faces = rename[mesh.faces]
    gone = (faces[:, 0] == faces[:, 1]) | (faces[:, 1] == faces[:, 2]) | (faces[:, 2] == faces[:, 0])
    return Sized(vertices, faces[~gone], lengths, fixed, mesh.rules)


def flip(mesh: Sized, generator: np.random.Generator, passes: int = 10) -> Sized:
    """Turn edges so that vertices have six neighbours (four at a border), where the surface does not suffer."""
    count, first = len(mesh.vertices), 0
    for _ in range(passes):
        sides = edge_sides(mesh.faces, count)
        degree = np.bincount(sides.ends.reshape(-1), minlength=count)
        on_border = vertices_of(sides.ends[sides.border], count)
        excess = degree - np.where(on_border, 4, 6)
        # Sum of the squares of the four excesses: before minus after, halved.
        (a, b), (c, d) = sides.ends.T, sides.thirds.T
        gain = excess[a] + excess[b] - excess[c] - excess[d] - 2
        spare = degree > np.where(on_border, 2, 3)
        edges = np.flatnonzero(~sides.border & (gain > 0) & spare[a] & spare[b])
        edges = edges[_flips_well(mesh, sides, edges)]
        if may_be_rims(mesh.vertices, mesh.faces, sides, edges, mesh.rules).any():
            edges = edges[~rims(mesh.vertices, mesh.faces, sides, mesh.rules)[edges]]
        if not len(edges):
            break
        order = np.argsort(generator.uniform(0, 1, len(edges)) - gain[edges], kind="stable")
        rank = np.empty(len(edges), dtype=np.int64)
        rank[order] = np.arange(len(edges))
        at = np.full(count, _NEVER)
        four = np.concatenate([sides.ends[edges], sides.thirds[edges]], axis=1)
        np.minimum.at(at, four, rank[:, None])
        edges = edges[(at[four] == rank[:, None]).all(axis=1)]
        (a, b), (c, d) = sides.ends[edges].T, sides.thirds[edges].T
        faces = mesh.faces.copy()
        faces[sides.faces[edges, 0]] = np.stack([a, d, c], axis=1)
        faces[sides.faces[edges, 1]] = np.stack([d, b, c], axis=1)
        mesh = replace(mesh, faces=faces)
        first = max(first, len(edges))
        if len(edges) < _IDLE * first:
            break
    return mesh


def _flips_well(mesh: Sized, sides: EdgeSides, edges: Array) -> Array:
    """Whether the turned edge is a new one, and its two faces neither folded, nor creased, nor poor in shape."""
    (a, b), (c, d) = sides.ends[edges].T, sides.thirds[edges].T
    key = np.minimum(c, d) * len(mesh.vertices) + np.maximum(c, d)
    place = np.minimum(np.searchsorted(sides.keys, key), len(sides.keys) - 1)
    well = (sides.keys[place] != key) & (c != d)
    old = mesh.vertices[np.stack([a, b, c, b, a, d], axis=1).reshape(-1, 2, 3)]  # (N, 2 faces, 3 corners, 3)
    new = mesh.vertices[np.stack([a, d, c, d, b, c], axis=1).reshape(-1, 2, 3)]
    n_old, n_new = unit(normals_of(old)), unit(normals_of(new))
    upright = dot(n_new, unit(n_old[:, 0] + n_old[:, 1])[:, None]).min(axis=1)
    crease_old, crease_new = (dot(n[:, 0], n[:, 1]) for n in (n_old, n_new))
    q_old, q_new = quality(old).min(axis=1), quality(new).min(axis=1)
    return (
        well
        & (upright > mesh.rules.upright)
        & (crease_new >= np.minimum(crease_old, mesh.rules.crease))
        & ((q_new > mesh.rules.flipped_quality) | (q_new > q_old))
    )
