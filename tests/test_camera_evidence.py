"""What speaks for corrections of cameras: halves of photographs and matches; either outcome of each, and of both."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from largesteps_zg.cameras import Cameras, look_at, sphere_of_cameras
from largesteps_zg.cameras.evidence import Comparison, Evidence, standard_errors
from largesteps_zg.cameras.model import rigid
from largesteps_zg.cli.summary import cameras_lines
from largesteps_zg.constants import Constants, Correcting, Matching, Schedule
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.camera_halves import halves_compared
from largesteps_zg.reconstruct.camera_matches import CameraMatches
from largesteps_zg.scenes import Scene, Views
from largesteps_zg.scenes.synthetic import render_views, scene_from_mesh, studio_light


def disturbed(cameras: Cameras, degrees: float, generator: torch.Generator) -> Cameras:
    """Each turned about its own centre by an angle, about a random axis."""
    given = cameras.to(dtype=torch.float64)
    axis = torch.nn.functional.normalize(
        torch.randn(len(given), 3, generator=generator, dtype=torch.float64), dim=1
    )
    cross = torch.zeros(len(given), 3, 3, dtype=torch.float64)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        cross[:, k, j], cross[:, j, k] = axis[:, i], -axis[:, i]
    rotation = torch.linalg.matrix_exp(math.radians(degrees) * cross) @ given.world_to_camera[:, :3, :3]
    moved = rigid(rotation, -(rotation @ given.centers[..., None])[..., 0])
    return Cameras(moved, given.intrinsics, given.height, given.width)


def comparison(errors: float) -> Comparison:
    return Comparison(given=2.0, corrected=1.0, errors=errors, count=9)


def test_gains_that_agree_are_root_n_standard_errors_and_none_are_none() -> None:
    assert standard_errors(torch.full((16,), 0.3)) == pytest.approx(4.0)
    assert standard_errors(torch.full((16,), -7.0)) == pytest.approx(-4.0)
    assert standard_errors(torch.tensor([3.0, -4.0])) == pytest.approx(-0.2)  # -1 over root 25
    assert standard_errors(torch.zeros(5)) == standard_errors(torch.zeros(0)) == 0.0


def test_given_cameras_are_believed_unless_all_evidence_together_is_against_them() -> None:
    assert not Evidence().favours
    assert Evidence(comparison(1.1)).favours and not Evidence(comparison(0.9)).favours
    assert not Evidence(comparison(0.7), comparison(0.7)).favours
    assert Evidence(comparison(0.8), comparison(0.7)).favours
    assert not Evidence(comparison(5.0), comparison(-30.0)).favours  # many matches outvote pixels
    assert Evidence(comparison(5.0), comparison(-1.0)).favours  # a few by chance do not


def test_evidence_goes_through_a_checkpoint_s_numbers() -> None:
    for evidence in (Evidence(), Evidence(comparison(1.5)), Evidence(comparison(1.0), comparison(-2.0))):
        assert Evidence.of_rows(evidence.as_rows()) == evidence


def test_the_last_lines_of_a_run_say_what_speaks_for_it_and_against_it() -> None:
    both = Evidence(comparison(3.0), comparison(-7.5)).report()
    view = {"rotation_degrees": 0.5, "shift_percent": 1.0, "focal_percent": 0.0}
    moved = cameras_lines({"cameras": {"a": view}, "cameras_off_pixels": 2.0, "camera_evidence": both})
    assert moved[0].startswith("cameras   corrected by 2 pixels: turned by up to 0.50 degrees")
    assert "+3.0" in moved[1] and "-7.5" in moved[2] and len(moved) == 3
    stayed = cameras_lines({"cameras": {}, "cameras_off_pixels": None, "camera_evidence": both})
    assert stayed[0].startswith("cameras   kept as given, to the last bit") and stayed[1:] == moved[1:]
    nothing = cameras_lines({"cameras": {}, "cameras_off_pixels": 0.1, "camera_evidence": both})
    assert nothing[0].startswith("cameras   kept as given: corrections came to 0.1 pixels")
    unasked = Evidence().report()
    for evidence in (None, unasked):
        assert cameras_lines({"cameras": {}, "cameras_off_pixels": None, "camera_evidence": evidence}) == []


def matches(cameras: Cameras, points: int, noise: float, wrong: int, seed: int = 0) -> CameraMatches:
    """Projections of points of a ball in neighbouring views, some pixels off, and some of other points."""
    random = np.random.default_rng(seed)
    place = random.normal(size=(points, 3))
    place *= 0.7 / np.linalg.norm(place, axis=1, keepdims=True)
    seen = cameras.project(torch.from_numpy(place))[0].numpy()
    seen = seen + noise * random.normal(size=seen.shape)
    pairs = []
    for i in range(len(cameras) - 1):
        partner = np.arange(points)
        partner[:wrong] = random.permutation(partner)[:wrong]
        pairs.append((i, i + 1, seen[i], seen[i + 1][partner]))
    return CameraMatches(pairs)


@pytest.fixture(scope="module")
def ring() -> Cameras:
    return sphere_of_cameras(8, distance=3.0, fov_y_degrees=40.0, height=200, width=240, dtype=torch.float64)


@pytest.mark.parametrize("wrong", [0, 60])
def test_matches_tell_the_better_cameras_among_wrong_matches(ring: Cameras, wrong: int, generator) -> None:
    found = matches(ring, 100, noise=0.3, wrong=wrong)
    off = disturbed(ring, 1.0, generator)
    assert len(found) == 700
    mended, spoilt = found.compared(off, ring), found.compared(ring, off)
    assert mended.errors > 5 and spoilt.errors < -5
    if not wrong:
        assert mended.corrected < 0.6 < mended.given  # a median of two features' noise
    assert found.compared(ring, ring).errors == 0


def test_matches_that_are_chance_say_little_and_none_say_nothing(ring: Cameras, generator) -> None:
    found = matches(ring, 20, noise=40.0, wrong=20)
    said = found.compared(ring, disturbed(ring, 1.0, generator))
    assert abs(said.errors) < 3
    assert CameraMatches([]).compared(ring, ring) is None


@pytest.fixture(scope="module")
def blotched() -> Views:
    """Pictures of a ball of blotches, each 12 degrees from the next."""
    ball = icosphere(5)
    waves = np.random.default_rng(5).normal(size=(60, 3)) * np.geomspace(4, 18, 60)[:, None]
    pattern = np.cos(ball.vertices.double().numpy() @ waves.T + np.arange(60)).sum(axis=1)
    grey = torch.tensor(0.5 + 0.4 * np.sign(pattern)).float()
    painted = Mesh(ball.vertices, ball.faces, grey[:, None].expand(-1, 3).contiguous())
    angle = torch.deg2rad(12.0 * torch.arange(5, dtype=torch.float64))
    eyes = 4 * torch.stack([angle.cos(), angle.sin(), torch.full_like(angle, 0.3)], dim=1)
    return render_views(
        painted, look_at(eyes, fov_y_degrees=35.0, height=200, width=200), light=studio_light()
    )


def test_matches_are_of_photographs_not_of_the_cameras(blotched: Views, generator) -> None:
    """Their own cameras are better than others, given or found."""
    true = blotched.cameras
    off = disturbed(true, 1.5, generator)
    found = CameraMatches.of(dataclasses.replace(blotched, cameras=off))
    assert len(found) > 50
    assert found.compared(off, true).errors > 5 and found.compared(true, off).errors < -5


def test_matches_obey_their_constants(blotched: Views) -> None:
    usual = len(CameraMatches.of(blotched))
    assert len(CameraMatches.of(blotched, Matching(angle=13.0))) < usual  # four pairs in place of ten
    assert len(CameraMatches.of(blotched, Matching(angle=11.0))) == 0
    assert len(CameraMatches.of(blotched, Matching(ratio=0.0))) == 0
    assert 0 < len(CameraMatches.of(blotched, Matching(features=20))) <= 10 * 20 < usual


def test_matches_of_halved_photographs_lie_where_they_lie_in_the_photographs(blotched: Views) -> None:
    """So the true cameras put them on each other's lines, to about a pixel of the smaller ones."""
    halved = CameraMatches.of(blotched, level=1)
    found = halved.compared(blotched.cameras, blotched.cameras)
    assert found is not None and 30 < len(halved) < len(CameraMatches.of(blotched))
    assert found.given < 1.0


