"""Cameras and where they come from: looking at a point, spread over a sphere, or another program's convention."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .conventions import pinhole
from .model import Cameras, rigid


def look_at(
    eye: Float[Tensor, "B 3"],
    target: Float[Tensor, " 3"] | Float[Tensor, "B 3"] | Sequence[float] = (0.0, 0.0, 0.0),
    up: Float[Tensor, " 3"] | Sequence[float] = (0.0, 0.0, 1.0),
    *,
    fov_y_degrees: float,
    height: int,
    width: int,
) -> Cameras:
    """Cameras at `eye` that look at `target`, with square pixels and the principal point in the middle.

    Parameters
    ----------
    eye : (B, 3)
        Where the cameras are; also decides device and dtype.
    target : (3,) or (B, 3)
        What appears in the middle of the image.
    up : (3,)
        Points up in the image. For a camera that looks along `up` itself another axis is taken in its place.
    fov_y_degrees : float
        Angle between the top and the bottom border of the image, in (0, 180).
    height, width : int
        In pixels.

    Raises
    ------
    ValueError
        A camera at its own target, an `up` of length 0, an angle or a size out of range.

    Examples
    --------
    >>> cameras = look_at(torch.tensor([[4.0, 0.0, 0.0]]), fov_y_degrees=90, height=100, width=200)
    >>> pixels, depth = cameras.project(torch.tensor([[0.0, 1.0, 1.0]]))  # y is on the right, z up
    >>> [round(x, 3) for x in pixels.flatten().tolist()], round(depth.item(), 3)
    ([112.5, 37.5], 4.0)
    """
    if not 0 < fov_y_degrees < 180:
        raise ValueError(f"fov_y_degrees: expected an angle in (0, 180), got {fov_y_degrees}")
    target = torch.as_tensor(target, device=eye.device, dtype=eye.dtype)
    up = torch.as_tensor(up, device=eye.device, dtype=eye.dtype)
    offset = target - eye
    for index in (offset.norm(dim=1) == 0).nonzero()[:1, 0].tolist():
        raise ValueError(f"eye: camera {index} is at its own target {eye[index].tolist()}; move one of them")
    if not up.norm() > 0:
        raise ValueError(f"up: expected a direction, got {up.tolist()}")
    forward = torch.nn.functional.normalize(offset, dim=1)
    up = torch.nn.functional.normalize(up, dim=0).expand_as(forward)
    # Where up and forward are parallel no side is right; the axis that is farthest from both decides.
    spare = torch.eye(3, device=eye.device, dtype=eye.dtype)[up.abs().argmin(dim=1)]
    up = torch.where(torch.linalg.cross(forward, up).norm(dim=1, keepdim=True) < 1e-4, spare, up)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=1)
    # Rows: right, down, forward.
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=1)
    translation = -(rotation @ eye[..., None])[..., 0]
    focal = 0.5 * height / math.tan(math.radians(fov_y_degrees) / 2)
    k = pinhole(focal, focal, width / 2, height / 2, device=eye.device, dtype=eye.dtype)
    return Cameras(rigid(rotation, translation), k.repeat(len(eye), 1, 1), height, width)


def sphere_of_cameras(
    count: int,
    *,
    distance: float,
    fov_y_degrees: float,
    height: int,
    width: int,
    seed: int | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Cameras:
    """Cameras spread evenly over a sphere, looking at the origin, with the z axis up: a Fibonacci lattice.

    Parameters
    ----------
    count : int
        Number of cameras, at least 1.
    distance : float
        From the origin, in the world's units.
    fov_y_degrees, height, width
        As for `look_at`.
    seed : int, optional
        Turns the whole lattice by a random rotation, for instance to place test views between training views.

    Raises
    ------
    ValueError
        No camera, or a distance that is not positive.
    """
    if count < 1:
        raise ValueError(f"count: expected at least one camera, got {count}")
    if not distance > 0:
        raise ValueError(f"distance: expected a length > 0, got {distance}")
    step = torch.arange(count, dtype=torch.float64)
    z = 1 - (2 * step + 1) / count  # rings of equal area, never a pole
    azimuth = step * math.pi * (3 - math.sqrt(5))  # the golden angle
    radius = (1 - z**2).sqrt()
    eye = distance * torch.stack([radius * azimuth.cos(), radius * azimuth.sin(), z], dim=1)
    if seed is not None:
        gaussian = torch.randn(3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        eye = eye @ torch.linalg.qr(gaussian).Q
    eye = eye.to(device=device, dtype=dtype)
    return look_at(eye, fov_y_degrees=fov_y_degrees, height=height, width=width)
