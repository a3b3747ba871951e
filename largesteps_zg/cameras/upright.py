"""Which way is up, and the rotation that makes it +y."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..constants import DEFAULTS, Correcting
from .model import Cameras


def up_of_cameras(cameras: Cameras, constants: Correcting = DEFAULTS.correcting) -> Float[Tensor, "3"]:
    """The direction at right angles to the horizons of all cameras, as far as they have a common one.

    Who takes photographs holds the camera level: its x axis is horizontal, however high it looks. The direction that
    is most nearly at right angles to all x axes is up; where that leaves a choice (views all from one side), the mean
    of the cameras' own up decides. Within two degrees of an axis it is that axis.

    Returns
    -------
    (3,) float64 tensor on the CPU
        Of unit length.
    """
    rotation = cameras.world_to_camera[:, :3, :3].detach().double().cpu()
    right, own = rotation[:, 0], -rotation[:, 1].mean(dim=0)
    if float(own.norm()) < 1e-3:  # as many upside down as upright
        own = -rotation[0, 1]
    spread = right.T @ right / len(right)
    identity = torch.eye(3, dtype=torch.float64)
    up = torch.linalg.solve(spread + constants.level * identity, own)
    up = up / up.norm()
    largest = int(up.abs().argmax())
    return up[largest].sign() * identity[largest] if float(up[largest].abs()) > constants.axis else up


def upright_rotation(up: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """The shortest rotation that takes a direction to +y; half a turn about x for -y itself.

    Parameters
    ----------
    up : (3,) float tensor
        Of any length but 0.

    Returns
    -------
    (3, 3) float64 tensor on the CPU

    Raises
    ------
    ValueError
        An `up` that is no direction.

    Examples
    --------
    >>> (upright_rotation(torch.tensor([0.0, 0.0, 2.0])) @ torch.tensor([1.0, 2.0, 3.0]).double()).tolist()
    [1.0, 3.0, -2.0]
    """
    up = up.detach().double().cpu()
    length = float(up.norm())
    if not (math.isfinite(length) and length > 0):
        raise ValueError(f"up: expected a direction, got {up.tolist()}")
    x, cosine, z = (up / length).tolist()
    if cosine < -1 + 1e-9:
        return torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    # Rodrigues: I + [k] + [k]^2 / (1 + cos), with k = up x (0, 1, 0) = (-z, 0, x).
    cross = torch.tensor([[0.0, -x, 0.0], [x, 0.0, z], [0.0, -z, 0.0]], dtype=torch.float64)
    return torch.eye(3, dtype=torch.float64) + cross + cross @ cross / (1 + cosine)
