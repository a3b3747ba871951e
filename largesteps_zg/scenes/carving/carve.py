"""Signed distance to the visual hull on a grid, the only large array here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...constants import DEFAULTS, Carving
from ..views import Views
from .cones import FINE, Cone, cones_of, known_depth
from .grid import Grid

MARGIN = 1.06  # of the bounding sphere's radius: half the side of the grid
_BAND = 3.0  # cells outside the hull up to which distances are exact


def carve(
    views: Views, center: Tensor, radius: float, cells: int, constants: Carving = DEFAULTS.carving
) -> tuple[Grid, np.ndarray, list[Cone]]:
    """Signed distance to the visual hull, positive inside, exact near its surface, on a grid around it.

    If the intersection of all cones fills the masks, the hull is that intersection. Otherwise the hull also holds
    points that a few views miss, or that views miss by a few pixels, because cameras and masks are never exact. Nothing
    of it lies outside the views' ball, if they have one.
    """
    grid = Grid.nodes(center.detach().cpu().double().numpy(), MARGIN * radius, cells)
    cones = cones_of(views, size=FINE)
    known = np.maximum(known_depth(views, cones, grid.points()), -_BAND * grid.cell).reshape(grid.shape)
    best, most = np.empty(0), -1.0
    for share, pixels in constants.tolerances:
        field = _votes(grid, cones, int(share * len(cones)), pixels)
        field = np.minimum(field, known)
        covered = coverage(grid, field, cones)
        if covered > most:
            best, most = field, covered
        if covered >= constants.covered:
            break
    return *grid.around(best), cones


def _votes(grid: Grid, cones: list[Cone], dissenters: int, slack: float) -> np.ndarray:
    """The smallest signed distance over the views but for the few that are smaller still."""
    points = grid.points()
    lowest = np.full((dissenters + 1, len(points)), np.inf)  # ascending
    near = np.arange(len(points))
    for cone in cones:
        distance = cone.signed_distance(points[near])
        if slack:
            distance = distance + slack * cone.pixel * cone.project(points[near])[1]
        merged = np.vstack([lowest[:, near], distance])
        merged.sort(axis=0)
        lowest[:, near] = merged[:-1]
        near = near[merged[-2] > -_BAND * grid.cell]  # other points are outside for good
    return np.clip(lowest[-1], -_BAND * grid.cell, None).reshape(grid.shape)


@dataclass(frozen=True)
class Seen:
    """Where a view's rays first enter and last leave the hull, on coarse pixels about as large as a cell."""

    step: float  # pixels along the side of a coarse one
    row: np.ndarray  # (N,) of each point
    column: np.ndarray
    depth: np.ndarray
    first: np.ndarray  # (h, w), infinite where no point is seen
    last: np.ndarray


def seen(cone: Cone, points: np.ndarray, cell: float) -> Seen:
    """The points of a hull on a view's coarse pixels."""
    pixels, depth = cone.project(points)
    step = max(1.0, 1.8 * cell / (cone.pixel * float(depth.min())))  # no gaps between neighbouring points
    size = [int(extent / step) + 1 for extent in cone.distance.shape]
    row, column = (
        np.clip((p + 0.5) / step, 0, n - 1).astype(np.int64) for p, n in zip(pixels, size, strict=True)
    )
    first, last = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(first, (row, column), depth)
    np.maximum.at(last, (row, column), depth)
    return Seen(step, row, column, depth, first, last)


def coverage(grid: Grid, field: np.ndarray, cones: list[Cone]) -> float:
    """The share of each mask that the hull covers; mean over the views."""
    points = grid.points()[(field > -0.5 * grid.cell).reshape(-1)]
    if len(points) == 0:
        return 0.0
    shares = []
    for cone in cones:
        found = seen(cone, points, grid.cell)
        rows, columns = np.nonzero(cone.distance > 0)
        at = tuple(((pixels + 0.5) / found.step).astype(int) for pixels in (rows, columns))
        hit = np.isfinite(found.first)[at]
        shares.append(hit.mean() if len(hit) else 1.0)
    return float(np.mean(shares))
