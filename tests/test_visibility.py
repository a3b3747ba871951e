"""Vertices go where photographs look, and no more of them than there may be."""

from __future__ import annotations

import torch

from largesteps_zg.cameras import Cameras, look_at, sphere_of_cameras
from largesteps_zg.geometry import edges
from largesteps_zg.mesh import icosphere
from largesteps_zg.mesh.remeshing import remesh
from largesteps_zg.mesh.remeshing.sizing import expected_vertices
from largesteps_zg.reconstruct.visibility import seen_first, seen_vertices, shortest_seen


def above() -> Cameras:
    """Three that look down on a unit sphere from high above."""
    eyes = torch.tensor([[0.0, 4.0, 1.0], [0.9, 4.0, -0.5], [-0.9, 4.0, -0.5]])
    return look_at(eyes, torch.zeros(3), fov_y_degrees=32.0, height=96, width=96)


def test_the_far_side_is_unseen() -> None:
    """A sphere 4 away is seen down to a quarter of its radius above the equator, and two rings farther."""
    ball = icosphere(4)
    seen = seen_vertices(ball.vertices, ball.faces, above())
    height = ball.vertices[:, 1]
    assert seen[height > 0.5].all() and not seen[height < -0.3].any()


def test_everything_is_seen_from_all_around() -> None:
    ball = icosphere(4)
    cameras = sphere_of_cameras(16, distance=4.0, fov_y_degrees=35.0, height=96, width=96)
    assert seen_vertices(ball.vertices, ball.faces, cameras).all()


def test_a_triangle_between_the_pixels_is_seen_with_its_neighbours() -> None:
    """Triangles of a hundredth of a pixel: most are in no image by themselves."""
    ball = icosphere(6)
    seen = seen_vertices(ball.vertices, ball.faces, above().resized(38, 38))
    assert float(seen[ball.vertices[:, 1] > 0.6].float().mean()) > 0.3


def test_budget_goes_to_what_is_seen() -> None:
    ball = icosphere(4)
    seen = ball.vertices[:, 1] > 0
    most, uniform = 4000, (2 * 4 * torch.pi / (3**0.5 * 4000)) ** 0.5
    length = shortest_seen(uniform, ball.vertices, ball.faces, seen, most)
    wish = seen_first(length, ball.vertices, ball.faces, seen)
    assert length < 0.9 * uniform
    assert 0.9 * most < expected_vertices(wish, ball.vertices, ball.faces) <= most
    made = remesh(ball.vertices, ball.faces, wish)
    assert len(made.vertices) < 1.15 * most
    pairs = edges(made.faces)
    lengths = (made.vertices[pairs[:, 0]] - made.vertices[pairs[:, 1]]).norm(dim=1)
    height = made.vertices[pairs].mean(1)[:, 1]
    assert abs(float(lengths[height > 0.2].median()) / length - 1) < 0.15
    # The other half keeps its triangles, but for where the fine ones begin.
    assert float(lengths[height < -0.5].median()) > 0.85 * float(
        (ball.vertices[ball.faces[:, 0]] - ball.vertices[ball.faces[:, 1]]).norm(dim=1).median()
    )


def test_all_seen_is_as_without() -> None:
    ball = icosphere(3)
    seen = torch.ones(len(ball.vertices), dtype=torch.bool)
    assert torch.equal(
        seen_first(0.01, ball.vertices, ball.faces, seen), torch.full_like(ball.vertices[:, 0], 0.01)
    )
