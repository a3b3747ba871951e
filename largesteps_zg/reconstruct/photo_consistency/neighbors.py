"""Which photographs show the same of an object from places that are neither too near nor too far apart."""

from __future__ import annotations

import torch
from torch import Tensor

from ...constants import DEFAULTS, Patches


def neighbors(centers: Tensor, constants: Patches = DEFAULTS.patches) -> tuple[tuple[int, ...], ...]:
    """For each camera the others to compare its photograph with, the nearest first.

    Parameters
    ----------
    centers : (B, 3) tensor
        Of the cameras, around an object at the origin.
    constants : Patches, optional
        A smaller angle at the object says little of depth, from a larger one patches look unlike.
    """
    directions = torch.nn.functional.normalize(centers.double(), dim=1)
    angles = torch.rad2deg(torch.arccos((directions @ directions.T).clamp(-1.0, 1.0)))
    least, most = constants.angles
    found = []
    for row in angles.tolist():
        ordered = sorted((angle, j) for j, angle in enumerate(row) if least <= angle <= most)
        found.append(tuple(j for _, j in ordered[: constants.neighbors]))
    return tuple(found)
