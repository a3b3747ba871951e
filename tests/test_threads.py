"""Handles without a thickness are cut; what would fall apart is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from largesteps_zg.geometry import topology
from largesteps_zg.mesh.fairing import LocalSurface
from largesteps_zg.mesh.intersections import self_intersections
from largesteps_zg.mesh.quality import flipped
from largesteps_zg.mesh.repair import untangled
from largesteps_zg.mesh.threads import thread_cut

AROUND = 24


def ring(thin: float = 1.0, *, crumpled: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """A ring three edges around, as wide as two at one side, and `thin` of that at the other; outside out."""
    turn = torch.arange(AROUND, dtype=torch.float64) * 2 * math.pi / AROUND
    wide = 0.1 * (thin + (1 - thin) * (0.5 + 0.5 * turn.cos()) ** 0.5)
    corner = torch.arange(3, dtype=torch.float64) * 2 * math.pi / 3
    out = 1 + wide[:, None] * corner.cos()
    height = wide[:, None] * corner.sin()
    vertices = torch.stack([out * turn.cos()[:, None], out * turn.sin()[:, None], height], -1).reshape(-1, 3)
    if crumpled:
        noise = torch.randn(vertices.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        vertices = torch.where(vertices[:, :1] < -0.9, vertices + 0.02 * noise, vertices)
    i, j = torch.meshgrid(torch.arange(AROUND), torch.arange(3), indexing="ij")
    a, b = 3 * i + j, 3 * ((i + 1) % AROUND) + j
    c, d = 3 * ((i + 1) % AROUND) + (j + 1) % 3, 3 * i + (j + 1) % 3
    faces = torch.stack([torch.stack([a, b, c], -1), torch.stack([a, c, d], -1)]).reshape(-1, 3)
    return vertices, faces


def two_pyramids() -> LocalSurface:
    """With a triangle between them that is no face."""
    vertices = np.array([[1.0, 0, 0], [-0.5, 0.8, 0], [-0.5, -0.8, 0], [0, 0, 1], [0, 0, -1]])
    faces = np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3], [1, 0, 4], [2, 1, 4], [0, 2, 4]])
    return LocalSurface(vertices, faces)


def test_a_ring_that_is_cut_is_a_closed_piece_without_a_handle() -> None:
    vertices, faces = ring(0.3)
    assert topology(faces).genus == 1
    found = thread_cut(LocalSurface(vertices.numpy(), faces.numpy()), np.arange(len(vertices)))
    assert found is not None
    cut, doubled = found
    counts = topology(torch.from_numpy(cut.faces))
    assert counts.watertight and counts.misoriented_edges == 0
    assert (counts.genus, counts.components) == (0, 1)
    assert np.array_equal(cut.vertices[-3:], cut.vertices[doubled])
    # The thinnest place, at the other side.
    assert (cut.vertices[doubled, 0] < -0.95).all()


def test_what_would_fall_apart_is_not_cut() -> None:
    surface = two_pyramids()
    assert topology(torch.from_numpy(surface.faces)).watertight
    assert thread_cut(surface, np.arange(5)) is None


def test_a_surface_without_loops_of_three_is_not_cut() -> None:
    octahedron = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    corners = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    assert thread_cut(LocalSurface(corners, octahedron), np.arange(6)) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_crumpled_thread_is_cut_and_its_ends_are_drawn_in(dtype: torch.dtype) -> None:
    vertices, faces = ring(0.02, crumpled=True)
    vertices = vertices.to(dtype)
    assert flipped(vertices, faces).any() and self_intersections(vertices, faces).any()
    mended = untangled(vertices, faces)
    counts = topology(mended.faces, len(mended.vertices))
    assert mended.threads == 1 and mended.report()["cut_threads"] == 1
    assert counts.watertight and counts.isolated_vertices == 0
    assert (counts.genus, counts.components) == (0, 1)
    assert not flipped(mended.vertices, mended.faces).any()
    assert not self_intersections(mended.vertices, mended.faces).any()
    # Colours go by `kept`: far from the cut each vertex is the one that it was.
    far = mended.vertices[:, 0] > 0
    assert far.sum() > 20 and torch.equal(mended.vertices[far], vertices[mended.kept[far]])


def test_faces_that_have_to_stay_are_not_cut() -> None:
    vertices, faces = ring(0.02, crumpled=True)
    assert torch.equal(untangled(vertices, faces, keep_faces=True).faces, faces)
