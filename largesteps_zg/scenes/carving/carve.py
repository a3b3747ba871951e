"""Signed distance to the visual hull on a grid.

It runs in NumPy on the CPU, as `scenes.carving.bounds` does: no gradient passes through, and the grid is the only large
array.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates
from torch import Tensor

from ..views import Views

MARGIN = 1.06  # of the bounding sphere's radius: half the side of the grid
_BAND = 3.0  # cells outside the hull up to which distances are exact
_MASK_PIXELS = 400  # masks are shrunk to about this many pixels, finer than the grid
# The share of views that may disagree, and by how many pixels a mask may be too small; tried in this order.
_TOLERANCES = ((0.0, 0.0), (0.0, 1.0), (0.03, 1.0), (0.06, 2.0), (0.12, 3.0))
_COVERED = 0.98  # of a mask's pixels: a hull should explain as many


@dataclass(frozen=True)
class Grid:
    """Nodes of a cube.

    Attributes
    ----------
    corner : (3,) float64
        The first node.
    cell : float
        Distance between nodes.
    shape : three int
        Nodes along each side.
    """

    corner: np.ndarray
    cell: float
    shape: tuple[int, int, int]

    def points(self) -> np.ndarray:
        """(N, 3) float64, the last axis fastest."""
        ticks = np.meshgrid(*(self.cell * np.arange(nodes) for nodes in self.shape), indexing="ij")
        return np.stack(ticks, axis=-1).reshape(-1, 3) + self.corner

    def around(self, field: np.ndarray) -> tuple[Grid, np.ndarray]:
        """The part of the grid where a field is positive, two nodes larger on each side, and the field there."""
        where = []
        for axis in range(3):
            filled = np.flatnonzero((field > 0).any(axis=tuple({0, 1, 2} - {axis})))
            where.append(slice(max(filled[0] - 2, 0), filled[-1] + 3) if len(filled) else slice(0, 5))
        part = field[tuple(where)]
        corner = self.corner + self.cell * np.array([along.start for along in where])
        return Grid(corner, self.cell, (part.shape[0], part.shape[1], part.shape[2])), part


@dataclass(frozen=True)
class Outline:
    """A mask as its camera's cone.

    Attributes
    ----------
    world_to_image : (3, 4) float64
        K [R t], of the shrunk mask.
    pixel : float
        Size of a pixel at depth 1.
    distance : (h, w) float32
        In pixels, from a pixel's centre to the outline; negative outside.
    """

    world_to_image: np.ndarray
    pixel: float
    distance: np.ndarray

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (2, N) as (row, column), from the middle of the first one; and depths (N,)."""
        x = self.world_to_image[:, :3] @ points.T + self.world_to_image[:, 3:]
        depth = np.where(np.abs(x[2]) > 1e-12, x[2], 1e-12)
        return (x[:2] / depth)[::-1] - 0.5, x[2]

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """(N,) in the world's units at each point's depth: positive where the point is seen inside the mask.

        Beyond the border of the image the nearest pixel decides, so a mask that touches it goes on.
        """
        pixels, depth = self.project(points)
        last = np.array(self.distance.shape)[:, None] - 1
        inside = np.clip(pixels, 0, last)
        found = map_coordinates(self.distance, inside, order=1, mode="nearest", output=np.float64)
        beyond = np.sqrt(np.square(pixels - inside).sum(axis=0))
        found = np.where(found < 0, found - beyond, found)
        return np.where(depth > 0, found * self.pixel * depth, -np.inf)


def outlines(views: Views) -> list[Outline]:
    """The masks of all views, shrunk to a size that suits a grid."""
    matrices = views.cameras.world_to_camera.detach().cpu().double().numpy()[:, :3]
    intrinsics = views.cameras.intrinsics.detach().cpu().double().numpy()
    factor = max(1, max(views.cameras.height, views.cameras.width) // _MASK_PIXELS)
    found = []
    for i in range(len(views)):
        alpha = views.images[i, ..., 3].cpu().numpy()
        if views.known is not None:
            known = views.known[i].cpu().numpy()
            nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
            alpha = alpha[tuple(nearest)]
        mask = _shrunk(alpha, factor) >= 127.5
        # The outline lies between the last pixel inside and the first outside, which are 1 apart.
        inner, outer = (
            distance_transform_edt(part) for part in (np.pad(mask, 1, "edge"), np.pad(~mask, 1, "edge"))
        )
        distance = np.where(mask, inner[1:-1, 1:-1] - 0.5, 0.5 - outer[1:-1, 1:-1])
        k = intrinsics[i] / np.array([factor, factor, 1.0])[:, None]
        found.append(
            Outline(k @ matrices[i], 1 / float(np.sqrt(k[0, 0] * k[1, 1])), distance.astype(np.float32))
        )
    return found


def _shrunk(image: np.ndarray, factor: int) -> np.ndarray:
    """Means over squares of pixels; those at the far border may be smaller."""
    sums, ones = image.astype(np.float64), np.ones(image.shape)
    for axis in (0, 1):
        starts = np.arange(0, image.shape[axis], factor)
        sums, ones = (np.add.reduceat(part, starts, axis=axis) for part in (sums, ones))
    means: np.ndarray = sums / ones
    return means


def carve(views: Views, center: Tensor, radius: float, cells: int) -> tuple[Grid, np.ndarray, list[Outline]]:
    """Signed distance to the visual hull, positive inside, exact near its surface, on a grid around it.

    If the intersection of all cones fills the masks, the hull is that intersection. Otherwise the hull also holds
    points that a few views miss, or that views miss by a few pixels, because cameras and masks are never exact.
    """
    half = MARGIN * radius
    corner = center.detach().cpu().double().numpy() - half
    grid = Grid(corner, 2 * half / cells, (cells + 1,) * 3)
    cones = outlines(views)
    best, most = np.empty(0), -1.0
    for share, pixels in _TOLERANCES:
        field = _votes(grid, cones, int(share * len(cones)), pixels)
        covered = coverage(grid, field, cones)
        if covered > most:
            best, most = field, covered
        if covered >= _COVERED:
            break
    return *grid.around(best), cones


def _votes(grid: Grid, cones: list[Outline], dissenters: int, slack: float) -> np.ndarray:
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


def seen(cone: Outline, points: np.ndarray, cell: float) -> Seen:
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


def coverage(grid: Grid, field: np.ndarray, cones: list[Outline]) -> float:
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
