"""Self-intersections: hand-drawn pairs of triangles, a slow oracle, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from largesteps_zg import icosphere
from largesteps_zg.mesh.intersections import self_intersections


def crosses(segment: np.ndarray, triangle: np.ndarray) -> bool:
    """Whether a segment passes through a triangle, by solving for where."""
    p, q = segment
    a, b, c = triangle
    matrix = np.stack([q - p, a - b, a - c], axis=1)
    if abs(np.linalg.det(matrix)) < 1e-14:
        return False
    t, u, v = np.linalg.solve(matrix, a - p)
    return bool(0 <= t <= 1 and u >= 0 and v >= 0 and u + v <= 1)


def oracle(vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """Two triangles in general position meet where an edge of one passes through the other."""
    corners, names = vertices.double().numpy()[faces.numpy()], faces.tolist()
    found = torch.zeros(len(faces), dtype=torch.bool)
    for i in range(len(faces)):
        for j in range(i):
            if set(names[i]) & set(names[j]):
                continue
            pairs = ((corners[i], corners[j]), (corners[j], corners[i]))
            if any(crosses(one[[k, (k + 1) % 3]], other) for one, other in pairs for k in range(3)):
                found[i] = found[j] = True
    return found


def two_triangles(height: float) -> tuple[torch.Tensor, torch.Tensor]:
    """One in the plane z = 0 about the origin, one that stands over it with its lowest corner at `height`."""
    flat = [[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 1.0, 0.0]]
    standing = [[0.0, 0.0, height], [-0.3, 0.1, 1.0], [0.3, 0.1, 1.0]]
    return torch.tensor(flat + standing, dtype=torch.float64), torch.tensor([[0, 1, 2], [3, 4, 5]])


def test_a_corner_below_the_plane_meets_and_one_above_does_not():
    assert self_intersections(*two_triangles(-1e-4)).tolist() == [True, True]
    assert self_intersections(*two_triangles(1e-4)).tolist() == [False, False]


def test_neighbours_are_not_compared():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0.4, 0.1, 0.0]])
    # One covers the other.
    assert not self_intersections(vertices, torch.tensor([[0, 1, 2], [0, 1, 3]])).any()


def test_overlap_within_one_plane_counts():
    vertices = torch.tensor([[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [0.5, 0.5, 0], [3, 0.5, 0], [0.5, 3, 0]])
    assert self_intersections(vertices, torch.tensor([[0, 1, 2], [3, 4, 5]])).all()


def test_agrees_with_the_oracle_on_random_triangles(generator):
    corners = torch.rand(60, 1, 3, generator=generator, dtype=torch.float64)
    corners = (corners + 0.35 * torch.rand(60, 3, 3, generator=generator, dtype=torch.float64)).reshape(-1, 3)
    faces = torch.arange(180).view(-1, 3)
    expected, found = oracle(corners, faces), self_intersections(corners, faces)
    assert 10 < int(expected.sum()) < 60
    assert torch.equal(found, expected)


@pytest.mark.slow
def test_agrees_with_the_oracle_where_faces_share_vertices(generator):
    ball = icosphere(1, dtype=torch.float64)
    tangled = ball.vertices + 0.45 * torch.randn(42, 3, generator=generator, dtype=torch.float64)
    expected = oracle(tangled, ball.faces)
    assert 5 < int(expected.sum()) < 80
    assert torch.equal(self_intersections(tangled, ball.faces), expected)


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 3e7)])
def test_scale_and_place_do_not_matter(scale: float, shift: float):
    ball = icosphere(2, dtype=torch.float64)
    vertices = torch.cat([ball.vertices, ball.vertices + 0.7])
    faces = torch.cat([ball.faces, ball.faces + len(ball.vertices)])
    here = self_intersections(vertices, faces)
    assert 0 < int(here.sum()) < len(faces) / 2
    assert torch.equal(here[: len(ball.faces)].sum(), here[len(ball.faces) :].sum())
    assert torch.equal(self_intersections(vertices * scale + shift, faces), here)


def test_small_triangles_far_from_large_ones_are_not_taken_for_touching():
    """In units of the larger of two triangles, the smaller has an area of rounding error."""
    large = torch.tensor([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    small = 1e-4 * torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 2.0], [0.0, 1.0, 2.0]], dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    assert not self_intersections(torch.cat([large, small]), faces).any()
    small[0, 2] = -1e-4
    assert self_intersections(torch.cat([large, small]), faces).all()
