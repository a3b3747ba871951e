"""Folds and self-intersections go away, and nothing else moves."""

from __future__ import annotations

import pytest
import torch

from largesteps_zg.constants import Mending
from largesteps_zg.geometry import mean_edge_length
from largesteps_zg.mesh import flipped_faces, icosphere, repair
from largesteps_zg.mesh.intersections import self_intersections
from largesteps_zg.mesh.repair import unfold, without_self_intersections


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


def dented(depth: float, width: float = 0.25):
    """A ball whose top is pushed through its bottom."""
    ball = icosphere(4, dtype=torch.float64)
    vertices = ball.vertices.clone()
    near = torch.exp(-((vertices[:, :2].norm(dim=1) / width) ** 2))
    vertices[:, 2] -= torch.where(vertices[:, 2] > 0, depth * near, 0.0)
    return vertices, ball.faces


@pytest.mark.parametrize("depth", [2.05, 2.8])
def test_a_sheet_is_pulled_back_out_of_another(depth: float) -> None:
    vertices, faces = dented(depth)
    assert int(self_intersections(vertices, faces).sum()) >= 12
    mended = without_self_intersections(vertices, faces)
    assert int(self_intersections(mended, faces).sum()) == 0
    assert flipped_faces(mended, faces) == 0
    moved = (mended - vertices).norm(dim=1) > 0
    assert 0 < int(moved.sum()) < 200  # of 2,562: what passes through and a rim around it


def test_noise_is_untangled_and_what_lies_deep_inside_is_left(generator) -> None:
    ball = icosphere(3, dtype=torch.float64)
    noisy = ball.vertices + 0.06 * torch.randn(ball.vertices.shape, generator=generator, dtype=torch.float64)
    before = int(self_intersections(noisy, ball.faces).sum())
    assert before > 100
    assert int(self_intersections(without_self_intersections(noisy, ball.faces), ball.faces).sum()) == 0
    # Two balls, half inside each other: smoothing cannot part them, and must not make it worse on the way.
    both = torch.cat([ball.vertices, ball.vertices + torch.tensor([1.0, 0.1, 0.2])])
    faces = torch.cat([ball.faces, ball.faces + len(ball.vertices)])
    counts = [int(self_intersections(both, faces).sum())]
    for rounds in (1, 2, 3):
        counts.append(
            int(
                self_intersections(
                    without_self_intersections(both, faces, constants=Mending(rounds=rounds)), faces
                ).sum()
            )
        )
    assert counts == sorted(counts, reverse=True) and counts[-1] > 0


def test_a_surface_that_does_not_meet_itself_is_returned_as_it_is() -> None:
    ball = icosphere(2)
    assert without_self_intersections(ball.vertices, ball.faces) is ball.vertices


def test_a_patch_that_gains_nothing_grows_until_it_does() -> None:
    vertices, faces = dented(2.6, width=0.6)
    few, many = (
        without_self_intersections(vertices, faces, constants=Mending(rounds=rounds)) for rounds in (2, 10)
    )
    assert int(self_intersections(few, faces).sum()) > 50
    assert int(self_intersections(many, faces).sum()) == flipped_faces(many, faces) == 0


@pytest.mark.slow
def test_only_the_patches_that_gain_are_taken_over(monkeypatch) -> None:
    one, faces = dented(2.05)
    count = len(one)
    both = torch.cat([one, one + torch.tensor([5.0, 0, 0])])
    joined = torch.cat([faces, faces + count])
    right = repair._smoothed

    def half_spoiled(vertices, pairs, moved, sweeps):
        """The first ball as it should be, the patches of the second pulled out to a spike through the other side."""
        spike = torch.tensor([5.3, 0.2, -3.0], dtype=torch.float64).expand_as(vertices)
        second = moved & (torch.arange(len(vertices)) >= count)
        return torch.where(second[:, None], spike, right(vertices, pairs, moved, sweeps))

    monkeypatch.setattr(repair, "_smoothed", half_spoiled)
    mended = without_self_intersections(both, joined)
    assert int(self_intersections(mended[:count], faces).sum()) == 0
    assert torch.equal(mended[count:], both[count:])


@pytest.mark.parametrize(
    ("way", "left", "stays"), [(5.0, True, True), (5.0, False, False), (3.0, True, False)]
)
def test_what_moves_far_and_is_not_mended_goes_back(way: float, left: bool, stays: bool) -> None:
    """Of two balls one vertex each is moved, by some edges and by half of one; in the first a face is still wrong."""
    ball = icosphere(3, dtype=torch.float64)
    given = torch.cat([ball.vertices, ball.vertices + 3.0])
    faces = torch.cat([ball.faces, ball.faces + len(ball.vertices)])
    edge = mean_edge_length(given, faces)
    first, second = 40, len(ball.vertices) + 40
    moved = given.clone()
    moved[first, 0] += way * edge
    moved[second, 0] += 0.5 * edge
    wrong = (faces == first).any(dim=1) & left
    kept = repair._where_worth_it(given, moved, faces, wrong, 4.0)
    assert torch.equal(kept[first], given[first] if stays else moved[first])
    assert torch.equal(kept[second], moved[second])


def test_a_fold_in_a_body_is_mended_beside_a_sheet(generator) -> None:
    ball = icosphere(3, dtype=torch.float64)
    body = ball.vertices.clone()
    ring = ball.faces[(ball.faces == 40).any(1)].unique()
    body[40] = 2 * body[ring[ring != 40][0]] - body[40]
    sheet = ball.vertices * torch.tensor([1.0, 1.0, 0.004]) + 3.0
    sheet += 0.02 * torch.randn(sheet.shape, generator=generator, dtype=torch.float64)
    both = torch.cat([body, sheet]), torch.cat([ball.faces, ball.faces + len(body)])
    mended = unfold(*both)
    assert flipped_faces(mended[: len(body)], ball.faces) == 0
    assert float((mended[len(body) :] - sheet).norm(dim=1).max()) < 2 * 0.16
