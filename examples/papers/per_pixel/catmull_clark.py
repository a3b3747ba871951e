"""Catmull-Clark subdivision of closed meshes of quads, as a matrix."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
import torch
from torch import Tensor


def subdivide(quads: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
    """The matrix (V', V) from control vertices to those one level finer, and the finer quads (4 F, 4).

    Finer vertices are the old ones, then one for each face, then one for each edge.
    """
    count, faces = int(quads.max()) + 1, len(quads)
    ahead = np.roll(quads, -1, axis=1)
    pairs = np.sort(np.stack([quads, ahead], -1).reshape(-1, 2), axis=1)
    edges, edge_of = np.unique(pairs, axis=0, return_inverse=True)
    edge_of = edge_of.reshape(faces, 4)
    row = np.arange(faces)
    centers = sparse.csr_matrix((np.full(4 * faces, 0.25), (row.repeat(4), quads.ravel())), (faces, count))
    ends = sparse.csr_matrix(
        (np.full(2 * len(edges), 0.5), (np.arange(len(edges)).repeat(2), edges.ravel())), (len(edges), count)
    )
    beside = sparse.csr_matrix(
        (np.full(4 * faces, 0.5), (edge_of.ravel(), row.repeat(4))), (len(edges), faces)
    )
    middles = 0.5 * ends + 0.5 * beside @ centers
    # A vertex: the mean of its n faces' centres, twice that of its edges' middles, n - 3 times itself; over n.
    touches = sparse.csr_matrix((np.ones(4 * faces), (quads.ravel(), row.repeat(4))), (count, faces))
    inverse = sparse.diags(1 / touches.sum(1).A1)
    corners = inverse @ (
        inverse @ touches @ centers + 2 * inverse @ (2 * ends.T) @ ends - 3 * sparse.identity(count)
    ) + sparse.identity(count)
    face, edge = count + row, count + faces + edge_of
    finer = np.stack(
        [quads, edge, np.broadcast_to(face[:, None], (faces, 4)), np.roll(edge, 1, axis=1)], -1
    ).reshape(-1, 4)
    return sparse.vstack([corners, centers, middles]).tocsr(), finer


def cage(level: int) -> tuple[Tensor, np.ndarray]:
    """Vertices on the unit sphere and quads of a cube whose faces are split `level` times."""
    corners = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], dtype=np.float64)
    quads = np.array(
        [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]], dtype=np.int64
    )
    for _ in range(level):
        matrix, quads = subdivide(quads)
        corners = matrix @ corners
    vertices = torch.from_numpy(corners).float()
    return torch.nn.functional.normalize(vertices, dim=1), quads


def reaches(pattern: sparse.csr_matrix, triangles: np.ndarray) -> Tensor:
    """(F, C) columns in which the rows of each triangle's corners are not zero, filled up with -1."""
    rows = sparse.csr_matrix(
        (np.ones(triangles.size), (np.arange(len(triangles)).repeat(3), triangles.ravel())),
        (len(triangles), pattern.shape[0]),
    )
    touched = (rows @ abs(pattern)).tocsr()
    lengths = np.diff(touched.indptr)
    table = np.full((len(triangles), lengths.max()), -1)
    table[np.arange(lengths.max()) < lengths[:, None]] = touched.indices
    return torch.from_numpy(table)
