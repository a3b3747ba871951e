"""PRDPT's experiments in their small forms keep their promises, with Mitsuba where it is there."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))
from examples.papers.prdpt import EXPERIMENTS
from examples.papers.prdpt.ablated import Ablated
from examples.papers.prdpt.box import TASK as BOX
from examples.papers.prdpt.compare import OURS, UNSMOOTHED
from examples.papers.prdpt.descend import Task, image_error, parameter_error
from examples.papers.prdpt.figure import blurred, profile
from examples.papers.records import Record, Setup


def small(name: str, folder: Path) -> list[Record]:
    """All records of an experiment's small form."""
    setup = Setup("prdpt", name, True, (0,), folder, lambda text: None)
    return list(EXPERIMENTS[name](setup))


def value(records: list[Record], method: str, measure: str) -> float:
    """One number of them."""
    (found,) = [r.value for r in records if (r.method, r.measure) == (method, measure)]
    return found


# The parts, without a renderer


def test_the_box_leaves_its_plateau_only_where_the_loss_is_smoothed(tmp_path: Path) -> None:
    records = small("box", tmp_path)
    assert value(records, OURS, "parameter error") < 1e-4  # of 0.054 at the start
    assert value(records, UNSMOOTHED, "parameter error") == pytest.approx(0.33**2 / 2)  # it did not move
    assert {r.evaluations for r in records} == {400}
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_the_plateau_that_is_drawn() -> None:
    places, losses = profile(BOX, 41)
    # Boxes that do not touch: two boxes of 51 or 52 by 51 or 52 pixels of 256 are wrong, all colours of them by one.
    apart = np.abs(places - 1) > 0.21 / 0.33
    assert losses[apart] == pytest.approx(2 * 0.2**2, rel=0.03) and losses[np.argmin(np.abs(places - 1))] == 0
    edge = np.linspace(-3, 3, 1201)
    smooth = blurred(edge, (edge > 0).astype(float), 0.5)
    inside = np.abs(edge) < 1
    expected = [0.5 * (1 + math.erf(x / 0.5 / math.sqrt(2))) for x in edge[inside]]
    assert np.abs(smooth[inside] - expected).max() < 0.01


@pytest.mark.parametrize("importance", [True, False])
@pytest.mark.parametrize("antithetic", [True, False])
def test_what_is_taken_away_costs_variance_and_not_the_mean(importance: bool, antithetic: bool) -> None:
    # The cubic x^3 + 1, blurred with a Gaussian of width s, has the derivative 3 x^2 + 3 s^2.
    estimator = Ablated(sigma=lambda calls: 0.4, pairs=200, importance=importance, antithetic=antithetic)
    generator = torch.Generator().manual_seed(5)
    x = torch.tensor([0.7], dtype=torch.float64)
    estimates = [estimator.estimate(lambda x: x**3 + 1, x, generator=generator) for _ in range(100)]
    gradients = torch.cat([estimate.gradient for estimate in estimates])
    error = gradients.std().item() / math.sqrt(len(gradients))
    assert abs(gradients.mean().item() - 3 * 0.7**2 - 3 * 0.4**2) < 4.5 * error < 0.3
    assert {estimate.evaluations for estimate in estimates} == {400}


def test_no_part_may_go(tmp_path: Path) -> None:
    records = small("ablation", tmp_path)
    for method in {r.method for r in records}:
        assert value(records, method, "log-ratio of the parameter error") > 1, method


def test_errors_are_means_of_squares() -> None:
    task = Task(lambda x, seed, samples: np.full((2, 2, 3), x[0], np.float32), (0.0, 0.0), (1.0, 2.0), (1, 1), (1, 1), 1)
    assert parameter_error(task, (0.0, 5.0)) == 5.0 and image_error(task, (4.0, 0.0)) == 9.0
