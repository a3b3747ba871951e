"""A network that holds one digit, trained without a derivative."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from ..records import Record, Setup
from .curves import draw_curves, draw_images
from .digits import digits
from .rivals import DESCENTS, Task, race, records

DIGIT = 7  # the published number in the data set


class Network:
    """A fixed random input through layers of these sizes: ReLU between them, a sigmoid at the end."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.shapes = list(pairwise(sizes))
        self.count = sum((before + 1) * after for before, after in self.shapes)
        self._input = torch.randn(1, sizes[0], generator=torch.Generator().manual_seed(0))

    def __call__(self, weights: Tensor) -> Tensor:
        """Outputs (N, last size) of weights (N, count)."""
        x, rest = self._input.expand(len(weights), 1, -1), weights
        for number, (before, after) in enumerate(self.shapes):
            matrix, bias, rest = rest.split(
                [before * after, after, rest.shape[1] - (before + 1) * after], dim=1
            )
            x = torch.baddbmm(bias[:, None], x, matrix.view(-1, before, after))
            x = x.relu() if number + 1 < len(self.shapes) else x.sigmoid()
        return x[:, 0]

    def start(self, generator: torch.Generator) -> Tensor:
        """Uniform within one over the root of a layer's inputs, as layers of torch begin."""
        parts = [
            (2 * torch.rand((before + 1) * after, generator=generator) - 1) / math.sqrt(before)
            for before, after in self.shapes
        ]
        return torch.cat(parts)


def mlp(setup: Setup) -> Iterator[Record]:
    """ZeroGrads: a network of 35,152 weights that holds a digit

    No derivative of the network is used, only its picture's error. The published run takes 100,000 evaluations.
    """
    size = 8 if setup.small else 28
    network = Network((32, 16, 16, 64) if setup.small else (256, 32, 32, 784))
    target = digits(size)[DIGIT].reshape(-1)
    task = Task(
        loss=lambda weights: (network(weights) - target).square().mean(dim=1),
        start=network.start,
        evaluations=800 if setup.small else 5_000,
        sigma=0.025,
        rates=dict.fromkeys(DESCENTS, 0.03 if setup.small else 0.01),
        spread=0.025,
        search_options={"CMA-ES": {"covariance": "diagonal"}},
    )
    curves = race(setup, task)
    yield from records(setup, curves, "image MSE")
    draw_curves(setup.folder / "curves.png", curves, f"{network.count:,} weights", "image MSE")
    shown = {"target": target} | {
        curve.method: network(curve.best[None])[0] for curve in curves if curve.seed == setup.seeds[0]
    }
    draw_images(setup.folder / "digits.png", {name: image.view(size, size) for name, image in shown.items()})
