"""A BRDF as a network of 675 weights, its error, and the tasks made of BRDFs.

Sztrajman et al., Neural BRDF Representation and Importance Sampling, 2021: 6 → 21 → 21 → 3 with ReLU, exp(x) - 1 at the
end, and the mean difference of log(1 + BRDF · cosine).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from largesteps_zg.learning import Task

from .brdfs import Analytic, Directions, Measured, sampled

Weights = dict[str, Tensor]
Family = Callable[[int, torch.Generator], Analytic | Measured]
LAYERS = (6, 21, 21, 3)
BATCH, STEPS = 512, 10  # samples of a step, steps of a task


def fresh(generator: torch.Generator, layers: tuple[int, ...] = LAYERS) -> Weights:
    """Random weights as torch's linear layers begin with."""
    found = {}
    for i, (size, out) in enumerate(pairwise(layers)):
        found[f"w{i}"] = (2 * torch.rand(size, out, generator=generator) - 1) / math.sqrt(size)
        found[f"b{i}"] = (2 * torch.rand(out, generator=generator) - 1) / math.sqrt(size)
    return found


def network(weights: Weights, inputs: Tensor) -> Tensor:
    """The last layer before its exponential: log(1 + BRDF). Weights may have a first axis of N networks."""
    depth = len(weights) // 2
    for i in range(depth):
        inputs = inputs @ weights[f"w{i}"] + weights[f"b{i}"][..., None, :]
        inputs = inputs.relu() if i < depth - 1 else inputs
    return inputs


def encoded(values: Tensor, directions: Directions) -> Tensor:
    """log(1 + BRDF · cosine), which errors are measured in."""
    return (1 + values * directions.cosine[:, None]).log()


def differences(weights: Weights, directions: Directions, truth: Tensor) -> Tensor:
    """(N, S, 3), of encoded values."""
    return encoded(network(weights, directions.inputs).expm1(), directions) - truth


def error(weights: Weights, directions: Directions, truth: Tensor) -> Tensor:
    """(N,): the mean absolute difference."""
    return differences(weights, directions, truth).abs().mean((-1, -2))


def task(
    brdfs: Analytic | Measured, generator: torch.Generator, batch: int = BATCH, steps: int = STEPS
) -> Task:
    """Networks to be fitted to N BRDFs, each step to other samples; scored on samples that no step has seen."""
    parts = [sampled(batch, generator) for _ in range(steps + 1)]
    truths = [encoded(brdfs(part), part) for part in parts]

    def loss(weights: Weights, step: int) -> Tensor:
        # Squared: near the solution gradients become small, and ten steps need no smaller rates at the end.
        return differences(weights, parts[step], truths[step]).square().mean((-1, -2))

    return Task(loss, lambda weights: error(weights, parts[-1], truths[-1]), brdfs.count)


def tasks(family: Family, together: int, batch: int, generator: torch.Generator) -> Iterator[Task]:
    """Tasks of a family, for ever."""
    while True:
        yield task(family(together, generator), generator, batch)


def followed(
    weights: Weights, brdfs: Analytic | Measured, rate: float, steps: int, generator: torch.Generator
) -> Iterator[Weights]:
    """Weights (N, ...) of N networks after each step of Adam."""
    weights = {name: value.detach().clone().requires_grad_() for name, value in weights.items()}
    optimizer = torch.optim.Adam(weights.values(), lr=rate)
    for _ in range(steps):
        directions = sampled(BATCH, generator)
        optimizer.zero_grad()
        error(weights, directions, encoded(brdfs(directions), directions)).sum().backward()
        optimizer.step()
        yield weights
