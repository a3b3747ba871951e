"""Corrections for cameras that nothing has corrected, from those of cameras that look from nearby."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .model import Cameras
from .refinement import CameraCorrections


def predicted(corrections: CameraCorrections, cameras: Cameras) -> Cameras | None:
    """Other cameras, corrected as far as the run's corrections foretell it; None where they foretell nothing.

    What is wrong with the cameras of a gantry, a turntable or one lens changes little from view to view. So a view that
    was held out gets the mean of the corrections of those that look alike, rolls about the viewing direction included,
    weighted by a Gaussian of the angle between them. How wide it is, and whether it is worth anything, the run's own
    cameras say, each foretold from the others. No photograph is looked at.

    Parameters
    ----------
    corrections : CameraCorrections
        Of the run's cameras.
    cameras : Cameras
        As given, in the same coordinates.

    Returns
    -------
    Cameras or None
        float64.
    """
    constants = corrections.constants
    width, left = min(
        ((width, _left(corrections, width)) for width in constants.widths), key=lambda pair: pair[1]
    )
    if left > constants.trusted * corrections.pixels():
        return None
    given = cameras.to(dtype=torch.float64)
    return corrections.mean(given, _weights(given, corrections.given, width))


def _left(corrections: CameraCorrections, width: float) -> float:
    """Pixels that are left where each of the run's cameras is foretold from the others."""
    weights = _weights(corrections.given, corrections.given, width, others=True)
    return corrections.pixels_from(corrections.mean(corrections.given, weights))


def _weights(cameras: Cameras, known: Cameras, width: float, *, others: bool = False) -> Float[Tensor, "B N"]:
    """What each known camera counts for each of the cameras, 1 together; a camera itself nothing where `others`."""
    axes, known_axes = (c.world_to_camera[:, :3, :3].flatten(1) for c in (cameras, known))
    # A turn A Bᵀ by some angle has the trace 1 + 2 cos(angle): the sum of the products of their elements.
    cosines = 0.5 * (axes @ known_axes.T - 1)
    exponents = -0.5 * (cosines.clamp(-1, 1).acos() / width).square()
    if others:
        exponents.fill_diagonal_(-torch.inf)
    return torch.softmax(exponents, dim=1)
