"""Whether a surface has an inside, and how much there is of it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .connectivity import topology, vertex_components
from .half_edges import edge_faces, edge_lengths

FULL = 0.01  # volume over area^1.5 above which an open surface has an inside; a ball has 0.094
SHEET = 8.0  # square of the longest border over a part's area above which it is a sheet, curled or not; half a ball: 6


def signed_volume(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> float:
    """Of the solid inside, negative where faces look inwards; an open surface is closed off from its middle."""
    return float(torch.linalg.det(_around_the_middle(vertices, faces)).sum()) / 6


def has_inside(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> bool:
    """True for closed surfaces and for those with holes, as a scan without its underside; False for sheets."""
    counts = topology(faces)
    if counts.watertight:
        return True
    a, b, c = _around_the_middle(vertices, faces).unbind(dim=1)
    area = float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum()) / 2
    sheets = _longest_border(vertices, faces) ** 2 > SHEET * area / counts.components
    return not sheets and abs(signed_volume(vertices, faces)) > FULL * area**1.5


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
