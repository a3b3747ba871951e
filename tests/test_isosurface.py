"""The surface between the signs of a grid: closed, between the right nodes, linked as the interpolant is."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, label, map_coordinates
from scipy.spatial import cKDTree

from largesteps_zg.geometry import nonmanifold_vertices, topology
from largesteps_zg.mesh.isosurface import isosurface


def noise(seed: int, smoothness: float, size: int = 24) -> np.ndarray:
    """Blobs and holes of random shapes, negative all around."""
    field = np.random.default_rng(seed).standard_normal((size,) * 3)
    field = gaussian_filter(field, smoothness) if smoothness else field
    field = field / field.std() - 0.5
    return np.pad(np.where(np.abs(field) < 0.02, 0.02, field), 1, constant_values=-1.0)


def volume(vertices: torch.Tensor, faces: torch.Tensor) -> float:
    return float(torch.linalg.det(vertices[faces]).sum() / 6)


@pytest.mark.slow
@pytest.mark.parametrize("smoothness", [0.0, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(2))
def test_it_is_closed_manifold_and_has_a_vertex_wherever_the_sign_changes(seed, smoothness):
    field = noise(seed, smoothness)
    vertices, faces = isosurface(field)
    counts = topology(faces, len(vertices))
    assert counts.watertight and counts.misoriented_edges == counts.isolated_vertices == 0
    assert len(nonmanifold_vertices(faces, len(vertices))) == 0
    # Every edge of the grid with a change of sign, by linear interpolation in float64, once.
    expected = []
    for axis in range(3):
        moved = np.moveaxis(field, axis, 0)
        where = np.argwhere((moved[:-1] > 0) != (moved[1:] > 0))
        low, high = moved[tuple(where.T)], moved[tuple((where + np.eye(1, 3, dtype=int)).T)]
        place = where.astype(np.float64)
        place[:, 0] += low / (low - high)
        expected.append(place[:, {0: [0, 1, 2], 1: [1, 0, 2], 2: [1, 2, 0]}[axis]])
    wanted = np.concatenate(expected)
    assert len(vertices) == len(wanted)
    apart, _ = cKDTree(vertices.numpy()).query(wanted)
    assert apart.max() < 1e-5  # float32 at a coordinate of 26: 2e-6


def test_a_ball_is_round_and_its_inside_is_positive():
    nodes = np.stack(np.meshgrid(*[np.arange(21.0)] * 3, indexing="ij"), axis=-1)
    field = 7.3 - np.linalg.norm(nodes - [10, 9.7, 10.2], axis=-1)
    vertices, faces = isosurface(1e-30 * field)
    radii = (vertices - torch.tensor([10, 9.7, 10.2]).double()).norm(dim=1)
    assert 7.3 - 1 / (8 * 7.3) - 1e-3 < float(radii.min()) and float(radii.max()) < 7.3 + 1e-3  # chords
    assert volume(vertices, faces) == pytest.approx(4 / 3 * np.pi * 7.3**3, rel=0.02)
    assert topology(faces).genus == 0


def turned(values: list[float]) -> list[np.ndarray]:
    """A square of 2 x 2 nodes between two cells, in all three directions, amid negative nodes."""
    found = []
    for axis in range(3):
        field = np.full((4, 4, 5), -5.0)
        field[1:3, 1:3, 2] = np.reshape(values, (2, 2))
        found.append(np.moveaxis(field, 2, axis).copy())
    return found


@pytest.mark.parametrize("positive", [(3.0, 2.0), (2.0, 2.5)])
@pytest.mark.parametrize("negative", [-1.0, -4.0])
def test_two_nodes_across_a_square_are_linked_where_the_interpolant_links_them(positive, negative):
    a, c = positive
    for first, second in itertools.product(turned([a, negative, negative, c]), [None, 1]):
        field = first if second is None else np.flip(first, axis=(0, 1, 2)).copy()
        vertices, faces = isosurface(field)
        # Bilinear between the four: flood the positive part of a fine grid.
        square = np.array([[a, negative], [negative, c]])
        fine = np.stack(np.meshgrid(*[np.linspace(0, 1, 201)] * 2, indexing="ij"))
        parts = label(map_coordinates(square, fine, order=1) > 0)[1]
        assert topology(faces, len(vertices)).components == parts
        assert parts == (1 if negative == -1.0 else 2)


@pytest.mark.parametrize("smoothness", [0.7, 1.0, 1.5])
def test_as_many_parts_as_the_trilinear_interpolant_has(smoothness):
    """Neither table alone comes near: one has up to half again as many parts, the other half as many."""
    field = noise(3, smoothness)
    fine = np.stack(np.meshgrid(*[np.linspace(0, 25, 25 * 4 + 1)] * 3, indexing="ij"))
    positive = map_coordinates(field, fine, order=1) > 0
    solids, hollows = label(positive)[1], label(~positive)[1] - 1
    parts = topology(isosurface(field)[1]).components
    assert parts == pytest.approx(solids + hollows, rel=0.15, abs=1)


def test_what_would_leave_gaps_is_refused_in_one_line():
    field = noise(0, 1.0)
    field[5, 5, 5] = 0.0
    with pytest.raises(
        ValueError, match=r"^field: expected no value within .* of 0, got 0; round it away from 0$"
    ):
        isosurface(field)
    with pytest.raises(
        ValueError, match=r"^field: expected negative values all around, got positive ones; pad it$"
    ):
        isosurface(np.ones((3, 3, 3)))


@pytest.mark.slow
def test_warp_says_nothing_where_the_surface_is_what_starts_it() -> None:
    code = (
        "import numpy as np; from largesteps_zg.mesh.isosurface import isosurface; "
        "field = -np.ones((4, 4, 4)); field[1, 1, 1] = 1; isosurface(field)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == run.stderr == ""