def bumpy() -> Mesh:
    """A surface without symmetry."""
    ball = icosphere(4)
    x = ball.vertices
    radius = 0.8 + 0.1 * torch.sin(3 * x[:, :1]) + 0.08 * torch.cos(4 * x[:, 1:2] + x[:, 2:])
    return Mesh(radius * x * torch.tensor([1.0, 0.7, 0.8]), ball.faces, 0.5 + 0.4 * torch.sin(5 * x))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return scene_from_mesh(bumpy(), views=12, test_views=0, height=64, width=64, up="z")


def halves(run: Reconstruction) -> tuple[Comparison, Cameras]:
    assert run.fit.corrections is not None
    return halves_compared(run.fit, run.fit.corrections, run.camera_trial.photographs)


def test_a_run_that_reaches_the_decision_without_having_asked_keeps_its_cameras(scene: Scene) -> None:
    run = Reconstruction(scene.train, Settings(max_vertices=500))
    run.camera_trial.attend(0.1)
    assert run.fit.corrections is not None and not run.fit.corrections.trial.decided
    run.camera_trial.attend(0.7)
    assert run.fit.corrections.trial.dropped and run.camera_trial.evidence() == Evidence()


@pytest.mark.slow
def test_a_wrong_surface_in_wrong_light_does_not_speak_against_exact_cameras(scene: Scene) -> None:
    dented = scene.mesh.vertices.clone()
    near = (dented - dented[100]).norm(dim=1) < 0.5
    dented[near] *= 0.85
    start = dataclasses.replace(scene.mesh, vertices=dented)
    said, _ = halves(Reconstruction(scene.train, Settings(max_vertices=3000), start=start))
    assert said.errors < 0 and said.corrected > said.given and said.count == 12


