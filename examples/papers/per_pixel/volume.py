"""A volume of voxels becomes an animal."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from largesteps_zg.estimators import Estimator, PixelLosses
from largesteps_zg.images.losses import pixel_losses

from ..records import Record, Setup
from .comparing import compare
from .descent import Course, descend
from .splatting import AT_ONCE, animal
from .voxels import draw

EPSILON, RATES = (0.5, 0.05), (0.3, 0.03)  # densities a unit of length, and of white


def run(
    setup: Setup, seed: int, size: int, views: int, side: int, steps: int, estimator: Estimator
) -> tuple[Course, Tensor]:
    """The course towards the photographs, and a held-out view at its end."""
    generator = torch.Generator().manual_seed(seed)
    cameras, targets = animal(views, size)
    others, held_out = animal(4, size, seed=1)
    density, colors = torch.full((side**3, 1), 1.0), torch.full((side**3, 3), 0.5)
    chosen = torch.arange(AT_ONCE)

    def losses(*parameters: Tensor) -> PixelLosses:
        images, made = draw(*parameters, side, cameras[chosen])
        return PixelLosses(pixel_losses(images, targets[chosen], kind="l2"), made)

    def error(*parameters: Tensor) -> float:
        return float((draw(*parameters, side, others)[0] - held_out).square().mean())

    def after(step: int, optimizer: torch.optim.Optimizer) -> None:
        chosen[:] = torch.randperm(views, generator=generator)[:AT_ONCE]

    course = descend(
        losses, (density, colors), RATES, estimator, error,
        steps=steps, generator=generator, after=after, say=setup.say,
    )  # fmt: skip
    with torch.no_grad():
        return course, draw(density, colors, side, others)[0][0]


def volume(setup: Setup) -> Iterator[Record]:
    """A volume of voxels, from lists of those along each ray

    Density and colour of each voxel, 131,072 numbers in all. Which voxels made a pixel is found by a second march of
    the same ray. The error is that of four views that no step sees.
    """
    size, views, side, steps = (24, 6, 8, 60) if setup.small else (64, 24, 32, 300)
    yield from compare(
        setup,
        lambda estimator, seed: run(setup, seed, size, views, side, steps, estimator),
        EPSILON, animal(4, size, seed=1)[1][0], "mean squared error of held-out views", views=AT_ONCE,
    )  # fmt: skip
