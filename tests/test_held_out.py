"""From where held-out photographs are looked at, and how exposed."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from largesteps_zg.cameras import Cameras
from largesteps_zg.mesh import icosphere
from largesteps_zg.output.evaluate import held_out_cameras
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.appearance.exposure import exposed
from largesteps_zg.scenes import Scene, Views
from largesteps_zg.scenes.synthetic import scene_from_mesh

SHIFT = torch.tensor([0.02, -0.01, 0.0], dtype=torch.float64)  # of distances to the object: 2 pixels


def shifted(cameras: Cameras, distances: torch.Tensor, sign: float = 1.0) -> Cameras:
    """All of them off alike in their own axes, as with a principal point that is wrong."""
    world = cameras.world_to_camera.double().clone()
    world[:, :3, 3] += sign * distances[:, None] * SHIFT
    return Cameras(world, cameras.intrinsics.double(), cameras.height, cameras.width)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A ball amid 12 cameras, at the scale of 3 and away from the origin."""
    ball = icosphere(3)
    mesh = dataclasses.replace(ball, vertices=3.0 * ball.vertices * torch.tensor([1.0, 0.8, 0.7]) + 5.0)
    return scene_from_mesh(mesh, views=12, test_views=3, height=64, width=64)


def distances(run: Reconstruction, cameras: Cameras) -> torch.Tensor:
    """To the object's centre, in the unit of the scene."""
    return run.frame.radius * run.frame.normalized(cameras).world_to_camera[:, :3, 3].norm(dim=1).double()


def corrected(run: Reconstruction, shifts: torch.Tensor) -> Reconstruction:
    """As if it had found these corrections."""
    corrections = run.fit.corrections
    assert corrections is not None
    corrections.shifts.copy_(shifts)
    corrections.judge()
    assert corrections.trial.kept
    return run


def cameras_for(run: Reconstruction, views: Views) -> dict[str, Cameras]:
    return held_out_cameras(run.result(), run.rendering, views)


@pytest.mark.slow
def test_given_cameras_are_kept_where_the_run_kept_its_own(scene: Scene) -> None:
    run = Reconstruction(scene.train, Settings(device="cpu"))
    assert scene.test is not None
    assert cameras_for(run, scene.test) == {"held_out": scene.test.cameras}
    run.fit.corrections = None
    assert list(cameras_for(run, scene.test)) == ["held_out"]


@pytest.mark.slow
def test_others_are_corrected_as_the_run_s_were_in_the_scene_s_own_unit(scene: Scene) -> None:
    """All cameras, held-out ones too, are off by the same shift: it is foretold, and the photographs agree."""
    assert scene.mesh is not None and scene.test is not None
    plain = Reconstruction(scene.train, Settings(device="cpu"))
    test = dataclasses.replace(
        scene.test, cameras=shifted(scene.test.cameras, distances(plain, scene.test.cameras), -1.0)
    )
    run = corrected(
        Reconstruction(scene.train, Settings(device="cpu", refine_cameras="on"), start=scene.mesh),
        SHIFT.expand(12, 3),
    )
    found = cameras_for(run, test)
    assert list(found) == ["held_out", "held_out_predicted", "held_out_aligned"]

    def pixels(cameras: Cameras) -> float:
        points = scene.mesh.vertices.double()
        off = cameras.to(dtype=torch.float64).project(points)[0]
        return float(
            (off - scene.test.cameras.to(dtype=torch.float64).project(points)[0]).norm(dim=-1).mean()
        )

    assert pixels(found["held_out"]) > 1.5
    assert pixels(found["held_out_predicted"]) < 0.05 * pixels(found["held_out"])
    assert pixels(found["held_out_aligned"]) < 0.5 * pixels(found["held_out"])


@pytest.mark.slow
def test_errors_without_rhyme_are_not_foretold_but_still_fitted(scene: Scene, generator) -> None:
    assert scene.test is not None
    random = 0.01 * torch.randn(12, 3, generator=generator, dtype=torch.float64)
    run = corrected(Reconstruction(scene.train, Settings(device="cpu", refine_cameras="on")), random)
    assert list(cameras_for(run, scene.test)) == ["held_out", "held_out_aligned"]


def picture(generator: torch.Generator, columns: slice) -> torch.Tensor:
    """(8, 10, 4): colours in these columns, nothing elsewhere."""
    made = torch.zeros(8, 10, 4)
    made[:, columns] = torch.cat([0.1 + torch.rand(8, 10, 3, generator=generator), torch.ones(8, 10, 1)], -1)[
        :, columns
    ]
    return made


def test_each_half_is_exposed_as_the_other_half_tells(generator) -> None:
    """The object fills columns 2 to 7; its halves end between 4 and 5."""
    image = picture(generator, slice(2, 8))
    gains = torch.tensor([0.8, 1.1, 1.5])
    photograph = image.clone()
    photograph[..., :3] *= gains
    torch.testing.assert_close(exposed(image, photograph), photograph)
    photograph[:, :5, :3] = torch.rand(8, 5, 3, generator=generator)  # says nothing about itself, ...
    found = exposed(image, photograph)
    torch.testing.assert_close(found[:, :5, :3], image[:, :5, :3] * gains)
    made, taken = image[:, 2:5, :3].reshape(-1, 3), photograph[:, 2:5, :3].reshape(-1, 3)
    # ... but about the other.
    fitted = [float(torch.linalg.lstsq(made[:, [k]], taken[:, [k]]).solution) for k in range(3)]
    torch.testing.assert_close(found[:, 5:, :3], image[:, 5:, :3] * torch.tensor(fitted))
    assert torch.equal(found[..., 3], image[..., 3])


def test_what_only_one_of_them_shows_has_no_say_in_exposures(generator) -> None:
    image = picture(generator, slice(0, 6))
    photograph = picture(generator, slice(2, 10))
    photograph[:, 2:6, :3] = 2 * image[:, 2:6, :3]
    torch.testing.assert_close(exposed(image, photograph)[..., :3], 2 * image[..., :3])
    apart = picture(generator, slice(8, 10))  # nothing in common: as it was
    assert torch.equal(exposed(image, apart), image)


def test_a_thin_object_has_two_halves_too() -> None:
    image = torch.zeros(6, 5, 4)
    image[:, 2], image[:4, 3] = 0.3, 0.3
    image[..., 3] = (image[..., 3] > 0).float()
    photograph = image.clone()
    photograph[..., :3] *= 2
    torch.testing.assert_close(exposed(image, photograph), photograph)
