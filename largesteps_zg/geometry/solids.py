"""Whether a surface has an inside, and how much there is of it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..constants import DEFAULTS, Mending
from .connectivity import topology, vertex_components
from .half_edges import edge_faces, edge_lengths
from .normals import face_normals


def signed_volume(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> float:
    """Of the solid inside, negative where faces look inwards; an open surface is closed off from its middle."""
    return float(torch.linalg.det(_around_the_middle(vertices, faces)).sum()) / 6


def surface_area(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> float:
    """Sum of the areas of the faces."""
    return float(face_normals(vertices, faces, normalize=False).norm(dim=1).sum()) / 2


def has_inside(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], constants: Mending = DEFAULTS.mending
) -> bool:
    """True for closed surfaces and for those with holes, as a scan without its underside; False for sheets.

    Notes
    -----
    A flat sheet, however cut out and curled, has a border of length L with L² >= 4π A (the isoperimetric inequality).
    Half a ball, the flattest cap taken for a body, has 2π A. The limit is the geometric mean; what is below it has a
    total curvature of at least 1.84, for L² >= 2 (2π - K) A [1]_.

    References
    ----------
    .. [1] A. Huber, "On the isoperimetric inequality on surfaces of variable Gaussian curvature", Ann. Math. 60, 1954.
    """
    counts = topology(faces)
    if counts.watertight:
        return True
    area = surface_area(vertices, faces)
    sheets = _longest_border(vertices, faces) ** 2 > constants.sheet * area / counts.components
    return not sheets and abs(signed_volume(vertices, faces)) > constants.full * area**1.5


def _longest_border(vertices: Tensor, faces: Tensor) -> float:
    """Length of the longest line of border edges; 0 without any."""
    sides = edge_faces(faces)
    border = sides.edges[sides.faces[:, 1] < 0]
    line = vertex_components(border[:, [0, 1, 1]], len(vertices))[border[:, 0]]
    lengths = edge_lengths(vertices, border)
    return float(lengths.new_zeros(len(vertices)).index_add_(0, line, lengths).amax())


def _around_the_middle(vertices: Tensor, faces: Tensor) -> Tensor:
    """(F, 3, 3): corners, from the middle of all of them."""
    corners = vertices[faces.long()]
    return corners - corners.mean(dim=(0, 1))
