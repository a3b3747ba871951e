"""What has an inside: closed surfaces, and scans with holes; a sheet has none, however it is curled."""

from __future__ import annotations

import math

import pytest
import torch

from largesteps_zg import meshes
from largesteps_zg.geometry import has_inside
from largesteps_zg.mesh import Mesh, icosphere, load_mesh, surface_distances


def above(height: float) -> Mesh:
    """A ball without what lies below a height."""
    ball = icosphere(4)
    kept = ball.vertices[ball.faces].mean(dim=1)[:, 2] > height
    return Mesh(ball.vertices, ball.faces[kept])


@pytest.mark.parametrize(("height", "inside"), [(-2.0, True), (-0.8, True), (-0.2, True), (0.8, False)])
def test_a_cap_of_a_ball_is_a_sheet_where_it_is_shallow(height: float, inside: bool) -> None:
    cap = above(height)
    assert has_inside(cap.vertices, cap.faces) == inside


def test_a_scan_with_many_small_holes_has_an_inside(generator) -> None:
    ball = icosphere(4)
    kept = torch.rand(len(ball.faces), generator=generator) > 0.1
    assert has_inside(ball.vertices, ball.faces[kept])


def test_leaves_have_none_one_or_several_and_their_normals_no_side() -> None:
    leaf = load_mesh(meshes.path("leaf"))
    assert not has_inside(leaf.vertices, leaf.faces)
    shift = torch.tensor([3.0, 0.0, 0.0])
    both = Mesh(
        torch.cat([leaf.vertices, leaf.vertices + shift]),
        torch.cat([leaf.faces, leaf.faces.flip(1) + len(leaf.vertices)]),
    )
    assert not has_inside(both.vertices, both.faces)
    turned = Mesh(leaf.vertices, leaf.faces.flip(1))
    assert surface_distances(turned, leaf, samples=2000).normal_consistency > 0.99


@pytest.mark.parametrize(("degrees", "inside"), [(55, False), (75, True), (90, True)])
def test_a_cap_is_a_body_from_where_its_border_squared_is_nearer_half_a_balls_than_a_discs(
    degrees: int, inside: bool
) -> None:
    """Border squared over area is 2π (1 + cos angle) for a cap, and 2√2 π at 65.5 degrees."""
    turns = torch.arange(64) * 2 * math.pi / 64
    rings = torch.linspace(0, math.radians(degrees), 33)[1:]
    around = torch.stack([turns.cos(), turns.sin(), torch.ones(64)], dim=1)
    rows = [around * torch.tensor([math.sin(ring)] * 2 + [math.cos(ring)]) for ring in rings.tolist()]
    vertices = torch.cat([torch.tensor([[0.0, 0, 1]]), *rows]).double()
    j = torch.arange(64)
    k = (j + 1) % 64
    faces = [torch.stack([torch.zeros(64, dtype=torch.int64), 1 + j, 1 + k], dim=1)]
    for i in range(31):
        a, b, c, d = 1 + 64 * i + j, 1 + 64 * i + k, 65 + 64 * i + j, 65 + 64 * i + k
        faces += [torch.stack([a, c, b], dim=1), torch.stack([b, c, d], dim=1)]
    assert has_inside(vertices, torch.cat(faces)) == inside
