"""The hull of the masks, carved by the depths that photographs confirm to one another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter, zoom
from torch import Tensor

from ...constants import DEFAULTS, Carving, Patches
from ...mesh.closest import closest_points
from ...rasterizer.api import edge_table
from ...scenes.carving.grid import Grid
from ...scenes.views import Views
from ..frame import Frame
from ..photo_consistency.depth_maps import depth_maps
from ..photo_consistency.sweep import DepthMap
from ..photo_consistency.term import PhotoConsistency
from .hull import Hull, surface_of

_AT_ONCE = 1 << 20  # nodes


def carved_by_photographs(
    hull: Hull,
    views: Views,
    frame: Frame,
    *,
    finer: bool = True,
    constants: Carving = DEFAULTS.carving,
    patches: Patches = DEFAULTS.patches,
) -> Hull | None:
    """The hull without what photographs see to be empty; None if most of them agree better over the hull as it is.

    Each photograph's depths are found by sweeping, see `depth_maps`. That there are handles, or parts, which the masks
    don't show is more than they can say: ever wider gaps are closed until there are none. Where that is in vain, the
    answer is None, too. Photographs are asked before that and after it, and have to be for it each time.

    Parameters
    ----------
    hull : Hull
        Of the views' masks, in the scene's coordinates.
    views : Views
    frame : Frame
        With the object in the unit sphere.
    finer : bool
        Whether it may differ from the hull by no more than rounding to the hull's grid makes of it (squared, a twelfth
        of a squared cell in the mean); else the answer is None there, too.
    constants : Carving, optional
    patches : Patches, optional
    """
    term = PhotoConsistency(views, frame.normalized(views.cameras), constants=patches)
    maps = depth_maps(term, frame.inside(hull.vertices).to(frame.device))
    if not maps:
        return None
    middle, radius = frame.center.numpy(), frame.radius
    grid = Grid((hull.grid.corner - middle) / radius, hull.grid.cell / radius, hull.grid.shape)
    fine, outer, field = fused(grid, hull.field / radius, maps, term)
    scene = Grid(fine.corner * radius + middle, fine.cell * radius, fine.shape)

    vote = _Vote(hull, term, frame)

    def worth(carved: Hull) -> bool:
        """Whether it differs from the hull, and most photographs agree better over it."""
        return (finer or 12.0 * _squared_cells_between(carved, hull) > 1.0) and vote.for_(carved)

    # Asked before gaps are closed, too: that takes most of the time, and only brings it nearer to the hull.
    unclosed = surface_of(scene, field / fine.cell * scene.cell, constants)
    if unclosed is None or not worth(unclosed):
        return None
    if _simple(unclosed, hull):
        return unclosed
    # Between its nodes the hull may have got handles, too: these are closed first.
    whole = _as_simple(outer / fine.cell, np.full(fine.shape, np.inf), hull, scene, constants)
    carved = whole and _as_simple(field / fine.cell, whole[1], hull, scene, constants)
    return carved[0] if carved and worth(carved[0]) else None


def _simple(surface: Hull, hull: Hull) -> bool:
    """Whether it has no more handles and parts than the hull."""
    return surface.genus <= hull.genus and surface.parts <= hull.parts


def _squared_cells_between(carved: Hull, hull: Hull) -> float:
    """Mean squared distance of one hull from another, in the other one's cells."""
    found = closest_points(carved.vertices, hull.vertices, hull.faces)
    return float((found.distances / hull.grid.cell).square().mean())


def _as_simple(
    field: np.ndarray, outer: np.ndarray, hull: Hull, scene: Grid, constants: Carving
) -> tuple[Hull, np.ndarray] | None:
    """The surface of a field, and the field, with gaps closed until it has no more handles and parts than the hull."""
    for closed in _closed(field, outer):
        found = surface_of(scene, closed * scene.cell, constants)
        if found is not None and _simple(found, hull):
            return found, closed
    return None


def _closed(field: np.ndarray, outer: np.ndarray) -> Iterator[np.ndarray]:
    """Distances in cells as they are, then with ever wider gaps closed, twice as wide each time, as far as `outer`."""
    yield field
    inside, width = field > 0, 2  # a width of one grows nothing: from node to node it is two
    while inside.any() and 2 * width <= min(field.shape):
        inner = (slice(width, -width),) * 3  # grown solids reach beyond the grid
        grown = distance_transform_edt(~np.pad(inside, width)) < width
        depth = distance_transform_edt(grown)[inner]
        yield np.minimum(np.maximum(field, depth - width), outer)
        width *= 2


