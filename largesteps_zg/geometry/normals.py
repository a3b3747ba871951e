"""Normals of faces and vertices."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .._support.checks import check_tensor
from .._support.transforms import is_plain
from .connectivity import check_faces
from .normal_operations import area_vectors, normals_by_operations, unit

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
    normals = area_vectors(vertices, faces.long().t().contiguous())
    return unit(normals) if normalize else normals


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
