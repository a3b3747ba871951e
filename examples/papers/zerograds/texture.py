"""A picture whose every colour is a parameter."""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Iterator

import torch
from torch import Tensor

from largesteps_zg.estimators import Objective, ZeroGrads

from ..records import Record, Setup, clock
from .curves import draw_curves, draw_images
from .rivals import Task, race, records

WHOLE = 256  # the published side
# A third of the time a call.
LEAN = {"width": 8, "depth": 1, "k_phi": 1, "inner": 0.0, "rate": 1.0, "memory": 0.5}


def painting(size: int) -> Tensor:
    """Swirls (size, size, 3) in [0, 1], blue and yellow."""
    axis = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    light = torch.zeros(size, size)
    for cx, cy, radius, wide in ((0.3, 0.35, 0.22, 7), (0.72, 0.25, 0.14, 9), (0.62, 0.68, 0.28, 6)):
        away, angle = (x - cx).hypot(y - cy), torch.atan2(y - cy, x - cx)
        light += (0.5 + 0.5 * torch.cos(wide * away / radius + 2 * angle)) * (-((away / radius) ** 2)).exp()
    low, high = torch.tensor([0.08, 0.16, 0.45]), torch.tensor([0.98, 0.87, 0.35])
    return low + (high - low) * light.clamp(0, 1)[..., None] * (0.75 + 0.25 * y[..., None])


def texture_task(size: int, evaluations: int) -> Task:
    """The published start and measure of a texture.

    Of P numbers a step by n pairs can tell a part sqrt(n / P) of the way, and longer steps lead away.
    """
    target, pairs = painting(size), 4 if size < WHOLE else 10
    rate = 0.3 * math.sqrt(pairs / target.numel())
    return Task(
        loss=lambda texture: ((texture - target) / target.mean()).square().mean((1, 2, 3)),
        start=lambda generator: 0.5 + 0.05 * torch.randn(size, size, 3, generator=generator),
        evaluations=evaluations,
        sigma=0.025,
        rates={"ZeroGrads": 0.6 * rate, "SPSA": rate, "PRDPT": rate},
        spread=0.05,
        pairs=pairs,
        search_options={"CMA-ES": {"covariance": "diagonal"}},
    )


def texture(setup: Setup) -> Iterator[Record]:
    """ZeroGrads: a texture, every texel a parameter

    The picture is the texture itself. At 32 x 32 (3,072 numbers) all methods run to the end of their budget; at the
    published 256 x 256 (196,608) ZeroGrads alone has one evaluation for each number: the published form has twenty,
    and takes 10 GB.
    """
    size = 8 if setup.small else 32
    curves = race(setup, texture_task(size, 1_200 if setup.small else 30_000))
    yield from records(setup, curves, "image MSE")
    draw_curves(setup.folder / "curves.png", curves, f"Texture of {size} x {size}", "image MSE")
    best = {curve.method: curve.best for curve in curves if curve.seed == setup.seeds[0]}
    draw_images(setup.folder / "textures.png", {"target": painting(size), **best})
    yield from _whole(setup, 40 if setup.small else 3 * WHOLE**2)


def _whole(setup: Setup, evaluations: int) -> Iterator[Record]:
    """The published size, once: how far that goes, and the most memory that the process ever took."""
    task, seed = texture_task(WHOLE, evaluations), setup.seeds[0]
    generator = torch.Generator().manual_seed(seed)
    source, loss = ZeroGrads(sigma=task.sigma, pairs=task.pairs, **LEAN), Objective(task.loss, batched=True)
    first = x = task.start(generator)
    each = 2 * task.pairs
    with clock() as seconds:
        for spent in range(0, evaluations, each):
            gradient = source.estimate(loss, x, generator=generator).gradient
            assert isinstance(gradient, Tensor)
            # What is left falls as the best steps do.
            length = task.rates["ZeroGrads"] * math.exp(-spent / (4 * x.numel()))
            x = x - length * gradient / gradient.square().mean().sqrt()
            if spent % 2000 == 0:
                setup.say(f"196,608 parameters: {spent:,} of {evaluations:,} evaluations")
        took = seconds()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    draw_images(
        setup.folder / "whole.png", {"target": painting(WHOLE), "start": first, "ZeroGrads": x}, columns=3
    )
    left = float(task.loss(x[None]) / task.loss(first[None]))
    for measure, value, published in (
        ("share of the image MSE that is left", left, None),
        ("milliseconds per evaluation", 1e3 * took / evaluations, None),
        ("peak memory, GiB", peak / 2**30, 10),
    ):
        yield setup.record(
            "ZeroGrads, 256 x 256", seed, measure, value, took, published=published, evaluations=evaluations
        )
