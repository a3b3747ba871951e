"""Fewer triangles: how many, of which topology, how near to the given surface."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from largesteps_zg import load_mesh, meshes
from largesteps_zg.constants import DEFAULTS
from largesteps_zg.geometry import topology
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.mesh.closest import closest_points
from largesteps_zg.mesh.distances import surface_distances
from largesteps_zg.mesh.remeshing.decimation import _quadrics, decimate

# A square of 2 x 2 in the plane z = 0 in 8 x 8 cells, cut along their diagonals.
SIDE = torch.linspace(-1, 1, 9, dtype=torch.float64)
GRID = (
    torch.stack([*torch.meshgrid(SIDE, SIDE, indexing="ij"), torch.zeros(9, 9)], dim=-1).view(-1, 3).double()
)
CELLS = (torch.arange(8)[:, None] * 9 + torch.arange(8)).view(-1)
SQUARE = torch.cat([
    torch.stack([CELLS, CELLS + 9, CELLS + 10], 1), torch.stack([CELLS, CELLS + 10, CELLS + 1], 1)
])  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fennec", "mug", "knot"])
@pytest.mark.parametrize("count", [1001, 300])
def test_a_closed_surface_stays_closed_and_keeps_its_handles(name: str, count: int) -> None:
    mesh = load_mesh(meshes.path(name))
    made = decimate(mesh.vertices, mesh.faces, count)
    before, after = topology(mesh.faces), topology(made.faces, len(made.vertices))
    assert count - 1 <= len(made.faces) <= count
    assert after.watertight and after.euler == before.euler and after.components == before.components
    assert after.isolated_vertices == 0 and made.wrong == 0
    assert surface_distances(Mesh(made.vertices, made.faces), mesh, samples=2000).normal_consistency > 0.8


def test_a_handle_stays_however_few_faces_are_asked_for() -> None:
    """A torus has 14 faces or more."""
    i, j = torch.meshgrid(torch.arange(12), torch.arange(6), indexing="ij")
    around, across = i * math.pi / 6, j * math.pi / 3
    radius = 1 + 0.4 * across.cos()
    points = torch.stack([radius * around.cos(), radius * around.sin(), 0.4 * across.sin()], dim=-1).double()
    a, b, c, d = ((i + k) % 12 * 6 + (j + m) % 6 for k, m in ((0, 0), (1, 0), (1, 1), (0, 1)))
    faces = torch.cat([torch.stack([a, b, c], dim=-1), torch.stack([a, c, d], dim=-1)]).view(-1, 3)
    made = decimate(points.view(-1, 3), faces, 4)
    found = topology(made.faces)
    assert found.watertight and found.genus == 1 and 14 <= len(made.faces) <= 24


@pytest.mark.slow
def test_no_face_turns_over_on_the_way() -> None:
    """Teeth of a gear would fold, and be 0.05 off."""
    gear = load_mesh(meshes.path("gear"))
    made = decimate(gear.vertices, gear.faces, 600)
    assert surface_distances(Mesh(made.vertices, made.faces), gear, samples=4000).hausdorff < 0.02


@pytest.mark.parametrize("count", [80, 320])
def test_a_ball_stays_a_ball(count: int) -> None:
    """Equilateral triangles of the ball's area, 4 pi / N each, dip by 1 - sqrt(1 - r²) in their middle."""
    ball = icosphere(4, dtype=torch.float64)
    made = decimate(ball.vertices, ball.faces, count)
    radius = 4 * math.pi / count * 4 / (3 * math.sqrt(3))
    dip = 1 - math.sqrt(1 - radius)
    found = surface_distances(Mesh(made.vertices, made.faces), ball, samples=5000)
    assert found.hausdorff < 3 * dip  # triangles of up to sqrt(3) times that radius
    # In the mean half as deep, were all vertices on the ball; they lie outside of it.
    assert found.chamfer < dip / 2