class _Vote:
    """Whether most photographs agree better with their neighbours over another surface than over the hull."""

    def __init__(self, hull: Hull, term: PhotoConsistency, frame: Frame) -> None:
        self._term, self._frame, self._level = term, frame, min(1, term.levels - 1)
        self._hull, self._losses = self._placed(hull), dict[int, float | None]()

    @torch.no_grad()
    def for_(self, carved: Hull) -> bool:
        """Photographs are asked until it is decided; what they lose over the hull is kept for the next question."""
        surface, count = self._placed(carved), len(self._term.neighbors)
        votes = heard = 0
        for index in range(count):
            left = count - index
            if 2 * votes > heard + left or 2 * votes + left <= heard:
                break  # whatever the others say
            if index not in self._losses:
                self._losses[index] = self._loss(self._hull, index)
            before, after = self._losses[index], self._loss(surface, index)
            if before is not None and after is not None:
                votes, heard = votes + int(after < before), heard + 1
        return 2 * votes > heard

    def _placed(self, hull: Hull) -> tuple[Tensor, Tensor, Tensor]:
        """Vertices in the coordinates of the term, faces, and the table of edges."""
        faces = hull.faces.int().to(self._frame.device)
        return self._frame.inside(hull.vertices).to(self._frame.device), faces, edge_table(faces)

    def _loss(self, surface: tuple[Tensor, Tensor, Tensor], index: int) -> float | None:
        """What a photograph loses, if it says anything."""
        found = self._term.evidence(*surface, self._term.group(index, 0), level=self._level)
        return None if found is None else float(found.loss)


def fused(
    grid: Grid, hull: np.ndarray, maps: dict[int, DepthMap], term: PhotoConsistency
) -> tuple[Grid, np.ndarray, np.ndarray]:
    """Signed distances on a grid twice as fine, positive inside: to the hull, and to the hull with depths in it.

    Each depth votes on the nodes before it, which it sees to be empty, and on those just behind it, which belong to the
    object: by how far they are from it, up to some cells. It counts as often as others confirm it, but for the first
    of them, which may have made the same mistake, and as much as there is texture. The hull has one vote, that its
    inside is full.

    Parameters
    ----------
    grid : Grid
        In the coordinates of the term.
    hull : np.ndarray
        Signed distance to it on the grid, positive inside.
    maps : dict
        See `depth_maps`.
    term : PhotoConsistency

    References
    ----------
    Curless, Levoy: A Volumetric Method for Building Complex Models from Range Images. SIGGRAPH 1996.
    """
    band = term.constants.band
    found = np.minimum(
        hull, _voted(grid.points(), hull.reshape(-1), maps, term, band * grid.cell).reshape(hull.shape)
    )
    # Between the nodes only what is near a surface has to be asked.
    fine = Grid(grid.corner, grid.cell / 2, tuple(2 * n - 1 for n in hull.shape))
    outer, inner = (_between(field) for field in (hull, found))
    near = np.abs(inner) < 2 * grid.cell
    nodes = fine.cell * np.argwhere(near) + fine.corner
    inner[near] = _voted(nodes, outer[near], maps, term, band * fine.cell)
    inner = gaussian_filter(np.clip(inner, -band * fine.cell, band * fine.cell), 1.0)
    return fine, outer, np.minimum(outer, inner)


def _between(field: np.ndarray) -> np.ndarray:
    """Values at the nodes and half-way between them."""
    return zoom(field, [(2 * n - 1) / n for n in field.shape], order=1, grid_mode=False)


def _voted(
    nodes: np.ndarray, hull: np.ndarray, maps: dict[int, DepthMap], term: PhotoConsistency, reach: float
) -> np.ndarray:
    """Mean of the votes on each node, positive inside, at most `reach`."""
    result = np.full(len(nodes), reach)
    inside = np.flatnonzero(hull > -reach)
    for first in range(0, len(inside), _AT_ONCE):
        some = inside[first : first + _AT_ONCE]
        points = torch.from_numpy(nodes[some]).float()
        total, count = torch.full((len(some),), reach), torch.ones(len(some))
        for index, made in maps.items():
            distance, weight = _votes(points, made, index, term, reach)
            total, count = total - weight * distance, count + weight
        result[some] = (total / count).numpy()
    return result


def _votes(
    points: Tensor, made: DepthMap, index: int, term: PhotoConsistency, reach: float
) -> tuple[Tensor, Tensor]:
    """How far each point is in front of what a photograph shows, at most `reach`; and what that counts."""
    camera = term.cameras([index], made.level).to("cpu")
    pixels, depth = camera.project(points)
    height, width = made.inverse.shape
    columns, rows = pixels[0].floor().long().unbind(1)
    seen = (depth[0] > 0) & (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    at = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    inverse, score, confirmed = (
        part.reshape(-1).cpu()[at] for part in (made.inverse, made.score, made.confirmed)
    )
    distance = 1.0 / inverse.clamp_min(1e-12) - depth[0]
    # What is far behind a surface isn't known to be the object; votes fade out on the way there.
    fading = (1.0 + distance / reach).clamp(0.0, 1.0)
    weight = score * (confirmed - 1.0).clamp_min(0.0) * fading * (seen & (inverse > 0))
    return distance.clamp(-reach, reach), weight
