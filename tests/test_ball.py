"""Objects that photographs cut off: a ball of the scene says where they are, and beyond a border nothing is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from largesteps_zg.cameras import look_at
from largesteps_zg.mesh import Mesh
from largesteps_zg.mesh.shapes import icosphere
from largesteps_zg.reconstruct.starts import choose_start
from largesteps_zg.scenes import Views, bounding_sphere, inscribed_sphere
from largesteps_zg.scenes.carving.carve import carve
from largesteps_zg.scenes.carving.cones import cones_of, known_depth
from largesteps_zg.scenes.synthetic import render_views, studio_light
from largesteps_zg.scenes.views import Ball

CENTER = torch.tensor([0.1, -0.2, 0.15], dtype=torch.float64)
BALL = Ball(CENTER, 1.5)


def inside_bar(points: np.ndarray) -> np.ndarray:
    """Of a bar along x, round and long: an ellipsoid with half axes 3, 0.4, 0.4."""
    return np.square(points / [3.0, 0.4, 0.4]).sum(axis=1) < 1


@pytest.fixture(scope="module")
def views() -> Views:
    """The bar from all around, most times aslant: it leaves every image at the border."""
    ball = icosphere(4)
    bar = Mesh(ball.vertices * torch.tensor([3.0, 0.4, 0.4]), ball.faces)
    around = torch.arange(12) * torch.pi / 6
    along = torch.tensor([0.0, 2.0, -2.0, 3.0]).repeat(3)
    eyes = torch.stack([along, 4.0 * around.cos(), 4.0 * around.sin()], dim=1)
    cameras = look_at(
        eyes, torch.zeros(3), up=torch.tensor([1.0, 0.5, 0.2]), fov_y_degrees=25.0, height=96, width=96
    )
    views = render_views(bar, cameras, light=studio_light())
    mask = views.images[..., 3] > 127
    assert all(bool(m[[0, -1]].any() or m[:, [0, -1]].any()) for m in mask)
    return views


def whole() -> Views:
    """A round object of radius 2, all of it in every image."""
    cameras = look_at(
        5.0 * icosphere(0).vertices, torch.zeros(3), up=torch.tensor([0.3, 0.2, 1.0]),
        fov_y_degrees=60.0, height=64, width=64,
    )  # fmt: skip
    return render_views(icosphere(3, radius=2.0), cameras, light=studio_light())


def test_the_ball_bounds_what_no_mask_bounds(views: Views) -> None:
    without = bounding_sphere(views)[1]
    center, radius = bounding_sphere(replace(views, ball=BALL))
    assert radius <= BALL.radius < without
    # Most images show the bar from x = -1.3 to x = 1.3.
    assert float((center - CENTER).norm()) < 0.5
    assert radius > 1.2


def test_masks_that_end_inside_the_ball_bound_the_object_as_without_it() -> None:
    views = whole()
    center, radius = bounding_sphere(views)
    wide = replace(views, ball=Ball(CENTER, 4.0))
    assert wide[[0, 2]].ball is wide.ball
    found, bound = bounding_sphere(wide)
    cell = 2 * 4.0 / 24 / 8  # the grid around the ball, halved three times
    assert bound == pytest.approx(radius, abs=2 * cell)
    assert float((found - center).norm()) < 2 * cell


def test_what_lies_beyond_borders_is_not_carved_away(views: Views) -> None:
    ball = replace(views, ball=BALL)
    grid, field, _ = carve(ball, *bounding_sphere(ball), 48)
    points, field = grid.points(), field.reshape(-1)
    pixels, depths = views.cameras.project(torch.from_numpy(points).to(views.cameras.world_to_camera))
    shown = ((pixels > 0) & (pixels < 96)).all(dim=-1) & (depths > 0)
    deep = inside_bar(points) & (BALL.depth(points) > grid.cell) & (shown.sum(dim=0).numpy() >= 6)
    assert deep.sum() > 500
    assert (field[deep] > -grid.cell).mean() == 1.0
    assert (BALL.depth(points)[field > 0] >= 0).all()
    # Where the images show it, the bar is as thin as it is.
    middle = (np.abs(points[:, 0]) < 0.5) & (field > 0)
    assert np.linalg.norm(points[middle, 1:], axis=1).max() < 0.4 + 2 * grid.cell


def test_what_few_photographs_show_is_no_part_of_the_object() -> None:
    views = whole()
    ball = Ball(torch.zeros(3).double(), 4.9)
    depths = []
    for share in (5, 6):  # of twelve photographs; the others look away from the point
        point = torch.tensor([[0.0, 0.0, 0.0]], dtype=torch.float64)
        away = views.cameras.world_to_camera.clone()
        away[share:, :3] *= -1.0  # what was before these cameras is behind them
        turned = replace(
            views, cameras=views.cameras.unchecked(away, views.cameras.intrinsics, 64, 64), ball=ball
        )
        depths.append(float(known_depth(turned, cones_of(turned), point.numpy())[0]))
    assert depths == [-np.inf, 4.9]


def test_the_starting_sphere_lies_in_the_ball() -> None:
    small = replace(whole(), ball=Ball(torch.tensor([0.5, 0.0, 0.0]).double(), 1.0))
    center, radius = inscribed_sphere(small, *bounding_sphere(small))
    assert float((center - small.ball.center).norm()) + radius <= 1.0 + 2 / 64
    assert radius > 0.9


def test_a_hull_is_the_start_where_most_photographs_cut_the_object_off(views: Views) -> None:
    cut, ball = replace(views, ball=BALL), Ball(CENTER, 4.0)
    start = choose_start(cut, *bounding_sphere(cut), cells=32, patches=None)
    assert (
        start.kind == "hull"
        and f"{len(views)} of {len(views)} photographs cut the object off" in start.reason
    )
    some = whole()
    some = replace(some, ball=ball)
    assert choose_start(some, *bounding_sphere(some), cells=32, patches=None).kind == "sphere"
