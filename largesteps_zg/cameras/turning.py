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
    mean = turns.mean(axis=0)
    if np.linalg.svd(mean, compute_uv=False)[1] > 2.0 / np.pi:  # of directions evenly over half a turn
        return False
    axis, _, places = axis_of(turns, matrices[:, :3, 3])
    seen, usual = turns @ axis, mean @ axis
    tilted = np.linalg.norm(seen - usual / np.linalg.norm(usual), axis=1)
    place = np.median(places, axis=0)
    moved = np.linalg.norm(places - place, axis=1) / np.linalg.norm(place)
    alike = (tilted < constants.circle) & (moved < constants.circle)
    return 2 * int(alike.sum()) > len(alike)


def axis_of(turns: np.ndarray, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The axis that cameras with rotations (B, 3, 3) and translations (B, 3) see most alike.

    Returns
    -------
    direction, foot : (3,) arrays
        In the world. Of the points of the axis it is the one nearest to the cameras' own height.
    places : (B, 3) array
        Where each camera sees the foot.
    """
    mean = turns.mean(axis=0)
    middle = -(turns.transpose(0, 2, 1) @ moves[..., None])[..., 0].mean(axis=0)  # of the cameras
    moves = turns @ middle + moves
    away, apart = (turns - mean).reshape(-1, 3), (moves.mean(axis=0) - moves).reshape(-1)
    foot = np.linalg.lstsq(away, apart, rcond=0.1)[0]
    return np.linalg.svd(mean)[2][0], foot + middle, turns @ foot + moves
