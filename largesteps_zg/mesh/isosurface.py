"""The closed surface where a field on a grid is zero: marching cubes by Warp's table, with doubtful cells decided."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from warp.geometry import IsoSurfaceMarchingCubes

# Of a cell: nodes at its corners, corners at its edges, triangles on its edges.
TABLES = IsoSurfaceMarchingCubes
_LEAST = 1e-5


def isosurface(field: np.ndarray) -> tuple[Tensor, Tensor]:
    """Triangles between the nodes at which a field is positive and those at which it is negative.

    On a square of the grid with two positive nodes, diagonally opposite, either these or the negative ones are linked
    across the square. Warp's table separates the positive ones everywhere, and used the other way round the negative
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
        In cells from node (0, 0, 0).
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
    positive = values > 0
    edges = _edges(positive)
    faces = _faces(positive, edges, _linked_cells(values))
    return torch.from_numpy(_zeros(field, edges)), torch.from_numpy(faces)


def _edges(positive: np.ndarray) -> np.ndarray:
    """Edges between the signs, ascending: three times the node where they begin, and their axis."""
    found = []
    for axis, step in enumerate(_steps(positive.shape)):
        # No edge leads from the last node along an axis to the first of the next row: both are negative.
        flat = positive.reshape(-1)
        found.append(3 * np.flatnonzero(flat[:-step] != flat[step:]) + axis)
    return np.sort(np.concatenate(found))


def _zeros(field: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Where the field is zero on each edge (V, 3), in cells."""
    node, axis = np.divmod(edges, 3)
    flat = field.reshape(-1)
    first, second = (flat[at].astype(np.float64) for at in (node, node + _steps(field.shape)[axis]))
    places = np.stack(np.unravel_index(node, field.shape), axis=1).astype(np.float64)
    places[np.arange(len(edges)), axis] += first / (first - second)
    return places


def _faces(positive: np.ndarray, edges: np.ndarray, linked: np.ndarray) -> np.ndarray:
    """Triangles (F, 3) between the zeros on the edges, cell by cell, those of linked cells last; outside out."""
    steps = _steps(positive.shape)
    corners = np.array(TABLES.CUBE_CORNER_OFFSETS) @ steps
    ends = np.array(TABLES.EDGE_TO_CORNERS)
    # Of a cell's twelve edges, counted from its first node as the grid's are.
    locally = 3 * corners[ends[:, 0]] + np.searchsorted(-steps, -(corners[ends[:, 1]] - corners[ends[:, 0]]))
    triangles = locally[np.array(TABLES.TRI_LOCAL_INDICES).reshape(-1, 3)]
    ranges = np.array(TABLES.CASE_TO_TRI_RANGE) // 3
    count = np.zeros(linked.shape, dtype=np.uint8)
    for x, y, z in TABLES.CUBE_CORNER_OFFSETS:
        count += positive[tuple(slice(a, a + n) for a, n in zip((x, y, z), linked.shape, strict=True))]
    cells = (count > 0) & (count < 8)
    found = []
    # The table separates the nodes whose bits are set: the positive ones or, where these are linked, the negative ones.
    for chosen, separated in ((cells & ~linked, positive), (cells & linked, ~positive)):
        nodes = np.stack(np.nonzero(chosen), axis=1) @ steps
        case = separated.reshape(-1)[nodes[:, None] + corners] @ (1 << np.arange(8))
        number = ranges[case + 1] - ranges[case]
        which = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
        some = 3 * np.repeat(nodes, number)[:, None] + triangles[np.repeat(ranges[case], number) + which]
        found.append(some[:, ::-1] if separated is positive else some)
    return np.searchsorted(edges, np.concatenate(found)).astype(np.int64)


def _steps(shape: tuple[int, ...]) -> np.ndarray:
    """From a node to the next one along each axis, where nodes are counted with the last axis fastest."""
    return np.array([shape[1] * shape[2], shape[2], 1])


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
