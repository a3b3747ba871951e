"""The one table of half edges, against dictionaries filled by loops; and its views, on surfaces with every fault."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from largesteps_zg.geometry import half_edge_table, topology
from largesteps_zg.geometry.connectivity import check_corners, check_faces
from largesteps_zg.mesh import icosphere
from largesteps_zg.mesh.remeshing.sized_mesh import area_normals, edge_sides
from largesteps_zg.rasterizer import edge_table

# Any triangles at all: borders, crowded edges, opposed windings, corners that repeat.
ANY = st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), max_size=20)
PROPER = st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3, unique=True), max_size=20)


def around(faces: list[list[int]]) -> dict[tuple[int, int], list[tuple[int, int, int, int, int]]]:
    """Half edge, start, end, third corner and face of each side, by edge."""
    found = defaultdict(list)
    for f, face in enumerate(faces):
        for c in range(3):
            a, b, third = face[c], face[(c + 1) % 3], face[(c + 2) % 3]
            if a != b:
                found[min(a, b), max(a, b)].append((3 * f + c, a, b, third, f))
    return found


def tensor(faces: list[list[int]]) -> torch.Tensor:
    return torch.tensor(faces, dtype=torch.int64).reshape(-1, 3)


@pytest.mark.slow
@given(ANY)
def test_the_table_agrees_with_a_dictionary(faces: list[list[int]]) -> None:
    expected, table = around(faces), half_edge_table(tensor(faces))
    assert [tuple(pair) for pair in table.edges.tolist()] == sorted(expected)
    assert table.count.tolist() == [len(expected[pair]) for pair in sorted(expected)]
    sides = [side for pair in sorted(expected) for side in expected[pair]]
    number = table.number
    found = zip(
        number.tolist(),
        table.start(number).tolist(),
        table.end(number).tolist(),
        table.third(number).tolist(),
        (number // 3).tolist(),
        strict=True,
    )
    assert list(found) == sides
    assert table.rises(number).tolist() == [a < b for _, a, b, _, _ in sides]
    assert table.edge.tolist() == [i for i, pair in enumerate(sorted(expected)) for _ in expected[pair]]
    of_side = {side[0]: i for i, pair in enumerate(sorted(expected)) for side in expected[pair]}
    assert table.edge_of_side.reshape(-1).tolist() == [of_side.get(i, -1) for i in range(3 * len(faces))]


@given(ANY)
def test_twins_are_the_sides_of_edges_of_two(faces: list[list[int]]) -> None:
    twos = [found for _, found in sorted(around(faces).items()) if len(found) == 2]
    table = half_edge_table(tensor(faces))
    first, second = table.twins()
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(a[0], b[0]) for a, b in twos]
    assert table.misoriented().tolist() == [a[1] == b[1] for a, b in twos]


@given(ANY)
def test_corners_of_half_edges_are_where_their_vertices_are(faces: list[list[int]]) -> None:
    table = half_edge_table(tensor(faces))
    low, high = table.corners(table.number)
    flat = [vertex for face in faces for vertex in face]
    for number, a, b in zip(table.number.tolist(), low.tolist(), high.tolist(), strict=True):
        assert number // 3 == a // 3 == b // 3 and flat[a] < flat[b]


@given(PROPER)
def test_counts_of_a_mesh_agree_with_a_dictionary(faces: list[list[int]]) -> None:
    counts, expected = topology(tensor(faces)), around(faces)
    numbers = [len(found) for found in expected.values()]
    assert counts.edges == len(expected)
    assert counts.boundary_edges == numbers.count(1)
    assert counts.nonmanifold_edges == sum(number > 2 for number in numbers)
    opposed = sum(len(found) == 2 and found[0][1] == found[1][1] for found in expected.values())
    assert counts.misoriented_edges == opposed


@given(PROPER)
def test_the_rasterizers_table_agrees_with_a_dictionary(faces: list[list[int]]) -> None:
    rows = []
    for (low, high), found in sorted(around(faces).items()):
        if len(found) == 2:
            (_, a, _, third, f), (_, b, _, _, g) = found
            rows.append([low, high, f, g, third, int(a == b)])
        else:
            rows += [[low, high, f, -1, third, 0] for _, _, _, third, f in found]
    assert edge_table(tensor(faces)).tolist() == rows


def test_the_remeshers_sides_agree_with_a_dictionary(generator: torch.Generator) -> None:
    """Of a ball with holes, its vertices in any order."""
    ball = icosphere(2)
    order = torch.randperm(len(ball.vertices), generator=generator)
    faces = order[ball.faces][torch.rand(len(ball.faces), generator=generator) > 0.2].tolist()
    sides, expected = edge_sides(np.array(faces), len(order)), around(faces)
    assert sides.border.any() and not sides.border.all()
    for e, ((low, high), found) in enumerate(sorted(expected.items())):
        assert sides.keys[e] == low * len(order) + high
        assert sides.ends[e].tolist() == list(found[0][1:3])
        assert sides.faces[e].tolist() == [side[4] for side in found] + [-1] * (2 - len(found))
        assert sides.thirds[e].tolist() == [side[3] for side in found] + [-1] * (2 - len(found))
        assert all(sides.of_corner[side[0] // 3, side[0] % 3] == e for side in found)


def test_normals_by_area_are_sums_over_the_faces_around() -> None:
    # Twice the areas: 1 towards +z and, for the face folded up along 0-1, 2 towards -y.
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 2]])
    found = area_normals(vertices, np.array([[0, 1, 2], [0, 1, 3]]))
    assert found.tolist() == [[0, -2, 1], [0, -2, 1], [0, 0, 1], [0, -2, 0]]


def test_indices_and_corners_are_checked_once_each() -> None:
    check_faces(tensor([[0, 1, 1]]), 2)
    with pytest.raises(
        ValueError, match=r"^name: faces: expected indices in \[0, 3\), got 3 at face 1; is the"
    ):
        check_faces(tensor([[1, 2, 1], [1, 2, 3]]), 3, prefix="name: ")
    with pytest.raises(
        ValueError, match=r"^faces: expected three different corners, got \[1, 2, 1\] at face 1 "
    ):
        check_corners(tensor([[0, 1, 2], [1, 2, 1]]))