def test_flat_parts_cost_nothing_and_borders_stay() -> None:
    bent = GRID.clone()
    bent[:, 2] = bent[:, 0].abs()  # a roof, whose ridge is at x = 0
    for points in (GRID, bent):
        made = decimate(points, SQUARE, 16)
        assert len(made.faces) <= 16 and topology(made.faces).euler == 1
        assert float(closest_points(made.vertices, points, SQUARE).distances.max()) < 1e-3
        # Vertices hold their places a little, and a border is as straight as they are.
        assert float(closest_points(points, made.vertices, made.faces).distances.max()) < 1e-3


def test_a_cube_comes_down_to_its_twelve_triangles() -> None:
    corners = torch.tensor(
        [[x, y, z] for x in (0.0, 1) for y in (0.0, 1) for z in (0.0, 1)], dtype=torch.float64
    )
    faces = torch.tensor([
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
        [1, 5, 7], [1, 7, 3],
    ])  # fmt: skip
    fine = corners, faces
    for _ in range(3):  # each triangle in four
        a, b, c = fine[0][fine[1]].unbind(1)
        parts = [(a, (a + b) / 2, (a + c) / 2), (b, (b + c) / 2, (a + b) / 2), (c, (a + c) / 2, (b + c) / 2),
                 ((a + b) / 2, (b + c) / 2, (a + c) / 2)]  # fmt: skip
        soup = torch.cat([torch.stack(part, 1) for part in parts]).view(-1, 3)
        points, index = torch.unique(soup, dim=0, return_inverse=True)
        fine = points, index.view(-1, 3)
    made = decimate(*fine, 12)
    assert len(made.faces) == 12 and made.wrong == 0
    apart = torch.cdist(corners, made.vertices).min(dim=1).values
    assert float(apart.max()) < 1e-3  # not 0: vertices hold their places a little


@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 0.0), (1e3, 1e5)])
def test_it_follows_scale_and_place(scale: float, shift: float) -> None:
    mesh = icosphere(3, dtype=torch.float64)
    bumpy = mesh.vertices * (1 + 0.1 * torch.sin(5 * mesh.vertices[:, :1]))
    here, there = decimate(bumpy, mesh.faces, 200), decimate(scale * bumpy + shift, mesh.faces, 200)
    first, second = Mesh(scale * here.vertices + shift, here.faces), Mesh(there.vertices, there.faces)
    assert len(here.faces) == len(there.faces)
    assert surface_distances(first, second, samples=2000).hausdorff < 0.05 * scale


def test_quadrics_measure_squared_distances_to_planes_and_places() -> None:
    ball = icosphere(1, dtype=torch.float64)
    points, faces, rules = ball.vertices.numpy(), ball.faces.numpy(), DEFAULTS.decimation
    found, x = _quadrics(points, faces, rules), np.array([0.3, -1.2, 0.8])
    for vertex in range(0, len(points), 7):
        expected = 0.0
        for face in faces[(faces == vertex).any(axis=1)]:
            a, b, c = points[face]
            cross = np.cross(b - a, c - a)
            area = np.linalg.norm(cross) / 2
            expected += area / 3 * (cross @ (x - a) / (2 * area)) ** 2
            expected += rules.hold * area / 3 * ((x - points[vertex]) ** 2).sum()
        q = found[vertex]
        value = x @ q[:9].reshape(3, 3) @ x + 2 * q[9:12] @ x + q[12]
        assert value == pytest.approx(expected, rel=1e-10)


def test_what_has_few_faces_already_stays_to_the_bit() -> None:
    ball = icosphere(2)
    made = decimate(ball.vertices, ball.faces, 320)
    assert made.vertices is ball.vertices and made.faces is ball.faces


@pytest.mark.parametrize(
    ("faces", "count", "message"),
    [
        (icosphere(1).faces, 3, "count: expected at least 4 faces, got 3"),
        (
            torch.cat([icosphere(1).faces, icosphere(1).faces[:1, [0, 2, 1]]]),
            10,
            "at most two faces at an edge",
        ),
    ],
)
def test_what_cannot_be_decimated_is_refused(faces: torch.Tensor, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decimate(icosphere(1).vertices, faces, count)
