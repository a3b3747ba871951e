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


@pytest.mark.slow
def test_blur_pulls_a_disc_that_does_not_touch_its_target(tmp_path: Path) -> None:
    found = {method: row["pixels from the target"] for method, row in values("beside", tmp_path).items()}
    # 10 pixels lie between. Without blur Adam follows the pixel grid, which is the same everywhere.
    assert found["no blur"] > 8 and found["blur of 1 pixel"] > 8
    assert found["blur of 9, then 0.5"] < 1.0


def test_blur_makes_the_ball_that_is_found_smaller(tmp_path: Path) -> None:
    found = {
        method: row["radius found, pixels too large"] for method, row in values("edge", tmp_path).items()
    }
    assert found["80 triangles, blur of 2 pixels"] < found["80 triangles, blur of 0.5 pixels"] < -0.2
    assert found["320 triangles, blur of 2 pixels"] < found["80 triangles, blur of 2 pixels"] < -2.0
    assert -4.0 < found["320 triangles, blur of 2 pixels"]


@pytest.mark.slow
def test_blur_still_finds_the_shape(tmp_path: Path) -> None:
    found = values("mesh", tmp_path)
    sharp, blurred = (
        found[name]["Chamfer distance, ‰ of the diagonal"] for name in ("no blur", "blur of 1 px")
    )
    assert sharp < 25 and sharp < blurred < 40  # blur makes what is found smaller
