"""The closed surface where a field on a grid is zero: Warp's marching cubes, with doubtful cells decided."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import warp as wp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from warp.geometry import IsoSurfaceMarchingCubes

from .._support.warp_launch import initialize, quiet

_LEAST = 1e-5


def isosurface(field: np.ndarray) -> tuple[Tensor, Tensor]:
    """Triangles between the nodes at which a field is positive and those at which it is negative.

    On a square of the grid with two positive nodes, diagonally opposite, either these or the negative ones are linked
    across the square. Warp's table separates the positive ones everywhere, and that of the negated field the negative
    ones. In each cluster of cells with such squares in common the table is chosen that most of the squares ask for, by
    Nielson and Hamann's asymptotic decider [1]_, so that neighbours agree and the surface stays closed.

    Parameters
    ----------
    field : (X, Y, Z) array
        Negative all around, so that the surface is closed, and at least 1e-5 of its largest value from 0: nearer to a
        node triangles lose their area in float32.

    Returns
    -------
    vertices : (V, 3) float64 tensor
        In cells from node (0, 0, 0); exact to float32.
    faces : (F, 3) int64 tensor
        Manifold; the positive side is inside.

    Raises
    ------
    ValueError
        Values of the wrong kind, as above.

    References
    ----------
    .. [1] G. M. Nielson and B. Hamann, "The asymptotic decider", IEEE Visualization 1991.
    """
    largest = np.abs(field).max()
    least = np.abs(field).min()
    if not least > _LEAST * largest:
        raise ValueError(
            f"field: expected no value within {_LEAST * largest:g} of 0, got {least:g}; round it away from 0"
        )
    inside = np.zeros(field.shape, dtype=bool)
    inside[1:-1, 1:-1, 1:-1] = True
    if (field[~inside] > 0).any():
        raise ValueError("field: expected negative values all around, got positive ones; pad it")
    values = np.ascontiguousarray(field / largest, dtype=np.float32)
    vertices, apart = _extract(values)
    linked = _linked_cells(values)
    faces = apart[:, ::-1]
    if linked.any():
        # The same vertices in the same order: both tables put one on each edge between the signs.
        together = _extract(-values)[1]
        faces = np.concatenate(
            [faces[~linked[_cell(vertices, faces)]], together[linked[_cell(vertices, together)]]]
        )
    return torch.from_numpy(vertices.astype(np.float64)), torch.from_numpy(faces.astype(np.int64))


def _extract(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) in cells, and faces (F, 3) that look towards the nodes of positive values."""
    initialize()
    with quiet:
        grid: Any = wp.array(values, dtype=wp.float32, device="cpu")
        points, corners = IsoSurfaceMarchingCubes.extract(grid, 0.0)
    return points.numpy(), corners.numpy().reshape(-1, 3)


def _cell(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, ...]:
    """The cell (x, y, z) of each face: that of its centroid, which lies strictly within."""
    return tuple(np.floor(vertices[faces].mean(axis=1, dtype=np.float64)).astype(np.int64).T)


def _linked_cells(values: np.ndarray) -> np.ndarray:
    """(X - 1, Y - 1, Z - 1) bool: the cells in which positive nodes are linked across squares."""
    shape = tuple(size - 1 for size in values.shape)
    number = np.arange(np.prod(shape)).reshape(shape)
    first, second, votes = [], [], []
    for axis in range(3):
        # Squares across the axis, between a cell and the next; those at the grid's border are all negative.
        plane = np.moveaxis(values, axis, 0)[1:-1]
        a, b, c, d = plane[:, :-1, :-1], plane[:, 1:, :-1], plane[:, 1:, 1:], plane[:, :-1, 1:]
        doubtful = ((a > 0) == (c > 0)) & ((b > 0) == (d > 0)) & ((a > 0) != (b > 0))
        a, b, c, d = (corner[doubtful].astype(np.float64) for corner in (a, b, c, d))
        # The bilinear interpolant's saddle is (ac - bd) / (a + c - b - d): positive where positive nodes are linked.
        votes.append(np.sign((a * c - b * d) * (a + c - b - d)))
        cells = np.moveaxis(number, axis, 0)
        first.append(cells[:-1][doubtful])
        second.append(cells[1:][doubtful])
    one, other, vote = (np.concatenate(part) for part in (first, second, votes))
    linked = np.zeros(number.size, dtype=bool)
    if len(one):
        used, place = np.unique(np.concatenate([one, other]), return_inverse=True)
        start, end = place[: len(one)], place[len(one) :]
        graph = coo_array((np.ones(len(one)), (start, end)), shape=(len(used), len(used)))
        cluster = connected_components(graph, directed=False)[1]
        linked[used] = (np.bincount(cluster[start], vote, len(used)) > 0)[cluster]
    return linked.reshape(shape)
