"""The figures of Large Steps in their small form keep what they promise."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from examples.papers.large_steps import EXPERIMENTS
from examples.papers.large_steps.methods import LargeStepsDescent, run
from examples.papers.large_steps.studio import FOLDER, Studio, sphere, target_mesh
from examples.papers.records import Setup
from largesteps_zg import icosphere, save_mesh
from largesteps_zg.mesh import flipped_faces

CHAMFER, FLIPS = "Chamfer distance, ‰ of the diagonal", "flipped faces, %"


def values(name: str, folder: Path) -> dict[str, dict[str, float]]:
    """By method and measure, of one seed."""
    setup = Setup("large_steps", name, True, (0,), folder, lambda _: None)
    found: dict[str, dict[str, float]] = {}
    for record in EXPERIMENTS[name](setup):
        found.setdefault(record.method, {})[record.measure] = record.value
    assert list(folder.glob("*.png"))
    return found


@pytest.mark.slow
def test_teaser(tmp_path: Path) -> None:
    found = values("teaser", tmp_path)
    assert found["Large Steps"][CHAMFER] < 20 and found["Large Steps"][FLIPS] < 2
    assert found["Adam on vertices"][FLIPS] > 3 * max(found["Large Steps"][FLIPS], 1)
    assert found["Large Steps, remeshed"]["vertices"] > 2 * found["Large Steps"]["vertices"]


@pytest.mark.slow
def test_multiscale(tmp_path: Path) -> None:
    found = values("multiscale", tmp_path)
    assert found["coarse to fine"][CHAMFER] < found["coarse"][CHAMFER]
    assert found["coarse to fine"]["vertices"] > 2 * found["coarse"]["vertices"]


@pytest.mark.slow
def test_remeshing(tmp_path: Path) -> None:
    found = values("remeshing", tmp_path)
    assert all(row[CHAMFER] < 15 for row in found.values())
    assert found["before and during"][FLIPS] < 0.5 * found["never"][FLIPS]


@pytest.mark.slow
def test_silhouettes(tmp_path: Path) -> None:
    found = values("silhouettes", tmp_path)
    assert found["Large Steps"][CHAMFER] < found["Laplacian, weight 10"][CHAMFER]
    assert found["Large Steps"][FLIPS] < found["Laplacian, weight 0.1"][FLIPS]


@pytest.mark.slow
def test_comparison(tmp_path: Path) -> None:
    found = values("comparison", tmp_path)
    ours, free = found["Large Steps"], found["Adam on vertices"]
    assert ours["fennec: flipped faces, %"] < 0.3 * free["fennec: flipped faces, %"]
    assert ours["fennec: |Lv|², 1e-6"] < 0.5 * free["fennec: |Lv|², 1e-6"]


@pytest.mark.slow
def test_viewpoints(tmp_path: Path) -> None:
    found = values("viewpoints", tmp_path)
    assert found["9 views"][CHAMFER] < 0.5 * found["1 views"][CHAMFER]


@pytest.mark.slow
def test_influence(tmp_path: Path) -> None:
    found = values("influence", tmp_path)
    middle = found["lambda 19, alpha 0.95"]
    assert middle[CHAMFER] < found["lambda 999, alpha 0.999"][CHAMFER]
    assert middle[FLIPS] < found["lambda 0, alpha 0"][FLIPS]


def test_a_mesh_of_the_users_takes_the_place_of_one_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = target_mesh("fennec")
    save_mesh(tmp_path / "fennec.ply", icosphere(1, radius=7.0))
    monkeypatch.setenv(FOLDER, str(tmp_path))
    theirs = target_mesh("fennec")
    assert len(theirs.vertices) == 42 != len(ours.vertices)
    assert float(theirs.vertices.norm(dim=1).max()) == pytest.approx(1.0)


def test_a_run_stops_at_its_steps_or_its_time_and_starts_from_the_start() -> None:
    studio = Studio(sphere(1), 2, 24)
    start = icosphere(1, radius=0.5)
    mesh, way = run(studio, LargeStepsDescent(start), 5, points=5)
    assert way.steps == [0, 1, 2, 3, 4, 5] and len(way.hausdorff) == len(way.energy) == 6
    assert not torch.allclose(mesh.vertices, start.vertices) and flipped_faces(mesh.vertices, mesh.faces) == 0
    _, none = run(studio, LargeStepsDescent(start), 5, seconds=0.0)
    assert none.steps == [0]
