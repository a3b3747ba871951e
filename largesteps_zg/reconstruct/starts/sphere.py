"""The sphere that a reconstruction starts from by default."""

from __future__ import annotations

import torch
from torch import Tensor

from ...constants import DEFAULTS, Carving
from ...mesh.mesh import Mesh
from ...mesh.shapes import icosphere
from ...scenes.carving.inscribed import inscribed_sphere
from ...scenes.views import Views

START_LEVEL = 4  # 2,562 vertices


def starting_sphere(
    views: Views,
    center: Tensor,
    radius: float,
    *,
    level: int = START_LEVEL,
    constants: Carving = DEFAULTS.carving,
) -> Mesh:
    """A sphere a little smaller than the largest one inside all masks, in the scene's coordinates.

    It has ``10 * 4**level + 2`` vertices.

    Parameters
    ----------
    views : Views
    center, radius
        ``bounding_sphere(views)``.
    """
    middle, inside = inscribed_sphere(views, center, radius, constants)
    size = constants.start_share * inside
    return icosphere(level, radius=size, center=middle.tolist(), dtype=torch.float64)
