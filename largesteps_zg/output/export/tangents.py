"""Tangent frames along texture coordinates, in which normal maps count, as MikkTSpace makes them."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def place_tangents(
    points: Float[Tensor, "N 3"],
    normals: Float[Tensor, "N 3"],
    uv: Float[Tensor, "N 2"],
    faces: Int[Tensor, "F 3"],
) -> Float[Tensor, "N 4"]:
    """The direction in which u grows on the surface, and the side on which v does, at each place of a texture.

    A face has one tangent, dP/du. At each corner it is turned into the plane of the normal there. A place takes the
    mean over its faces, weighed by their angles at the corner, as MikkTSpace does [1]_.

    Parameters
    ----------
    points, normals : (N, 3) float
        Of the vertex at each place; normals of length 1.
    uv : (N, 2) float
        v upwards.
    faces : (F, 3) int
        Places.

    Returns
    -------
    (N, 4) float
        The unit tangent t, at right angles to the normal n, and the sign s. The bitangent s (n x t) points where v
        grows, up in the image. So glTF wants TANGENT, and Blender computes the same by itself.

    Notes
    -----
    Faces without area in the image count nothing; a place of only such faces gets any tangent, and sign 1. A place has
    one sign, that of most of its faces: MikkTSpace would cut it in two where a layout is folded there.

    References
    ----------
    .. [1] M. Mikkelsen, "Simulation of Wrinkled Surfaces Revisited", 2008; mikktspace.c. glTF 2.0, section 3.7.2.1,
       asks for it.
    """
    corners, places = points[faces], uv[faces]
    (du1, dv1), (du2, dv2) = ((places[:, i] - places[:, 0]).unbind(1) for i in (1, 2))
    area = du1 * dv2 - dv1 * du2
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    along = (dv2[:, None] * first - dv1[:, None] * second) * area.sign()[:, None]
    tangents, sides = torch.zeros_like(points), torch.zeros_like(points[:, 0])
    for i in range(3):
        normal = normals[faces[:, i]]
        flat = _into(along, normal)
        before, after = (_into(corners[:, i - j] - corners[:, i], normal) for j in (1, 2))
        angle = (before * after).sum(1).clamp(-1, 1).acos() * (area != 0)
        tangents.index_add_(0, faces[:, i], flat * angle[:, None])
        sides.index_add_(0, faces[:, i], angle * area.sign())
    axis = torch.nn.functional.one_hot(normals.abs().argmin(dim=1), 3).to(normals)  # never along the normal
    none = tangents.norm(dim=1, keepdim=True) < 1e-9
    tangents = _into(torch.where(none, axis, tangents), normals)
    return torch.cat([tangents, torch.where(sides < 0, -1.0, 1.0).to(points)[:, None]], dim=1)


def _into(vectors: Tensor, normals: Tensor) -> Tensor:
    """The directions of vectors in the planes of unit normals."""
    return torch.nn.functional.normalize(
        vectors - (vectors * normals).sum(1, keepdim=True) * normals, dim=1, eps=1e-30
    )


def encoded_normals(directions: Float[Tensor, "... 3"]) -> Tensor:
    """(..., 3) uint8 of directions in a tangent frame: -1 to 1 become 0 to 255, as a normal map has them."""
    unit = torch.nn.functional.normalize(directions, dim=-1)
    return (127.5 * unit + 127.5).round().clamp(0, 255).to(torch.uint8)


def decoded_normals(image: Tensor) -> Float[Tensor, "... 3"]:
    """(..., 3) float64 unit directions of a normal map, (..., 3) uint8."""
    return torch.nn.functional.normalize(image.double() / 127.5 - 1, dim=-1)
