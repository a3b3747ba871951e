"""Whether a surface has an inside, and how much there is of it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .topology import topology

FULL = 0.01  # volume over area^1.5 above which an open surface has an inside; a ball has 0.094


def signed_volume(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> float:
    """Of the solid inside, negative where faces look inwards; an open surface is closed off from its middle."""
    return float(torch.linalg.det(_around_the_middle(vertices, faces)).sum()) / 6


def has_inside(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> bool:
    """True for closed surfaces and for those with holes, as a scan without its underside; False for sheets."""
    if topology(faces).watertight:
        return True
    a, b, c = _around_the_middle(vertices, faces).unbind(dim=1)
    area = float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum()) / 2
    return abs(signed_volume(vertices, faces)) > FULL * area**1.5


def _around_the_middle(vertices: Tensor, faces: Tensor) -> Tensor:
    """(F, 3, 3): corners, from the middle of all of them."""
    corners = vertices[faces.long()]
    return corners - corners.mean(dim=(0, 1))
