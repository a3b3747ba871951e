"""Which parts of a visual hull a view confirms, and which are left only because no view could carve them away."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from ...constants import DEFAULTS, Carving
from ..photographs.masking import enclosed
from ..views import Views
from .carve import seen
from .cones import Cone, masks_of
from .grid import Grid


def confirmed(grid: Grid, field: np.ndarray, cones: list[Cone], reach: float) -> np.ndarray:
    """Whether a view confirms each node of the hull, bool like `field`.

    ::

        o --------(xxx)--------      the ray meets the hull only here: the object must be here
        o ---(xxxxx)----(xx)---      one of the two may be left only because no view could carve it away

    A view confirms a point if all of its ray that is inside the hull is also inside a ball around the point. The ball
    is twice the largest one around the point that the hull holds, and not smaller than `reach`.
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
    """Signed distance to the union of the balls that the hull holds around the kept nodes; at most a cell too small."""
    largest = max(float(field.max()), 1.01 * grid.cell)
    union = np.full(field.shape, -np.inf)
    for size in (0.0, 0.5 * grid.cell, *np.geomspace(grid.cell, largest, 8)):
        chosen = kept & (field > size)
        if not chosen.any():
            break
        union = np.maximum(union, max(size, 0.5 * grid.cell) - distance_transform_edt(~chosen) * grid.cell)
    return union


def unconfirmed(
    grid: Grid, field: np.ndarray, cones: list[Cone], radius: float, constants: Carving = DEFAULTS.carving
) -> np.ndarray:
    """From 0, where a view confirms the hull, to 1, a cell away from there.

    Few views look between the legs of an animal. There cones leave thin bridges, which are handles that the object does
    not have. Carving deeper everywhere would break them, but also thin ears and the handle of a cup. Some view confirms
    the ears and the handle, and none the bridges.
    """
    firm = confirmed(grid, field, cones, constants.confirmed * radius)
    return np.clip(-balls(grid, field, firm) / grid.cell, 0.0, 1.0)


def views_with_holes(views: Views, constants: Carving = DEFAULTS.carving) -> int:
    """The number of masks that enclose more background than noise would."""
    found = 0
    for mask in masks_of(views):
        least = max(constants.fewest_pixels, constants.smallest_hole * mask.sum())
        sizes = np.bincount(enclosed(mask).ravel())[1:]
        found += bool((sizes >= least).any())
    return found
