"""Meshes from anywhere, made fit to start from."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from largesteps_zg.geometry import check_start_mesh, topology
from largesteps_zg.geometry.half_edges import half_edge_table
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.mesh.mending.condition import conditioned
from largesteps_zg.mesh.mending.patchwork import Surface
from largesteps_zg.mesh.mending.split import split


def volume(mesh: Mesh) -> float:
    return float(torch.linalg.det(mesh.vertices[mesh.faces].double()).sum()) / 6


def boxes(*corners: tuple[int, int, int]) -> Mesh:
    """Unit cubes at whole-numbered places, each face of its own four vertices, without those between two cubes."""
    vertices, faces = [], []
    for place in corners:
        for axis, side in itertools.product(range(3), (0, 1)):
            beyond = list(place)
            beyond[axis] += 1 if side else -1
            if tuple(beyond) in corners:
                continue
            start = list(place)
            start[axis] += side
            u, w = (axis + 1) % 3, (axis + 2) % 3
            square = [list(start) for _ in range(4)]
            for number, (du, dw) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
                square[number][u] += du
                square[number][w] += dw
            n = len(vertices)
            vertices += square if side else square[::-1]
            faces += [[n, n + 1, n + 2], [n, n + 2, n + 3]]
    return Mesh(torch.tensor(vertices, dtype=torch.float64), torch.tensor(faces))


def joined(*parts: Mesh) -> Mesh:
    counts = itertools.accumulate((len(part.vertices) for part in parts), initial=0)
    faces = [part.faces + n for part, n in zip(parts, counts, strict=False)]
    return Mesh(torch.cat([part.vertices for part in parts]), torch.cat(faces))


def test_a_sound_mesh_is_returned_as_it_is():
    ball = icosphere(1)
    same, _, done = conditioned(ball)
    assert same is ball and done == []


def test_seams_are_welded_and_their_colours_averaged():
    ball = icosphere(1)
    soup = Mesh(ball.vertices[ball.faces].reshape(-1, 3), torch.arange(240).view(-1, 3))
    colors = torch.linspace(0, 1, 240)[:, None].repeat(1, 3)
    whole, _, done = conditioned(Mesh(soup.vertices, soup.faces, colors))
    assert done == ["welded 198 coincident vertices"]
    assert topology(whole.faces, len(whole.vertices)) == topology(ball.faces, 42)
    at = (soup.vertices == whole.vertices[7]).all(dim=1)
    torch.testing.assert_close(whole.colors[7], colors[at].mean(dim=0))


def test_faces_of_no_area_and_duplicates_are_dropped():
    ball = icosphere(1)
    extra = torch.cat([torch.tensor([[3, 3, 4]]), ball.faces[:2].flip(1), ball.faces[5:6].roll(1, dims=1)])
    whole, _, done = conditioned(Mesh(ball.vertices, torch.cat([ball.faces, extra])))
    assert done == ["dropped 1 face of no area", "dropped 3 duplicate faces"]
    assert torch.equal(whole.faces, ball.faces)


def test_one_winding_is_that_of_most_of_the_surface():
    ball = icosphere(1)
    faces = ball.faces.clone()
    faces[:30] = faces[:30].flip(1)
    whole, _, done = conditioned(Mesh(ball.vertices, faces))
    assert done == ["turned 30 faces to the winding around"]
    assert topology(whole.faces).watertight and volume(whole) > 0


def test_outside_is_out_but_for_inner_walls():
    ball = icosphere(1, dtype=torch.float64)
    away = Mesh(ball.vertices + 5, ball.faces.flip(1))
    inner = Mesh(0.5 * ball.vertices, ball.faces.flip(1))
    turned, _, done = conditioned(joined(ball, away))
    assert done == ["turned 1 of 2 parts inside out"]
    assert volume(turned) == pytest.approx(2 * volume(ball))
    hollow = joined(ball, inner)
    same, _, done = conditioned(hollow)
    assert same is hollow and done == []
    whole, _, done = conditioned(Mesh(ball.vertices, ball.faces.flip(1)))
    assert done == ["turned it inside out"] and volume(whole) == pytest.approx(volume(ball))


def test_an_open_bowl_looks_outwards_and_a_sheet_stays():
    ball = icosphere(2)
    bowl = ball.faces[ball.vertices[ball.faces].mean(dim=1)[:, 2] < 0.5]
    whole, _, done = conditioned(Mesh(ball.vertices, bowl.flip(1)))
    assert done == ["turned it inside out"]
    assert topology(whole.faces).boundary_edges == topology(bowl).boundary_edges
    sheet = Mesh(
        torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.1]]), torch.tensor([[0, 1, 2], [0, 2, 3]])
    )
    same, _, done = conditioned(sheet)
    assert same is sheet and done == []


@pytest.mark.parametrize(
    ("places", "phrase", "parts"),
    [
        (((0, 0, 0), (1, 1, 0)), "split 1 edge with more than two faces", 2),  # touch in an edge
        (((0, 0, 0), (1, 1, 1)), "split 1 vertex where it touched itself", 2),  # touch in a corner
        # All but two of eight: these two touch in an edge, from outside; the rest hangs together around it.
        (((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1)), "split 1 edge", 1),
    ],
)
def test_boxes_that_touch_come_apart(places: tuple[tuple[int, int, int], ...], phrase: str, parts: int):
    whole, _, done = conditioned(boxes(*places))
    assert done[-1].startswith(phrase)
    counts = topology(whole.faces, len(whole.vertices))
    assert counts.watertight and counts.components == parts and counts.isolated_vertices == 0
    assert volume(whole) == pytest.approx(len(places))


def test_pillars_that_touch_along_an_edge_come_apart():
    """Their faces meet again in floor and ceiling, at both ends of the edge: only a new vertex in its middle helps."""
    floor = list(itertools.product((0, 1), (0, 1), (0,)))
    ceiling = list(itertools.product((0, 1), (0, 1), (2,)))
    whole, _, done = conditioned(boxes(*floor, (0, 0, 1), (1, 1, 1), *ceiling))
    assert done[-1] == "split 1 edge with more than two faces"
    counts = topology(whole.faces)
    assert counts.watertight and (counts.components, counts.genus) == (1, 1)
    assert volume(whole) == pytest.approx(10)


def test_a_fin_on_a_closed_surface_becomes_a_border():
    box = boxes((0, 0, 0))
    fin = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0.5, -1, -1]], dtype=torch.float64)
    whole, _, done = conditioned(
        Mesh(torch.cat([box.vertices, fin]), torch.cat([box.faces, torch.tensor([[24, 25, 26]])]))
    )
    assert done[-1] == "split 1 edge with more than two faces"
    check_start_mesh(whole.vertices, whole.faces)
    assert topology(whole.faces).boundary_edges > 0
    assert volume(boxes((0, 0, 0))) == pytest.approx(1)


def test_what_is_no_surface_is_refused_with_its_number(generator):
    heap = Mesh(torch.rand(6, 3, generator=generator), torch.combinations(torch.arange(6), 3))
    with pytest.raises(
        ValueError, match=r"^scan\.ply: expected at most two faces at an edge, got 15 of 15 edges"
    ):
        conditioned(heap, name="scan.ply")
    with pytest.raises(ValueError, match="nothing but faces without area"):
        conditioned(Mesh(torch.zeros(3, 3), torch.tensor([[0, 1, 2]])))
    with pytest.raises(ValueError, match="finite positions"):
        conditioned(Mesh(torch.full((3, 3), math.nan), torch.tensor([[0, 1, 2]])))


def test_a_moebius_strip_is_refused():
    turns = torch.arange(20) * 2 * math.pi / 20
    rails = []
    for side in (-0.3, 0.3):
        out = 1 + side * torch.cos(turns / 2)
        rails.append(torch.stack([out * turns.cos(), out * turns.sin(), side * torch.sin(turns / 2)], dim=1))
    faces = []
    for k in range(20):
        p, q = 2 * k, 2 * k + 1
        r, s = (p + 2, q + 2) if k < 19 else (1, 0)  # the ends meet crosswise
        faces += [[p, r, q], [q, r, s]]
    with pytest.raises(ValueError, match="one-sided"):
        conditioned(Mesh(torch.stack(rails, dim=1).reshape(-1, 3), torch.tensor(faces)))


def test_faces_that_lie_in_each_other_are_taken_apart_in_the_end():
    """Faces around an edge that has faces of its own on it: each half says otherwise which go on in each other."""
    vertices = torch.tensor(
        [
            *((-0.5257, -0.8507, 0), (0.5257, -0.8507, 0), (0, -0.5257, 0), (0, -1, 0), (-0.309, -0.809, 0)),
            *((0.309, -0.809, 0), (0.309, 0.809, 0), (0.809, -0.5, 0), (0.5, -0.309, 0), (-0.809, -0.5, 0)),
            (-0.5, -0.309, 0),
        ],
        dtype=torch.float64,
    )
    faces = torch.tensor(
        [
            *((8, 5, 7), (5, 4, 6), (1, 7, 5), (5, 8, 2), (1, 5, 3), (5, 2, 4)),
            *((3, 4, 0), (5, 4, 3), (0, 4, 9), (4, 2, 10), (4, 10, 9)),
        ]
    )
    apart = split(Surface(vertices, faces, None, None))  # it used to go on for ever
    assert int(half_edge_table(apart.faces).count.max()) <= 2

    def area(vertices: torch.Tensor, faces: torch.Tensor) -> float:
        a, b, c = vertices[faces].unbind(1)
        return float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum())

    assert area(apart.vertices, apart.faces) == pytest.approx(area(vertices, faces))
