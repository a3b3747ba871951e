"""Normals of faces and vertices."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .._support.checks import check_tensor
from .._support.transforms import is_plain
from .connectivity import check_faces

KERNEL_TYPES = (torch.float32, torch.float64)


def face_normals(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], *, normalize: bool = True
) -> Float[Tensor, "F 3"]:
    """Normals of the faces, towards the side from which a face is counter-clockwise. Differentiable.

    Parameters
    ----------
    vertices : (V, 3) float tensor
    faces : (F, 3) integer tensor
    normalize : bool
        Of length one, or else of the length of twice the face's area.

    Notes
    -----
    A face without area has the normal zero, and with `normalize` the gradient zero.
    """
    check_tensor("vertices", vertices)
    check_tensor("faces", faces)
    normals = _area_vectors(vertices, faces.long().t().contiguous())
    return _unit(normals) if normalize else normals


def vertex_normals(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "V 3"]:
    """Unit normals at the vertices: the mean of the faces around, weighted by their areas. Differentiable.

    Parameters
    ----------
    vertices : (V, 3) float tensor
    faces : (F, 3) integer tensor

    Notes
    -----
    Zero, with gradient zero, where there is no direction: at vertices that no face uses, or whose faces
    cancel.
    """
    check_tensor("vertices", vertices)
    check_tensor("faces", faces)
    if vertices.device.type != "cpu" or vertices.dtype not in KERNEL_TYPES or not is_plain(vertices):
        return normals_by_operations(vertices, faces)
    from .normal_kernels import VertexNormals  # imports Warp

    check_faces(faces, len(vertices))
    return VertexNormals.apply(vertices, faces.to(torch.int32))


def normals_by_operations(vertices: Tensor, faces: Tensor) -> Tensor:
    """`vertex_normals` by torch's own operations: under any transform, to any order, on any device."""
    # Three gathers and three scatters of whole rows: their derivatives are each other. Indexing
    # `vertices[faces]` instead costs twice as much backward.
    first, second, third = corners = faces.long().t().contiguous()
    normals = _area_vectors(vertices, corners)
    total = torch.zeros_like(vertices).index_add(0, first, normals)
    return _unit(total.index_add_(0, second, normals).index_add_(0, third, normals))


def _area_vectors(vertices: Tensor, corners: Tensor) -> Tensor:
    """Cross products of two edges of each face (F, 3), from the faces' indices by corner (3, F)."""
    first, second, third = (vertices.index_select(0, corner) for corner in corners)
    return torch.linalg.cross(second - first, third - first)


def _unit(vectors: Tensor) -> Tensor:
    """Rows scaled to length one; zero rows stay zero and have the gradient zero, not a huge one."""
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return torch.where(length > 0, vectors / torch.where(length > 0, length, 1.0), 0.0)