@pytest.mark.slow
def test_halves_tell_that_cameras_are_off_and_photographs_ask_for_better_ones(
    scene: Scene, generator
) -> None:
    off = disturbed(scene.train.cameras, 1.0, generator)
    run = Reconstruction(dataclasses.replace(scene.train, cameras=off), Settings(), start=scene.mesh)
    said, asked = halves(run)
    assert said.errors > 2 and said.corrected < said.given
    true, given = (
        run.frame.normalized(cameras).to(dtype=torch.float64).project(scene_points(run, scene))[0]
        for cameras in (scene.train.cameras, off)
    )
    there = asked.project(scene_points(run, scene))[0]
    assert (there - true).norm(dim=-1).mean() < 0.8 * (given - true).norm(dim=-1).mean()


@pytest.mark.slow
def test_pictures_that_are_drawn_at_once_say_what_single_ones_say(scene: Scene, generator) -> None:
    off = dataclasses.replace(scene.train, cameras=disturbed(scene.train.cameras, 1.0, generator))
    found = []
    for pixels in (1, 3 * 64 * 64):
        constants = Constants(schedule=Schedule(step_pixels=pixels))
        run = Reconstruction(off, Settings(advanced=constants), start=scene.mesh)
        found.append(halves(run))
    (one, single), (many, together) = found
    assert one.given == pytest.approx(many.given, rel=1e-5)
    assert one.corrected == pytest.approx(many.corrected, rel=1e-4)
    assert torch.allclose(single.world_to_camera, together.world_to_camera, atol=1e-5)


def scene_points(run: Reconstruction, scene: Scene) -> torch.Tensor:
    return run.frame.inside(scene.mesh.vertices).double()


@pytest.mark.slow
def test_of_many_photographs_some_are_asked_evenly(scene: Scene, generator) -> None:
    constants = Constants(correcting=Correcting(asked_views=5))
    off = dataclasses.replace(scene.train, cameras=disturbed(scene.train.cameras, 1.0, generator))
    run = Reconstruction(off, Settings(advanced=constants), start=scene.mesh)
    assert [int(batch.index) for batch in run.camera_trial.photographs()] == [0, 3, 6, 8, 11]
    run.camera_trial.attend(0.3)
    evidence = run.fit.corrections.evidence
    assert evidence.pixels.count == 5 and evidence.favours and run.fit.corrections.trial.started


def finished(views, **options) -> Reconstruction:
    settings = Settings(**{"steps": 20, "views_per_step": 4, "max_vertices": 1000, **options})
    run = Reconstruction(views, settings)
    while run.step < settings.steps:
        run.advance()
    return run


@pytest.mark.slow
@pytest.mark.usefixtures("same_topology")
def test_exact_cameras_stay_to_the_last_bit_and_so_does_everything_else(scene: Scene) -> None:
    run, plain = finished(scene.train), finished(scene.train, refine_cameras="off")
    result = run.result()
    assert run.fit.corrections.trial.dropped and not run.fit.corrections.trial.started
    assert result.cameras is run.views.cameras and result.corrected == {} and result.cameras_off is None
    assert not result.camera_evidence.favours and result.camera_evidence.pixels is not None
    assert torch.equal(run.mesh().vertices, plain.mesh().vertices)
    assert torch.equal(run.fit.light, plain.fit.light)
    assert plain.result().camera_evidence is None
    before = finished(scene.train, steps=1).result()
    assert before.corrected == {} and before.camera_evidence == Evidence()
    assert torch.equal(before.cameras.world_to_camera, scene.train.cameras.world_to_camera)


def test_photographs_without_features_say_nothing() -> None:
    views = scene_from_mesh(icosphere(3), views=3, test_views=0, height=48, width=48).train
    flat = views.images.clone()
    flat[..., :3] = 120
    found = CameraMatches.of(dataclasses.replace(views, images=flat))
    assert len(found) == 0
    assert found.compared(views.cameras, views.cameras) is None
