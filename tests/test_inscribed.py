"""Where a reconstruction starts: the largest sphere inside all masks."""

from __future__ import annotations

import pytest
import torch

from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.scenes import bounding_sphere, inscribed_sphere
from largesteps_zg.scenes.synthetic import scene_from_mesh


def start(mesh: Mesh) -> tuple[torch.Tensor, float, float]:
    """Centre and radius of the inscribed sphere, and the size of a cell."""
    views = scene_from_mesh(mesh, views=16, test_views=0, height=96, width=96, up="z").train
    center, radius = bounding_sphere(views)
    return *inscribed_sphere(views, center, radius), 2 * radius / 64


@pytest.mark.slow
def test_a_ball_holds_itself() -> None:
    center = torch.tensor([3.0, -20.0, 7.0], dtype=torch.float64)
    ball = icosphere(4, radius=5.0, center=center.tolist(), dtype=torch.float64)
    found, radius, cell = start(ball)
    assert radius == pytest.approx(5.0, abs=1.5 * cell)
    assert float((found - center).norm()) < 1.5 * cell


@pytest.mark.slow
def test_of_two_balls_the_larger_one_is_taken() -> None:
    large, small = icosphere(4, radius=1.0, center=(2.0, 0, 0)), icosphere(3, radius=0.6, center=(-1.0, 0, 0))
    both = Mesh(
        torch.cat([large.vertices, small.vertices]),
        torch.cat([large.faces, small.faces + len(large.vertices)]),
    )
    found, radius, cell = start(both)
    # Their middle, (0.7, 0, 0), lies between them, in neither.
    assert float((found - torch.tensor([2.0, 0.0, 0.0])).norm()) < 2 * cell
    assert radius == pytest.approx(1.0, abs=2 * cell)


def test_what_is_thinner_than_a_cell_still_gets_a_start_inside_it() -> None:
    ball = icosphere(4)
    plate = Mesh(ball.vertices * torch.tensor([1.0, 1.0, 0.01]), ball.faces)
    found, radius, cell = start(plate)
    assert radius == pytest.approx(0.05 * 32 * cell)
    assert abs(float(found[2])) < 1.5 * cell
