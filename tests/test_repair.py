"""Folds go away, and nothing else moves."""

from __future__ import annotations

import torch

from largesteps_zg.mesh import icosphere
from largesteps_zg.metrics import flipped_faces
from largesteps_zg.repair import unfold


def test_a_fold_is_smoothed_out_and_the_rest_stays() -> None:
    ball = icosphere(3, dtype=torch.float64)
    vertices = ball.vertices.clone()
    ring = ball.faces[(ball.faces == 40).any(1)].unique()
    vertices[40] = 2 * vertices[ring[ring != 40][0]] - vertices[40]  # beyond its neighbour: faces fold over
    assert flipped_faces(vertices, ball.faces) > 0
    mended = unfold(vertices, ball.faces)
    assert flipped_faces(mended, ball.faces) == 0
    moved = ((mended - vertices).norm(dim=1) > 0).sum()
    assert 1 <= moved <= 12
    assert float((mended - ball.vertices).norm(dim=1).max()) < 0.15  # an edge is 0.16


def test_a_mesh_without_folds_is_returned_as_it_is() -> None:
    ball = icosphere(2)
    assert unfold(ball.vertices, ball.faces) is ball.vertices
