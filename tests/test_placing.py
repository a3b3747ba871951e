"""The unit in which a mesh is handed on, and the cameras around it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from photograph_files import around

from largesteps_zg.cli.main import main
from largesteps_zg.mesh import icosphere, load_mesh
from largesteps_zg.output.placing import Scale, between, longest, metres, placing
from largesteps_zg.scenes import load_scene, save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh
from largesteps_zg.scenes.views import Scene, Views


def scene(format: str = "photographs") -> Scene:
    """Three photographs of nothing."""
    images = torch.zeros(3, 240, 320, 4, dtype=torch.uint8)
    return Scene(None, format, Views(images, around([0.0, 40.0, 80.0]), ("IMG_1", "IMG_2", "a/IMG_3")))


def test_the_longest_distance_is_that_of_all_pairs(generator: torch.Generator) -> None:
    points = torch.randn(300, 3, generator=generator, dtype=torch.float64).numpy()
    pairs = max(np.linalg.norm(a - b) for a in points for b in points)
    assert longest(points) == pytest.approx(pairs, rel=1e-12)
    flat = points * (1, 1, 0)
    assert longest(flat) == pytest.approx(max(np.linalg.norm(a - b) for a in flat for b in flat), rel=1e-12)
    assert longest(np.zeros((3, 3))) == 1.0


def test_what_is_known_of_the_unit() -> None:
    assert Scale(size=0.23).of(scene(), 4.6)[0] == pytest.approx(0.05)
    assert Scale().of(scene(), 4.0)[0] == 0.25  # of any unit: the object's size is 1
    assert Scale().of(scene("colmap"), 4.0)[0] == 1.0  # a unit of its own
    centers = around([0.0, 40.0, 80.0]).centers.numpy()
    far = np.linalg.norm(centers[0] - centers[2])
    for names in ("IMG_1,a/IMG_3,0.35", "IMG_1.JPG,a/IMG_3.JPG,0.35"):
        assert Scale(apart=between(names)).of(scene(), 4.0)[0] == pytest.approx(0.35 / far)


def test_the_mesh_is_upright_and_as_large_as_it_was_said_to_be(generator: torch.Generator) -> None:
    given, up = scene(), torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64)
    points = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    placed = placing(given, points, up, Scale(size=0.1))
    moved = placed.scale * points @ placed.rotation.T
    assert longest(moved.numpy()) == pytest.approx(0.1) == placed.size
    turned = placed.rotation @ (up / up.norm())
    assert torch.allclose(turned, torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "a foot"])
def test_lengths_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"size: expected metres such as 0\.23, got"):
        metres(text)


@pytest.mark.parametrize("text", ["0.3", "a,0.3", ",b,0.3"])
def test_distances_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="scale: expected A,B,METRES"):
        between(text)


def test_photographs_that_are_not_there_and_two_that_are_one() -> None:
    with pytest.raises(
        ValueError, match=r"scale: no photograph IMG_9 with a camera; the scene has IMG_1, IMG_2"
    ):
        Scale(apart=("IMG_1", "IMG_9", 1.0)).check(scene())
    with pytest.raises(ValueError, match="taken from one place"):
        Scale(apart=("IMG_1", "IMG_1", 1.0)).check(scene())
    with pytest.raises(ValueError, match="leave one away"):
        Scale(0.1, ("IMG_1", "IMG_2", 1.0))


@pytest.mark.slow
def test_a_run_hands_on_metres(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    made = scene_from_mesh(icosphere(2), views=6, height=64, width=64)
    save_scene(tmp_path / "scene", replace(made, mesh=None))
    command = ["reconstruct", str(tmp_path / "scene"), "--output", str(tmp_path / "out"), "--quiet"]
    command += ["--steps", "2", "--init", "sphere", "--remesh", "off"]
    assert main([*command, "--size", "0.23"]) == 0
    assert "unit: metres: the object is 0.23 long" in capsys.readouterr().out
    glb = trimesh.load(tmp_path / "out" / "mesh.glb", force="mesh")
    assert longest(np.asarray(glb.vertices)) == pytest.approx(0.23, rel=1e-5)
    mesh = load_mesh(tmp_path / "out" / "mesh.ply")  # in the scene's coordinates
    handed = json.loads((tmp_path / "out" / "run.json").read_text())["handed_on"]
    assert handed["scale"] == pytest.approx(0.23 / longest(mesh.vertices.double().numpy()))
    # The cameras around it: each vertex is seen where the scene's camera sees that of mesh.ply.
    told = json.loads((tmp_path / "out" / "cameras.json").read_text())
    cameras = load_scene(tmp_path / "scene").train.cameras
    pose = np.array(told["frames"][0]["transform_matrix"])
    blender = np.asarray(glb.vertices)[:, [0, 2, 1]] * [1, -1, 1]  # y up becomes z up
    local = (blender @ told["upright"] / told["scale"] - pose[:3, 3]) @ pose[:3, :3]  # x right, y up, z back
    pixels = told["fl_x"] * local[:, 0] / -local[:, 2] + told["cx"]
    truth, _ = cameras[0].project(mesh.vertices.double())
    assert pixels.min() == pytest.approx(float(truth[0, :, 0].min()), abs=0.1)
    assert pixels.max() == pytest.approx(float(truth[0, :, 0].max()), abs=0.1)
    assert main([*command, "--scale", "nobody,000,1"]) == 2
    assert "scale: no photograph nobody" in capsys.readouterr().err
