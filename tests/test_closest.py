"""Closest points and winding numbers, against loops over all faces in float64 and against formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from largesteps_zg.mesh import Mesh, closest_points, icosphere
from largesteps_zg.mesh.closest import closest_on
from largesteps_zg.mesh.triangle_tree import LEAF, triangle_tree
from largesteps_zg.mesh.winding import winding_numbers


def brute_force(points: torch.Tensor, vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """(N,) distances by Ericson's regions of the plane, one face after the other; faces with an area only."""
    best = torch.full((len(points),), math.inf, dtype=torch.float64)
    for a, b, c in vertices[faces]:
        candidates = []
        for start, end in ((a, b), (b, c), (c, a)):
            t = (((points - start) @ (end - start)) / (end - start).square().sum()).clamp(0, 1)
            candidates.append((points - start - t[:, None] * (end - start)).norm(dim=1))
        normal = torch.linalg.cross(b - a, c - a)
        normal = normal / normal.norm()
        height = (points - a) @ normal
        foot = points - height[:, None] * normal
        inside = torch.stack(
            [
                torch.linalg.cross((end - start).expand_as(foot), foot - start) @ normal >= 0
                for start, end in ((a, b), (b, c), (c, a))
            ]
        ).all(dim=0)
        candidates.append(torch.where(inside, height.abs(), torch.full_like(height, math.inf)))
        best = torch.minimum(best, torch.stack(candidates).amin(dim=0))
    return best


def check(points: torch.Tensor, mesh: Mesh, rtol: float = 1e-9, atol: float = 1e-13) -> None:
    found = closest_points(points, mesh.vertices, mesh.faces)
    expected = brute_force(points.double(), mesh.vertices.double(), mesh.faces)
    torch.testing.assert_close(found.distances.double(), expected, rtol=rtol, atol=atol)
    there = (found.weights[:, :, None] * mesh.vertices[mesh.faces[found.faces]]).sum(dim=1)
    torch.testing.assert_close((there - points).norm(dim=1), found.distances, rtol=rtol, atol=10 * atol)
    assert float(found.weights.min()) >= 0


def around(mesh: Mesh, generator: torch.Generator, count: int = 60) -> torch.Tensor:
    """On the surface, at vertices, within, near and far."""
    low, high = mesh.vertices.amin(dim=0), mesh.vertices.amax(dim=0)
    size = (high - low).norm()
    weights = torch.rand(count, 3, generator=generator, dtype=torch.float64)
    some = mesh.faces[torch.randint(len(mesh.faces), (count,), generator=generator)]
    on = (weights / weights.sum(dim=1, keepdim=True) @ torch.eye(3).double())[:, :, None] * mesh.vertices[
        some
    ]
    on = on.sum(dim=1)
    noise = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    middle = (low + high) / 2
    parts = [on, on + 1e-3 * size * noise, middle + 0.1 * size * noise, middle + 30 * size * noise]
    return torch.cat([*parts, mesh.vertices[:20], middle[None]])


def soup(generator: torch.Generator, count: int) -> Mesh:
    """Triangles anywhere, of all sizes, open and crossing."""
    size = torch.rand(count, 1, 1, generator=generator, dtype=torch.float64) ** 4
    corners = torch.randn(count, 1, 3, generator=generator, dtype=torch.float64)
    corners = corners + size * torch.randn(count, 3, 3, generator=generator, dtype=torch.float64)
    return Mesh(corners.reshape(-1, 3), torch.arange(3 * count).view(-1, 3))


@pytest.mark.parametrize("count", [1, 2, LEAF, LEAF + 1, 4 * LEAF, 4 * LEAF + 1, 300])
def test_any_triangles_and_any_number_of_them(generator, count):
    mesh = soup(generator, count)
    check(around(mesh, generator), mesh)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "shift"), [(1.0, 1e6), (1e-9, 0.0), (1e-9, 1e-3), (1e12, 0.0), (1e12, 1e15)]
)
def test_far_from_the_origin_and_in_any_unit(generator, scale, shift):
    """In float32 a ball of radius 1 at 1e6 is a heap of sixteenths."""
    ball = icosphere(2, dtype=torch.float64)
    mesh = Mesh(ball.vertices * scale + shift, ball.faces)
    # Coordinates themselves are exact to 1e-16 of the shift.
    check(around(mesh, generator), mesh, rtol=1e-9, atol=1e-15 * (scale + shift) * 10)


def test_two_sheets_that_float32_cannot_tell_apart(generator):
    ball = icosphere(2, dtype=torch.float64)
    inner = ball.vertices * (1 - 1e-9)
    mesh = Mesh(torch.cat([ball.vertices, inner]), torch.cat([ball.faces, ball.faces.flip(1) + len(inner)]))
    centers = ball.vertices[ball.faces].mean(dim=1)
    outside, inside = (closest_points(k * centers, mesh.vertices, mesh.faces) for k in (1.5, 0.5))
    assert torch.equal(outside.faces, torch.arange(len(ball.faces)))
    assert torch.equal(inside.faces, torch.arange(len(ball.faces)) + len(ball.faces))
    check(around(mesh, generator), mesh, atol=1e-15)


