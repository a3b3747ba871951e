"""Photographs blended over a surface: exact where they were taken, and only where they see."""

from __future__ import annotations

import pytest
import torch

from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.output.blended import Blended
from largesteps_zg.renderers.rasterized import render
from largesteps_zg.scenes import Scene
from largesteps_zg.scenes.synthetic import scene_from_mesh


@pytest.fixture(scope="module")
def scene() -> Scene:
    ball = icosphere(5)
    paint = 0.5 + 0.3 * torch.sin(6 * ball.vertices)
    return scene_from_mesh(
        Mesh(ball.vertices, ball.faces, paint), views=40, test_views=4, height=96, width=96
    )


def grey(scene: Scene, index: int, *, train: bool) -> torch.Tensor:
    """The right outline, without a colour."""
    assert scene.mesh is not None and scene.test is not None
    camera = (scene.train if train else scene.test).cameras[index].to(dtype=torch.float32)
    vertices = scene.mesh.vertices.float()
    return render(vertices, scene.mesh.faces, torch.full_like(vertices, 0.5), camera)[0]


def test_where_a_photograph_was_taken_it_is_that_photograph(scene: Scene) -> None:
    assert scene.mesh is not None
    views = scene.train
    image = Blended(scene.mesh, views, views.cameras).over(grey(scene, 5, train=True), views.cameras[5])
    inside = (views.images[5, ..., 3] == 255) & (image[..., 3] > 0.99)
    assert float((image - views.linear(5)[0])[inside].abs().max()) < 0.01


def test_between_photographs_it_is_nearer_than_any_one_colour(scene: Scene) -> None:
    assert scene.mesh is not None and scene.test is not None
    blended = Blended(scene.mesh, scene.train, scene.train.cameras)
    for i in range(len(scene.test)):
        before, target = grey(scene, i, train=False), scene.test.linear(i)[0]
        after = blended.over(before, scene.test.cameras[i])
        inside = (target[..., 3] == 1) & (before[..., 3] > 0.99)
        assert torch.equal(after[..., 3], before[..., 3])
        assert float((after - target)[inside].square().mean()) < 0.02 * float(
            (before - target)[inside].square().mean()
        )


def test_what_no_photograph_sees_keeps_its_colour(scene: Scene) -> None:
    """From behind: the only photographs are taken from the other side."""
    assert scene.mesh is not None
    views = scene.train
    toward = torch.nn.functional.normalize(views.cameras.centers, dim=1)
    behind = int((toward @ toward[0]).argmin())
    blended = Blended(scene.mesh, views[[0]], views.cameras[0])
    before = grey(scene, behind, train=True)
    after = blended.over(before, views.cameras[behind])
    height, width = before.shape[:2]
    middle = slice(height // 2 - 8, height // 2 + 8), slice(width // 2 - 8, width // 2 + 8)
    assert torch.equal(after[middle], before[middle])


def test_exposures_are_divided_out(scene: Scene) -> None:
    assert scene.mesh is not None
    views = scene.train
    gains = torch.linspace(0.5, 1.5, len(views))[:, None].expand(-1, 3)
    before, camera = grey(scene, 7, train=True), views.cameras[7]
    plain, bright = (
        Blended(scene.mesh, views, views.cameras, given).over(before, camera) for given in (None, gains)
    )
    inside = (views.images[7, ..., 3] == 255) & (before[..., 3] > 0.99)
    torch.testing.assert_close(bright[inside][:, :3] * gains[7], plain[inside][:, :3], atol=0.01, rtol=0)
