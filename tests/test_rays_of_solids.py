"""What a solid that was found before says of the next one, and when a plane is a table."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from largesteps_zg.cameras import Cameras
from largesteps_zg.cameras.placement import look_at
from largesteps_zg.constants import DEFAULTS
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.reconstruct.starts.hull import Hull, surface_of
from largesteps_zg.reconstruct.starts.outlines.find import _doubt
from largesteps_zg.reconstruct.starts.outlines.likelihood import learned
from largesteps_zg.reconstruct.starts.outlines.plane_look import plane_look
from largesteps_zg.reconstruct.starts.outlines.silhouettes import coverages, spans
from largesteps_zg.reconstruct.starts.outlines.volume import Before, evidence, smallest
from largesteps_zg.scenes import Views
from largesteps_zg.scenes.carving.grid import Grid
from largesteps_zg.scenes.from_photographs.object import Support, support_plane
from largesteps_zg.scenes.views import Ball

BALL = Ball(torch.zeros(3, dtype=torch.float64), 1.0)


def around(count: int, side: int = 96) -> Views:
    """Black views from a circle of radius 5, a little above the middle."""
    angles = torch.arange(count, dtype=torch.float64) * (2 * np.pi / count)
    centers = torch.stack([5 * angles.sin(), torch.full_like(angles, 1.5), 5 * angles.cos()], dim=1)
    cameras = look_at(
        centers, (0.0, 0.0, 0.0), up=(0.0, 1.0, 0.0), fov_y_degrees=28.0, height=side, width=side
    )
    images = torch.zeros(count, side, side, 4, dtype=torch.uint8)
    return Views(images, cameras, tuple(f"{i}" for i in range(count)))


def rays_of(camera: Cameras) -> tuple[np.ndarray, np.ndarray]:
    """(3,) centre and (H, W, 3) directions of depth 1 of a camera's pixels."""
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    k, matrix = camera.intrinsics[0].double().numpy(), camera.world_to_camera[0].double().numpy()
    turned = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(k).T @ matrix[:3, :3]
    return camera.centers[0].numpy(), turned


def test_spans_are_the_depths_of_a_balls_front_and_back() -> None:
    views, ball = around(2), icosphere(5)
    middle = torch.tensor([0.2, -0.1, 0.3])
    found = list(spans(views, 0.7 * ball.vertices + middle, ball.faces))
    for index, (near, far) in enumerate(found):
        eye, rays = rays_of(views.cameras[index])
        to = middle.double().numpy() - eye
        a, b = (rays**2).sum(-1), rays @ to
        half = b**2 - a * ((to**2).sum() - 0.49)
        inner = half > 0.1 * half.max()  # away from the outline
        root = np.sqrt(half[inner])
        np.testing.assert_allclose(near[inner], (b[inner] - root) / a[inner], atol=0.02)
        np.testing.assert_allclose(far[inner], (b[inner] + root) / a[inner], atol=0.02)
        beside = half < 0
        assert np.isinf(near[beside]).mean() > 0.99 and (far[np.isinf(near)] == -np.inf).all()


def test_what_else_is_on_a_ray_explains_its_pixel() -> None:
    views, ratio = around(1), np.full((96, 96), -3.0)
    away = float(views.cameras.centers[0].norm())
    covered = np.stack([np.full((96, 96), away - 0.5), np.full((96, 96), away + 0.5)])

    def message(block: float, spans: np.ndarray = covered) -> float:
        return float(evidence(views, [ratio], np.zeros((1, 3)), Before([spans], block, 0.9))[0])

    alone, hidden = -np.log(0.1 + 0.9 * np.exp(3.0)), -np.log(0.9 + 0.1 * np.exp(3.0))
    assert message(0.6) == pytest.approx(alone, abs=1e-6)  # decided together with all that covers it
    assert message(0.4) == pytest.approx(hidden, abs=1e-6)
    beside = np.stack([np.full((96, 96), np.inf), np.full((96, 96), -np.inf)])
    assert message(0.4, beside) == pytest.approx(alone, abs=1e-6)


def test_a_pixel_counts_as_often_as_pixels_are_right() -> None:
    ratios = [np.array([[3.0, 2.0, 1.0, 9.0, -9.0]]), np.array([[3.0, 2.0, 1.0, 9.0, -0.1]])]
    inside = np.array([[[True] * 5], [[True] * 5]])
    numbers = DEFAULTS.outlining
    assert _doubt(ratios, inside, numbers) == pytest.approx(np.log(4.0))  # a fifth is wrong
    assert _doubt(ratios, inside & (ratios[0] > 0), numbers) == numbers.doubt
    assert _doubt([-ratio for ratio in ratios], inside, numbers) == 0.0


def legs() -> Mesh:
    """A beam on two legs with a gap of 0.5 between them."""
    ball = icosphere(3)
    parts = [((0.0, 0.35, 0.0), (0.6, 0.2, 0.2)), ((-0.42, -0.2, 0.0), (0.16, 0.5, 0.2)),
             ((0.42, -0.2, 0.0), (0.16, 0.5, 0.2))]  # fmt: skip
    vertices = [ball.vertices * torch.tensor(size) + torch.tensor(place) for place, size in parts]
    faces = [ball.faces + i * len(ball.vertices) for i in range(3)]
    return Mesh(torch.cat(vertices), torch.cat(faces).int())


