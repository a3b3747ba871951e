"""Metappearance in its small form: each experiment runs and keeps what it promises."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.papers.metappearance import EXPERIMENTS
from examples.papers.metappearance.balls import on_ball
from examples.papers.metappearance.brdfs import Analytic, Measured, of_angles, sampled
from examples.papers.metappearance.networks import fresh
from examples.papers.records import Setup


def values(name: str, folder: Path, measure: str) -> dict[str, float]:
    """What each method has, in the small form."""
    setup = Setup("metappearance", name, True, (0,), folder, lambda text: None)
    return {one.method: one.value for one in EXPERIMENTS[name](setup) if one.measure.startswith(measure)}


@pytest.mark.slow
def test_little_learning_brings_ten_steps_past_ten_of_adam(tmp_path: Path) -> None:
    ratios = values("brdf", tmp_path, "error over")
    assert ratios["meta, 10 steps"] < ratios["overfitted, 10 steps"]
    assert ratios["fine-tuned, 10 steps"] < 0.9 * ratios["general"]
    assert ratios["overfitted, 10 steps"] > 3
    assert {path.name for path in tmp_path.iterdir()} == {"curves.png", "balls.png"}


@pytest.mark.slow
def test_rates_of_groups_are_learned_through_whole_runs(tmp_path: Path) -> None:
    setup = Setup("metappearance", "scene", True, (0,), tmp_path, lambda text: None)
    records = list(EXPERIMENTS["scene"](setup))
    factors = [one.value for one in records if one.measure == "factor"]
    assert len(factors) == 4 and all(0.5 < factor < 2 and factor != 1 for factor in factors)
    half, learned = (one.evaluations for one in records if "6 steps" in one.method and "L1" in one.measure)
    assert half == learned == 24


@pytest.mark.slow
def test_learned_rates_of_bands_beat_one_rate_from_the_familys_mean(tmp_path: Path) -> None:
    errors = values("shape", tmp_path, "image error")
    assert errors["meta, 5 steps"] < 0.8 * errors["fine-tuned, 5 steps"]
    assert errors["meta, 5 steps"] < errors["bands, not learned, 5 steps"]
    assert {path.name for path in tmp_path.iterdir()} == {"curves.png", "rates.png", "shapes.png"}


def test_networks_have_the_papers_675_weights() -> None:
    assert sum(value.numel() for value in fresh(torch.Generator()).values()) == 675


def test_half_and_difference_angles_are_those_of_the_directions() -> None:
    """The half vector is the normalised sum, and has the difference angle with both."""
    directions = sampled(1000, torch.Generator().manual_seed(0))
    middle = directions.light + directions.view
    torch.testing.assert_close(middle / middle.norm(dim=1, keepdim=True), directions.h, atol=1e-5, rtol=0)
    cosine = (directions.light * directions.h).sum(1)
    torch.testing.assert_close(cosine, directions.angles[:, 1].cos(), atol=1e-5, rtol=0)
    torch.testing.assert_close(cosine, directions.d[:, 2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("lobe", [0, 1, 2])
def test_no_surface_reflects_more_than_it_gets(lobe: int) -> None:
    """The integral of BRDF times cosine over the lights of a view, by a grid in solid angle; white, no diffuse part."""
    brdf = Analytic(10, torch.Generator().manual_seed(0))
    brdf.lobe[:], brdf.diffuse[:], brdf.head_on[:] = lobe, 0.0, 1.0
    cosines, azimuths = torch.meshgrid(
        (torch.arange(200) + 0.5) / 200, (torch.arange(200) + 0.5) / 200 * 2 * math.pi, indexing="ij"
    )
    sines = (1 - cosines.square()).sqrt()
    light = torch.stack([sines * azimuths.cos(), sines * azimuths.sin(), cosines], -1).view(-1, 3)
    view = torch.tensor([math.sin(0.4), 0.0, math.cos(0.4)])
    half = light + view
    half = half / half.norm(dim=1, keepdim=True)
    between = (half @ view).clamp(-1, 1).acos()
    across = torch.linalg.cross(torch.tensor([0.0, 0.0, 1.0]).expand_as(half), half)
    turn = torch.atan2((light * across).sum(1), (light * torch.linalg.cross(across, half)).sum(1))
    found = of_angles(torch.stack([half[:, 2].acos(), between, turn], -1))
    torch.testing.assert_close(found.light[:, 2], light[:, 2], atol=1e-4, rtol=0)
    albedo = (brdf(found)[..., 0] * light[:, 2]).mean(1) * 2 * math.pi
    assert (albedo < 1.03).all() and (albedo > 0.25).all()


def test_a_ball_is_lit_from_where_the_lamp_is() -> None:
    lamp = torch.tensor([0.6, 0.0, 0.8])
    directions, pixels = on_ball(lamp, 33)
    brightest = int(pixels[directions.cosine.argmax()])
    assert (brightest // 33, brightest % 33) == (16, 26)  # 0.6 of the radius of 16 to the right


def test_measured_tables_are_read_as_merl_writes_them(tmp_path: Path) -> None:
    """Red, green and blue planes of 90 x 90 x 180 doubles, of which the scale of each is fixed."""
    table = np.zeros((3, 90, 90, 180))
    table[:, 30, 40, 50] = 1500.0
    (tmp_path / "a.binary").write_bytes(struct.pack("<3i", 90, 90, 180) + table.astype("<f8").tobytes())
    place = [(30.5 / 90) ** 2 * math.pi / 2, math.radians(40.5), math.radians(50.5)]
    found = Measured(sorted(tmp_path.iterdir()))(of_angles(torch.tensor([place, [0.1, 0.1, 0.1]])))
    torch.testing.assert_close(found, torch.tensor([[[1.0, 1.15, 1.66], [0.0, 0.0, 0.0]]]))
    (tmp_path / "a.binary").write_bytes(struct.pack("<3i", 9, 9, 18))
    with pytest.raises(ValueError, match="expected a table of 90 x 90 x 180, got 9 x 9 x 18"):
        Measured([tmp_path / "a.binary"])
