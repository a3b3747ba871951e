"""The sphere that a reconstruction starts from by default."""

from __future__ import annotations

import torch
from torch import Tensor

from ...mesh.mesh import Mesh
from ...mesh.shapes import icosphere
from ...scenes.carving.inscribed import inscribed_sphere
from ...scenes.views import Views

START_LEVEL = 4  # 2,562 vertices
START_SHARE = 0.9  # of the largest sphere inside all masks


def starting_sphere(views: Views, center: Tensor, radius: float, *, level: int = START_LEVEL) -> Mesh:
    """A sphere a little smaller than the largest one inside all masks, in the scene's coordinates.

    It has ``10 * 4**level + 2`` vertices.

    Parameters
    ----------
    views : Views
    center, radius
        ``bounding_sphere(views)``.
    """
    middle, inside = inscribed_sphere(views, center, radius)
    return icosphere(level, radius=START_SHARE * inside, center=middle.tolist(), dtype=torch.float64)
