"""Sheets stay apart: sides that come too close are pushed back, what is not thin is left alone, runs go on."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from largesteps_zg.contact import APART, Contact
from largesteps_zg.geometry import mean_edge_length
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.scenes.synthetic import scene_from_mesh
from largesteps_zg.self_intersections import self_intersections


def flattened(thickness: float) -> Mesh:
    """A ball pressed into a disc."""
    ball = icosphere(3)
    return dataclasses.replace(ball, vertices=ball.vertices * torch.tensor([1.0, 1.0, thickness]))


def test_a_ball_is_left_alone() -> None:
    ball = icosphere(3)
    contact = Contact(ball.faces, ball.vertices)
    assert contact.apart(ball.vertices, 0) is ball.vertices


def test_sides_that_meet_are_pushed_apart_along_their_normals() -> None:
    disc = flattened(0.06)
    edge = float(mean_edge_length(disc.vertices, disc.faces))
    contact = Contact(disc.faces, disc.vertices)
    inner = disc.vertices[:, :2].norm(dim=1) < 0.8
    assert torch.equal(
        contact.apart(disc.vertices, 0)[inner], disc.vertices[inner]
    )  # found, and thick enough
    # The lower side moves up through the upper one, in the middle.
    dent = disc.vertices.clone()
    middle = (dent[:, 2] < 0) & (dent[:, :2].norm(dim=1) < 0.5)
    dent[middle, 2] += 0.11
    assert bool(self_intersections(dent, disc.faces).any())
    kept = dent
    for _ in range(30):  # every call takes a part of the way, as each step of a run does
        kept = contact.apart(kept, 1)
    assert not bool(self_intersections(kept, disc.faces).any())
    upper = (kept[:, 2] > 0) & (kept[:, :2].norm(dim=1) < 0.3)
    gap = float(kept[upper, 2].mean() - kept[middle, 2].mean())
    assert 0.5 * APART * edge < gap < 2.5 * APART * edge


def test_only_every_fifth_step_searches_and_a_checkpoint_keeps_what_was_found() -> None:
    disc = flattened(0.001)
    contact = Contact(disc.faces, disc.vertices)
    assert contact.apart(disc.vertices, 1) is disc.vertices  # nothing was looked for yet
    moved = contact.apart(disc.vertices, 5)
    assert moved is not disc.vertices
    other = Contact(disc.faces, disc.vertices)
    other.load_state_dict(contact.state_dict())
    assert torch.equal(other.apart(disc.vertices, 1), contact.apart(disc.vertices, 1))


@pytest.mark.parametrize("guarded", [True, False])
def test_the_loop_keeps_a_sheet_open(guarded, monkeypatch) -> None:
    """Ten steps from sides that nearly touch, towards a plate as thin as that."""
    if not guarded:
        monkeypatch.setattr(Contact, "apart", lambda self, vertices, number: vertices)
    start = flattened(0.001)
    scene = scene_from_mesh(start, views=6, test_views=0, height=48, width=48, up="z")
    # Cameras would move by more than the sheet is thick in their first steps, and tilt what is measured along z.
    settings = Settings(steps=10, step_size=1e-4, remesh="off", refine_cameras="off")
    *_, last = reconstruct(scene.train, settings, start=start)
    vertices = last.run.mesh().vertices
    middle = vertices[:, :2].norm(dim=1) < 0.5
    thickness = float(vertices[middle, 2].clamp(min=0).mean() - vertices[middle, 2].clamp(max=0).mean())
    edge = float(mean_edge_length(vertices, start.faces))
    assert thickness > 0.05 * edge if guarded else thickness < 0.02 * edge
