"""Polygons to triangles along diagonals that lie inside them, convex or not."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import numpy as np

_Point = tuple[float, float]

# Corners of a polygon that has to be cut ear by ear. The time grows with the square: a spiral of so many takes 1.4 s
# on one core, `pytest --durations=3 tests/test_polygons.py` tells it anew.
MOST_CORNERS = 4096


def triangulated(points: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of polygons in space; one of n corners gives n - 2, and every corner stays in use.

    The fan of the first corner is taken where all of its triangles face the way of the polygon, as in every
    convex one. Else a quad gets its other diagonal, and larger polygons are cut ear by ear. Corners on a
    straight line are kept, for the neighbours may have triangles there. Polygons that cross themselves have no right
    answer; they too give n - 2 triangles.

    Parameters
    ----------
    points : (C, 3) float array
        Positions of the corners, polygon after polygon.
    sizes : (F,) int array
        How many corners each has. Those of fewer than three give no triangles.

    Returns
    -------
    triangles : (T, 3) int64 array
        Into `points`; polygon after polygon.
    owners : (T,) int64 array
        The polygon of each triangle.

    Raises
    ------
    ValueError
        A polygon that has to be cut ear by ear has more than `MOST_CORNERS`.
    """
    starts = np.cumsum(sizes) - sizes
    counts = np.maximum(sizes - 2, 0)
    firsts = np.cumsum(counts) - counts
    triangles = np.empty((int(counts.sum()), 3), dtype=np.int64)
    for size in np.unique(sizes[sizes >= 3]):
        chosen = np.flatnonzero(sizes == size)
        local = _of_one_size(points[starts[chosen][:, None] + np.arange(size)])  # (M, n - 2, 3)
        triangles[firsts[chosen][:, None] + np.arange(size - 2)] = local + starts[chosen][:, None, None]
    return triangles, np.repeat(np.arange(len(sizes)), counts)


def _of_one_size(corners: np.ndarray) -> np.ndarray:
    """(M, n - 2, 3) indices of corners, of M polygons with n corners (M, n, 3) each."""
    count, size, _ = corners.shape
    fan = np.stack([np.zeros(size - 2, dtype=np.int64), np.arange(1, size - 1), np.arange(2, size)], axis=1)
    triangles = np.repeat(fan[None], count, axis=0)
    if size == 3:
        return triangles
    with np.errstate(all="ignore"):  # positions that are not finite are named later
        facing = _facing(corners, fan)  # (M, n - 2)
        # Not "<= 0": numbers that are not finite have no better diagonals.
        wrong = np.isfinite(facing).all(axis=1) & ~(facing > 0).all(axis=1)
        if size == 4:
            other = (fan + 1) % 4
            wrong[wrong] = _facing(corners[wrong], other).min(axis=1) > facing[wrong].min(axis=1)
            triangles[wrong] = other
        else:
            for index in np.flatnonzero(wrong):
                triangles[index] = _ears(_flattened(corners[index]))
    return triangles


def _facing(corners: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """How far each triangle faces the way of its polygon: its normal times the polygon's (Newell's), (M, T)."""
    spokes = corners - corners[:, :1]
    normal = np.cross(spokes[:, 1:-1], spokes[:, 2:]).sum(axis=1)  # twice the area, for any shape
    a, b, c = (corners[:, triangles[:, k]] for k in range(3))
    return np.einsum("mtk,mk->mt", np.cross(b - a, c - a), normal)


def _flattened(corners: np.ndarray) -> np.ndarray:
    """(n, 2) in the polygon's plane, counter-clockwise."""
    spokes = corners - corners[0]
    normal = np.cross(spokes[1:-1], spokes[2:]).sum(axis=0)
    drop = int(np.abs(normal).argmax())
    kept = [(1, 2), (2, 0), (0, 1)][drop]
    return spokes[:, kept if normal[drop] >= 0 else kept[::-1]]


def _ears(points: np.ndarray) -> np.ndarray:
    """(n - 2, 3) triangles of a polygon (n, 2) that turns left; of its ears the roundest is cut first.

    An ear is a corner that turns left with no other corner in the triangle that it makes with its neighbours.
    """
    if len(points) > MOST_CORNERS:
        raise ValueError(
            f"expected faces of at most {MOST_CORNERS:,} corners where they are not convex, got one of "
            f"{len(points):,}; triangulate it in the program that made it"
        )
    count = len(points)
    xy: list[_Point] = [(x, y) for x, y in points.tolist()]
    before, after = [(k - 1) % count for k in range(count)], [(k + 1) % count for k in range(count)]
    shape = [_shape(xy[before[k]], xy[k], xy[after[k]]) for k in range(count)]
    inward = {k: xy[k] for k in range(count) if shape[k] <= 0}  # the only corners that can lie in an ear
    left, waiting = set(range(count)), [(-value, k) for k, value in enumerate(shape) if value > 0]
    heapq.heapify(waiting)
    cut: list[tuple[int, int, int]] = []
    blocked: list[int] = []
    while len(left) > 3:
        if waiting:
            value, ear = heapq.heappop(waiting)
            if ear not in left or -value != shape[ear]:  # out of date
                continue
            if not _is_empty(xy[before[ear]], xy[ear], xy[after[ear]], inward.values()):
                blocked.append(ear)
                continue
        else:  # it crosses itself
            ear = max(left, key=lambda k: shape[k])
        a, c = before[ear], after[ear]
        cut.append((a, ear, c))
        left.remove(ear)
        after[a], before[c] = c, a
        for k in (a, c):
            shape[k] = _shape(xy[before[k]], xy[k], xy[after[k]])
        for k in (a, ear, c):
            if k not in left or shape[k] > 0:
                inward.pop(k, None)
            else:
                inward[k] = xy[k]
        for k in {a, c, *blocked}:  # what blocked the others may be gone
            if shape[k] > 0:
                heapq.heappush(waiting, (-shape[k], k))
        blocked = []
    a = min(left)
    return np.array([*cut, (a, after[a], before[a])])


def _shape(a: _Point, b: _Point, c: _Point) -> float:
    """Twice the area of a triangle, negative where it turns right, over the sum of its squared sides."""
    (ax, ay), (bx, by), (cx, cy) = a, b, c
    turn = (bx - ax) * (cy - by) - (by - ay) * (cx - bx)
    sides = (
        (bx - ax) ** 2 + (by - ay) ** 2 + (cx - bx) ** 2 + (cy - by) ** 2 + (ax - cx) ** 2 + (ay - cy) ** 2
    )
    return turn / sides if sides > 0 else 0.0


def _is_empty(a: _Point, b: _Point, c: _Point, others: Iterable[_Point]) -> bool:
    """Whether no other point lies in a triangle that turns left or on its border, its corners excepted."""
    (ax, ay), (bx, by), (cx, cy) = a, b, c
    for point in others:
        x, y = point
        if (
            (bx - ax) * (y - ay) >= (by - ay) * (x - ax)
            and (cx - bx) * (y - by) >= (cy - by) * (x - bx)
            and (ax - cx) * (y - cy) >= (ay - cy) * (x - cx)
            and point not in (a, b, c)
        ):
            return False
    return True
