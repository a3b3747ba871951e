"""The estimator that docs/estimators.md shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import test_estimators as family
import torch
from estimator_oracles import MEMBERS, Member, assert_mean, assert_spread, make, sample

from largesteps_zg.estimators import ESTIMATORS, Estimator, Objective, PixelLosses
from largesteps_zg.renderers import HardRasterizer

PAGE = Path(__file__).resolve().parents[1] / "docs" / "estimators.md"
PAGE_TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE_TEXT, re.DOTALL)


@pytest.fixture
def worked_example(monkeypatch: pytest.MonkeyPatch) -> str:
    """Its name, with the two lines in place that the page tells to add."""
    names: dict[str, Any] = {}
    exec(BLOCKS[2], names)
    name, member = re.search(r'^"([\w-]+)": (Member\(.*?\)),', PAGE_TEXT, re.MULTILINE).groups()  # type: ignore[union-attr]
    monkeypatch.setitem(ESTIMATORS, name, names["RandomDirections"])
    monkeypatch.setitem(MEMBERS, name, eval(member, {"Member": Member}))
    return name


@pytest.mark.slow
def test_the_mean_of_the_worked_example_is_the_gradient(
    worked_example: str, generator: torch.Generator
) -> None:
    x = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    objective = Objective(lambda x: x.square().sum(-1) + x[..., 0] * x[..., 2], batched=True)
    estimator = make(worked_example, width=0.1, pairs=100)
    samples = sample(estimator, objective, x, repeats=100, pairs=100, generator=generator)
    assert_mean(samples, torch.tensor([2.0 + 0.5, -4.0, 1.0 + 1.0]))
    assert_spread(samples)


def test_the_worked_example_keeps_the_promises_of_the_family(worked_example: str) -> None:
    assert isinstance(ESTIMATORS[worked_example](), Estimator)
    for promise in (
        family.test_never_asks_for_the_derivative_of_f,
        family.test_the_estimate_is_shaped_like_the_parameters_and_counts_its_evaluations,
    ):
        more = (
            {"dtype": torch.float32, "several": True} if "dtype" in promise.__code__.co_varnames[:3] else {}
        )
        promise(worked_example, generator=torch.Generator().manual_seed(1), **more)
    for promise in (
        family.test_a_function_that_spoils_its_arguments_spoils_nothing,
        family.test_the_same_seed_gives_the_same_bits,
        family.test_random_numbers_come_from_the_generator_alone,
        family.test_threads_give_what_the_serial_run_gives,
        family.test_goes_on_from_a_state,
        family.test_schedules_count_the_estimates_that_were_made,
        family.test_says_which_evaluation_failed,
        family.test_refuses_widths_that_do_not_fit_the_parameters,
        family.test_parameters_without_a_gradient_are_held_fixed,
        family.test_one_pair_says_nothing_of_its_spread,
    ):
        promise(worked_example)


def test_the_short_example_runs(generator: torch.Generator) -> None:
    from largesteps_zg.cameras import sphere_of_cameras
    from largesteps_zg.mesh import icosphere

    ball = icosphere(1)
    cameras = sphere_of_cameras(2, distance=3.0, fov_y_degrees=45.0, height=16, width=16)
    vertices = ball.vertices.clone().requires_grad_()
    names: dict[str, Any] = {
        "renderer": HardRasterizer(),
        "faces": ball.faces,
        "cameras": cameras,
        "targets": torch.zeros(2, 16, 16, 4),
        "vertices": vertices,
        "colors": torch.ones_like(vertices, requires_grad=True),
    }
    exec(BLOCKS[1], names)
    names["loss"].backward()
    assert vertices.grad is not None and vertices.grad.norm() > 0
    assert isinstance(names["losses"](ball.vertices, torch.ones_like(ball.vertices)), PixelLosses)


def test_the_page_names_every_estimator_of_the_registry() -> None:
    assert [c.__name__ for c in ESTIMATORS.values() if f"| `{c.__name__}` |" not in PAGE_TEXT] == []
