"""Projection by kernels is that of torch's operations, with all its derivatives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from largesteps_zg.cameras import sphere_of_cameras
from largesteps_zg.renderers import homogeneous_pixels
from largesteps_zg.renderers.projection_kernels import Project, project_by_operations


def given(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
    shapes = ((count, 3), (2, 3, 4))
    vertices, matrices = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
    return vertices.requires_grad_(), matrices.requires_grad_()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("pitch", [3, 4])
def test_values_and_gradients_are_those_of_operations(pitch, threads, generator, monkeypatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    vertices, matrices = given(generator, 1000)
    grad = torch.randn(2, 1000, pitch, generator=generator, dtype=torch.float64)[..., :3]
    found = []
    for way in (Project.apply, project_by_operations):
        points = way(vertices, matrices)
        found.append((points.detach(), *torch.autograd.grad(points, (vertices, matrices), grad)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-11, atol=1e-11)


def test_first_and_second_derivatives_are_those_of_finite_differences(generator) -> None:
    vertices, matrices = given(generator, 4)
    assert torch.autograd.gradcheck(Project.apply, (vertices, matrices))
    assert torch.autograd.gradgradcheck(Project.apply, (vertices, matrices))


def test_transforms_find_the_same_derivatives(generator) -> None:
    vertices = given(generator, 4)[0].detach()
    cameras = sphere_of_cameras(2, distance=3, fov_y_degrees=45, height=8, width=8).to(dtype=torch.float64)

    def points(v: Tensor) -> Tensor:
        return homogeneous_pixels(v, cameras)

    # Affine in the vertices.
    expected = points(vertices) - points(torch.zeros_like(vertices))
    torch.testing.assert_close(torch.func.jvp(points, (vertices,), (vertices,))[1], expected)
    jacobian = torch.autograd.functional.jacobian(points, vertices, vectorize=True)
    torch.testing.assert_close(torch.einsum("bvnwm,wm->bvn", jacobian, vertices), expected)
