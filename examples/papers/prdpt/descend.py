"""A task of the paper, a descent on it, and how far a descent came."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from largesteps_zg.estimators import SPSA, Estimator, Smoothed, differentiable, geometric, linear

Image = NDArray[np.float32]
Surface = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # vertices, faces, a colour for each vertex
WATCHED = 2**31 - 1  # the seed of pictures that only watch; no descent draws it


@dataclass(frozen=True)
class Task:
    """What is to be found, and how: a picture of parameters, where they start, where they belong.

    `picture` gives (H, W, 3) of parameters, a seed and samples a pixel. `sigma` goes from the first width to the second
    in a straight line and stays there from two thirds of the steps on; `rate`, Adam's, falls by a constant factor.
    `surface` makes a mesh of the parameters for `soft`, where one shows what moves.
    `published` has image and parameter error by method.
    """

    picture: Callable[..., Image]
    start: tuple[float, ...]
    truth: tuple[float, ...]
    sigma: tuple[float, float]
    rate: tuple[float, float]
    steps: int
    pairs: int = 1
    samples: int = 8
    published: dict[str, tuple[float, float]] = field(default_factory=dict)
    surface: Callable[[torch.Tensor], Surface] | None = None

    def target(self) -> Image:
        """The picture to match; sixteen times the samples."""
        return self.picture(self.truth, 0, 16 * self.samples)

    def widths(self, steps: int) -> Callable[[int], float]:
        """Of the kernel, at each of so many steps."""
        return linear(*self.sigma, max(1, 2 * steps // 3))

    def smoothed(self, steps: int) -> Smoothed:
        """The paper's estimator."""
        return Smoothed(sigma=self.widths(steps), pairs=self.pairs)

    def unsmoothed(self, steps: int) -> SPSA:
        """Differences as wide as the smoothing is in the end."""
        return SPSA(epsilon=self.sigma[1], pairs=self.pairs)


@dataclass(frozen=True)
class Descent:
    """Where the parameters went, (steps + 1, P), and what that cost."""

    path: NDArray[np.float64]
    evaluations: int
    seconds: float


def descend(task: Task, estimator: Estimator, seed: int, steps: int) -> Descent:
    """Adam on an estimator's gradient; each picture has noise of its own."""
    before = time.perf_counter()
    target, seeds = task.target(), itertools.count(1 + (seed << 24))

    def loss(x: torch.Tensor) -> float:
        return float(np.square(task.picture(x.tolist(), next(seeds), task.samples) - target).mean())

    sampled = differentiable(loss, estimator, generator=torch.Generator().manual_seed(seed))

    def gradient(x: torch.Tensor) -> None:
        sampled(x).backward()

    path = np.array(list(adam(task, gradient, steps)))
    return Descent(path, sampled.evaluations, time.perf_counter() - before)


def adam(task: Task, gradient: Callable[[torch.Tensor], None], steps: int) -> Iterator[list[float]]:
    """The parameters before and after each step; `gradient` deposits one."""
    x = torch.tensor(task.start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([x], lr=task.rate[0], betas=(0.9, 0.99))
    rate = geometric(*task.rate, steps)
    yield x.tolist()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate(step)
        optimizer.zero_grad()
        gradient(x)
        optimizer.step()
        yield x.tolist()


def parameter_error(task: Task, parameters: Sequence[float]) -> float:
    """Mean square."""
    return float(np.square(np.subtract(parameters, task.truth)).mean())


def image_error(task: Task, parameters: Sequence[float]) -> float:
    """Mean square between pictures with the same random numbers, so that most of their noise cancels."""
    samples = 16 * task.samples
    found, target = (task.picture(x, WATCHED, samples) for x in (parameters, task.truth))
    return float(np.square(found - target).mean())
