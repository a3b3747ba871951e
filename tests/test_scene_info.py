"""What was read of a scene: in words, and in a picture whose lines lie where rays and projections say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from largesteps_zg.cameras import Cameras, look_at, sphere_of_cameras
from largesteps_zg.cameras.upright import up_of_cameras
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.output.pictures import overview, save_overview
from largesteps_zg.output.pictures.camera_map import _wedges, draw_map
from largesteps_zg.scenes import Scene, Views, bounding_sphere
from largesteps_zg.scenes.describe import describe
from largesteps_zg.scenes.synthetic import scene_from_mesh
from largesteps_zg.scenes.up import up_direction

MIDDLE = torch.tensor([3.0, -2.0, 5.0])
BALL = icosphere(3, radius=0.5, center=MIDDLE.tolist())
SCENE = scene_from_mesh(BALL, views=8, test_views=2, height=60, width=80, up="z")


def facing_away(scene: Scene) -> Scene:
    """OpenGL's axes taken for OpenCV's: every camera looks the other way."""
    cameras = scene.train.cameras
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])).to(cameras.world_to_camera)
    turned = Cameras(flip @ cameras.world_to_camera, cameras.intrinsics, cameras.height, cameras.width)
    return replace(scene, train=Views(scene.train.images, turned, scene.train.names))


def near(pixels: np.ndarray, color: tuple[int, int, int], within: int = 60) -> np.ndarray:
    """(N, 2) places, x and y, of the pixels that have about a colour."""
    rows, columns = np.nonzero(np.abs(pixels.astype(int) - color).sum(axis=-1) < within)
    return np.stack([columns, rows], axis=1) + 0.5


def test_what_is_said_of_a_scene() -> None:
    text = dict((line[:9].strip(), line[10:]) for line in describe(SCENE))
    assert text["views"] == "8 to reconstruct from, 2 held out; 80 x 60 pixels"
    # The ball of radius 0.5 around (3, -2, 5), and what pixels leave open, which the last bits of sums decide.
    radius, *center = map(float, re.findall(r"-?\d+\.\d+", text["object"]))
    assert text["object"].startswith("inside a sphere of radius ") and 0.5 < radius < 0.6
    assert center == pytest.approx([3, -2, 5], abs=0.03)
    assert text["up"] == "+z, estimated from the cameras"
    assert text["light"] == "not known; it is estimated"
    assert text["surface"] == "known: 642 vertices, 1,280 faces, 1 x 1 x 1"
    # 35 degrees from top to bottom: 2 atan(80 / 60 tan 17.5°) = 45.6 across; distance 1.06 / sin 17.5° radii of 0.5.
    assert text["cameras"].startswith("45.6° wide, 1.7")
    assert "the object covers" in text["masks"] and "cut off" not in text["masks"]


def test_photographs_of_different_sizes_and_cut_objects_are_named() -> None:
    views = SCENE.train
    images, known = views.images.clone(), torch.ones(8, 60, 80, dtype=torch.bool)
    known[2, :, 50:] = False
    known[2, 40:] = False
    images[~known] = 0
    images[5, :3, :, 3] = 255
    scene = replace(SCENE, train=Views(images, views.cameras, views.names, known), up=-MIDDLE)
    text = "\n".join(describe(scene))
    assert "50 x 40 to 80 x 60 pixels" in text
    assert "cut off by the border in 1 of 8 (train_005)" in text
    assert "up        (-0.487, 0.324, -0.811), as the format has it" in text


@pytest.mark.slow
def test_a_scene_that_contradicts_itself_is_still_described_and_drawn(tmp_path: Path) -> None:
    wrong = facing_away(SCENE)
    lines = describe(wrong)
    assert any(line.startswith("object    NOT FOUND: views: 8 of 8 cameras") for line in lines)
    save_overview(tmp_path / "wrong.png", wrong, BALL)
    save_overview(tmp_path / "right.png", SCENE, BALL)
    pixels = [np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("wrong", "right")]
    assert len(near(pixels[0], overview.FAULT)) > 10 * len(near(pixels[1], overview.FAULT))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4, 5])
def test_few_views_make_a_picture(tmp_path: Path, count: int) -> None:
    few = replace(SCENE, train=SCENE.train[list(range(count))], test=None)
    save_overview(tmp_path / "few.png", few)
    assert Image.open(tmp_path / "few.png").width > 600


def test_lines_lie_on_what_they_show() -> None:
    view = SCENE.train[[0]]
    aside = Mesh(0.5 * (BALL.vertices - MIDDLE) + MIDDLE + torch.tensor([0.0, 0.0, 0.3]), BALL.faces)
    center, radius = bounding_sphere(SCENE.train)
    pixels = np.asarray(overview._panel(view, (center, radius), aside, masked=True))
    assert pixels.shape == (225, 300, 3)
    scale = 300 / 80
    for color, (middle, size) in {
        overview.MASK: (MIDDLE, 0.5),
        overview.START: (aside.vertices.mean(0), 0.25),
    }.items():
        places = near(pixels, color)
        outline = scale * overview.sphere_outline(view.cameras, middle, size)[0].numpy()
        apart = np.linalg.norm(places[:, None] - outline, axis=-1)
        # A polyhedron's and a mask's outlines are some tenths of a pixel of the photograph away, here 3.75 pixels.
        assert len(places) > 100 and np.quantile(apart.min(axis=1), 0.9) < 3
        assert np.quantile(apart.min(axis=0), 0.9) < 4  # all the way around


def test_photographs_without_masks_have_no_line_for_one() -> None:
    drawn = {}
    for masked in (True, False):
        sheet = Image.new("RGB", (900, 80), (255, 255, 255))
        overview._legend(sheet, (10, 10), False, True, masked=masked)
        panel = overview._panel(SCENE.train[[0]], None, None, masked=masked)
        drawn[masked] = [len(near(np.asarray(picture), overview.MASK)) > 0 for picture in (sheet, panel)]
    assert drawn == {True: [True, True], False: [False, False]}


def test_rays_through_the_outline_touch_the_sphere() -> None:
    outline = overview.sphere_outline(SCENE.train.cameras, MIDDLE, 0.4, points=24)
    cameras = SCENE.train.cameras
    for i in range(len(cameras)):
        ones = torch.ones(24, 1, dtype=torch.float64)
        matrix = torch.linalg.inv(cameras.intrinsics[i] @ cameras.world_to_camera[i, :3, :3])
        rays = torch.nn.functional.normalize(torch.cat([outline[i], ones], dim=1) @ matrix.T, dim=1)
        offset = (MIDDLE.double() - cameras.centers[i]).expand_as(rays)
        distance = torch.linalg.cross(rays, offset).norm(dim=1)
        torch.testing.assert_close(distance, torch.full_like(distance, 0.4), atol=1e-6, rtol=0)
    assert bool(overview.sphere_outline(cameras, MIDDLE, 50.0).isnan().all())


def test_views_that_lie_farthest_apart_are_shown() -> None:
    angles = torch.deg2rad(torch.tensor([0.0, 3, 90, 95, 180, 200, 270], dtype=torch.float64))
    eyes = 4 * torch.stack([angles.cos(), angles.sin(), 0 * angles], dim=1)
    ring = look_at(eyes, fov_y_degrees=40, height=8, width=8)
    sphere = (torch.zeros(3, dtype=torch.float64), 1.0)
    assert overview.spread_views(ring, sphere, 4) == [0, 2, 4, 6]
    assert overview.spread_views(ring, None, 4) == [0, 2, 4, 6]
    assert overview.spread_views(ring[[1, 2]], sphere, 6) == [0, 1]


def test_cameras_on_the_map_open_towards_what_they_see() -> None:
    cameras, up = (
        sphere_of_cameras(12, distance=3.0, fov_y_degrees=40, height=8, width=8),
        torch.eye(3)[2].double(),
    )
    across = np.array([[1.0, 0, 0], [0, 1.0, 0]])  # from above, z up
    eyes = cameras.centers.numpy() @ across.T
    wedges = _wedges(cameras, across, 0.1) * np.array([1.0, -1.0])  # of the map, whose y points down
    before, after = np.linalg.norm(eyes, axis=1), np.linalg.norm(eyes[:, None] + wedges, axis=2).mean(axis=1)
    assert (after < before)[before > 0.3].all()
    picture = draw_map(cameras, None, (torch.zeros(3).double(), 1.0), up, [0], side=False, size=120)
    assert picture.size == (120, 120)


UP = torch.nn.functional.normalize(torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64), dim=0)


def level_cameras(eyes: list[list[float]]) -> Cameras:
    return look_at(torch.tensor(eyes, dtype=torch.float64), up=UP, fov_y_degrees=40, height=8, width=8)


@pytest.mark.parametrize(
    ("eyes", "degrees"),
    [
        ([[4, 0, 0], [0, 4, 0], [-4, 1, 0], [1, -4, 1]], 1.0),  # around
        ([[4, 0, 3], [3, 2, 3], [2, 3, 3]], 8.0),  # from one side, looking down
        ([[4, 0, 0]], 60.0),  # one view: its own up
    ],
)
def test_up_is_found_from_level_cameras(eyes: list[list[float]], degrees: float) -> None:
    found = up_of_cameras(level_cameras(eyes))
    assert float(torch.rad2deg(torch.acos((found @ UP).clamp(-1, 1)))) < degrees


def test_cameras_that_roll_half_around_still_have_an_up() -> None:
    cameras = level_cameras([[4, 0, 0], [0, 4, 0]])
    roll = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0], dtype=torch.float64))
    rolled = Cameras(
        torch.cat([cameras.world_to_camera, roll @ cameras.world_to_camera]),
        cameras.intrinsics.repeat(2, 1, 1), 8, 8,
    )  # fmt: skip
    assert abs(float(up_of_cameras(rolled) @ UP)) > 0.99


def test_the_formats_up_goes_before_the_cameras() -> None:
    up, source = up_direction(replace(SCENE, up=torch.tensor([0.0, 2.0, 0.0], dtype=torch.float64)))
    assert up.tolist() == [0, 1, 0] and source == "format"
    found: tuple[Tensor, str] = up_direction(SCENE)
    assert found[0].tolist() == [0, 0, 1] and found[1] == "cameras"
