"""Which way is up in a scene."""

from __future__ import annotations

from torch import Tensor

from ..cameras.upright import up_of_cameras
from ..constants import DEFAULTS, Correcting
from .views import Scene


def up_direction(scene: Scene, constants: Correcting = DEFAULTS.correcting) -> tuple[Tensor, str]:
    """Which way is up in a scene's coordinates, and where that is known from: "format" or "cameras".

    Returns
    -------
    up : (3,) float64 tensor on the CPU
        Of unit length.
    source : str
    """
    if scene.up is not None:
        up = scene.up.detach().double().cpu()
        return up / up.norm(), "format"
    return up_of_cameras(scene.train.cameras, constants), "cameras"
