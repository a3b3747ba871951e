"""Normals by torch's own operations."""

from __future__ import annotations

import torch
from torch import Tensor


def normals_by_operations(vertices: Tensor, faces: Tensor) -> Tensor:
    """`vertex_normals` by torch's own operations: under any transform, to any order, on any device."""
    # Three gathers and three scatters of whole rows: their derivatives are each other. Indexing
    # `vertices[faces]` instead costs twice as much backward.
    first, second, third = corners = faces.long().t().contiguous()
    normals = area_vectors(vertices, corners)
    total = torch.zeros_like(vertices).index_add(0, first, normals)
    return unit(total.index_add_(0, second, normals).index_add_(0, third, normals))


def area_vectors(vertices: Tensor, corners: Tensor) -> Tensor:
    """Cross products of two edges of each face (F, 3), from the faces' indices by corner (3, F)."""
    first, second, third = (vertices.index_select(0, corner) for corner in corners)
    return torch.linalg.cross(second - first, third - first)


def unit(vectors: Tensor) -> Tensor:
    """Rows scaled to length one; zero rows stay zero and have the gradient zero, not a huge one."""
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return torch.where(length > 0, vectors / torch.where(length > 0, length, 1.0), 0.0)
