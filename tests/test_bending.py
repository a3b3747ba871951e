"""The integral of |H|: known shapes, derivatives, and that a run with it is smoother."""

from __future__ import annotations

import math

import pytest
import torch

from largesteps_zg.geometry import vertex_normals
from largesteps_zg.mesh import icosphere
from largesteps_zg.reconstruct.priors.bending import Bending


def grid(n: int, extent: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A flat regular tessellation by equilateral triangles, n by n vertices, float64."""
    row, column = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    x, y = column + 0.5 * row, row * math.sqrt(0.75)
    vertices = torch.stack([x, y, torch.zeros_like(y)], dim=-1).reshape(-1, 3).double() * (extent / n)
    i = (row[:-1, :-1] * n + column[:-1, :-1]).reshape(-1)
    lower, upper = torch.stack([i, i + 1, i + n], 1), torch.stack([i + 1, i + n + 1, i + n], 1)
    return vertices, torch.cat([lower, upper])


def energy_of(vertices: torch.Tensor, faces: torch.Tensor) -> float:
    """Of a mesh as it is."""
    return float(Bending(faces, vertices)(vertices))


@pytest.mark.parametrize("radius", [0.5, 3.0])
def test_a_coarse_sphere_has_four_pi_radii(radius):
    ball = icosphere(1)  # edges turn by so much that the rounding is small
    energy = energy_of(radius * ball.vertices.double(), ball.faces)
    assert energy == pytest.approx(4 * math.pi * radius, rel=0.1)


@pytest.mark.parametrize("n", [16, 32])
def test_a_crease_has_half_of_angle_times_length_however_fine(n):
    vertices, faces = grid(n, 1.0)
    slope = 0.6
    middle = vertices[:, 1].median()
    bent = vertices.clone()
    bent[:, 2] = slope * (vertices[:, 1] - middle).clamp(min=0)
    length, angle = 1.0, math.atan(slope)
    assert energy_of(bent, faces) == pytest.approx(0.5 * angle * length, rel=0.2)


def test_flat_is_zero_and_moving_within_the_plane_too(generator):
    vertices, faces = grid(12, 1.0)
    vertices[:, :2] += 0.01 * torch.rand(len(vertices), 2, generator=generator, dtype=torch.float64)
    bends = Bending(faces, vertices)
    energy, gradient = bends.value_and_gradient(vertices)
    assert abs(float(energy)) < 1e-12
    assert float(gradient.abs().max()) < 1e-12


def test_vertices_without_a_face_add_nothing():
    ball = icosphere(1)
    lonely = torch.cat([ball.vertices, torch.full((2, 3), 7.0)])
    energy, gradient = Bending(ball.faces, lonely).value_and_gradient(lonely)
    assert float(energy) == pytest.approx(float(Bending(ball.faces, ball.vertices)(ball.vertices)))
    assert torch.isfinite(gradient).all()
    assert (gradient[-2:] == 0).all()


def test_the_gradient_is_that_of_differences_along_normals(generator):
    """Normals count as constants, so only a motion of all vertices along their normals is compared."""
    ball = icosphere(2)
    away = 1 + 0.05 * torch.randn(len(ball.vertices), 1, generator=generator, dtype=torch.float64)
    vertices = ball.vertices.double() * away
    bends = Bending(ball.faces, vertices)
    normals = vertex_normals(vertices, ball.faces)

    def held(moved: torch.Tensor) -> float:
        """The energy with these normals."""
        mean = torch.zeros_like(moved)
        count = torch.zeros(len(moved), 1, dtype=moved.dtype)
        # Each edge has two faces, that go through it in both directions.
        for a, b in ((0, 1), (1, 2), (2, 0)):
            mean.index_add_(0, ball.faces[:, a], moved[ball.faces[:, b]])
            count.index_add_(0, ball.faces[:, a], torch.ones(len(ball.faces), 1, dtype=moved.dtype))
        slopes = ((moved - mean / count) * normals).sum(1) / bends.lengths
        return float(math.sqrt(3) * (bends.lengths * ((slopes**2 + 0.02**2).sqrt() - 0.02)).sum())

    energy, gradient = bends.value_and_gradient(vertices)
    assert float(energy) == pytest.approx(held(vertices), rel=1e-12)
    direction = torch.randn(vertices.shape, generator=generator, dtype=torch.float64)
    step = 1e-6
    difference = (held(vertices + step * direction) - held(vertices - step * direction)) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(difference, rel=1e-6)
    leaf = vertices.clone().requires_grad_()
    (3.0 * bends(leaf)).backward()
    assert torch.allclose(leaf.grad, 3.0 * gradient)
