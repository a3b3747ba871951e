"""Images at half their size: exact means, cameras that see the same, and when a run takes them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from largesteps_zg.cameras import sphere_of_cameras
from largesteps_zg.constants import DEFAULTS
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.batch import Batch, halved
from largesteps_zg.reconstruct.schedule import image_level, remeshings, views_of_step
from largesteps_zg.renderers import render
from largesteps_zg.scenes.synthetic import scene_from_mesh


@pytest.fixture(scope="module")
def scene():
    ball = icosphere(3)
    return scene_from_mesh(
        Mesh(ball.vertices, ball.faces), views=4, test_views=1, height=256, width=258, up="z"
    )


@pytest.mark.parametrize("height, width", [(6, 8), (7, 9)])
def test_every_pixel_is_the_mean_of_four_and_odd_rests_are_left_out(height, width, generator):
    images = torch.rand(2, height, width, 4, generator=generator)
    weights = torch.rand(2, height, width, generator=generator)
    cameras = sphere_of_cameras(2, distance=3.0, fov_y_degrees=40, height=height, width=width)
    made = halved(Batch(cameras, images, torch.arange(2), weights))
    assert made.targets.shape == (2, height // 2, width // 2, 4)
    for row in range(height // 2):
        for column in range(width // 2):
            block = slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2)
            assert torch.allclose(made.targets[:, row, column], images[:, block[0], block[1]].mean((1, 2)))
            assert torch.allclose(made.weights[:, row, column], weights[:, block[0], block[1]].mean((1, 2)))
    assert halved(Batch(cameras, images, torch.arange(2))).weights is None


@pytest.mark.parametrize("width", [96, 97])
def test_its_cameras_see_the_surface_where_it_is_in_the_means(width):
    ball = icosphere(4)
    cameras = sphere_of_cameras(3, distance=3.0, fov_y_degrees=50, height=96, width=width)
    white = torch.ones_like(ball.vertices)
    large = render(ball.vertices, ball.faces, white, cameras)
    batch = halved(Batch(cameras, large, torch.arange(3)))
    assert (batch.cameras.height, batch.cameras.width) == (48, width // 2)
    small = render(ball.vertices, ball.faces, white, batch.cameras)
    # Half a pixel off, outlines would differ by 0.5; antialiasing is good to some hundredths.
    assert float((small - batch.targets).abs().amax()) < 0.3
    assert float((small - batch.targets).mean().abs()) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, coarse",
    [
        ({}, True),
        ({"remesh": "adaptive"}, True),
        ({"remesh": "off"}, False),
        ({"gradients": "per-pixel"}, False),
    ],
)
def test_a_run_that_remeshes_begins_with_them(scene, change, coarse, monkeypatch):
    run = Reconstruction(scene.train, Settings(steps=10, views_per_step=2, **change))
    seen = []
    step = run.fit.step

    def watched(batch, **options):
        seen.append(batch.targets.shape[1:3])
        return step(batch, **options)

    monkeypatch.setattr(run.fit, "step", watched)
    monkeypatch.setattr(type(run.fit), "short_edge", 3.0 * run.targets.pixel)
    for progress in (0.0, 0.29, 0.3, 0.9):
        run.advance(progress)
    small = (128, 129) if coarse else (256, 258)
    assert seen == [small, small, (256, 258), (256, 258)]


def test_images_are_as_fine_as_triangles_can_show():
    early, late = 0.1, 0.9
    assert [image_level(late, edge, 2000) for edge in (1.0, 3.9, 4.0, 7.9, 8.0, 16.0)] == [0, 0, 1, 1, 2, 3]
    assert [image_level(early, edge, 2000) for edge in (1.0, 4.0, 8.0)] == [1, 1, 2]
    # Sides shorter than 256 are not halved.
    assert [image_level(early, 64.0, side) for side in (255, 256, 511, 512, 1024)] == [0, 1, 1, 2, 3]


def test_a_step_compares_fewer_images_where_they_are_large():
    assert [views_of_step(side, side, 0) for side in (100, 800, 801, 1131, 1600, 5000)] == [8, 8, 7, 4, 2, 1]
    assert views_of_step(1600, 1600, 1) == views_of_step(800, 800, 0)


def test_a_run_compares_as_many_images_as_it_was_told_or_as_are_not_too_many(scene, monkeypatch):
    def compared(**settings) -> int:
        run, seen = Reconstruction(scene.train, Settings(remesh="off", **settings)), []
        step = run.fit.step
        monkeypatch.setattr(
            run.fit, "step", lambda batch, **rest: (seen.append(len(batch)), step(batch, **rest))[1]
        )
        run.advance()
        return seen[0]

    pixels = scene.train.images[0, ..., 0].numel()
    few = replace(DEFAULTS, schedule=replace(DEFAULTS.schedule, step_pixels=3 * pixels))
    usual = min(DEFAULTS.schedule.step_views, len(scene.train))
    assert [compared(), compared(advanced=few), compared(advanced=few, views_per_step=4)] == [usual, 3, 4]


def test_all_images_or_some_are_the_same_at_every_size(scene, monkeypatch):
    views = replace(scene.train, known=torch.rand(scene.train.images.shape[:3]) < 0.9)
    targets = Reconstruction(views, Settings()).targets
    chosen = torch.tensor([3, 1])
    for level in (1, 0, 2):
        monkeypatch.setattr("largesteps_zg.reconstruct.targets.TARGET_BYTES", 2**30)
        kept = targets.batch(chosen, level)
        monkeypatch.setattr("largesteps_zg.reconstruct.targets.TARGET_BYTES", 0)
        made = targets.batch(chosen, level)
        assert kept.index.tolist() == made.index.tolist() == [3, 1]
        for one, two in ((kept.targets, made.targets), (kept.weights, made.weights)):
            assert one.shape[1:3] == (256 >> level, 258 >> level) and torch.equal(one, two)
        assert torch.equal(kept.cameras.intrinsics, made.cameras.intrinsics)
        assert (kept.cameras.height, kept.cameras.width) == one.shape[1:3]


def test_cameras_are_asked_on_halved_images_where_these_are_large(scene):
    run = Reconstruction(scene.train, Settings())
    assert next(run.camera_trial.photographs()).targets.shape[1:3] == (128, 129)
    few = replace(DEFAULTS, correcting=replace(DEFAULTS.correcting, asked_pixels=64 * 65))
    run = Reconstruction(scene.train, Settings(advanced=few))
    assert next(run.camera_trial.photographs()).targets.shape[1:3] == (64, 64)


def test_where_vertices_are_bounded_all_triangles_of_a_run_are_larger():
    plans = remeshings("auto", steps=100, pixel=0.01, edge_length=0.2)
    assert [plan.length(0.0) for plan in plans] == pytest.approx([0.05, 0.03, 0.02])
    assert [plan.length(0.04) for plan in plans] == pytest.approx([0.1, 0.06, 0.04])
    detailed = remeshings("auto", steps=100, pixel=0.01, edge_length=0.2, longest=0.03)
    assert [plan.length(0.0) for plan in detailed] == pytest.approx([0.03, 0.03, 0.02])
    assert [plan.length(0.04) for plan in detailed] == pytest.approx([0.03, 0.03, 0.03])


@pytest.mark.slow
def test_not_where_the_start_has_detail_or_images_are_small(scene):
    start = icosphere(6, radius=0.9 * float(scene.mesh.vertices.norm(dim=1).max()))
    run = Reconstruction(scene.train, Settings(), start=start, refining=True)
    assert not run.coarse_first
    # Nor does remeshing make its edges longer than they are, which by themselves it would.
    corners = run.fit.triangles.rest[run.fit.faces]
    length = float((corners - corners.roll(1, dims=1)).norm(dim=-1).mean())
    usual = Reconstruction(scene.train, Settings(), start=start)
    assert max(plan.length(0.0) for plan in usual.remeshings) > 1.2 * length
    assert max(plan.length(0.0) for plan in run.remeshings) <= 1.001 * length
    ball = icosphere(3)
    small = scene_from_mesh(Mesh(ball.vertices, ball.faces), views=3, test_views=1, height=250, width=300)
    side = min(small.train.images.shape[1:3])
    assert image_level(0.0, 100.0, side) == 0
