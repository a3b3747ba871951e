"""A rugged valley of one parameter, and Rosenbrock's valley of two."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from scipy.interpolate import Akima1DInterpolator
from torch import Tensor

from largesteps_zg.estimators import geometric

from ..records import Record, Setup
from .curves import draw_curves
from .rivals import Task, race, records

# The published knots: a false minimum of height 1 lies at 6, the true one of height 0 at 4.
HEIGHTS = Akima1DInterpolator([-100, *range(-2, 9), 100], [9, 7.5, 7, 6.5, 6, 4, 3.5, 0, 2, 1, 6, 8, 9])
START, MINIMUM = 1.1, 4.0
LOW, HIGH = torch.tensor([-1.5, -0.5]), torch.tensor([2.0, 3.0])  # of Rosenbrock's starts, as published


def valley(x: Tensor) -> Tensor:
    """Squared heights (N,) at places (N, 1)."""
    return torch.from_numpy(HEIGHTS(x[:, 0].double().clamp(-100, 100).numpy())).square()


def rosenbrock(x: Tensor) -> Tensor:
    """Values (N,) at points (N, 2); 0 at (1, 1)."""
    a, b = x.double().unbind(-1)
    return (1 - a) ** 2 + 100 * (b - a * a) ** 2


def toy(setup: Setup) -> Iterator[Record]:
    """ZeroGrads: a rugged valley of one parameter

    From 1.1 the way to the minimum, 0 at 4, is level in places and dented, so that a derivative stops early. The
    published spline dips below 0 behind 4, so that its square, the loss, is 0 at 4.116 as well.
    """
    steps = 200 if setup.small else 500
    task = Task(
        loss=valley,
        start=lambda generator: torch.tensor([START]),
        evaluations=8 * steps,
        sigma=geometric(1.0, 0.02, 3 * steps // 5, start=steps // 5),
        rates={"ZeroGrads": 0.1, "SPSA": 0.1, "PRDPT": 0.1},
        last_rate=0.05,
        spread=0.33,
        goal=1e-10,
        options={"memory": 0.9},
    )
    yield from _compared(setup, task, torch.tensor([[4.0], [4.1163]]), "Rugged valley")


def rosenbrock_valley(setup: Setup) -> Iterator[Record]:
    """ZeroGrads: Rosenbrock's valley, two parameters

    A curved valley, nearly level along its floor. Starts are random in the published range, the minimum is (1, 1). The
    published loss is the square, whose floor is flatter yet; here it is the value itself.
    """
    steps = 480 if setup.small else 8_000
    task = Task(
        loss=rosenbrock,
        start=lambda generator: LOW + (HIGH - LOW) * torch.rand(2, generator=generator),
        evaluations=8 * steps,
        sigma=geometric(0.1, 0.0003, steps),
        rates={"ZeroGrads": 0.05, "SPSA": 0.05, "PRDPT": 0.05},
        last_rate=5e-4,  # steps keep this length along whichever gradient
        spread=0.33,
        goal=1e-10,
        options={"memory": 0.5, "inner": 0.0},  # its noise hides the slope along the floor
    )
    yield from _compared(setup, task, torch.ones(1, 2), "Rosenbrock's valley")


def _compared(setup: Setup, task: Task, minima: Tensor, title: str) -> Iterator[Record]:
    """All methods: losses, and how far the best place is from the nearest minimum."""
    curves = race(setup, task)
    yield from records(setup, curves)
    for curve in curves:
        off = (curve.best - minima).abs().amax(1).min()
        yield setup.record(
            curve.method,
            curve.seed,
            "distance from the minimum",
            off,
            curve.seconds,
            published=0.0,
            evaluations=curve.evaluations[-1],
        )
    draw_curves(setup.folder / "curves.png", curves, title)
