"""Whether photographs may show a thing that turned before a camera at rest, by their cameras alone."""

from __future__ import annotations

import numpy as np

from ..constants import DEFAULTS, Structure
from .model import Cameras


def see_an_axis_alike(cameras: Cameras, constants: Structure = DEFAULTS.structure) -> bool:
    """Whether most cameras see an axis in one place and direction, however they are turned about it.

    With world-to-camera matrices (R, t) R a is the same for its direction a, and R c + t for a point c on it. What
    turned about the axis turned before one camera at rest, or a camera went round on a machine's arm: only photographs
    tell which. Cameras that look from less than half of all sides are alike by chance, so they do not count.

    Parameters
    ----------
    cameras : Cameras
    constants : Structure, optional
    """
    matrices = cameras.world_to_camera.detach().double().cpu().numpy()
    turns = matrices[:, :3, :3]
    middle = cameras.centers.detach().double().cpu().numpy().mean(axis=0)
    moves = turns @ middle + matrices[:, :3, 3]
    mean = turns.mean(axis=0)
    _, lengths, directions = np.linalg.svd(mean)
    if lengths[1] > 2.0 / np.pi:  # of directions evenly over half a turn
        return False
    seen, usual = turns @ directions[0], mean @ directions[0]
    tilted = np.linalg.norm(seen - usual / np.linalg.norm(usual), axis=1)
    matrix, apart = (turns - mean).reshape(-1, 3), (moves.mean(axis=0) - moves).reshape(-1)
    # Along the axis any point will do: the one nearest to the cameras' own height is taken.
    places = turns @ np.linalg.lstsq(matrix, apart, rcond=0.1)[0] + moves
    place = np.median(places, axis=0)
    moved = np.linalg.norm(places - place, axis=1) / np.linalg.norm(place)
    alike = (tilted < constants.circle) & (moved < constants.circle)
    return 2 * int(alike.sum()) > len(alike)
