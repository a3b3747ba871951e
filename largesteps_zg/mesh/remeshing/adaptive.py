"""A remesher with an edge length of its own at each vertex: split, collapse, flip, relax, project, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...constants import DEFAULTS, Remeshing
from ..closest import closest_on
from ..triangle_tree import TriangleTree, triangle_tree
from .edge_edits import collapse, flip, split
from .facing import facing_points
from .seams import seam_neighbors, seams, vertices_of
from .sized_mesh import Array, Sized, area_normals, dot, edge_sides, length_of, normals_of, sum_at, unit

_RELAXATIONS = 3


@dataclass(frozen=True)
class _Old:
    """The surface to stay on, its field of lengths, and its borders and rims, where there are some."""

    surface: TriangleTree
    lengths: Array
    seams: TriangleTree | None


def adaptive(
    vertices: Tensor, faces: Tensor, lengths: Tensor, iterations: int, rules: Remeshing = DEFAULTS.remeshing
) -> tuple[Tensor, Tensor]:
    """Botsch-Kobbelt remeshing to a length at each vertex, by rounds that are vectorised over independent edges.

    Parameters
    ----------
    vertices : (V, 3) float64 tensor
    faces : (F, 3) int64 tensor
        A manifold of one winding.
    lengths : (V,) float64 tensor
        Graded: see `sizing.graded`.
    iterations : int
    rules : Remeshing, optional

    Returns
    -------
    vertices : (W, 3) float64 tensor
        On the old surface, those of a border or of the rim of a sheet on the old one.
    faces : (G, 3) int64 tensor
        Of the same topology: the edits keep it one by one.
    """
    points, triangles, sizes = vertices.numpy(), faces.numpy(), lengths.numpy()
    sides = edge_sides(triangles, len(points))
    kept = _tree_of(vertices, seams(points, triangles, sides, rules))
    old = _Old(triangle_tree(vertices, faces), sizes, kept)
    corners = _border_corners(points, sides.ends[sides.border], rules.corner)
    mesh = Sized(points, triangles, sizes, corners, rules)
    generator = np.random.default_rng(0)  # breaks ties, nothing else: the same call gives the same mesh
    for _ in range(iterations):
        mesh = split(mesh)
        mesh = collapse(mesh, generator)
        mesh = flip(mesh, generator)
        mesh = _relax(mesh, old)
    return torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces)


def _tree_of(vertices: Tensor, ends: Array) -> TriangleTree | None:
    """Edges as faces of no area."""
    return triangle_tree(vertices, torch.from_numpy(ends[:, [0, 1, 1]])) if len(ends) else None


def _border_corners(vertices: Array, ends: Array, turn: float) -> Array:
    """(V,) bool: where a border turns sharply, or meets another."""
    count = len(vertices)
    along = unit(vertices[ends[:, 1]] - vertices[ends[:, 0]])
    degree = np.bincount(ends.reshape(-1), minlength=count)
    before, after = (sum_at(ends[:, [i]], along, count) for i in (1, 0))
    return (degree > 2) | ((degree == 2) & (dot(before, after) < turn))


def _relax(mesh: Sized, old: _Old) -> Sized:
    """Even out the faces within the surface, then put the vertices back on the old one; folds nothing."""
    sides = edge_sides(mesh.faces, len(mesh.vertices))
    ends = seams(mesh.vertices, mesh.faces, sides, mesh.rules)
    before, after = seam_neighbors(ends, len(mesh.vertices))
    sliding = (before >= 0) & ~mesh.fixed
    free = ~vertices_of(ends, len(mesh.vertices)) & ~mesh.fixed
    relaxed = mesh
    for _ in range(_RELAXATIONS):
        new = np.where(free[:, None], _centroids(relaxed), relaxed.vertices)
        if sliding.any():
            new[sliding] = _slid(relaxed, before[sliding], after[sliding], np.flatnonzero(sliding))
        relaxed = replace(relaxed, vertices=new)
    new, lengths = _projected(relaxed, old, free, sliding)
    return replace(mesh, vertices=_without_folds(mesh, new), lengths=lengths)


def _centroids(mesh: Sized) -> Array:
    """(V, 3) the mean of the faces around each vertex, moved along the surface only.

    A face counts by its area over the cube of its length. Where lengths grow along the surface the faces ahead are
    larger by the square and farther by the length itself; with these weights both sides balance.
    """
    corners = mesh.vertices[mesh.faces]
    normal = normals_of(corners)
    weight = length_of(normal) / mesh.lengths[mesh.faces].mean(axis=1) ** 3
    values = np.concatenate([weight[:, None] * corners.mean(axis=1), weight[:, None], normal], axis=1)
    sums = sum_at(mesh.faces, values, len(mesh.vertices))
    step = sums[:, :3] / np.maximum(sums[:, 3:4], 1e-300) - mesh.vertices
    upright = unit(sums[:, 4:])
    step = np.where(sums[:, 3:4] > 0, step - dot(step, upright)[:, None] * upright, 0)
    return mesh.vertices + step


def _slid(mesh: Sized, before: Array, after: Array, which: Array) -> Array:
    """Vertices of a seam between their two neighbours there, apart as the lengths want it, moved along only."""
    x, y, z = (mesh.vertices[i] for i in (before, which, after))
    front, back = (mesh.lengths[i] + mesh.lengths[which] for i in (before, after))
    share = (front / (front + back))[:, None]
    along = unit(z - x)
    step = dot(x + share * (z - x) - y, along)
    return y + step[:, None] * along


def _without_folds(mesh: Sized, new: Array) -> Array:
    """The new positions, but the old ones at faces that would turn over against the surface around them."""
    around = area_normals(mesh.vertices, mesh.faces)[mesh.faces].sum(axis=1)
    upright = dot(normals_of(mesh.vertices[mesh.faces]), around) > 0
    new = new.copy()
    for _ in range(10):
        folded = upright & (dot(normals_of(new[mesh.faces]), around) <= 0)
        if not folded.any():
            return new
        corners = mesh.faces[folded].reshape(-1)
        new[corners] = mesh.vertices[corners]
    return mesh.vertices


def _projected(mesh: Sized, old: _Old, free: Array, sliding: Array) -> tuple[Array, Array]:
    """Positions on the old surface, those of seams on its seams, and the lengths that it asks for there."""
    new, lengths = mesh.vertices.copy(), mesh.lengths.copy()
    rows = np.flatnonzero(sliding)
    vertices = old.surface.vertices.numpy()
    if len(rows) and old.seams is not None:
        nearest = closest_on(old.seams, torch.from_numpy(new[rows]))
        corners, weights = old.seams.faces[nearest.faces].numpy(), nearest.weights.numpy()
        places = _at(vertices, corners, weights)
        # What has become a rim only now has none to stay on.
        near = length_of(places - new[rows]) < lengths[rows]
        rows = rows[near]
        new[rows], lengths[rows] = places[near], _at(old.lengths, corners, weights)[near]
        free = free | sliding
        free[rows] = False
    rows = np.flatnonzero(free)
    normals = area_normals(mesh.vertices, mesh.faces)[rows]
    found, weights, facing = facing_points(new[rows], normals, lengths[rows], old.surface)
    corners = old.surface.faces.numpy()[found[facing]]
    rows, weights = rows[facing], weights[facing]
    new[rows], lengths[rows] = _at(vertices, corners, weights), _at(old.lengths, corners, weights)
    # Vertices that come to lie on each other, at a corner, would be one.
    _, place, count = np.unique(new, axis=0, return_inverse=True, return_counts=True)
    shared = count[place.reshape(-1)] > 1
    new[shared] = mesh.vertices[shared]
    return new, lengths


def _at(values: Array, corners: Array, weights: Array) -> Array:
    """(N, ...) values (V, ...) at points between the corners (N, 3) of faces."""
    return np.einsum("nk,nk...->n...", weights, values[corners])