def test_a_solid_is_nearer_to_its_outlines_where_each_tells_the_next() -> None:
    """Outlines of legs, a tenth of whose pixels say the contrary: most photographs do not look through between them."""
    views, mesh = around(20), legs()
    masks = np.stack(list(coverages(views, mesh.vertices, mesh.faces))) > 0.5
    wrong = np.random.default_rng(0).random(masks.shape) < 0.1
    ratios = list(np.where(masks ^ wrong, 3.0, -3.0))
    grid = Grid.nodes(np.zeros(3), 1.0, 48)

    def solid(before: Before | None) -> Hull:
        gain = evidence(views, ratios, grid.points(), before).reshape(grid.shape)
        field = (smallest(gain, DEFAULTS.outlining.area) - 0.5) * grid.cell
        found = surface_of(grid, field, DEFAULTS.carving)
        assert found is not None
        return found

    def overlap(found: Hull) -> float:
        made = np.stack(list(coverages(views, found.vertices, found.faces))) > 0.5
        return float((made & masks).sum() / (made | masks).sum())

    found = solid(None)
    first = overlap(found)
    for block in (6.0, 4.0, 3.0):
        found = solid(Before(list(spans(views, found.vertices, found.faces)), block * grid.cell, 0.9))
    assert overlap(found) > 0.91 and 1.0 - overlap(found) < 0.6 * (1.0 - first)


def test_what_hides_a_place_of_the_table_in_all_photographs_is_likely_the_object() -> None:
    """Plain things: what is hidden looks like the object, and the table somewhere, too."""
    views, support = around(12), Support(np.array([0.0, 1.0, 0.0]), -0.5, 1.0)
    ball = icosphere(3)
    masks = np.stack(list(coverages(views, 0.5 * ball.vertices, ball.faces))) > 0.5
    images = torch.full_like(views.images, 140)
    images[torch.from_numpy(masks)] = 60
    images[:, :, ::4] = torch.where(torch.from_numpy(masks)[:, :, ::4, None], images[:, :, ::4], 60)
    views = Views(images, views.cameras, views.names)
    gains = np.zeros((len(views), 3))
    look = plane_look(views, BALL, support, gains, masks)
    hidden = look.others(views, 0)[0]
    assert 20 < hidden.sum() < masks[0].sum() and (hidden & ~masks[0]).sum() < 0.1 * hidden.sum()
    even, sure = (
        learned(views, gains, masks, ~masks, [look], sure=value).ratio(views, 0, gains[0])
        for value in (0.5, 0.95)
    )
    own = hidden & masks[0]
    assert (sure[own] >= even[own]).all() and (sure[~hidden] == even[~hidden]).all()
    assert np.median(sure[own] - even[own]) > 0.1


def test_what_a_solid_hides_by_mistake_is_the_table_by_those_photographs_that_agree_about_it() -> None:
    """A dark spot of a table beside a ball, of a colour that both have in places; a solid holds both.

    Something of the ball's colours stands before it in most photographs.
    """
    views, support = around(12), Support(np.array([0.0, 1.0, 0.0]), -0.5, 1.0)
    ball, random = icosphere(3), np.random.default_rng(0)
    spot = torch.tensor([0.3, 0.002, 0.3]) * ball.vertices + torch.tensor([0.8, -0.5, 0.0])
    balls, spots = (
        np.stack(list(coverages(views, vertices, ball.faces))) > 0.5
        for vertices in (0.5 * ball.vertices, spot)
    )
    free = spots & ~balls & (np.arange(12) < 5)[:, None, None]
    masks = balls | spots
    pixels = np.full((*balls.shape, 3), 140)
    pixels[:, :, ::16] = 40
    pixels[masks] = random.integers(20, 110, (masks.sum(), 3))
    pixels[free] = 40
    pixels = np.rint(pixels + random.normal(scale=0.7, size=pixels.shape))
    images = torch.from_numpy(
        np.concatenate([pixels, np.full((*balls.shape, 1), 255)], axis=3).astype(np.uint8)
    )
    views, gains = Views(images, views.cameras, views.names), np.zeros((12, 3))
    look = plane_look(views, BALL, support, gains, masks)
    made = learned(views, gains, masks, ~masks, [look], sure=0.9)
    for index in (0, 3, 6, 9):
        where, others = look.others(views, index)
        assert others.shape == (11, where.sum(), 3)
        ratio, own = made.ratio(views, index, gains[index]), where & masks[index] & ~free[index]
        assert (ratio[own] > 0).mean() > 0.9
        assert index > 4 or (ratio[where & free[index]] < 0).mean() > 0.9


def test_a_plane_is_a_table_where_chance_would_not_fill_it_so() -> None:
    views, random = around(8), np.random.default_rng(0)
    sphere = random.normal(size=(1500, 3))
    sphere *= 0.8 / np.linalg.norm(sphere, axis=1, keepdims=True)
    assert support_plane(views, torch.from_numpy(sphere), BALL) is None  # as dense at all heights
    few = random.uniform(-1.0, 1.0, (130, 3)) * (1.0, 0.005, 1.0) + (0.0, -0.8, 0.0)
    found = support_plane(views, torch.from_numpy(np.concatenate([sphere, few])), BALL)
    assert found is not None and found.share < 0.15
    assert found.normal[1] > 0.99 and found.height == pytest.approx(-0.8, abs=0.02)
    bare = support_plane(views, torch.from_numpy(few), BALL)  # and nothing on it
    assert bare is not None and bare.share > 0.9
