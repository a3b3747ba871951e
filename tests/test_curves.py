"""Pictures of how a run and a comparison went, and the samples that they are drawn from."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from largesteps_zg.cli import main
from largesteps_zg.mesh import icosphere
from largesteps_zg.output.pictures.curves import save_comparison_curves, save_run_curves
from largesteps_zg.output.timeline import MOST, Timeline, memory_mib
from largesteps_zg.scenes import save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

BLUE, ORANGE = (0, 114, 178), (230, 159, 0)


def shares(path: Path) -> dict[tuple[int, int, int], float]:
    """How much of a picture has each of two colours."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert min(pixels.shape[:2]) > 400
    return {color: float((np.abs(pixels - color).max(axis=2) <= 2).mean()) for color in (BLUE, ORANGE)}


def test_samples_are_few_and_evenly_spread() -> None:
    line = Timeline()
    for step in range(5000):
        line.add(step, 0.1 * step, {"render": 0.05 * step})
    again = Timeline()
    again.load_state_dict(json.loads(json.dumps(line.state_dict())))
    again.add(5000, 501.0, {"render": 250.0, "export": 1.0}, always=True)
    table = again.table()
    steps = np.diff(table["step"][:-1])
    assert MOST / 2 <= len(table["step"]) <= MOST + 1 and len(set(steps)) == 1
    assert (
        table["seconds: render"][:2] == [0.0, pytest.approx(0.05 * steps[0])]
        and table["seconds"][-1] == 501.0
    )
    assert table["seconds: export"] == [0.0] * (len(table["step"]) - 1) + [1.0]
    assert {len(values) for values in table.values()} == {len(table["step"])}


def test_memory_is_what_an_array_takes() -> None:
    before = memory_mib()
    if before is None:
        pytest.skip("this system does not say")
    held = np.ones(2**24)  # 128 MiB
    assert 100 < memory_mib() - before < 160
    assert held[0] == 1


def test_phases_are_stretches_of_the_runs_time(tmp_path: Path) -> None:
    """Two phases: one takes the first quarter of the time, the other the rest."""
    seconds = [0.0, 1.0, 2.0, 8.0]
    line = {"step": [0, 1, 2, 3], "seconds": seconds, "memory_mib": [10, 20, None, 30]}
    first, second = [0.0, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, 6.0]
    run = {"loss": [1.0, 0.5, None], "remeshed": [1], "peak_memory_mib": 40}
    save_run_curves(
        tmp_path / "a.png", run | {"timeline": line | {"seconds: a": first, "seconds: b": second}}
    )
    found = shares(tmp_path / "a.png")  # the longer phase gets the first colour
    assert found[BLUE] / found[ORANGE] == pytest.approx(3.0, rel=0.05)
    save_run_curves(tmp_path / "b.png", run | {"seconds_by_phase": {"a": 2.0, "b": 6.0}})
    assert shares(tmp_path / "b.png")[ORANGE] == 0
    with pytest.raises(ValueError, match=r"run\.json: not what a run writes"):
        save_run_curves(tmp_path / "c.png", {"loss": 3})


def test_each_gradient_has_its_colour(tmp_path: Path) -> None:
    curves = {"renders": [0, 8, 16], "seconds": [0.0, 0.5, 1.0], "image_loss": [0.9, 0.5, None]}
    rows = [{"gradient": name, "curves": curves | {"chamfer": [9.0, 3.0, 2.0]}} for name in ("a", "b")]
    rows[1] = {"gradient": "b", "curves": curves | {"image_loss": [0.9, 0.7, 0.6], "chamfer": 3 * [None]}}
    failed = {"gradient": "c", "curves": {name: [] for name in rows[0]["curves"]}}
    save_comparison_curves(tmp_path / "a.png", [*rows, failed])
    assert min(shares(tmp_path / "a.png").values()) > 2e-4  # lines are thin
    save_comparison_curves(tmp_path / "b.png", [rows[1], failed])  # no distance is known
    heights = [Image.open(tmp_path / name).height for name in ("a.png", "b.png")]
    assert heights[0] == pytest.approx(1.5 * heights[1], rel=0.01)
    with pytest.raises(ValueError, match="no run has curves"):
        save_comparison_curves(tmp_path / "a.png", [failed])


@pytest.mark.slow
def test_info_draws_what_a_run_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = scene_from_mesh(icosphere(2), views=3, test_views=1, height=24, width=32)
    save_scene(tmp_path / "scene", dataclasses.replace(made, mesh=None))
    command = ["reconstruct", str(tmp_path / "scene"), "--steps", "4", "--init", "sphere", "--quiet"]
    command += ["--remesh", "2"]
    assert main([*command, "--output", str(tmp_path / "run")]) == 0
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    line = run["timeline"]
    assert line["step"][:4] == [1, 2, 3, 4] and line["step"][-1] == 4 and len(line["step"]) == 6
    assert (np.diff(line["seconds"]) >= 0).all() and line["seconds"][-1] <= run["seconds"]
    for name, spent in run["seconds_by_phase"].items():
        assert line[f"seconds: {name}"][-1] <= spent + 1e-3
    capsys.readouterr()
    assert main(["info", str(tmp_path / "run")]) == 0
    told = capsys.readouterr().out
    assert "4 steps in" in told and str(tmp_path / "run" / "curves.png") in told
    assert shares(tmp_path / "run" / "curves.png")[BLUE] > 0.01
    (tmp_path / "run" / "run.json").write_text("{")
    assert main(["info", str(tmp_path / "run")]) == 2 and "not JSON" in capsys.readouterr().err
