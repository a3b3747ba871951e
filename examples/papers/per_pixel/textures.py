"""A physically based material on a floor, by the UV buffer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from largesteps_zg.estimators import Estimator, PixelLosses

from ..records import Record, Setup
from .comparing import compare
from .descent import Course, descend
from .floor import Floor

EPSILON = (0.05, 0.05, 0.05, 0.05, 0.2)  # albedo, roughness, metallicity, normal, height in texels
RATES = (0.03, 0.03, 0.03, 0.03, 0.05)
BATCH = 4  # pictures of a step


def truth(side: int) -> tuple[Tensor, ...]:
    """Bricks: red and rough, in mortar of dull metal."""
    y, x = torch.meshgrid(torch.arange(side) / side, torch.arange(side) / side, indexing="ij")
    row = (y * 8).floor()
    inside = ((y * 8) % 1 > 0.15) & ((x * 4 + 0.5 * (row % 2)) % 1 > 0.08)
    brick = inside.float().view(-1, 1)
    wave = (0.5 + 0.5 * (20 * x + 3 * row).sin()).view(-1, 1)
    albedo = brick * torch.tensor([0.7, 0.25, 0.15]) * (0.6 + 0.4 * wave) + (1 - brick) * 0.55
    normal = 0.25 * torch.stack([(40 * x).sin(), (30 * y).cos()], -1).view(-1, 2) * brick
    return albedo, 0.35 + 0.45 * brick, 0.8 * (1 - brick), normal, 0.3 * brick


def textures(setup: Setup) -> Iterator[Record]:
    """A material of five textures, by the texels that made each pixel

    Albedo, roughness, metallicity, normals and heights of 256² texels, 524,288 numbers, from pictures in 8 bits under
    lamps near the floor. A height is felt by its own texel and two neighbours: its lists have three ids. The error is
    that of pictures under lamps that no step sees.
    """
    side, size, views, steps = (32, 32, 16, 60) if setup.small else (256, 192, 32, 300)
    floor, others, wanted = Floor(side, size, views, 0), Floor(side, size, 4, 1), truth(side)
    every = torch.arange(4)
    targets, held_out = floor.draw(torch.arange(views), *wanted), others.draw(every, *wanted)

    def run(estimator: Estimator, seed: int) -> tuple[Course, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        found = [torch.full_like(t, 0.5) for t in wanted[:3]] + [torch.zeros_like(t) for t in wanted[3:]]
        lists = [floor.lists(torch.arange(first, first + BATCH)) for first in range(0, views, BATCH)]
        step_now = 0

        def losses(*parameters: Tensor) -> PixelLosses:
            batch = step_now % len(lists)
            chosen = torch.arange(batch * BATCH, (batch + 1) * BATCH)
            return PixelLosses(
                (floor.draw(chosen, *parameters) - targets[chosen]).square().sum(-1), lists[batch]
            )

        def after(step: int, optimizer: torch.optim.Optimizer) -> None:
            nonlocal step_now
            step_now = step

        def error(*parameters: Tensor) -> float:
            return float((others.draw(every, *parameters) - held_out).square().mean())

        course = descend(
            losses, found, RATES, estimator, error,
            steps=steps, generator=generator, after=after, say=setup.say,
        )  # fmt: skip
        return course, others.draw(every, *found)[0]

    yield from compare(setup, run, EPSILON, held_out[0], "mean squared error under held-out lamps")
