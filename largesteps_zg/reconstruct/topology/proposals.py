"""Other solids that might be the object: what photographs see through is gone, cavities are deeper, gaps are closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt, gaussian_filter
from torch import Tensor

from ...constants import DEFAULTS, Topology
from ...geometry.connectivity import vertex_components
from ...geometry.normals import face_normals
from ..batch import Batch
from .solid import NEAR, Solid

_MARGIN = 6  # cells around what goes: rounding reaches 4, and surfaces lie within 1 of a node


@dataclass(frozen=True)
class Proposal:
    """Another solid.

    Attributes
    ----------
    name : str
        What was done: "opened", "carved", "closed" or "cut".
    field : (X, Y, Z) array
        Signed distances to its surface on the grid of the present one, positive inside.
    """

    name: str
    field: np.ndarray

    def allowed(self, before: Solid, after: Solid) -> bool:
        """Whether a surface may change so by this: only what photographs see through may get handles or parts."""
        handles, parts = after.handles - before.handles, after.parts - before.parts
        if self.name == "carved":
            return handles == parts == 0
        return self.name == "opened" or (handles < 0 and parts <= 0)


def seen_through(
    solid: Solid, photographs: Batch, constants: Topology = DEFAULTS.topology
) -> Iterator[Proposal]:
    """The solid without the nodes at which at least two photographs, or one, see no object a cell around."""
    points = solid.nodes_inside
    count = torch.zeros(len(points), dtype=torch.int64)
    for i in range(len(photographs)):
        count += _empty(points, photographs, i, solid.grid.cell)
    for least in constants.seers:
        gone = (count >= least).numpy()
        if gone.any():
            yield Proposal("opened", _without(solid, gone))


def _empty(points: Tensor, photographs: Batch, i: int, cell: float) -> Bool[Tensor, " N"]:
    """Whether a photograph shows no object within a cell around each point, as far as is known."""
    object_ = (photographs.targets[i, ..., 3] > 0).cpu().numpy()
    if photographs.weights is not None:
        object_ |= photographs.weights[i].cpu().numpy() <= 0
    away = torch.from_numpy(distance_transform_edt(~object_)).float()
    camera = photographs.cameras[i].to("cpu", torch.float32)
    pixels, depth = (part[0] for part in camera.project(points))
    columns, rows = pixels.floor().long().unbind(1)
    height, width = away.shape
    inside = (depth > 0) & (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    reach = 1.0 + cell * float(camera.intrinsics[0, 0, 0]) / depth.clamp_min(1e-6)
    return inside & (away[rows.clamp(0, height - 1), columns.clamp(0, width - 1)] > reach)


def carved(
    solid: Solid, doubts: Float[Tensor, " V"], constants: Topology = DEFAULTS.topology
) -> Iterator[Iterator[Proposal]]:
    """The solid with a part of its surface sunk into it, ever deeper: smaller and larger parts that photographs doubt.

    A part moves along its mean normal, each point of it by the same share of its way through the object: the floor of a
    cavity is like the wall behind it. Walls of some thickness stay along the rest of the surface.
    """
    for share in constants.doubted:
        patch = doubted(solid, doubts, share, constants.rings)
        if patch is not None:
            rest, depth = _from_rest(solid, patch), _depth(solid, patch)
            for wall in constants.walls:
                yield _sunk(solid, np.where(rest > wall, depth, np.inf), constants.depths)


def _from_rest(solid: Solid, patch: Tensor) -> Float[np.ndarray, " N"]:
    """How far each node inside is from the rest of the surface, in cells, to about one."""
    middles = solid.vertices[solid.faces[~patch]].mean(dim=1).double().numpy()
    nodes = np.rint((middles - solid.grid.corner) / solid.grid.cell).astype(int)
    free = np.ones(solid.field.shape, dtype=bool)
    free[tuple(nodes.T)] = False
    return distance_transform_edt(free)[solid.field > 0]


def _depth(solid: Solid, patch: Tensor) -> Float[np.ndarray, " N"]:
    """How deep each node inside lies under a part of the surface, as a share of the way through; infinite beside it."""
    points, normals = solid.nodes_inside, face_normals(solid.vertices, solid.faces, normalize=False)
    inwards = -torch.nn.functional.normalize(normals[patch].sum(dim=0), dim=0)
    entry, before = solid.rays(points, -inwards)
    last, behind = solid.rays(points, inwards)
    depth = before / (before + behind).clamp_min(1e-12)
    under = (entry >= 0) & (last >= 0) & patch[entry.clamp_min(0)]
    return torch.where(under, depth, torch.inf).numpy()


def _sunk(solid: Solid, depth: Float[np.ndarray, " N"], depths: tuple[float, ...]) -> Iterator[Proposal]:
    """A part of the surface ever deeper; no cavity is what the steps of a run reach by themselves."""
    below = solid.field[solid.field > 0]
    for wanted in depths:
        gone = depth <= wanted
        if (below[gone] > NEAR * solid.grid.cell).any():
            yield Proposal("carved", _without(solid, gone))


def doubted(solid: Solid, doubts: Float[Tensor, " V"], share: float, rings: int) -> Bool[Tensor, " F"] | None:
    """Faces of the largest connected part of such a share of the surface, that with the greatest doubts."""
    faces = solid.faces
    areas = face_normals(solid.vertices, faces, normalize=False).norm(dim=1)
    of_faces = doubts[faces].mean(dim=1)
    order = of_faces.argsort(descending=True)
    chosen = torch.zeros(len(faces), dtype=torch.bool)
    chosen[order[areas[order].cumsum(dim=0) <= share * areas.sum()]] = True
    if not bool((of_faces[chosen] > 0).any()):
        return None
    part = vertex_components(faces[chosen], len(solid.vertices))[faces[:, 0]]
    sizes = torch.zeros(int(part.max()) + 1).index_add_(0, part[chosen], areas[chosen])
    return _filled(chosen & (part == int(sizes.argmax())), faces, rings)


def _filled(patch: Tensor, faces: Tensor, rings: int) -> Tensor:
    """A part of a surface without gaps in it: grown, and shrunk by as much."""
    for kept in (True, False):
        for _ in range(rings):
            reached = torch.zeros(int(faces.max()) + 1, dtype=torch.bool)
            reached[faces[patch == kept].reshape(-1)] = True
            patch = torch.where(reached[faces].any(dim=1), kept, patch)
    return patch


def simpler(solid: Solid, constants: Topology = DEFAULTS.topology) -> Iterator[Iterator[Proposal]]:
    """The solid with ever wider gaps closed, or ever thicker bridges cut, where it has handles."""
    if solid.handles > 0:
        yield _closed(solid, "closed", 1.0, constants.rings)
        yield _closed(solid, "cut", -1.0, constants.rings)


def _closed(solid: Solid, name: str, sign: float, rings: int) -> Iterator[Proposal]:
    """Ever wider gaps of the inside, or of the outside."""
    given, width = sign * solid.field / solid.grid.cell, 1
    while 2 * width <= max(given.shape):
        closing = _closing(given, width)
        # Rounding to nodes is no gap: what is new has to lie a cell away from the old, and reaches into it.
        new = (closing > 0) & (given < -1)
        if new.any():
            plug = (closing > 0) & (distance_transform_edt(~new) <= rings)
            filled = np.maximum(given, gaussian_filter(_distances(plug), 1.0))
            yield Proposal(name, sign * solid.grid.cell * filled)
        width *= 2


def _closing(field: np.ndarray, width: int) -> np.ndarray:
    """Distances in cells of a solid grown and shrunk by so many."""
    inner = (slice(width, -width),) * 3  # grown solids reach beyond the grid
    padded = np.pad(field, width, mode="edge")
    return (_distances(_distances(padded > 0) + width > 0) - width)[inner]


def _distances(inside: np.ndarray) -> np.ndarray:
    """To the nearest node on the other side, half a cell less, positive inside."""
    if inside.all() or not inside.any():
        return np.where(inside, float(max(inside.shape)), -float(max(inside.shape)))
    return np.where(inside, distance_transform_edt(inside) - 0.5, 0.5 - distance_transform_edt(~inside))


def _without(solid: Solid, gone: Bool[np.ndarray, " N"]) -> np.ndarray:
    """The field without some of the nodes inside, a little rounded, since steps of cells aren't the object's."""
    cut = np.zeros(solid.field.shape, dtype=bool)
    cut[solid.field > 0] = gone
    box = tuple(
        slice(max(int(along.min()) - _MARGIN, 0), int(along.max()) + _MARGIN + 1) for along in np.nonzero(cut)
    )
    hollow, field = gaussian_filter(_distances(cut[box]), 1.0), solid.field.copy()
    field[box] = np.minimum(field[box], -solid.grid.cell * hollow)
    return field
