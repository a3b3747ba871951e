"""Cameras laid onto a surface that stays as it is, as held-out views need it, or onto other cameras."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ..constants import DEFAULTS, Correcting
from .model import Cameras


def aligned(
    cameras: Cameras, difference: Callable[[Cameras], Tensor], constants: Correcting = DEFAULTS.correcting
) -> Cameras:
    """Cameras, each turned and shifted on its own until its image differs least.

    Corrected cameras and the surface that goes with them may differ from the given ones by more than a common motion;
    held-out cameras, which nothing has corrected, then look at the surface from the wrong place, and a comparison says
    more about them than about the surface. Only the six numbers of a pose are fitted.

    Parameters
    ----------
    cameras : Cameras
        The object's centre at the origin.
    difference : callable
        From such cameras to a loss, differentiable in their poses.
    constants : Correcting, optional

    Returns
    -------
    Cameras
        Of all steps those with the least loss, detached.
    """
    given = cameras.world_to_camera
    distance = given[:, :3, 3].norm(dim=1, keepdim=True)
    move = torch.zeros(len(cameras), 6).to(given).requires_grad_()
    optimizer = torch.optim.Adam([move], lr=constants.align_step)
    best, least = cameras, float("inf")
    for _ in range(constants.align_steps):
        x, y, z = move[:, :3].unbind(1)
        zero = torch.zeros_like(x)
        rows = [torch.stack(row, 1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
        turn = torch.linalg.matrix_exp(torch.stack(rows, 1))
        shifted = given[:, :3, 3] + distance * move[:, 3:]
        top = torch.cat([turn @ given[:, :3, :3], shifted[..., None]], dim=-1)
        moved = cameras.unchecked(torch.cat([top, given[:, 3:]], dim=1), cameras.intrinsics)
        loss = difference(moved)
        if float(loss.detach()) < least:
            least = float(loss.detach())
            best = cameras.unchecked(moved.world_to_camera.detach(), cameras.intrinsics)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] *= constants.align_decay
    return best


def similarity(cameras: Cameras, targets: Cameras) -> tuple[Float[Tensor, "3 3"], float, Float[Tensor, " 3"]]:
    """Q, s, q, so that ``s Q X + q`` brings cameras onto their targets as well as a movement of the world can.

    Least squares over the axes of the cameras and over their centres, in units of their spreads. Refined cameras and
    true ones differ by such a movement, beside their errors.

    References
    ----------
    Umeyama: Least-squares estimation of transformation parameters between two point patterns. PAMI 13(4), 1991.
    """
    axes, wanted_axes = (c.world_to_camera[:, :3, :3].mT for c in (cameras, targets))
    centers, wanted = cameras.centers, targets.centers
    mean, wanted_mean = centers.mean(0), wanted.mean(0)
    centers, wanted = centers - mean, wanted - wanted_mean
    squares = centers.square().sum(1).mean(), wanted.square().sum(1).mean()
    together = (squares[0] * squares[1]).sqrt().clamp_min(1e-12)
    u, _, vt = torch.linalg.svd(wanted.T @ centers / together + (wanted_axes @ axes.mT).sum(0))
    flip = torch.ones(3).to(u)
    flip[2] = torch.linalg.det(u @ vt).sign()
    turn = u @ (flip[:, None] * vt)
    scale = float((wanted * (centers @ turn.T)).sum() / centers.square().sum().clamp_min(1e-12))
    return turn, scale, wanted_mean - scale * turn @ mean


def carried(
    cameras: Cameras, turn: Float[Tensor, "3 3"], scale: float, shift: Float[Tensor, " 3"]
) -> Cameras:
    """Cameras that see ``scale Q X + shift`` as these see X, whatever X is."""
    moved = cameras.world_to_camera.clone()
    # x = R X + t and X' = scale Q X + q: in camera axes, scaled, x' = R Qᵀ X' + (scale t - R Qᵀ q).
    moved[:, :3, :3] = cameras.world_to_camera[:, :3, :3] @ turn.T
    moved[:, :3, 3] = scale * cameras.world_to_camera[:, :3, 3] - moved[:, :3, :3] @ shift
    return cameras.unchecked(moved, cameras.intrinsics)
