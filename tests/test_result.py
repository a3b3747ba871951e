"""What a run gives away: it does not change later, holds what was found, and says why something was not done."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from largesteps_zg.constants import Constants, Correcting
from largesteps_zg.mesh import icosphere
from largesteps_zg.mesh.remeshing.remesher import RemeshError
from largesteps_zg.reconstruct import Reconstruction, Settings, fit
from largesteps_zg.reconstruct.gradients import Rasterized
from largesteps_zg.scenes import Scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

KEPT = Constants(correcting=Correcting(least=0.0))  # so that corrections are kept
SETTINGS = Settings(
    steps=10,
    views_per_step=2,
    remesh=(1,),
    max_vertices=400,
    exposure="on",
    gloss="on",
    refine_cameras="on",
    advanced=KEPT,
)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return scene_from_mesh(icosphere(2, radius=5.0), views=5, test_views=0, height=24, width=32)


def run_for(scene: Scene, steps: int) -> Reconstruction:
    run = Reconstruction(scene.train, SETTINGS)
    for _ in range(steps):
        run.advance()
    return run


@pytest.mark.slow
def test_a_result_is_of_its_moment(scene: Scene) -> None:
    run = run_for(scene, 7)
    before = run.result()
    kept = [before.mesh.vertices, before.gains, before.light, before.cameras.world_to_camera]
    kept += [before.corrections.shifts, before.corrections.turns]
    copies = [tensor.clone() for tensor in kept]
    plain = before.losses, before.events, dict(before.gloss), before.renders, dict(before.seconds)
    for _ in range(3):
        run.advance()
    after = run.result()
    assert all(torch.equal(a, b) for a, b in zip(kept, copies, strict=True))
    assert (before.losses, before.events, before.gloss, before.renders, before.seconds) == plain
    now = [after.mesh.vertices, after.gains, after.light, after.cameras.world_to_camera]
    assert not any(torch.equal(a, b) for a, b in zip(kept, now, strict=False))
    assert after.losses[:7] == before.losses and len(after.losses) == after.steps == 10
    with pytest.raises(dataclasses.FrozenInstanceError):
        after.steps = 3


@pytest.mark.slow
def test_a_run_that_goes_on_has_the_losses_and_events_of_the_whole(scene: Scene) -> None:
    whole, first = run_for(scene, 6), run_for(scene, 3)
    again = Reconstruction(scene.train, SETTINGS)
    again.load_state_dict(first.state_dict())
    while again.step < 6:
        again.advance()
    assert again.result().losses == whole.result().losses
    assert [(e.step, e.name, e.reason) for e in again.result().events] == [(1, "remeshed", "")]


def test_a_surface_too_tangled_to_be_remeshed_goes_on_and_says_why(scene: Scene, monkeypatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise RemeshError("remesh: no sound\nresult")

    monkeypatch.setattr(fit, "remesh", refuses)
    run = run_for(scene, 1)
    faces = run.fit.faces
    assert run.advance().event == "not remeshed: remesh: no sound result"
    assert run.fit.faces is faces
    assert [(e.step, e.reason) for e in run.result().events] == [(1, "remesh: no sound result")]


def test_a_fault_of_the_program_is_not_taken_for_a_tangled_surface(scene: Scene, monkeypatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(fit, "remesh", fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        run_for(scene, 2)


@pytest.mark.slow
def test_a_remeshing_that_fails_half_way_leaves_the_surface_whole(scene: Scene, monkeypatch) -> None:
    run = run_for(scene, 1)
    triangles, paint = run.fit.triangles, run.fit.paint

    def fails(*_: object, **__: object) -> None:
        raise ValueError("colours cannot be factored")

    monkeypatch.setattr(fit.Fit, "_paint", fails)
    assert run.advance().event == "not remeshed: colours cannot be factored"
    assert run.fit.triangles is triangles and run.fit.paint is paint


@pytest.mark.slow
def test_a_state_that_is_put_back_is_the_one_that_was_kept(scene: Scene) -> None:
    run = run_for(scene, 3)
    kept, shown = run.fit.snapshot(), run.images(scene.train.cameras)
    gradient = run.fit.latent_gradient(Rasterized(), run.targets.batch(torch.arange(5)), 0.5)
    run.advance()
    assert not torch.equal(run.images(scene.train.cameras), shown)
    run.fit.restore(kept)
    assert torch.equal(run.images(scene.train.cameras), shown)
    again = run.fit.latent_gradient(Rasterized(), run.targets.batch(torch.arange(5)), 0.5)
    assert torch.equal(gradient, again) and bool(gradient.any())
