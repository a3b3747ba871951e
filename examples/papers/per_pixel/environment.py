"""An environment map from what a mirror shows of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from largesteps_zg.cameras import Cameras, sphere_of_cameras
from largesteps_zg.estimators import Contributors, Estimator, PixelLosses
from largesteps_zg.mesh import icosphere
from largesteps_zg.renderers import HardRasterizer

from ..records import Record, Setup
from .comparing import compare
from .descent import Course, descend
from .voxels import rays

EPSILON, RATES = (0.05,), (0.05,)


def lookups(cameras: Cameras, side: int) -> tuple[Tensor, Tensor]:
    """(B, H, W, 4) texels of a map of `side` x 2 `side`, and the shares of a pixel that they make.

    A pixel that shows the ball looks where it mirrors, any other one straight on.
    """
    ball = icosphere(4)
    normals = HardRasterizer()(ball.vertices, ball.faces, ball.vertices, cameras).images
    _, ways = rays(cameras)
    up = torch.nn.functional.normalize(normals[..., :3], dim=-1)
    mirrored = ways - 2 * (ways * up).sum(-1, keepdim=True) * up
    x, y, z = torch.where(normals[..., 3:] > 0, mirrored, ways).unbind(-1)
    row = torch.acos(z.clamp(-1, 1)) / math.pi * side - 0.5
    column = torch.atan2(y, x) / math.pi * side - 0.5
    texels, shares = [], []
    for i in (0, 1):
        for j in (0, 1):
            r, c = row.floor() + i, column.floor() + j
            texels.append(r.clamp(0, side - 1).long() * 2 * side + (c % (2 * side)).long())
            shares.append((1 - (row - r).abs()) * (1 - (column - c).abs()))
    return torch.stack(texels, -1), torch.stack(shares, -1)


def draw(sky: Tensor, seen: tuple[Tensor, Tensor]) -> Tensor:
    """(B, H, W, 3) in steps of 1/255."""
    texels, shares = seen
    return (255 * (sky[texels] * shares[..., None]).sum(-2).clamp(0, 1)).round() / 255


def truth(side: int) -> Tensor:
    """A blue sky with a sun, over a chequered ground; (2 side², 3)."""
    row, column = torch.meshgrid(torch.arange(side) / side, torch.arange(2 * side) / side, indexing="ij")
    haze = (2 * row).clamp(0, 1)[..., None]
    sky = haze * torch.tensor([0.8, 0.85, 0.9]) + (1 - haze) * torch.tensor([0.1, 0.3, 0.8])
    sun = (-((row - 0.3) ** 2 + (column - 0.6) ** 2) / 0.005).exp()[..., None]
    checks = (((row * 12).floor() + (column * 12).floor()) % 2)[..., None]
    ground = torch.tensor([0.25, 0.2, 0.12]) + 0.3 * checks
    return torch.where(row[..., None] < 0.5, (sky + sun).clamp(max=1), ground).view(-1, 3)


def environment(setup: Setup) -> Iterator[Record]:
    """An environment map, from a mirror ball and the sky behind it

    A pixel without a primitive is made by the texels that it looks at, a pixel of the ball by those that it mirrors:
    lists of four. Texels that few pixels see are learned from few; the error is that of the map itself.
    """
    side, size, views, steps = (16, 32, 6, 60) if setup.small else (64, 96, 12, 200)
    cameras = sphere_of_cameras(views, distance=3.0, fov_y_degrees=60.0, height=size, width=size)
    seen, wanted = lookups(cameras, side), truth(side)
    made, targets = Contributors.of(seen[0]), draw(wanted, seen)

    def run(estimator: Estimator, seed: int) -> tuple[Course, Tensor]:
        sky = torch.full_like(wanted, 0.5)
        course = descend(
            lambda x: PixelLosses((draw(x, seen) - targets).square().sum(-1), made),
            (sky,), RATES, estimator, lambda x: float((x - wanted).square().mean()),
            steps=steps, generator=torch.Generator().manual_seed(seed), say=setup.say,
        )  # fmt: skip
        return course, sky.detach().view(side, 2 * side, 3)

    picture = wanted.view(side, 2 * side, 3)
    yield from compare(setup, run, EPSILON, picture, "mean squared error of the map")
