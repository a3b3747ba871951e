"""A mask as a cone, against loops over its pixels; and the grids that are carved with it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from largesteps_zg.cameras import Cameras
from largesteps_zg.scenes import Views
from largesteps_zg.scenes.carving.cones import cones_of
from largesteps_zg.scenes.carving.grid import Grid, halved

FOCAL = (50.0, 40.0)


def view_of(alpha: np.ndarray, known: np.ndarray | None = None) -> Views:
    """One view from the origin along z, its principal point in the middle."""
    height, width = alpha.shape
    intrinsics = torch.tensor([[FOCAL[0], 0, width / 2], [0, FOCAL[1], height / 2], [0, 0, 1.0]])
    images = torch.zeros(1, height, width, 4, dtype=torch.uint8)
    images[0, ..., 3] = torch.from_numpy(alpha.astype(np.uint8))
    cameras = Cameras(torch.eye(4)[None].double(), intrinsics[None].double(), height, width)
    return Views(images, cameras, ("a",), None if known is None else torch.from_numpy(known)[None])


def blob(generator: torch.Generator, height: int = 12, width: int = 15) -> np.ndarray:
    """Some pixels, none of them at the border."""
    mask = np.zeros((height, width), dtype=bool)
    mask[3:-3, 3:-3] = torch.rand(height - 6, width - 6, generator=generator).numpy() < 0.5
    mask[5, 5] = True
    return mask


def world(row: float, column: float, depth: float, shape: tuple[int, ...]) -> list[float]:
    """The point that is seen at a place of the image, in pixels from its corner."""
    return [(column - shape[1] / 2) / FOCAL[0] * depth, (row - shape[0] / 2) / FOCAL[1] * depth, depth]


def test_distances_are_to_the_nearest_pixel_of_the_other_kind(generator: torch.Generator) -> None:
    mask = blob(generator)
    cone = cones_of(view_of(255 * mask))[0]
    pixels = list(itertools.product(*map(range, mask.shape)))
    for p in pixels:
        others = [math.dist(p, q) for q in pixels if mask[p] != mask[q]]
        assert cone.distance[p] == pytest.approx((1 if mask[p] else -1) * (min(others) - 0.5), abs=1e-5)
    points = np.array([world(r + 0.5, c + 0.5, 3.0, mask.shape) for r, c in pixels])
    assert cone.contains(points).tolist() == [bool(mask[p]) for p in pixels]
    scale = 3.0 / math.sqrt(FOCAL[0] * FOCAL[1])  # a pixel's size at depth 3
    expected = [cone.distance[p] * scale for p in pixels]
    np.testing.assert_allclose(cone.signed_distance(points), expected, atol=1e-6)


def test_beyond_the_border_the_nearest_pixel_decides_and_nothing_is_behind_the_camera() -> None:
    mask = np.zeros((10, 10), dtype=bool)
    mask[3:6, :4] = True  # touches the left border
    cone = cones_of(view_of(255 * mask))[0]
    left, right = world(4.5, -20.0, 2.0, mask.shape), world(4.5, 30.0, 2.0, mask.shape)
    behind = [-x for x in world(4.5, 2.5, 2.0, mask.shape)]
    points = np.array([left, right, behind])
    assert cone.contains(points).tolist() == [True, False, False]
    assert cone.touches(points, 0.01).tolist() == [True, False, False]
    distance = cone.signed_distance(points)
    assert distance[0] > 0
    # 5.5 pixels from the middle of the last column to the outline, and 20.5 more.
    assert distance[1] == pytest.approx(-26.0 * 2.0 / math.sqrt(FOCAL[0] * FOCAL[1]))
    assert distance[2] == -math.inf


def test_a_ball_of_which_a_point_is_inside_touches(generator: torch.Generator) -> None:
    """Points in balls at random; and no ball touches that is many pixels away."""
    mask = blob(generator, 24, 30)
    cone = cones_of(view_of(255 * mask))[0]
    size = (4000, 3)
    centers = torch.rand(size, generator=generator).double().numpy() * [1.0, 1.0, 2.0] + [-0.5, -0.5, 1.0]
    radius = 0.06
    offset = torch.randn(size, generator=generator).double().numpy()
    offset *= radius / np.linalg.norm(offset, axis=1, keepdims=True)
    inside = cone.contains(centers + offset)
    touching = cone.touches(centers, radius)
    assert inside.sum() > 100 and touching[inside].all()
    assert not touching[cone.signed_distance(centers) < -4 * radius].any() and not touching.all()


@pytest.mark.parametrize("known", [True, False])
def test_where_nothing_is_known_the_nearest_known_pixel_speaks(known: bool) -> None:
    alpha = np.zeros((9, 12), dtype=np.uint8)
    alpha[3:6, 4:8] = 255
    there = np.ones(alpha.shape, dtype=bool)
    if not known:
        there[:, 7:] = False  # the mask's last column and all beyond it
    cone = cones_of(view_of(alpha, there))[0]
    found = cone.distance > 0
    assert found[4].tolist() == [4 <= c < (8 if known else 12) for c in range(12)]
    assert not found[:2].any()


def test_a_shrunk_mask_keeps_every_pixel_where_asked_and_else_is_cut_at_half() -> None:
    alpha = np.zeros((6, 7), dtype=np.uint8)
    alpha[0, 0] = 255  # a ninth of its square
    alpha[3:6, 0:3] = [[255, 255, 0], [255, 255, 0], [126, 0, 0]]  # 1146 of 2295: less than half
    alpha[3:6, 3:6] = [[255, 255, 0], [255, 255, 0], [128, 0, 0]]  # 1148: more
    alpha[0, 6] = 127  # no object, in a square of one column
    views = view_of(alpha)
    half = cones_of(views, size=3)[0]
    every = cones_of(views, size=3, every_pixel=True)[0]
    assert (half.distance > 0).tolist() == [[False, False, False], [False, True, False]]
    assert (every.distance > 0).tolist() == [[True, False, False], [True, True, False]]
    # The shrunk mask's camera sees a point where the whole one does, in pixels of a third of the size.
    pixels, depth = half.project(np.array([world(4.5, 1.5, 5.0, alpha.shape)]))
    np.testing.assert_allclose(pixels[:, 0], [1.0, 0.0], atol=1e-9)
    assert depth == pytest.approx(5.0)


def test_an_empty_mask_holds_nothing() -> None:
    cone = cones_of(view_of(np.zeros((5, 5))))[0]
    points = np.array([world(2.5, 2.5, 2.0, (5, 5)), world(9.0, 9.0, 2.0, (5, 5))])
    assert not cone.contains(points).any() and (cone.signed_distance(points) < 0).all()


def test_grids_by_hand() -> None:
    center = np.array([1.0, 2.0, 3.0])
    nodes, cells = Grid.nodes(center, 1.0, 2), Grid.centers(center, 1.0, 2)
    ticks = itertools.product(*([x - 1, x, x + 1] for x in center))
    assert nodes.points().tolist() == [list(p) for p in ticks]
    middles = itertools.product(*([x - 0.5, x + 0.5] for x in center))
    assert cells.points().tolist() == [list(p) for p in middles]
    # A cell of the size of the cube is cut into the cells of the grid.
    assert sorted(halved(center[None], 2.0).tolist()) == sorted(cells.points().tolist())
    assert halved(cells.points(), 1.0).shape == (64, 3)
    field = np.zeros((9, 9, 9))
    field[4, 4, 4:6] = 1
    part, inside = Grid(np.zeros(3), 0.5, field.shape).around(field)
    assert part.corner.tolist() == [1.0, 1.0, 1.0] and part.shape == inside.shape == (5, 5, 6)
