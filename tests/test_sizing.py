"""Fields of lengths: curvature of known surfaces, the largest growth, the budget."""

from __future__ import annotations

import math

import pytest
import torch
import trimesh

from largesteps_zg.geometry import edges
from largesteps_zg.mesh import closest_points, icosphere
from largesteps_zg.mesh.remeshing import remesh, sizing_field, within_budget
from largesteps_zg.mesh.remeshing.sizing import expected_vertices, graded, largest_curvature


@pytest.mark.parametrize("radius", [0.1, 3.0])
def test_a_ball_has_the_curvature_of_its_radius(radius):
    ball = icosphere(4, dtype=torch.float64)
    curvature = largest_curvature(radius * ball.vertices, ball.faces)
    assert curvature.median() * radius == pytest.approx(1, abs=0.03)
    assert (curvature * radius - 1).abs().max() < 0.15
    inside_out = largest_curvature(radius * ball.vertices, ball.faces.flip(1))
    torch.testing.assert_close(curvature, inside_out)


@pytest.mark.slow
def test_a_tube_is_as_curved_as_its_circle_and_a_sheet_is_flat():
    tube = trimesh.creation.cylinder(0.25, 2.0, sections=48)
    tube = trimesh.remesh.subdivide(tube.vertices, tube.faces[abs(tube.face_normals[:, 2]) < 0.5])
    vertices, faces = torch.tensor(tube[0]), torch.tensor(tube[1])
    middle = remesh(vertices, faces, 0.06, backend="adaptive")
    inner = middle.vertices[:, 2].abs() < 0.8
    curvature = largest_curvature(middle.vertices, middle.faces)[inner]
    assert curvature.median() == pytest.approx(4, rel=0.1)  # the ideal: 1 / 0.25, and 0 the other way
    sheet = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=torch.float64)
    grid = remesh(sheet, torch.tensor([[0, 1, 2], [0, 2, 3]]), 0.1, backend="adaptive")
    assert largest_curvature(grid.vertices, grid.faces).max() < 1e-9


def test_a_chord_of_the_length_stays_within_the_tolerance():
    ball = icosphere(4, dtype=torch.float64)
    field = sizing_field(ball.vertices, ball.faces, finest=0.01, coarsest=1, tolerance=0.004)
    made = remesh(ball.vertices, ball.faces, field)
    middles = made.vertices[edges(made.faces)].mean(dim=1)
    sag = closest_points(middles, ball.vertices, ball.faces).distances
    assert sag.median() == pytest.approx(0.004, rel=0.15) and sag.max() < 0.008


def test_noise_hardly_shortens_the_edges(generator):
    ball = icosphere(4, dtype=torch.float64)
    # An edge: 0.08.
    noise = 0.004 * torch.randn(ball.vertices.shape, generator=generator, dtype=torch.float64)
    bounds = {"finest": 0.001, "coarsest": 10.0, "tolerance": 0.01}
    field = sizing_field(ball.vertices + noise, ball.faces, **bounds)
    rough = sizing_field(ball.vertices + noise, ball.faces, smoothing=0, **bounds)
    assert field.median() > 0.95 * math.sqrt(0.08)
    assert rough.median() < 0.7 * math.sqrt(0.08)


def test_lengths_stay_between_the_bounds():
    ball = icosphere(3, dtype=torch.float32)
    stretched = ball.vertices * torch.tensor([1.0, 1.0, 0.1])
    field = sizing_field(stretched, ball.faces, finest=0.05, coarsest=0.2, tolerance=0.005)
    assert field.dtype == torch.float32
    assert field.min().item() == pytest.approx(0.05) and field.max().item() == pytest.approx(0.2)
    assert field[stretched[:, 2].abs() > 0.09].min() > field.min()  # flat tops, a sharp rim


def test_grading_is_the_largest_field_that_grows_slowly():
    # By relaxation until nothing changes: slow, and nothing like the search.
    ball = icosphere(3, dtype=torch.float64)
    wish = 0.02 + torch.rand(642, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pairs = edges(ball.faces)
    pairs = torch.cat([pairs, pairs.flip(1)])
    apart = (ball.vertices[pairs[:, 0]] - ball.vertices[pairs[:, 1]]).norm(dim=1)
    expected = wish
    for _ in range(100):
        expected = expected.scatter_reduce(0, pairs[:, 0], expected[pairs[:, 1]] + 0.5 * apart, "amin")
    found = graded(wish, ball.vertices, ball.faces)
    torch.testing.assert_close(found, expected)
    assert (found <= wish).all()
    # Over an edge as long as the shorter length at its ends, by half at most.
    torch.testing.assert_close(graded(found, ball.vertices, ball.faces), found)
    gentle = torch.full_like(wish, 0.3)
    assert graded(gentle, ball.vertices, ball.faces) is gentle


@pytest.mark.slow
@pytest.mark.parametrize("budget", [300, 1500, 10**6])
def test_a_budget_is_kept_and_used_up(budget):
    ball = icosphere(4, dtype=torch.float64)
    field = 0.03 + 0.2 * (ball.vertices[:, 0] - 0.2).abs()
    given = graded(field, ball.vertices, ball.faces)
    kept = within_budget(field, ball.vertices, ball.faces, budget)
    made = remesh(ball.vertices, ball.faces, kept)
    if budget == 10**6:
        torch.testing.assert_close(kept, given)
    else:
        assert 0.97 * budget < expected_vertices(kept, ball.vertices, ball.faces) <= budget
        assert len(made.vertices) == pytest.approx(budget, rel=0.1)
    assert (kept >= given - 1e-12).all()


def test_a_lattice_has_the_vertices_that_are_expected():
    ball = icosphere(5, dtype=torch.float64)
    length = torch.full((len(ball.vertices),), 0.1, dtype=torch.float64)
    # 4 π / (√3/2 0.01)
    assert expected_vertices(length, ball.vertices, ball.faces) == pytest.approx(1451, rel=2e-3)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (sizing_field, {"finest": 0.2, "coarsest": 0.1, "tolerance": 1.0}, "expected 0 < finest <= coarsest"),
        (
            sizing_field,
            {"finest": 0.1, "coarsest": 0.2, "tolerance": 0.0},
            "tolerance: expected a finite distance",
        ),
        (
            sizing_field,
            {"finest": 0.1, "coarsest": 1, "tolerance": 1.0, "smoothing": -1},
            "smoothing: expected",
        ),
    ],
)
def test_a_field_is_refused_in_one_line(function, arguments, message):
    ball = icosphere(1)
    with pytest.raises(ValueError, match=message):
        function(ball.vertices, ball.faces, **arguments)


@pytest.mark.parametrize(
    ("field", "options", "message"),
    [
        (torch.zeros(42), {}, "field: expected finite lengths > 0, got 0 at vertex 0"),
        (torch.ones(41), {}, r"field: expected \(42,\) floats"),
        (torch.ones(42), {"growth": 1.0}, "growth: expected a factor > 1"),
    ],
)
def test_grading_refuses_in_one_line(field, options, message):
    ball = icosphere(1)
    with pytest.raises(ValueError, match=message):
        graded(field, ball.vertices, ball.faces, **options)
    if not options:
        with pytest.raises(ValueError, match=message):
            within_budget(field, ball.vertices, ball.faces, 100)


def test_a_budget_must_be_a_mesh():
    ball = icosphere(1)
    with pytest.raises(ValueError, match="max_vertices: expected at least 4, got 3"):
        within_budget(torch.ones(42), ball.vertices, ball.faces, 3)