def test_between_faces_that_are_equally_near_any_will_do():
    ball = icosphere(2, dtype=torch.float64)
    twice = Mesh(ball.vertices, ball.faces.repeat(2, 1))
    found = closest_points(torch.zeros(1, 3).double(), twice.vertices, twice.faces)
    check(torch.cat([torch.zeros(1, 3).double(), ball.vertices]), twice)
    assert 0 <= int(found.faces) < len(twice.faces)


def test_faces_without_area_are_segments_and_points(generator):
    """The hull of a few points each, by non-negative least squares: it knows no triangles."""
    points = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    base = torch.randn(3, generator=generator, dtype=torch.float64)
    along = torch.randn(3, generator=generator, dtype=torch.float64)
    vertices = torch.stack([base, base + along, base + 0.3 * along, base - along, base + 1e-14])
    for face in ([0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 1, 2], [2, 3, 1], [0, 0, 0], [0, 4, 1]):
        found = closest_points(points, vertices, torch.tensor([face]))
        corners = vertices[face].numpy()
        for point, distance in zip(points.numpy(), found.distances.tolist(), strict=True):
            heavy = 1e4  # the weights add up to 1
            weights, _ = nnls(np.vstack([corners.T, heavy * np.ones(3)]), np.append(point, heavy))
            expected = np.linalg.norm(corners.T @ (weights / weights.sum()) - point)
            assert distance == pytest.approx(expected, abs=1e-6)


def test_a_face_without_area_hides_no_other(generator):
    mesh = soup(generator, 40)
    points = around(mesh, generator)
    faces = torch.cat([mesh.faces, mesh.faces[:, [0, 0, 1]], mesh.faces[:, [0, 0, 0]]])
    with_them = closest_points(points, mesh.vertices, faces)
    # Edges and corners of faces that are there as well.
    torch.testing.assert_close(
        with_them.distances, brute_force(points, mesh.vertices, mesh.faces), rtol=1e-9, atol=1e-13
    )


def test_a_tree_answers_again_and_keeps_type_and_order(generator):
    ball = icosphere(1)
    tree = triangle_tree(ball.vertices, ball.faces)
    points = torch.randn(30, 3, generator=generator)
    one, two = closest_on(tree, points), closest_points(points, ball.vertices, ball.faces)
    assert torch.equal(one.faces, two.faces) and one.distances.dtype == torch.float32
    back = closest_on(tree, points.flip(0))
    assert torch.equal(back.distances.flip(0), one.distances)
    assert len(closest_points(points[:0], ball.vertices, ball.faces).faces) == 0


# Winding numbers


def test_inside_is_one_outside_none_and_turned_around_minus_one(generator):
    ball = icosphere(2, dtype=torch.float64)
    directions = torch.nn.functional.normalize(
        torch.randn(50, 3, generator=generator, dtype=torch.float64), dim=1
    )
    for scale, shift in ((1.0, 0.0), (1e-6, 1.0), (1e6, 1e9)):
        vertices = ball.vertices * scale + shift
        for radius, expected in ((0.0, 1.0), (0.9, 1.0), (1.001, 0.0), (50.0, 0.0)):
            points = directions * radius * scale + shift
            found = winding_numbers(points, vertices, ball.faces)
            torch.testing.assert_close(found, torch.full_like(found, expected), rtol=0, atol=1e-6)
            turned = winding_numbers(points, vertices, ball.faces.flip(1))
            torch.testing.assert_close(turned, -found)


def test_a_disc_winds_by_its_solid_angle():
    """An observer at height h over the middle of a disc of radius 1 sees 2 pi (1 - h / sqrt(1 + h^2))."""
    angle = torch.arange(2000, dtype=torch.float64) * (2 * torch.pi / 2000)
    rim = torch.stack([angle.cos(), angle.sin(), 0 * angle], dim=1)
    vertices = torch.cat([torch.zeros(1, 3).double(), rim])
    index = torch.arange(2000)
    faces = torch.stack([torch.zeros_like(index), 1 + index, 1 + (index + 1) % 2000], dim=1)
    for height in (0.01, 0.5, 3.0):
        below, above = winding_numbers(
            torch.tensor([[0, 0, -height], [0, 0, height]]).double(), vertices, faces
        )
        expected = 0.5 * (1 - height / math.sqrt(1 + height**2))
        assert float(below) == pytest.approx(expected, rel=1e-4)
        assert float(above) == pytest.approx(-expected, rel=1e-4)


def test_at_its_own_corners_and_on_its_plane_nothing_is_counted_and_nothing_is_nan():
    face = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    points = torch.cat([face, torch.tensor([[0.2, 0.2, 0.0], [5.0, 5.0, 0.0]])])
    assert winding_numbers(points, face, torch.tensor([[0, 1, 2], [0, 0, 1]])).tolist() == [0.0] * 5
