"""Textures of runs: what a run knows of its photographs does not end up in the albedo."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from largesteps_zg.images import linear_to_srgb
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.output.export.bake_run import bake_run
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.scenes import Scene, Views
from largesteps_zg.scenes.synthetic import scene_from_mesh

GAINS = torch.linspace(-0.2, 0.2, 10)[:, None] * torch.tensor([1.0, 0.5, -1.0])  # logarithms


@pytest.fixture(scope="module")
def scene() -> Scene:
    """An egg of smooth colours, away from the origin."""
    ball = icosphere(3)
    colors = 0.35 + 0.2 * torch.sin(3 * ball.vertices + torch.arange(3.0))
    egg = Mesh(2.0 * ball.vertices * torch.tensor([1.0, 0.8, 0.7]) + 3.0, ball.faces, colors.float())
    return scene_from_mesh(egg, views=len(GAINS), test_views=1, height=96, width=96)


@pytest.fixture(scope="module")
def painted(scene: Scene) -> Mesh:
    assert scene.mesh is not None
    return scene.mesh


def run_on(views: Views, mesh: Mesh) -> Reconstruction:
    """At its end: a run with the gloss and the exposures that its photographs have."""
    run = Reconstruction(views, Settings(device="cpu"), start=mesh)
    gloss, exposure = run.fit.appearance.gloss, run.fit.appearance.exposure
    assert gloss is not None and exposure is not None
    gloss.trial.started = True
    with torch.no_grad():
        gloss.strength.fill_(0.05)
        gloss.log_grazing.fill_(0.5)
        gloss.levels[0][0, :, 1, 1] = 1.0
        run.fit.light[1:4] = torch.tensor([0.2, 0.1, -0.1])[:, None]
        exposure.log_gains.copy_(GAINS)
    return run


@pytest.fixture(scope="module")
def run(scene: Scene, painted: Mesh) -> Reconstruction:
    """Its photographs are what it shows of itself."""
    views = scene.train
    made = run_on(views, painted)
    images = made.images(views.cameras)
    images[..., :3] *= GAINS.exp()[:, None, None]
    assert float(images[..., :3].max()) < 1.0
    encoded = torch.cat([linear_to_srgb(images[..., :3]), images[..., 3:]], dim=-1)
    shown = dataclasses.replace(views, images=(255 * encoded).round().to(torch.uint8))
    return run_on(shown, painted)


def off(run: Reconstruction, painted: Mesh) -> float:
    """Mean difference of the albedo in a texture to the true one."""
    result = dataclasses.replace(run.result(), mesh=painted)
    colors = bake_run(result, run.rendering, size=128).mesh.colors
    assert colors is not None and painted.colors is not None
    return float((colors - painted.colors).abs().mean())


@pytest.mark.slow
def test_exposures_and_highlights_stay_in_the_photographs(run: Reconstruction, painted: Mesh) -> None:
    gloss, exposure = run.fit.appearance.gloss, run.fit.appearance.exposure
    assert gloss is not None and exposure is not None
    known = off(run, painted)
    assert known < 0.01
    gloss.trial.started = False
    without_gloss = off(run, painted)
    gloss.trial.started, exposure.trial.dropped = True, True
    without_gains = off(run, painted)
    exposure.trial.dropped = False
    assert without_gloss > 3 * known and without_gains > 3 * known


def test_the_mesh_is_the_run_s_own_by_default(run: Reconstruction) -> None:
    made, own = bake_run(run.result(), run.rendering, size=64).mesh, run.mesh()
    assert torch.equal(made.vertices, own.vertices) and torch.equal(made.faces, own.faces)
