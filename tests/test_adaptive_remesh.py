"""Remeshing to lengths that vary: the laws of the surface, of the lengths, of borders, and of each kind of edit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh

from largesteps_zg.geometry import nonmanifold_vertices, topology, vertex_components
from largesteps_zg.mesh import (
    Mesh,
    closest_points,
    degenerate_faces,
    flipped_faces,
    icosphere,
    triangle_quality,
)
from largesteps_zg.mesh.remeshing import remesh
from largesteps_zg.mesh.remeshing.adaptive import _Old, _projected
from largesteps_zg.mesh.remeshing.edge_edits import _flips_well, collapse, flip, split
from largesteps_zg.mesh.remeshing.sized_mesh import Sized, area_normals, edge_sides
from largesteps_zg.mesh.remeshing.sizing import expected_vertices, graded
from largesteps_zg.mesh.triangle_tree import triangle_tree


def bumpy(subdivisions: int = 4) -> Mesh:
    """A ball with dents, of mean radius 1."""
    ball = icosphere(subdivisions, dtype=torch.float64)
    x, y, _ = ball.vertices.T
    return Mesh(ball.vertices * (1 + 0.2 * torch.sin(5 * x) * torch.cos(4 * y))[:, None], ball.faces)


def ring() -> Mesh:
    made = trimesh.creation.torus(1.0, 0.4, 48, 24)
    return Mesh(torch.tensor(made.vertices), torch.tensor(made.faces))


def square(cells: int, generator: torch.Generator | None = None) -> Mesh:
    """The unit square, its inner vertices shaken."""
    line = torch.linspace(0, 1, cells + 1, dtype=torch.float64)
    points = torch.stack(
        [*torch.meshgrid(line, line, indexing="ij"), torch.zeros(cells + 1, cells + 1)], dim=2
    )
    if generator is not None:
        shake = torch.rand(cells - 1, cells - 1, 2, generator=generator, dtype=torch.float64) - 0.5
        points[1:-1, 1:-1, :2] += 0.6 * shake / cells
    index = torch.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = torch.cat([torch.stack(f, dim=2).reshape(-1, 3) for f in ([a, b, c], [a, c, d])])
    return Mesh(points.reshape(-1, 3), faces)


def volume(vertices: torch.Tensor, faces: torch.Tensor) -> float:
    return float(torch.linalg.det(vertices[faces]).sum() / 6)


def edge_ratios(vertices, faces, lengths) -> torch.Tensor:
    """Edge lengths over the mean of the wished-for lengths at their ends, by a loop over the corners."""
    found = []
    for i in range(3):
        a, b = faces[:, i], faces[:, i - 1]
        found.append(2 * (vertices[a] - vertices[b]).norm(dim=1) / (lengths[a] + lengths[b]))
    return torch.cat(found)


def wavy_lengths(mesh: Mesh, seed: int) -> torch.Tensor:
    """Between 0.04 and 0.3, changing over the surface in a way of its own for each seed."""
    generator = torch.Generator().manual_seed(seed)
    waves = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    wave = torch.sin(1.5 * mesh.vertices @ waves).mean(dim=1)
    return 0.04 + 0.26 * (0.5 + 0.5 * torch.tanh(2 * wave))


# Laws of the result


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [bumpy, ring])
def test_random_lengths_keep_the_surface_what_it_was(shape, seed):
    mesh = shape()
    lengths = wavy_lengths(mesh, seed)
    result = remesh(mesh.vertices, mesh.faces, lengths)
    assert result.backend == "adaptive"
    before, after = topology(mesh.faces), topology(result.faces, len(result.vertices))
    assert after.watertight and (after.genus, after.components) == (before.genus, before.components)
    assert after.isolated_vertices == len(nonmanifold_vertices(result.faces, len(result.vertices))) == 0
    assert flipped_faces(result.vertices, result.faces) == 0
    assert degenerate_faces(result.vertices, result.faces, quality=0.3) == 0
    assert volume(result.vertices, result.faces) == pytest.approx(volume(mesh.vertices, mesh.faces), rel=0.05)
    # Vertices on the old surface; and the old one not far from the new, whose longest edge sags 0.3² / (8 0.4).
    assert closest_points(result.vertices, mesh.vertices, mesh.faces).distances.max() < 1e-9
    assert closest_points(mesh.vertices, result.vertices, result.faces).distances.max() < 0.08


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_edges_have_the_lengths_asked_for_where_they_are(seed):
    mesh = bumpy()
    lengths = graded(wavy_lengths(mesh, seed), mesh.vertices, mesh.faces)
    result = remesh(mesh.vertices, mesh.faces, lengths, attributes={"length": lengths})
    ratios = edge_ratios(result.vertices, result.faces, result.attributes["length"])
    assert ratios.median() == pytest.approx(1, abs=0.06)
    assert torch.quantile(ratios, 0.02) > 0.75 and torch.quantile(ratios, 0.98) < 1.35
    assert ratios.min() > 0.5 and ratios.max() < 1.7
    spread = result.attributes["length"]
    assert spread.max() / spread.min() > 3  # the lengths did vary
    expected = expected_vertices(lengths, mesh.vertices, mesh.faces)
    assert len(result.vertices) == pytest.approx(expected, rel=0.1)


@pytest.mark.slow
def test_uniform_lengths_give_nearly_equilateral_triangles():
    mesh = bumpy()
    result = remesh(mesh.vertices, mesh.faces, 0.08, backend="adaptive")
    quality = triangle_quality(result.vertices, result.faces)
    assert torch.quantile(quality, 0.01) > 0.88 and quality.min() > 0.6
    every = torch.full_like(mesh.vertices[:, 0], 0.08)
    assert len(remesh(mesh.vertices, mesh.faces, every).vertices) == pytest.approx(
        len(result.vertices), rel=0.02
    )


@pytest.mark.slow
def test_the_same_call_gives_the_same_mesh_and_scale_makes_no_difference():
    mesh = bumpy(3)
    lengths = wavy_lengths(mesh, 0)
    one, two = (remesh(mesh.vertices, mesh.faces, lengths) for _ in range(2))
    assert torch.equal(one.vertices, two.vertices) and torch.equal(one.faces, two.faces)
    for scale in (2.0**-20, 2.0**20):
        other = remesh(mesh.vertices * scale, mesh.faces, lengths * scale)
        assert len(other.vertices) == pytest.approx(len(one.vertices), rel=0.02)


@pytest.mark.slow
def test_attributes_are_carried_linearly():
    mesh = bumpy(3)
    lengths = wavy_lengths(mesh, 1)
    result = remesh(mesh.vertices, mesh.faces, lengths, attributes={"x": mesh.vertices})
    # The position is an attribute as any other, and vertices lie on the old surface.
    torch.testing.assert_close(result.attributes["x"], result.vertices, rtol=0, atol=1e-9)
    a, b = torch.randn(
        2, len(mesh.vertices), 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    torch.testing.assert_close(result.source(3 * a - b), 3 * result.source(a) - result.source(b))


def test_a_thin_shell_keeps_its_two_sides_apart():
    # Relaxed vertices sink by 0.25² / 8 = 0.008 below the outer side: the inner one, 0.003 below it, is nearer.
    ball = icosphere(4, dtype=torch.float64)
    count = len(ball.vertices)
    vertices = torch.cat([ball.vertices, 0.997 * ball.vertices])
    faces = torch.cat([ball.faces, ball.faces.flip(1) + count])
    side = torch.cat([torch.ones(count, 1), torch.zeros(count, 1)]).double()
    result = remesh(vertices, faces, 0.25, backend="adaptive", attributes={"side": side})
    labels = vertex_components(result.faces, len(result.vertices))
    normals = area_normals(result.vertices.numpy(), result.faces.numpy())
    outwards = (torch.from_numpy(normals) * result.vertices).sum(dim=1) > 0
    radii = result.vertices.norm(dim=1)
    assert labels.unique().numel() == 2 and 100 < outwards.sum() < len(radii) - 100
    assert torch.equal(result.attributes["side"][:, 0] > 0.5, outwards)
    assert radii[outwards].min() > 0.998 and radii[~outwards].max() < 0.9971


# Borders


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.03, 0.1, 0.3])
def test_a_square_stays_a_square(generator, target):
    mesh = square(16, generator)
    result = remesh(mesh.vertices, mesh.faces, target, backend="adaptive")
    counts = topology(result.faces)
    assert (counts.euler, counts.components, counts.nonmanifold_edges) == (1, 1, 0)
    u, v = (result.vertices[result.faces[:, i]] - result.vertices[result.faces[:, 0]] for i in (1, 2))
    area = torch.linalg.cross(u, v)[:, 2] / 2
    assert area.min() > 0 and area.sum().item() == pytest.approx(1, abs=1e-9)
    for corner in mesh.vertices[[0, 16, -17, -1]]:
        assert (result.vertices - corner).norm(dim=1).min() < 1e-12
    # Border edges too were brought to the length: 4 sides of 1.
    assert counts.boundary_edges == pytest.approx(4 / target, rel=0.3)


@pytest.mark.parametrize("slid", [0, 1])
@pytest.mark.parametrize("taken", [True, False])
def test_a_vertex_that_slid_past_a_corner_is_not_put_where_another_is(slid, taken):
    corner, far, ones = 1 - slid, np.array([2.0, 1.5, 0.0]), np.ones(4)
    places = np.array([[1.0, 1, 0], [1.0, 1, 0], [0, 0, 0], [1, 0, 0]])
    places[slid] = far
    if not taken:
        places[corner, 1] = 3.0
    faces, sliding = np.array([[2, 3, 0], [2, 0, 1]]), np.arange(4) == slid
    corners = torch.tensor([[0, 0, 0], [1, 0, 0], [1.0, 1, 0]], dtype=torch.float64)
    surface, seams = (triangle_tree(corners, torch.tensor([face])) for face in ([0, 1, 2], [1, 2, 2]))
    old = _Old(surface, 2 * ones[:3], seams)
    new, _ = _projected(Sized(places, faces, 2 * ones, ~sliding), old, np.zeros(4, bool), sliding)
    assert np.array_equal(new[slid], far if taken else [1, 1, 0])
    assert np.array_equal(np.delete(new, slid, 0), np.delete(places, slid, 0))


def test_a_round_border_stays_on_the_old_one_and_each_hole_a_hole():
    tube = trimesh.creation.cylinder(0.5, 2.0, sections=64)
    kept = abs(tube.face_normals[:, 2]) < 0.5  # no caps
    mesh = Mesh(torch.tensor(tube.vertices), torch.tensor(tube.faces[kept]))
    height = torch.where(mesh.vertices[:, 2] > 0, 0.06, 0.2).double()
    result = remesh(mesh.vertices, mesh.faces, height)
    counts = topology(result.faces)
    assert (counts.euler, counts.components, counts.misoriented_edges) == (0, 1, 0)
    sides = edge_sides(result.faces.numpy(), len(result.vertices))
    rim = result.vertices[np.unique(sides.ends[sides.border])]
    torch.testing.assert_close(rim[:, 2].abs(), torch.ones(len(rim), dtype=torch.float64))
    assert rim[:, :2].norm(dim=1).min() > 0.5 * math.cos(math.pi / 64) - 1e-9
    upper, lower = (rim[:, 2] > 0).sum().item(), (rim[:, 2] < 0).sum().item()
    assert upper == pytest.approx(math.pi / 0.06, rel=0.3) and lower == pytest.approx(math.pi / 0.2, rel=0.3)


def test_a_border_is_divided_evenly(generator):
    # Sides with vertices at random places: a third of their edges is longer than twice another third.
    mesh = square(12, generator)
    shaken = mesh.vertices.clone()
    x, y, _ = mesh.vertices.T
    for axis, on_side in ((0, (y == 0) | (y == 1)), (1, (x == 0) | (x == 1))):
        inner = on_side & (mesh.vertices[:, axis] > 0) & (mesh.vertices[:, axis] < 1)
        shake = torch.rand(int(inner.sum()), generator=generator, dtype=torch.float64) - 0.5
        shaken[inner, axis] += 0.9 * shake / 12
    result = remesh(shaken, mesh.faces, 0.07, backend="adaptive")
    sides = edge_sides(result.faces.numpy(), len(result.vertices))
    ends = result.vertices[sides.ends[sides.border]]
    length = (ends[:, 0] - ends[:, 1]).norm(dim=1)
    assert length.std() / length.mean() < 0.15 and length.max() / length.min() < 2


@pytest.mark.slow
def test_a_jump_of_the_lengths_is_graded():
    ball = icosphere(4, dtype=torch.float64)
    lengths = torch.where(ball.vertices[:, 0] > 0, 0.4, 0.03).double()
    result = remesh(ball.vertices, ball.faces, lengths)
    edge = torch.stack(
        [
            (result.vertices[result.faces[:, i]] - result.vertices[result.faces[:, i - 1]]).norm(dim=1)
            for i in range(3)
        ]
    )
    near = result.vertices[result.faces].mean(dim=1)[:, 0].abs() < 0.3
    # By half over an edge: on a face from the shortest edge to the longest by little more, with the spread of lengths.
    assert (edge.amax(dim=0) / edge.amin(dim=0))[near].quantile(0.99) < 2
    # At a distance d beyond the jump at most 0.03 + d / 2 (and where the jump is lies within an edge of the ball).
    height = result.vertices[result.faces].mean(dim=1)[:, 0].clamp(0, 0.3)
    share = edge.mean(dim=0) / (0.03 + 0.5 * (height.asin() + 0.08))
    assert share[near].quantile(0.99) < 1.15


# The edits, one at a time, on meshes drawn by hand


def sized(points, faces, length: float) -> Sized:
    points = np.asarray(points, dtype=np.float64)
    count = len(points)
    return Sized(points, np.asarray(faces), np.full(count, length), np.zeros(count, dtype=bool))


def test_split_halves_an_edge_in_both_faces():
    #   2           2
    #  / \         /|\       the edge 0 1 of length 2, the others 1.41
    # 0---1  ->   0-4-1
    #  \ /         \|/
    #   3           3
    mesh = split(sized([[0, 0, 0], [2, 0, 0], [1, 1, 0], [1, -1, 0]], [[0, 1, 2], [1, 0, 3]], 1.2))
    assert mesh.vertices[4:].tolist() == [[1, 0, 0]]
    turned = {tuple(np.roll(f, -f.argmax())) for f in mesh.faces}
    assert turned == {(4, 2, 0), (4, 1, 2), (4, 0, 3), (4, 3, 1)}


@pytest.mark.parametrize("length", [1.4, 0.9, 0.5, 0.05])
def test_split_leaves_no_edge_too_long_and_no_gap(length):
    mesh = split(sized([[0, 0, 0], [2, 0, 0], [1, 1, 0], [1, -0.4, 0]], [[0, 1, 2], [1, 0, 3]], length))
    vertices, faces = torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces)
    assert edge_ratios(vertices, faces, torch.from_numpy(mesh.lengths)).max() <= 4 / 3
    counts = topology(faces, len(vertices))
    assert (counts.euler, counts.misoriented_edges, counts.isolated_vertices) == (1, 0, 0)
    u, v = (vertices[faces[:, i]] - vertices[faces[:, 0]] for i in (1, 2))
    assert float(torch.linalg.cross(u, v)[:, 2].clamp(min=0).sum()) / 2 == pytest.approx(1.4)


@pytest.mark.parametrize("shape", [icosphere(0), icosphere(1), ring()])
def test_collapse_keeps_the_topology_when_everything_is_too_short(shape):
    mesh = sized(shape.vertices, shape.faces.numpy(), 50.0)
    generator = np.random.default_rng(0)
    for _ in range(5):
        mesh = collapse(mesh, generator)
    before, after = topology(shape.faces), topology(torch.from_numpy(mesh.faces))
    assert after.watertight and (after.genus, after.components) == (before.genus, before.components)
    assert after.vertices < before.vertices


def test_a_tetrahedron_and_a_triangle_cannot_collapse():
    points = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    for faces in ([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], [[0, 1, 2]]):
        mesh = collapse(sized(points[: np.max(faces) + 1], faces, 50.0), np.random.default_rng(0))
        assert mesh.faces.tolist() == faces


def test_collapse_refuses_a_throat():
    # Two vertices of a torus around its hole of three: they know the third, which is in no face with both.
    made = trimesh.creation.torus(1.0, 0.1, 3, 8)
    mesh = sized(made.vertices, np.asarray(made.faces), 50.0)
    for _ in range(4):
        mesh = collapse(mesh, np.random.default_rng(1))
    assert topology(torch.from_numpy(mesh.faces)).genus == 1


def test_flip_takes_the_diagonal_that_evens_out_the_neighbours():
    # A regular patch of triangles with one diagonal turned the wrong way: 5 5 7 7 neighbours.
    mesh = square(6)
    points = mesh.vertices @ torch.tensor([[1, 0.5, 0], [0, 3**0.5 / 2, 0], [0, 0, 1]], dtype=torch.float64).T
    good = sized(points, mesh.faces.numpy(), 1 / 6)
    regular = flip(good, np.random.default_rng(0))
    sides = edge_sides(regular.faces, len(points))
    inner = int(np.flatnonzero(~np.isin(sides.ends, sides.ends[sides.border]).any(axis=1))[0])
    (a, b), (c, d) = sides.ends[inner], sides.thirds[inner]
    faces = regular.faces.copy()
    faces[sides.faces[inner]] = [[a, d, c], [d, b, c]]
    mended = flip(sized(points, faces, 1 / 6), np.random.default_rng(0))
    assert {frozenset(f) for f in mended.faces.tolist()} == {frozenset(f) for f in regular.faces.tolist()}
    assert np.array_equal(np.sort(mended.vertices, axis=0), np.sort(regular.vertices, axis=0))


def test_flip_never_folds(generator):
    mesh = square(12, generator)
    flipped = flip(sized(mesh.vertices, mesh.faces.numpy(), 0.1), np.random.default_rng(0))
    corners = flipped.vertices[flipped.faces]
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) / 2
    assert area.min() > 0 and area.sum() == pytest.approx(1)
    assert topology(torch.from_numpy(flipped.faces)).euler == 1


@pytest.mark.parametrize(
    ("points", "faces", "well"),
    [
        # A flat diamond.
        ([[0, 0, 0], [1, 0, 0], [0.5, 0.8, 0], [0.5, -0.8, 0]], [[0, 1, 2], [1, 0, 3]], True),
        # 2 and 3 beyond 1: the turned edge would pass it outside, and fold a face over.
        ([[0, 0, 0], [1, 0, 0], [1.5, 0.8, 0], [1.5, -0.8, 0]], [[0, 1, 2], [1, 0, 3]], False),
        # A roof of 90 degrees: the turned edge would cut the ridge off.
        ([[0, 0, 0], [1, 0, 0], [0.5, 0.8, -0.8], [0.5, -0.8, -0.8]], [[0, 1, 2], [1, 0, 3]], False),
        # A tetrahedron, where the edge 2 3 is there already.
        (
            [[0, 0, 0], [1, 0, 0], [0.5, 0.8, 0], [0.5, 0.3, 0.8]],
            [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]],
            False,
        ),
    ],
)
def test_an_edge_is_flipped_only_where_the_surface_does_not_suffer(points, faces, well):
    mesh = sized(points, faces, 1.0)
    sides = edge_sides(mesh.faces, len(mesh.vertices))
    first = np.flatnonzero((np.sort(sides.ends, axis=1) == [0, 1]).all(axis=1))
    assert _flips_well(mesh, sides, first).tolist() == [well]


# Refusals


@pytest.mark.parametrize(
    ("lengths", "backend", "message"),
    [
        (torch.full((42,), 0.3), "gpytoolbox", "target_length: expected one length for backend 'gpytoolbox'"),
        (torch.full((41,), 0.3), "auto", r"target_length: expected \(42,\) floats"),
        (torch.full((42,), -0.3), "auto", "expected finite lengths > 0, got -0.3 at vertex 0"),
        (torch.full((42,), 1e-5), "adaptive", "target_length: expected lengths that give at most 4,000,000"),
    ],
)
def test_lengths_are_refused_in_one_line(lengths, backend, message):
    ball = icosphere(1)
    with pytest.raises(ValueError, match=message) as caught:
        remesh(ball.vertices, ball.faces, lengths, backend=backend)
    assert "\n" not in str(caught.value)
