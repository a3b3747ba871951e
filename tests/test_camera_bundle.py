"""Cameras moved before a run by what photographs share: where they are off, and matches agree on where they belong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from blotched import arc, blotched_ball

from largesteps_zg.cameras import Cameras
from largesteps_zg.cameras.alignment import carried, similarity
from largesteps_zg.cameras.refinement import CameraCorrections, displaced
from largesteps_zg.cli.main import main
from largesteps_zg.constants import DEFAULTS, Constants, Matching
from largesteps_zg.mesh import Mesh
from largesteps_zg.reconstruct import camera_bundle
from largesteps_zg.reconstruct.camera_bundle import bundled
from largesteps_zg.scenes import Scene, Views, save_scene
from largesteps_zg.scenes.photographs.matching import features, halvings
from largesteps_zg.scenes.synthetic import render_views, studio_light

pytestmark = pytest.mark.slow
COUNT = 8


@pytest.fixture(scope="module")
def exact() -> Views:
    return render_views(blotched_ball(), arc(COUNT, 240, 320), light=studio_light())


def moves(size: float = 0.01) -> torch.Tensor:
    """Turns and shifts of half a degree and more."""
    return size * torch.randn(COUNT, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def disturbed(views: Views) -> Views:
    cameras = views.cameras.to(dtype=torch.float64)
    return replace(views, cameras=displaced(cameras, moves()))


def miss(cameras: Cameras, truth: Cameras) -> float:
    """Pixels by which points of the ball are seen elsewhere, in the median, up to where the world lies."""
    truth = truth.to(dtype=torch.float64)
    spots = torch.nn.functional.normalize(torch.eye(3, dtype=torch.float64).repeat(2, 1) - 0.3, dim=1)
    cameras = cameras.to(dtype=torch.float64)
    moved = carried(cameras, *similarity(cameras, truth))
    return float((moved.project(spots)[0] - truth.project(spots)[0]).norm(dim=-1).median())


def test_most_of_the_largest_features_are_found_in_smaller_photographs() -> None:
    views = render_views(blotched_ball(), arc(1, 480, 640), light=studio_light())
    few, many = (replace(DEFAULTS.matching, features=count) for count in (100, 100_000))
    fine, coarse = features(views, few)[0], features(views, few, coarsest=1)[0]
    off = torch.cdist(torch.from_numpy(coarse.pixels), torch.from_numpy(fine.pixels)).amin(dim=1)
    assert len(off) >= 100 and float((off < 2.0).double().mean()) > 0.75  # by chance 1 %
    assert not any(np.array_equal(coarse.pixels, of.pixels) for of in (fine, features(views, many)[0]))
    # Where there are not enough of them, whole photographs are asked.
    assert np.array_equal(features(views, many, coarsest=1)[0].pixels, features(views, many)[0].pixels)
    assert halvings(views, 640 * 480) == 0 and halvings(views, 640 * 480 - 1) == 1


def test_disturbed_cameras_go_back(exact: Views) -> None:
    off = disturbed(exact)
    found = bundled(off)
    assert found is not None
    assert miss(off.cameras, exact.cameras) > 2 and miss(found.cameras, exact.cameras) < 0.8
    assert found.evidence.given > 1 > found.evidence.corrected and found.evidence.errors > 5
    assert torch.equal(found.cameras.intrinsics, off.cameras.intrinsics)
    again = bundled(off)
    assert again is not None and torch.equal(again.cameras.world_to_camera, found.cameras.world_to_camera)


def test_cameras_that_fit_are_believed_at_once(exact: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(camera_bundle, "_adjusted", lambda *parts: asked.append(parts))
    assert bundled(exact) is None and not asked
    assert bundled(disturbed(exact)) is None and asked


def test_cameras_that_the_other_half_of_the_matches_still_misses_are_not_taken(exact: Views) -> None:
    strict = Constants(matching=Matching(found=0.05))  # no match is found so exactly
    assert bundled(disturbed(exact), strict) is None


def test_without_texture_nothing_says_where_cameras_belong(exact: Views) -> None:
    grey = torch.full_like(blotched_ball().vertices, 0.5)
    plain = render_views(
        Mesh(blotched_ball().vertices, blotched_ball().faces, grey), exact.cameras, light=studio_light()
    )
    assert bundled(disturbed(plain)) is None


def test_halves_that_ask_for_different_cameras_move_none(exact: Views) -> None:
    """A few matches that fit each other say little of where cameras are."""
    images = exact.images.clone()
    images[:, :, :, 3] = 0
    images[:, 90:150, 130:190, 3] = 255
    narrow = replace(exact, images=images)
    assert bundled(disturbed(narrow)) is None


def test_a_view_without_matches_keeps_its_camera(exact: Views) -> None:
    images = exact.images.clone()
    images[-1, ..., :3] = 128
    off = disturbed(replace(exact, images=images))
    found = bundled(off)
    assert found is not None and torch.equal(
        found.cameras.world_to_camera[-1], off.cameras.world_to_camera[-1]
    )
    some = list(range(COUNT - 1))
    assert miss(found.cameras[some], exact.cameras[some]) < 0.8


def test_corrections_between_cameras_lead_from_one_to_the_other(exact: Views) -> None:
    given = exact.cameras.to(dtype=torch.float64)
    there = displaced(given, moves())
    between = CameraCorrections.between(given, there)
    torch.testing.assert_close(between.cameras().world_to_camera, there.world_to_camera)
    assert between.trial.kept and between.found == pytest.approx(between.pixels()) and between.found > 1


@pytest.mark.parametrize("choice", [[], ["--no-refine-cameras"]])
def test_a_run_begins_with_them_and_tells(exact: Views, tmp_path: Path, choice: list[str]) -> None:
    off = disturbed(exact)
    save_scene(
        tmp_path / "scene",
        Scene(None, "transforms", replace(off, cameras=off.cameras.to(dtype=torch.float32))),
    )
    given = [str(tmp_path / "scene"), "--output", str(tmp_path / "out"), *choice]
    given += ["--steps", "4", "--init", "sphere", "--remesh", "off", "--hold-out", "0", "--quiet"]
    assert main(["reconstruct", *given]) == 0
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    notes = [note["text"] for note in run["scene"]["provenance"] if note["about"] == "cameras"]
    if choice:
        assert not notes and run["cameras"] == {} and run["camera_evidence"] is None
        return
    assert len(notes) == 1 and notes[0].startswith(
        "moved before the run: matches between photographs were off by "
    )
    assert set(run["cameras"]) == set(exact.names)
    matches = run["camera_evidence"]["matches"]
    assert matches["given"] > 1 > matches["corrected"] and run["cameras_off_pixels"] > 1
    assert max(found["rotation_degrees"] for found in run["cameras"].values()) > 0.3
