"""Photographs of an object that turns before a camera at rest, and what stands still in photographs otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from photograph_files import HEIGHT, WIDTH, around, noise, save_photographs, things

from largesteps_zg.cameras import Cameras
from largesteps_zg.cameras.alignment import similarity
from largesteps_zg.mesh import Mesh
from largesteps_zg.scenes import Reading, load_scene
from largesteps_zg.scenes.from_photographs.find import cameras_from_photographs
from largesteps_zg.scenes.from_photographs.still import STILL, stand_still

TURNED = around([14.0 * i for i in range(9)], wave=0.0)


def room() -> np.ndarray:
    """(HEIGHT, WIDTH, 3) light of a wall with a pattern."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / WIDTH
    return noise(np.stack([4 * x, 4 * y, 0 * x + 0.3], axis=-1).reshape(-1, 3), 11).reshape(HEIGHT, WIDTH, 3)


def on_a_disc() -> Mesh:
    """The ball, and of its table what is near it."""
    mesh = things()
    near = mesh.vertices[:, [0, 2]].norm(dim=1) < 1.8
    return Mesh(mesh.vertices, mesh.faces[near[mesh.faces.long()].all(dim=1)], mesh.colors)


@pytest.fixture(scope="module")
def turntable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disc turns, and the wall stands still."""
    folder = tmp_path_factory.mktemp("turntable") / "photos"
    save_photographs(folder, on_a_disc(), TURNED, behind=room())
    return folder


@pytest.mark.slow
def test_an_object_that_turns_is_as_good_as_a_camera_that_walks(turntable: Path, tmp_path: Path) -> None:
    reading = Reading(masks="none", cameras=tmp_path, hold_out=0)
    scene = load_scene(turntable, reading=reading)
    assert len(scene.train) == len(TURNED)
    found = scene.train.cameras.to(dtype=torch.float64)
    turn, scale, move = similarity(found, TURNED)
    off = (scale * found.centers @ turn.T + move - TURNED.centers).norm(dim=1)
    assert float(off.median()) < 0.01 * 5.0  # of the distance
    assert scene.points is not None  # none of the wall, which is matched here and there
    assert float((scale * scene.points @ turn.T + move).norm(dim=1).max()) < 2.5
    told = [note for note in scene.notes if "stand still" in note]
    assert len(told) == 1 and "of the features" in told[0]
    again = load_scene(turntable, reading=reading)  # from what was kept
    assert [note for note in again.notes if "stand still" in note] == told
    (tmp_path / "photographs.json").write_text("of others")
    (tmp_path / STILL).write_text('{"share": 0.0}')
    assert [note for note in load_scene(turntable, reading=reading).notes if "stand still" in note] == told


@pytest.mark.slow
def test_nothing_moves(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    same = around([0.0])
    cameras = Cameras(same.world_to_camera.expand(6, 4, 4), same.intrinsics.expand(6, 3, 3), HEIGHT, WIDTH)
    files = save_photographs(photos, things(), cameras)
    with pytest.raises(
        ValueError, match=r"stand still from photograph to photograph.*newspaper turn with it"
    ):
        cameras_from_photographs(files, photos, tmp_path / "c")


def test_only_what_most_photographs_have_at_one_place_stands_still() -> None:
    generator = np.random.default_rng(0)
    fixed = generator.uniform(0, 300, (200, 2))

    def photograph(rows: int) -> np.ndarray:
        jitter = generator.normal(0, 0.2, (rows, 2))
        return np.concatenate([fixed[:rows] + jitter, generator.uniform(0, 300, (300, 2))])

    # Of ten photographs six have all fixed places, and four half of them.
    found = stand_still([photograph(200 if i < 6 else 100) for i in range(10)])
    assert all(still[:100].mean() > 0.95 for still in found)
    assert all(still[100:200].mean() > 0.9 for still in found[:6])
    assert all(still[200:].mean() < 0.05 for still in found[:6])  # some lie near a fixed place
    # Four of ten are no majority.
    found = stand_still([photograph(200 if i < 4 else 0) for i in range(10)])
    assert all(still.mean() < 0.01 for still in found)


def test_features_so_dense_that_they_meet_by_chance_stay() -> None:
    generator = np.random.default_rng(0)
    for count in (3, 12):
        found = stand_still([generator.uniform(0, 60, (1500, 2)) for _ in range(count)])
        assert sum(still.sum() for still in found) == 0
    assert [len(still) for still in stand_still([np.zeros((0, 2)), np.zeros((0, 2))])] == [0, 0]
