"""The largest sphere inside the masks' visual hull. A reconstruction starts from it."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ...constants import DEFAULTS, Carving
from ..views import Views
from .cones import Cone, cones_of, known_depth
from .grid import Grid

CELLS = 64  # along each side of the bounding sphere's cube


def inscribed_sphere(
    views: Views,
    center: Float[Tensor, "3"],
    radius: float,
    constants: Carving = DEFAULTS.carving,
    *,
    cones: list[Cone] | None = None,
) -> tuple[Tensor, float]:
    """The largest sphere that lies inside all masks.

    A surface that grows from inside fills the object and has nothing to fold. A surface that shrinks from outside meets
    itself between legs or around an ear, and leaves sheets inside the object, where no view sees them.

    Parameters
    ----------
    views : Views
    center, radius
        `bounding_sphere(views)`.
    constants : Carving, optional
    cones : list of Cone, optional
        ``cones_of(views)``, where these are at hand.

    Returns
    -------
    center : (3,) float64 tensor on the CPU
    radius : float
        At least a twentieth of the bounding sphere's radius.

    Notes
    -----
    The grid has 64³ cells, so the result is right to a cell. About half a second for 40 views on two cores.
    """
    grid = Grid.centers(center.detach().cpu().double().numpy(), radius, CELLS)
    points = grid.points()
    agreeing = np.zeros(len(points), dtype=np.int64)
    cones = cones_of(views) if cones is None else cones
    for cone in cones:
        agreeing += cone.contains(points)
    agreeing[known_depth(views, cones, points) < 0] = 0
    # If masks are off by a pixel, perhaps no cell satisfies all of them. Then take the cells that satisfy most.
    depth = distance_transform_edt((agreeing == agreeing.max()).reshape(grid.shape)).reshape(-1)
    deepest = int(depth.argmax())
    smallest = constants.smallest_sphere * CELLS / 2  # objects may be thinner than a cell
    return torch.from_numpy(points[deepest]), max(float(depth[deepest]) - 0.5, smallest) * grid.cell
