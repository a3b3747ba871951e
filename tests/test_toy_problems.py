"""The toy problems of the published experiments come out right, with every estimator that is meant for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from estimator_oracles import MEMBERS
from toy_problems import (
    DISC_START,
    DISC_TARGET,
    SPLINE_MINIMUM,
    SPLINE_START,
    descend,
    disc_loss,
    rosenbrock,
    rosenbrock_start,
    spline,
)

from largesteps_zg.estimators import (
    ESTIMATORS,
    SPSA,
    CentralDifferences,
    Objective,
    Smoothed,
    differentiable,
    geometric,
)


@dataclass(frozen=True)
class Run:
    """How an estimator is used on a problem: its options, and the optimiser's."""

    options: dict[str, Any]
    steps: int
    lr: float
    last_lr: float


def solve(name: str, run: Run, f: Any, start: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    sampled = differentiable(MEMBERS[name].adapt(f), ESTIMATORS[name](**run.options), generator=generator)
    return descend(sampled, start, steps=run.steps, lr=run.lr, last_lr=run.last_lr)


# One line for each estimator. Widths start as wide as the dents and plateaus are, and narrow down: at the end of
# Rosenbrock's valley, which is nearly flat along itself, a sigma of 0.01 still moves the minimum by 0.05.
ON_SPLINE = {
    "finite-differences": Run({"epsilon": geometric(1.0, 0.02, 150, start=50)}, 250, 0.1, 0.005),
    "spsa": Run({"epsilon": geometric(1.0, 0.02, 150, start=50), "pairs": 4}, 250, 0.1, 0.005),
    "smoothed": Run({"sigma": geometric(1.0, 0.02, 150, start=50), "pairs": 4}, 250, 0.1, 0.005),
    "zerograds": Run({"sigma": geometric(1.0, 0.02, 150, start=50), "pairs": 4}, 250, 0.1, 0.005),
}
ON_ROSENBROCK = {
    "finite-differences": Run({"epsilon": 1e-3}, 2000, 0.05, 0.01),
    "spsa": Run({"epsilon": 0.01, "pairs": 16}, 2000, 0.05, 0.01),
    "smoothed": Run({"sigma": geometric(0.1, 0.003, 600), "pairs": 16}, 2000, 0.05, 0.01),
    "zerograds": Run({"sigma": geometric(0.1, 0.003, 600), "pairs": 16}, 2000, 0.05, 0.003),
}
ON_DISC = {
    "smoothed": Run({"sigma": geometric(0.3, 0.02, 150, start=75), "pairs": 8}, 250, 0.02, 0.002),
    "zerograds": Run({"sigma": geometric(0.3, 0.02, 150, start=75), "pairs": 8}, 250, 0.02, 0.002),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ON_SPLINE))
def test_spline_is_followed_past_the_dent(name: str, generator: torch.Generator) -> None:
    start = torch.tensor([SPLINE_START], dtype=torch.float64)
    assert abs(solve(name, ON_SPLINE[name], spline, start, generator).item() - SPLINE_MINIMUM) < 0.05


@pytest.mark.slow
def test_spline_holds_a_plain_derivative_in_the_dent() -> None:
    start = torch.tensor([SPLINE_START], dtype=torch.float64)
    found = descend(
        differentiable(spline, CentralDifferences(epsilon=1e-4)), start, steps=400, lr=0.02, last_lr=0.002
    )
    assert 1.6 < found.item() < 2.4 and spline(found) > 3


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ON_ROSENBROCK))
def test_rosenbrock_from_the_published_range(name: str, generator: torch.Generator) -> None:
    start = rosenbrock_start(generator)
    found = solve(name, ON_ROSENBROCK[name], Objective(rosenbrock, batched=True), start, generator)
    assert (found - 1).abs().max() < 0.03 and rosenbrock(found) < 5e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ON_DISC))
def test_disc_crosses_the_plateau(name: str, generator: torch.Generator) -> None:
    start = torch.tensor(DISC_START)
    assert disc_loss(start) == 2
    found = solve(name, ON_DISC[name], disc_loss, start, generator)
    assert (found - torch.tensor(DISC_TARGET)).norm() < 0.03  # pixels are 0.042 wide
    assert disc_loss(found) == 0


def test_disc_does_not_move_where_perturbations_stay_on_the_plateau(generator: torch.Generator) -> None:
    start = torch.tensor(DISC_START)
    wide_enough = Smoothed(sigma=0.3, pairs=200).estimate(disc_loss, start, generator=generator).gradient
    assert wide_enough[0] < 0  # towards the target
    narrow = differentiable(disc_loss, SPSA(epsilon=0.01, pairs=8), generator=generator)
    found = descend(narrow, start, steps=50, lr=0.02, last_lr=0.002)
    assert torch.equal(found, start)
