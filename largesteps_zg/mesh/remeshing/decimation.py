"""Fewer triangles: the edges whose collapse moves the surface least go first, many that are far apart at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...constants import DEFAULTS, Decimation, Remeshing
from ...geometry.connectivity import check_start_mesh
from ..intersections import self_intersections
from ..quality import flipped
from ..repair import untangled
from .edge_edits import _apart, _linked, _owners
from .seams import vertices_of
from .sized_mesh import Array, EdgeSides, dot, edge_sides, length_of, normals_of, quality, sum_at, unit


@dataclass(frozen=True)
class Decimated:
    """A surface of fewer triangles.

    Attributes
    ----------
    vertices : (W, 3) float tensor
    faces : (G, 3) int64 tensor
    wrong : int
        Faces that are flipped or pass through another, and were not in the given surface or could not be mended.
    """

    vertices: Tensor
    faces: Tensor
    wrong: int


def decimate(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    count: int,
    *,
    constants: Decimation = DEFAULTS.decimation,
    rules: Remeshing = DEFAULTS.remeshing,
) -> Decimated:
    """Collapse edges until a surface has so many faces, and stays as near to the given one as quadrics can tell.

    Each vertex remembers the planes of the faces that were merged into it, weighed by their areas, as the quadric
    q(x) = sum of area (distance of x to the plane)². Two ends of an edge become one vertex where the sum of their
    quadrics is least, and edges where that least is small go first [1]_. Where planes leave a choice, as in flat parts,
    the vertex stays near the middle of those that were merged, so that triangles keep a good shape.

    Parameters
    ----------
    vertices : (V, 3) float tensor
    faces : (F, 3) integer tensor
        A manifold, closed or with borders, of consistent winding.
    count : int
        Faces to reach, >= 4.
    constants : Decimation, optional
    rules : Remeshing, optional
        What a collapse keeps.

    Returns
    -------
    Decimated
        On the device and with the type of `vertices`. It has `count` faces or one less where the given surface is
        closed; more only where no further edge can be collapsed without changing the topology or folding the surface.

    Raises
    ------
    ValueError
        A count below 4, or a mesh that is not manifold.

    Notes
    -----
    Closed surfaces stay closed, of the same genus (link condition). Borders keep their shape by planes at right angles
    to their faces. Folds and self-intersections are mended by `untangled` afterwards; `wrong` counts what is left. Not
    differentiable.

    References
    ----------
    .. [1] M. Garland and P. Heckbert, "Surface simplification using quadric error metrics", SIGGRAPH 1997.

    Examples
    --------
    >>> from largesteps_zg.geometry import topology
    >>> from largesteps_zg.mesh import icosphere
    >>> ball = icosphere(3)
    >>> small = decimate(ball.vertices, ball.faces, 200)
    >>> len(small.faces), topology(small.faces).genus
    (200, 0)
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 4:
        raise ValueError(f"count: expected at least 4 faces, got {count!r}")
    check_start_mesh(vertices, faces, name="decimate")
    if len(faces) <= count:
        return Decimated(vertices, faces, _wrong(vertices, faces))
    given = vertices.detach().double().cpu()
    middle = 0.5 * (given.amin(dim=0) + given.amax(dim=0))
    scale = float((given - middle).abs().max())
    state = _State(((given - middle) / scale).numpy(), faces.long().cpu().numpy(), constants, rules)
    while len(state.faces) > count:
        if not (state.try_some((len(state.faces) - count + 1) // 2) or state.again()):
            break
    used, index = np.unique(state.faces, return_inverse=True)
    found = untangled(torch.from_numpy(state.points[used]), torch.from_numpy(index.reshape(-1, 3)))
    made = (found.vertices * scale + middle).to(vertices)
    return Decimated(made, found.faces.to(vertices.device), _wrong(made, found.faces.to(vertices.device)))


def _wrong(vertices: Tensor, faces: Tensor) -> int:
    return int((flipped(vertices, faces) | self_intersections(vertices, faces)).sum())


class _State:
    """A surface between two passes; vertices that were merged into others stay behind unused."""

    def __init__(self, points: Array, faces: Array, constants: Decimation, rules: Remeshing) -> None:
        self.points, self.faces, self.constants, self.rules = points.copy(), faces, constants, rules
        self.quadrics = _quadrics(points, faces, constants)
        self.refused, self.collapsed = np.zeros(0, dtype=np.int64), False

    def try_some(self, most: int) -> bool:
        """Collapse edges that are far apart, so many at most; whether any could be tried."""
        sides = edge_sides(self.faces, len(self.points))
        edges = np.flatnonzero(self._allowed(sides) & ~np.isin(sides.keys, self.refused))
        if not len(edges):
            return False
        place, cost = self._optimum(sides)
        # Nearly greedy: a collapse changes the costs around it, so a pass takes the cheapest edges only.
        edges = edges[np.argsort(cost[edges], kind="stable")]
        edges = edges[: max(int(self.constants.share * len(edges)), 1)]
        edges = edges[np.sort(_apart(sides, edges, len(self.points)))]
        sound = _linked(sides, edges, len(self.points)) & self._unfolded(sides.ends[edges], place[edges])
        self.refused = np.append(self.refused, sides.keys[edges[~sound]])
        edges = edges[sound][:most]
        if len(edges):
            self._merge(sides.ends[edges], place[edges])
            self.collapsed = True
        return True

    def again(self) -> bool:
        """Whether edges that were refused may be tried anew, because others have collapsed since."""
        self.refused, collapsed = np.zeros(0, dtype=np.int64), self.collapsed
        self.collapsed = False
        return collapsed

    def _allowed(self, sides: EdgeSides) -> Array:
        """(E,) bool: edges whose collapse leaves each vertex a fan, and joins no two places of a border."""
        count = len(self.points)
        degree = np.bincount(sides.ends.reshape(-1), minlength=count)
        on_border = vertices_of(sides.ends[sides.border], count)
        spare = np.append(degree > np.where(on_border, 2, 3), True)  # row -1: beyond a border
        bridges = on_border[sides.ends].all(axis=1) & ~sides.border
        return spare[sides.thirds].all(axis=1) & ~bridges

    def _optimum(self, sides: EdgeSides) -> tuple[Array, Array]:
        """(E, 3) where the sum of the quadrics of an edge's ends is least, and (E,) that least."""
        a, b = sides.ends.T
        total = self.quadrics[a] + self.quadrics[b]
        matrix, linear, constant = total[:, :9].reshape(-1, 3, 3), total[:, 9:12], total[:, 12]
        place = np.linalg.solve(matrix, -linear[..., None])[..., 0]
        cost = constant + dot(linear, place)
        # An inner vertex that meets a border goes there; the border stays in place.
        on_border = vertices_of(sides.ends[sides.border], len(self.points))[sides.ends]
        for own in range(2):
            rows = on_border[:, own] & ~on_border[:, 1 - own]
            x = self.points[sides.ends[rows, own]]
            place[rows] = x
            cost[rows] = (
                constant[rows] + 2 * dot(linear[rows], x) + np.einsum("ni,nij,nj->n", x, matrix[rows], x)
            )
        return place, cost

    def _unfolded(self, ends: Array, place: Array) -> Array:
        """Whether merging turns no face around by much, and makes no needle."""
        of = _owners(ends, len(self.points))[self.faces]
        at = of >= 0
        changed = at.sum(axis=1) == 1  # those with both ends vanish
        faces, moved = self.faces[changed], at[changed]
        old, new = self.points[faces], self.points[faces]
        new[moved] = place[of[changed][moved]]
        upright = dot(unit(normals_of(old)), unit(normals_of(new)))
        before, after = quality(old), quality(new)
        fine = (upright > self.rules.turned) & ((after > self.rules.poor) | (after > before))
        spoiled = np.zeros(len(ends), dtype=bool)
        spoiled[of[changed][~fine].max(axis=1)] = True
        return ~spoiled

    def _merge(self, ends: Array, place: Array) -> None:
        a, b = ends.T
        self.points[a] = place
        self.quadrics[a] += self.quadrics[b]
        rename = np.arange(len(self.points))
        rename[b] = a
        faces = rename[self.faces]
        gone = (faces == np.roll(faces, 1, axis=1)).any(axis=1)
        self.faces = faces[~gone]


def _quadrics(points: Array, faces: Array, constants: Decimation) -> Array:
    """(V, 13): of each vertex the matrix (9), half the linear part (3) and the constant of its quadric."""
    corners = points[faces]
    normals = normals_of(corners)
    doubled = length_of(normals)
    normal = unit(normals)
    # Its own place, a little: where planes leave a choice, merged vertices meet in the middle.
    found = sum_at(faces, _plane(normal, corners[:, 0], doubled / 6), len(points))
    found += _point(points, sum_at(faces, constants.hold * doubled[:, None] / 6, len(points))[:, 0])
    sides = edge_sides(faces, len(points))
    a, b = sides.ends[sides.border].T
    along = points[b] - points[a]
    across = unit(np.cross(along, normal[sides.faces[sides.border, 0]]))
    walls = _plane(across, points[a], constants.border * dot(along, along))
    return found + sum_at(sides.ends[sides.border], walls, len(points))


def _plane(normal: Array, point: Array, weight: Array) -> Array:
    """(N, 13) quadrics: weight (normal . (x - point))²."""
    away = -dot(normal, point)
    outer = normal[:, :, None] * normal[:, None, :]
    parts = [outer.reshape(-1, 9), normal * away[:, None], (away**2)[:, None]]
    return np.concatenate(parts, axis=1) * weight[:, None]


def _point(point: Array, weight: Array) -> Array:
    """(N, 13) quadrics: weight |x - point|²."""
    parts = [np.broadcast_to(np.eye(3).reshape(1, 9), (len(point), 9)), -point, dot(point, point)[:, None]]
    return np.concatenate(parts, axis=1) * weight[:, None]
