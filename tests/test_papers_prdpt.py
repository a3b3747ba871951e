"""PRDPT's experiments in their small forms keep their promises, with Mitsuba where it is there."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))
from examples.papers.prdpt import EXPERIMENTS
from examples.papers.prdpt.ablated import Ablated
from examples.papers.prdpt.box import TASK as BOX
from examples.papers.prdpt.compare import OURS, SOFT, UNSMOOTHED
from examples.papers.prdpt.descend import Task, image_error, parameter_error
from examples.papers.prdpt.figure import blurred, profile
from examples.papers.prdpt.mitsuba_pictures import mitsuba
from examples.papers.prdpt.occlusion import TASK as OCCLUSION
from examples.papers.prdpt.own_derivative import can_differentiate
from examples.papers.prdpt.soft import view
from examples.papers.records import Record, Setup
from largesteps_zg.estimators import Objective
from largesteps_zg.renderers import render_soft


def small(name: str, folder: Path) -> list[Record]:
    """All records of an experiment's small form."""
    setup = Setup("prdpt", name, True, (0,), folder, lambda text: None)
    return list(EXPERIMENTS[name](setup))


def value(records: list[Record], method: str, measure: str) -> float:
    """One number of them."""
    (found,) = [r.value for r in records if (r.method, r.measure) == (method, measure)]
    return found


# The parts, without a renderer


@pytest.mark.slow
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
    assert losses[apart] == pytest.approx(2 * 0.2**2, rel=0.04) and losses.min() < 0.005
    edge = np.linspace(-3, 3, 1201)
    smooth = blurred(edge, (edge > 0).astype(float), 0.5)
    inside = np.abs(edge) < 1
    expected = [0.5 * (1 + math.erf(x / 0.5 / math.sqrt(2))) for x in edge[inside]]
    assert np.abs(smooth[inside] - expected).max() < 0.015


@pytest.mark.parametrize("importance", [True, False])
@pytest.mark.parametrize("antithetic", [True, False])
def test_what_is_taken_away_costs_variance_and_not_the_mean(importance: bool, antithetic: bool) -> None:
    # The cubic x^3 + 1, blurred with a Gaussian of width s, has the derivative 3 x^2 + 3 s^2.
    estimator = Ablated(sigma=lambda calls: 0.4, pairs=200, importance=importance, antithetic=antithetic)
    generator = torch.Generator().manual_seed(5)
    x = torch.tensor([0.7], dtype=torch.float64)
    cubic = Objective(lambda x: x[:, 0] ** 3 + 1, batched=True)
    estimates = [estimator.estimate(cubic, x, generator=generator) for _ in range(100)]
    gradients = torch.cat([estimate.gradient for estimate in estimates])
    error = gradients.std().item() / math.sqrt(len(gradients))
    assert abs(gradients.mean().item() - 3 * 0.7**2 - 3 * 0.4**2) < 4.5 * error < 0.3
    assert {estimate.evaluations for estimate in estimates} == {400}


def test_no_part_may_go(tmp_path: Path) -> None:
    records = small("ablation", tmp_path)
    for method in {r.method for r in records}:
        assert value(records, method, "log-ratio of the parameter error") > 1, method


def test_errors_are_means_of_squares() -> None:
    def picture(x: Sequence[float], seed: int, samples: int) -> np.ndarray:
        return np.full((2, 2, 3), x[0], dtype=np.float32)

    task = Task(picture, start=(0.0, 0.0), truth=(1.0, 2.0), sigma=(1, 1), rate=(1, 1), steps=1)
    assert parameter_error(task, (0.0, 5.0)) == 5.0 and image_error(task, (4.0, 0.0)) == 9.0


# With Mitsuba


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most"), [("cup", 1e-3), ("shadows", 1e-2), ("occlusion", 1e-2), ("caustic", 0.1)]
)
def test_smoothing_leaves_the_plateau_of(name: str, most: float, tmp_path: Path) -> None:
    pytest.importorskip("mitsuba")
    task = importlib.import_module(f"examples.papers.prdpt.{name}").TASK
    records = small(name, tmp_path)
    assert value(records, OURS, "parameter error") < most
    assert value(records, UNSMOOTHED, "parameter error") > 0.3 * parameter_error(task, task.start)
    assert value(records, OURS, "image error") < 0.1 * image_error(task, task.start)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["illumination", "sort"])
def test_smoothing_makes_progress_with(name: str, tmp_path: Path) -> None:
    pytest.importorskip("mitsuba")
    task = importlib.import_module(f"examples.papers.prdpt.{name}").TASK
    assert value(small(name, tmp_path), OURS, "image error") < 0.9 * image_error(task, task.start)


def test_pictures_have_noise_of_their_own() -> None:
    pytest.importorskip("mitsuba")
    first, again, other = (OCCLUSION.picture((0.5,), seed, 1) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and np.abs(first - other).mean() > 0.01
    assert OCCLUSION.picture((0.5,), 1, 1, scale=2).shape == (96, 128, 3) and first.shape == (48, 64, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cup", "shadows", "illumination"])
def test_the_scene_that_is_differentiated_is_the_scene(name: str) -> None:
    pytest.importorskip("mitsuba")
    if not can_differentiate():
        pytest.skip("Mitsuba finds no LLVM that it can use")
    task = importlib.import_module(f"examples.papers.prdpt.{name}").TASK
    expected = task.picture(task.truth, 1, 64)
    mi = mitsuba("llvm_ad_rgb")
    scene = mi.load_dict({"type": "scene"} | task.picture.scene(mi, [0.0] * len(task.start)))
    own = mi.traverse(scene)
    own.update(task.picture.moved(mi, [mi.Float(value) for value in task.truth], dict(own)))
    found = np.array(mi.render(scene, seed=2, spp=64))
    far = np.square(expected - task.picture(task.start, 2, 64)).mean()
    assert np.square(found - expected).mean() < 0.2 * far


@pytest.mark.parametrize("name", ["cup", "occlusion", "sort"])
def test_the_mesh_of_a_task_is_where_its_scene_is(name: str) -> None:
    """From start to truth the same pixels change; of masks two pixels aside less than 0.78 is common."""
    pytest.importorskip("mitsuba")
    task = importlib.import_module(f"examples.papers.prdpt.{name}").TASK
    first, last = (torch.from_numpy(task.picture(x, 1, 64)) for x in (task.start, task.truth))
    meshes = (task.surface(torch.tensor(x, dtype=torch.float64)) for x in (task.start, task.truth))
    before, after = (render_soft(*mesh, view(task), sigma=0.3)[0] for mesh in meshes)
    changes = ((a - b).abs().sum(-1) for a, b in ((first, last), (before, after)))
    path_traced, blurred = (change > 0.3 * change.quantile(0.99) for change in changes)
    common = (path_traced & blurred).sum() / (path_traced | blurred).sum()
    assert common > 0.78


@pytest.mark.slow
def test_a_soft_rasterizer_sees_what_is_hidden_and_not_what_is_outside(tmp_path: Path) -> None:
    pytest.importorskip("mitsuba")
    assert value(small("occlusion", tmp_path), SOFT, "parameter error") < 0.2  # of 6.25
    # It did not move.
    assert value(small("shadows", tmp_path), SOFT, "parameter error") == pytest.approx(1.625)
