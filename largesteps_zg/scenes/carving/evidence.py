"""Which parts of a visual hull the masks ask for, and which are there only because no view could carve them away."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..photographs.masking import enclosed
from ..views import Views
from .carve import seen
from .cones import Cone, masks_of
from .grid import Grid

REACH = 0.05  # of the bounding sphere's radius: how near a view places what it confirms
EROSIONS = (0.5, 1.0, 1.5, 2.0)  # cells that are taken off what no view confirms
THICKENINGS = (0.5, 0.75, 1.0)  # cells that are added where the grid has torn holes that no mask shows
_SMALLEST_HOLE = 3e-4  # of the mask's pixels, and four of them: less is noise at an outline


def confirmed(grid: Grid, field: np.ndarray, cones: list[Cone], reach: float) -> np.ndarray:
    """Whether a view confirms each node of the hull, bool like `field`.

    ::

        o --------(xxx)--------      a ray that meets the hull here only: something must be here
        o ---(xxxxx)----(xx)---      one of the two may be nothing but what no view could carve away

    A view confirms a point when its ray stays inside a ball around it wherever it is inside the hull at all. The ball
    is the largest around the point that the hull holds, doubled, and not less than `reach`.
    """
    inside = field > 0
    points = grid.points()[inside.reshape(-1)]
    ball = np.maximum(2.0 * field[inside], reach) + grid.cell
    found_by = np.zeros(len(points), dtype=bool)
    for cone in cones:
        found = seen(cone, points, grid.cell)
        where = (found.row, found.column)
        extent = np.maximum(found.depth - found.first[where], found.last[where] - found.depth)
        found_by |= extent <= ball
    result = np.zeros(field.shape, dtype=bool)
    result[inside] = found_by
    return result


def balls(grid: Grid, field: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Signed distance to the union of the balls that the hull holds around the kept nodes: a cell too small at most."""
    largest = max(float(field.max()), 1.01 * grid.cell)
    union = np.full(field.shape, -np.inf)
    for size in (0.0, 0.5 * grid.cell, *np.geomspace(grid.cell, largest, 8)):
        chosen = kept & (field > size)
        if not chosen.any():
            break
        union = np.maximum(union, max(size, 0.5 * grid.cell) - distance_transform_edt(~chosen) * grid.cell)
    return union


def unconfirmed(grid: Grid, field: np.ndarray, cones: list[Cone], radius: float) -> np.ndarray:
    """From 0, where a view confirms the hull, to 1, a cell away from there.

    Between the legs of an animal, where few views look through, cones leave thin bridges: handles that the object does
    not have. Carving everything deeper would break them, and with them thin ears and the handle of a cup; these some
    view confirms.
    """
    firm = confirmed(grid, field, cones, REACH * radius)
    return np.clip(-balls(grid, field, firm) / grid.cell, 0.0, 1.0)


def views_with_holes(views: Views) -> int:
    """How many masks enclose background, more than noise."""
    found = 0
    for mask in masks_of(views):
        sizes = np.bincount(enclosed(mask).ravel())[1:]
        found += bool((sizes >= max(4.0, _SMALLEST_HOLE * mask.sum())).any())
    return found
