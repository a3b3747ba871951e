"""The experiments with the soft rasterizer in their small form keep what they promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.papers.records import Setup
from examples.papers.soft_rasterizer import EXPERIMENTS


def values(name: str, folder: Path) -> dict[str, dict[str, float]]:
    """By method and measure, of one seed."""
    setup = Setup("soft_rasterizer", name, True, (0,), folder, lambda _: None)
    found: dict[str, dict[str, float]] = {}
    for record in EXPERIMENTS[name](setup):
        found.setdefault(record.method, {})[record.measure] = record.value
    assert list(folder.glob("*.png"))
    return found


def test_blur_pulls_a_disc_that_does_not_touch_its_target(tmp_path: Path) -> None:
    found = {method: row["pixels from the target"] for method, row in values("beside", tmp_path).items()}
    assert found["no blur"] == pytest.approx(24.0, abs=1.5)  # Adam follows the pixel grid
    assert found["blur of 1 pixel"] == pytest.approx(24.0, abs=1.5)  # 10 pixels lie between, 3 sigma are 3
    assert found["blur of 9, then 0.5"] < 1.0


def test_blur_makes_the_ball_that_is_found_smaller(tmp_path: Path) -> None:
    found = {
        method: row["radius found, pixels too large"] for method, row in values("edge", tmp_path).items()
    }
    assert found["80 triangles, blur of 2 pixels"] < found["80 triangles, blur of 0.5 pixels"] < 0.05
    assert found["320 triangles, blur of 2 pixels"] < found["80 triangles, blur of 2 pixels"]
    assert -3.0 < found["320 triangles, blur of 2 pixels"]


@pytest.mark.slow
def test_blur_costs_time_and_still_finds_the_shape(tmp_path: Path) -> None:
    found = values("mesh", tmp_path)
    blurred, sharp = found["blur of 1 pixels"], found["no blur"]
    assert blurred["ms a step"] > sharp["ms a step"]
    assert blurred["Chamfer distance, ‰ of the diagonal"] < 40
