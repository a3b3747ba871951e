"""The mean of a run's last steps is its result; new triangles start anew, and runs that stopped go on the same."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from largesteps_zg.constants import DEFAULTS
from largesteps_zg.mesh import icosphere
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.last_steps import LastSteps
from largesteps_zg.scenes import Views
from largesteps_zg.scenes.synthetic import scene_from_mesh


@pytest.fixture(scope="module")
def views() -> Views:
    egg = dataclasses.replace(icosphere(2), vertices=icosphere(2).vertices * torch.tensor([0.6, 0.7, 1.0]))
    return scene_from_mesh(egg, views=4, test_views=0, height=32, width=32).train


def test_the_mean_takes_the_place_of_the_last_step() -> None:
    places, light, last = torch.zeros(2, 3), torch.zeros(1), LastSteps(0.3)
    for step in range(10):
        places.fill_(step)
        light.fill_(-step)
        last.take((places, light), step / 10, last=step == 9)
    assert torch.equal(places, torch.full((2, 3), 8.0)) and float(light) == -8.0  # of 7, 8 and 9
    assert last.count == 3


def test_new_triangles_start_anew() -> None:
    old, new, last = torch.full((2, 3), 5.0), torch.ones(2, 3), LastSteps(0.5)
    last.take((old,), 0.5, last=False)
    last.take((new,), 0.8, last=False)
    new.fill_(2.0)
    last.take((new,), 0.9, last=True)
    assert last.count == 2 and torch.equal(new, torch.full((2, 3), 1.5))


def test_a_run_ends_with_the_mean_of_its_last_steps(views: Views) -> None:
    run = Reconstruction(views, Settings(steps=20, remesh="off"))
    seen = []
    while run.step < run.steps:
        before = run.fit.shape.latent
        run.advance()
        assert run.fit.shape.latent is before
        seen.append(run.fit.shape.latent.detach().clone())
    # The optimiser's own last position is gone, so the mean is asked of a run that doesn't average.
    plain = dataclasses.replace(DEFAULTS, schedule=dataclasses.replace(DEFAULTS.schedule, averaged=0.0))
    other = Reconstruction(views, Settings(steps=20, remesh="off", advanced=plain))
    while other.step < other.steps:
        other.advance()
    assert other.result().averaged == 0 and run.result().averaged == 2
    wanted = (seen[18].double() + other.fit.shape.latent.detach().double()) / 2
    assert torch.allclose(seen[19].double(), wanted, atol=1e-7)


def test_a_run_that_stopped_among_its_last_steps_ends_the_same(views: Views) -> None:
    whole, half = (Reconstruction(views, Settings(steps=30, remesh="off")) for _ in range(2))
    while half.step < 28:
        half.advance()
    state = half.state_dict()
    resumed = Reconstruction(views, Settings(steps=30, remesh="off"))
    resumed.load_state_dict(state)
    for run in (whole, resumed):
        while run.step < run.steps:
            run.advance()
    assert whole.result().averaged == resumed.result().averaged == 3
    assert torch.equal(whole.fit.shape.latent, resumed.fit.shape.latent)


def test_sums_of_another_mesh_are_refused() -> None:
    last = LastSteps(0.5)
    with pytest.raises(ValueError, match="last steps: expected sums of 1 parts"):
        last.load_state_dict((torch.zeros(3, 3),), {"sums": [torch.zeros(2, 3)], "count": 1})
