"""Sheets stay apart: sides that come too close are pushed back, what is not thin is left alone, runs go on."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from largesteps_zg.geometry import mean_edge_length
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.mesh.intersections import self_intersections
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.reconstruct.priors.contact import Contact
from largesteps_zg.reconstruct.priors.pleats import Pleats
from largesteps_zg.scenes.synthetic import scene_from_mesh


def flattened(thickness: float) -> Mesh:
    """A ball pressed into a disc."""
    ball = icosphere(3)
    return dataclasses.replace(ball, vertices=ball.vertices * torch.tensor([1.0, 1.0, thickness]))


def test_a_ball_is_left_alone() -> None:
    ball = icosphere(3)
    contact = Contact(ball.faces, ball.vertices)
    assert contact.apart(ball.vertices, 0) is ball.vertices
    assert not contact.mostly_paired


def test_sides_that_meet_are_pushed_apart_along_their_normals() -> None:
    disc = flattened(0.06)
    edge = float(mean_edge_length(disc.vertices, disc.faces))
    contact = Contact(disc.faces, disc.vertices)
    inner = disc.vertices[:, :2].norm(dim=1) < 0.8
    # Found, and thick enough.
    assert torch.equal(contact.apart(disc.vertices, 0)[inner], disc.vertices[inner])
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
    assert 0.05 * edge < gap < 0.25 * edge


def test_a_search_waits_until_something_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    ball, searched = icosphere(3), []
    contact = Contact(ball.faces, ball.vertices)
    monkeypatch.setattr(contact, "_search", searched.append)
    for edges in (0.0, 0.4, 0.49, 0.6, 1.0, 1.2):  # a vertex's way so far
        there = ball.vertices.clone()
        there[7, 1] += edges * contact.edge
        contact.apart(there, 5)
    ways = [float((at - ball.vertices).norm(dim=1).max()) / contact.edge for at in searched]
    assert ways == pytest.approx([0.0, 0.6, 1.2], abs=1e-4)


def test_sides_from_afar_do_not_pass_through_each_other_slowly() -> None:
    disc = flattened(0.4)
    contact = Contact(disc.faces, disc.vertices)
    middle = (disc.vertices[:, 2] < 0) & (disc.vertices[:, :2].norm(dim=1) < 0.3)
    assert float(disc.vertices[middle, 2].max()) < -3.0 * contact.edge / 2  # the other side is out of reach
    kept = disc.vertices
    for number in range(200):
        kept = kept.clone()
        kept[middle, 2] = torch.minimum(kept[middle, 2] + 0.03 * contact.edge, kept.new_tensor(0.5))
        kept = contact.apart(kept, number)
    for _ in range(30):
        kept = contact.apart(kept, 1)
    assert not bool(self_intersections(kept, disc.faces).any())


def settled(vertices: torch.Tensor, faces: torch.Tensor, calls: int = 30) -> torch.Tensor:
    """Positions after so many steps that search, as a guard that sees them for the first time leaves them."""
    contact = Contact(faces, vertices)
    for _ in range(calls):
        vertices = contact.apart(vertices, 0)
    return vertices


def test_sides_that_have_changed_places_go_back() -> None:
    """What a search comes too late for: nothing behind the vertices tells that the other side is in front."""
    disc = flattened(0.06)
    swapped = disc.vertices.clone()
    middle = swapped[:, :2].norm(dim=1) < 0.5
    swapped[middle, 2] *= -0.5
    assert bool(self_intersections(swapped, disc.faces).any())
    kept = settled(swapped, disc.faces)
    assert not bool(self_intersections(kept, disc.faces).any())
    upper = (disc.vertices[:, 2] > 0.01) & middle
    lower = (disc.vertices[:, 2] < -0.01) & middle
    assert float(kept[upper, 2].min()) > float(kept[lower, 2].max())


@pytest.mark.parametrize("overlap, size", [(0.01, 1.0), (0.03, 1.0), (0.03, 0.01)])
def test_walls_of_a_cleft_come_out_of_each_other(overlap: float, size: float) -> None:
    """Two lenses that face each other, one a little inside the other: pushed as a sheet they would go deeper.

    Where edges are a permille long, a ray that goes on from a face by less than rounding counts the face again.
    """
    lens = flattened(0.3)
    shift = torch.tensor([0.0, 0.0, 0.3 - overlap / 2])
    vertices = size * torch.cat([lens.vertices + shift, lens.vertices - shift]) + 0.5
    faces = torch.cat([lens.faces, lens.faces + len(lens.vertices)])
    assert bool(self_intersections(vertices, faces).any())
    kept = settled(vertices, faces)
    assert not bool(self_intersections(kept, faces).any())
    half = len(lens.vertices)
    assert float(kept[:half, 2].min()) > float(kept[half:, 2].max())


def test_what_lies_deep_inside_another_part_keeps_its_own_sides() -> None:
    """A disc in the middle of a ball: behind its vertices is its own other side, and no wall."""
    disc, ball = flattened(0.1), icosphere(3, radius=2.0)
    vertices = torch.cat([disc.vertices, ball.vertices])
    faces = torch.cat([disc.faces, ball.faces + len(disc.vertices)])
    middle = (disc.vertices[:, :2].norm(dim=1) < 0.7) & (disc.vertices[:, 2] > 0)
    kept = settled(vertices, faces, calls=5)[: len(disc.vertices)]
    assert float(kept[middle, 2].min()) > 0


def test_walls_that_do_not_meet_are_left_alone() -> None:
    lens = flattened(0.3)
    shift = torch.tensor([0.0, 0.0, 0.301])
    vertices = torch.cat([lens.vertices + shift, lens.vertices - shift])
    faces = torch.cat([lens.faces, lens.faces + len(lens.vertices)])
    assert Contact(faces, vertices).apart(vertices, 0) is vertices


def test_edges_that_cross_between_vertices_that_do_not_are_pushed_apart() -> None:
    """Two saddles, one above the other, with their diagonals turned against each other."""
    around = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    up = torch.tensor([[0.0], [0.2], [0.0], [0.2]])
    vertices = torch.cat([torch.cat([around, up], 1), torch.cat([around, up - 0.1], 1)])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [5, 4, 7], [5, 7, 6]])
    walls = [[4 + i, 4 + (i + 1) % 4, (i + 1) % 4] for i in range(4)]
    walls += [[4 + i, (i + 1) % 4, i] for i in range(4)]
    faces = torch.cat([faces, torch.tensor(walls)])
    assert bool(self_intersections(vertices, faces).any())
    assert not bool(self_intersections(settled(vertices, faces), faces).any())


def test_an_open_surface_has_no_inside_to_be_found_in() -> None:
    """Half a ball: seen from its hollow side rays enter and never leave."""
    ball = icosphere(3)
    upper = ball.faces[ball.vertices[ball.faces][..., 2].amin(dim=1) >= 0].flip(1)
    near = dataclasses.replace(ball, vertices=ball.vertices * torch.tensor([0.05, 1.0, 1.0]))
    assert Contact(upper, near.vertices).apart(near.vertices, 0) is near.vertices


def test_only_every_fifth_step_searches_and_a_checkpoint_keeps_what_was_found() -> None:
    disc = flattened(0.001)
    contact = Contact(disc.faces, disc.vertices)
    assert contact.apart(disc.vertices, 1) is disc.vertices  # nothing was looked for yet
    assert not contact.mostly_paired
    moved = contact.apart(disc.vertices, 5)
    assert moved is not disc.vertices and contact.mostly_paired
    other = Contact(disc.faces, disc.vertices)
    other.load_state_dict(contact.state_dict())
    assert torch.equal(other.apart(disc.vertices, 1), contact.apart(disc.vertices, 1))


def test_a_search_is_of_the_positions_that_are_given_not_of_the_first_ones() -> None:
    """The tree is made once: turned about the first ones, the surface would be looked for where it is not."""
    disc = flattened(0.001)
    turned = disc.vertices.roll(1, dims=1)
    contact, there = Contact(disc.faces, disc.vertices), Contact(disc.faces, turned)
    contact.apart(disc.vertices, 0)
    moved = contact.apart(turned, 0)
    assert moved is not turned and torch.allclose(moved, there.apart(turned, 0), atol=1e-7)
    apart = flattened(0.5).vertices
    assert contact.apart(apart, 0) is apart


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(("thickness", "smoothed"), [(0.05, True), (1.0, False)])
def test_the_loop_smooths_grooves_of_sheets_alone(thickness, smoothed, monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(Pleats, "smoothed", lambda self, vertices: calls.append(0) or vertices)
    start = flattened(thickness)
    scene = scene_from_mesh(start, views=3, test_views=0, height=32, width=32)
    for _ in reconstruct(scene.train, Settings(steps=11, remesh="off"), start=start):
        pass
    assert len(calls) == (2 if smoothed else 0)  # every fifth step
