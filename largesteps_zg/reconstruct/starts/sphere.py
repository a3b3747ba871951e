"""The sphere that a reconstruction starts from by default, and any start's place in the run."""

from __future__ import annotations

import torch
from torch import Tensor

from ...constants import DEFAULTS, Carving
from ...mesh.mesh import Mesh
from ...mesh.shapes import icosphere
from ...scenes.carving.inscribed import inscribed_sphere
from ...scenes.views import Views
from ..frame import Frame

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
    return sphere_within(middle, inside, level=level, constants=constants)


def sphere_within(
    middle: Tensor, inside: float, *, level: int = START_LEVEL, constants: Carving = DEFAULTS.carving
) -> Mesh:
    """Likewise, of the middle and the radius of the largest one."""
    size = constants.start_share * inside
    return icosphere(level, radius=size, center=middle.tolist(), dtype=torch.float64)


def placed_start(start: Mesh, frame: Frame, *, nearby: float = DEFAULTS.schedule.start_nearby) -> Mesh:
    """A mesh of the scene in the coordinates of a run, on its device, with its colours or grey.

    Raises
    ------
    ValueError
        It is nowhere near the object.
    """
    vertices = frame.inside(start.vertices).to(frame.device)
    if float(vertices.norm(dim=1).min()) > nearby:
        raise ValueError(
            f"init: the start mesh is nowhere near the object, which the masks place at "
            f"{[round(x, 3) for x in frame.center.tolist()]} with radius {frame.radius:.3g}; "
            "is it in the scene's coordinates?"
        )
    colors = torch.full_like(vertices, 0.5) if start.colors is None else start.colors.to(vertices)
    return Mesh(vertices, start.faces.to(frame.device), colors)
