"""Folds and self-intersections go away, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from largesteps_zg.constants import Mending
from largesteps_zg.geometry import topology
from largesteps_zg.geometry.connectivity import nonmanifold_vertices
from largesteps_zg.mesh import Mesh, degenerate_faces, flipped_faces, icosphere, repair
from largesteps_zg.mesh.fairing import LocalSurface, diffused, faired, merged, wrong_around, wrong_faces
from largesteps_zg.mesh.intersections import self_intersections
from largesteps_zg.mesh.repair import _graded, untangled
from largesteps_zg.parameterize import LargeSteps
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.scenes.synthetic import scene_from_mesh


def wrong(vertices, faces) -> int:
    """Counted as a run's report counts them."""
    met = int(self_intersections(vertices, faces).sum())
    return met + flipped_faces(vertices, faces) + degenerate_faces(vertices, faces)


def test_a_fold_is_smoothed_out_and_the_rest_stays() -> None:
    ball = icosphere(3, dtype=torch.float64)
    vertices = ball.vertices.clone()
    ring = ball.faces[(ball.faces == 40).any(1)].unique()
    vertices[40] = 2 * vertices[ring[ring != 40][0]] - vertices[40]  # beyond its neighbour: faces fold over
    assert flipped_faces(vertices, ball.faces) > 0
    mended = untangled(vertices, ball.faces)
    assert wrong(mended.vertices, mended.faces) == 0
    ways = (mended.vertices - vertices).norm(dim=1)
    assert 1 <= int((ways > 0).sum()) == mended.moved <= 12
    assert float((mended.vertices - ball.vertices).norm(dim=1).max()) < 0.15  # an edge is 0.16
    edges = torch.cat([ball.faces[:, [0, 1]], ball.faces[:, [1, 2]], ball.faces[:, [2, 0]]])
    length = (vertices[edges[:, 0]] - vertices[edges[:, 1]]).norm(dim=1).mean()  # each edge twice
    assert mended.farthest == pytest.approx(float(ways.max() / length))


def test_a_mesh_in_order_is_returned_as_it_is() -> None:
    ball = icosphere(2)
    mended = untangled(ball.vertices, ball.faces)
    assert mended.vertices is ball.vertices and mended.faces is ball.faces
    assert mended.kept.tolist() == list(range(162)) and mended.moved == mended.farthest == mended.gone == 0


def dented(depth: float, width: float = 0.25):
    """A ball whose top is pushed through its bottom."""
    ball = icosphere(4, dtype=torch.float64)
    vertices = ball.vertices.clone()
    near = torch.exp(-((vertices[:, :2].norm(dim=1) / width) ** 2))
    vertices[:, 2] -= torch.where(vertices[:, 2] > 0, depth * near, 0.0)
    return vertices, ball.faces


@pytest.mark.parametrize(("depth", "width", "most"), [(2.05, 0.25, 50), (2.8, 0.25, 200), (2.6, 0.6, 1200)])
def test_a_sheet_is_pulled_back_out_of_another(depth: float, width: float, most: int) -> None:
    """Of 2,562 vertices only what passes through and a rim around it moves."""
    vertices, faces = dented(depth, width)
    assert int(self_intersections(vertices, faces).sum()) >= 12
    mended = untangled(vertices, faces)
    assert wrong(mended.vertices, mended.faces) == 0
    assert 0 < mended.moved < most


def leaf(overlap: float):
    """A bent disc, 0.02 thick, whose underside comes through its upper side in the middle."""
    ball = icosphere(4, dtype=torch.float64)
    x, y, z = ball.vertices.T
    vertices = torch.stack([x, y, 0.01 * z + x * x], dim=1)
    near = torch.exp(-(((vertices[:, :2] - 0.2).norm(dim=1) / 0.3) ** 2))
    vertices[:, 2] += torch.where(z < 0, (0.02 + overlap) * near, 0.0)
    return vertices, ball.faces


def test_a_thin_part_that_passes_through_itself_is_lifted_off() -> None:
    """By an eighth of an edge; smoothing moves it by 0.3."""
    vertices, faces = leaf(0.005)
    assert wrong(vertices, faces) >= 50
    mended = untangled(vertices, faces)
    assert wrong(mended.vertices, mended.faces) == 0
    assert 0.0025 < float((mended.vertices - vertices).norm(dim=1).max())  # each side moves
    assert mended.farthest == pytest.approx(1 / 8)


def test_what_mending_leaves_crossed_is_lifted_off_in_the_end(monkeypatch) -> None:
    monkeypatch.setattr(repair, "_mended", lambda given, wrong, *_: (given, wrong))
    vertices, faces = leaf(0.005)
    mended = untangled(vertices, faces)
    assert wrong(mended.vertices, mended.faces) == 0 and mended.farthest == pytest.approx(1 / 8)


def test_a_torn_surface_is_untangled_within_little_more_than_the_noise(generator) -> None:
    """A quarter of all faces is wrong; nothing moves by more than two edges, of 0.04."""
    ball = icosphere(5, dtype=torch.float64)
    noisy = ball.vertices + 0.02 * torch.randn(ball.vertices.shape, generator=generator, dtype=torch.float64)
    assert wrong(noisy, ball.faces) > len(ball.faces) / 4
    mended = untangled(noisy, ball.faces)
    assert wrong(mended.vertices, mended.faces) == 0
    assert float((mended.vertices.norm(dim=1) - 1).abs().max()) < 0.08


@pytest.mark.parametrize("seed", [0, 5])
def test_what_is_left_is_mended_again(seed: int) -> None:
    """A crumpled disc, in one round and one ring: the first time leaves three wrong faces, or one."""
    lots = torch.Generator().manual_seed(seed)
    ball = icosphere(3, dtype=torch.float64)
    noise = 0.14 * torch.randn(ball.vertices.shape, generator=lots, dtype=torch.float64)
    some = torch.rand(len(noise), 1, generator=lots, dtype=torch.float64) < 0.3
    crumpled = ball.vertices * torch.tensor([1.0, 1.0, 0.02]) + noise * some
    assert wrong(crumpled, ball.faces) > len(ball.faces) / 2
    mended = untangled(crumpled, ball.faces, constants=Mending(rounds=1, rings=(1,)))
    assert wrong(mended.vertices, mended.faces) == 0


def test_what_lies_deep_inside_is_left_and_never_gets_worse() -> None:
    """Two balls half inside each other."""
    ball = icosphere(4, dtype=torch.float64)
    both = torch.cat([ball.vertices, ball.vertices + torch.tensor([1.0, 0.1, 0.2])])
    faces = torch.cat([ball.faces, ball.faces + len(ball.vertices)])
    mended = untangled(both, faces, constants=Mending(rings=(1, 2, 3)))
    assert 0 < wrong(mended.vertices, mended.faces) <= wrong(both, faces)
    assert mended.farthest < 4.0


def finger(levels: int, generator):
    """A ball with one face drawn out to a tower that is three edges around, the upper part of it a tangle."""
    ball = icosphere(3, dtype=torch.float64)
    base = ball.faces[0]
    corners = ball.vertices[base]
    out = torch.nn.functional.normalize(corners.mean(dim=0), dim=0)
    vertices, faces, below = [ball.vertices], [ball.faces[1:]], base
    count = len(ball.vertices)
    for level in range(1, levels + 1):
        ring = count + torch.arange(3)
        ring_at = 0.3 * corners + 0.7 * corners.mean(dim=0) + 0.06 * level * out
        tangle = 1.2 * out + 0.05 * torch.randn(3, 3, generator=generator, dtype=torch.float64)
        vertices.append(tangle if level > levels / 3 else ring_at)
        for i in range(3):
            j = (i + 1) % 3
            faces.append(
                torch.stack(
                    [torch.stack([below[i], below[j], ring[j]]), torch.stack([below[i], ring[j], ring[i]])]
                )
            )
        below, count = ring, count + 3
    faces.append(below[None])
    return torch.cat(vertices), torch.cat(faces)


def test_a_tangled_finger_loses_triangles_and_the_rest_stays(generator) -> None:
    vertices, faces = finger(18, generator)
    assert topology(faces).watertight and wrong(vertices, faces) > 10
    mended = untangled(vertices, faces)
    found = topology(mended.faces, len(mended.vertices))
    assert found.watertight and found.genus == 0 and found.isolated_vertices == 0
    assert len(nonmanifold_vertices(mended.faces, len(mended.vertices))) == 0
    assert wrong(mended.vertices, mended.faces) == 0
    assert mended.gone == len(vertices) - len(mended.vertices) == (len(faces) - len(mended.faces)) / 2 > 0
    still = (mended.vertices == vertices[mended.kept]).all(dim=1)
    assert int(still.sum()) > 600  # of 642 of the ball
    kept = untangled(vertices, faces, keep_faces=True)
    assert torch.equal(kept.faces, faces) and kept.gone == 0
    assert wrong(kept.vertices, kept.faces) < wrong(vertices, faces)


def test_vertices_that_are_left_keep_their_own_colours(generator, monkeypatch) -> None:
    """In the mesh of a run, some of whose vertices were merged."""
    vertices, faces = finger(18, generator)
    vertices, faces = vertices.flip(0), len(vertices) - 1 - faces  # the finger, which is merged, comes first
    own = torch.linspace(0, 1, len(vertices), dtype=torch.float64)[:, None].expand(-1, 3)
    shown = scene_from_mesh(icosphere(2), views=3, test_views=0, height=24, width=24)
    run = Reconstruction(shown.train, Settings(max_vertices=1000))
    monkeypatch.setattr(run.fit, "mesh", lambda: Mesh(vertices, faces, own))
    mesh, given = run.mesh(), run.frame.outside(vertices)
    assert 600 < len(mesh.vertices) < len(vertices)
    for vertex, color in zip(mesh.vertices, mesh.colors, strict=True):
        same = (given - vertex).norm(dim=1) < 1e-9
        assert not same.any() or bool((own[same] == color).all())
    assert sum(bool(((given - vertex).norm(dim=1) < 1e-9).any()) for vertex in mesh.vertices) > 600


def test_a_seam_stays_closed() -> None:
    """Vertices in one place, as along the border of a texture, move together."""
    ball = icosphere(3, dtype=torch.float64)
    vertices = ball.vertices.clone()
    ring = ball.faces[(ball.faces == 40).any(1)].unique()
    vertices[40] = 2 * vertices[ring[ring != 40][0]] - vertices[40]
    upper = ball.vertices[ball.faces].mean(dim=1)[:, 2] > float(ball.vertices[40, 2])
    faces = torch.where(upper[:, None], ball.faces + len(vertices), ball.faces)  # a twin of each vertex
    mended = untangled(torch.cat([vertices, vertices]), faces)
    one, other = mended.vertices.split(len(vertices))
    assert torch.equal(one, other) and torch.equal(mended.faces, faces)
    assert mended.moved > 0 and wrong(one, ball.faces) == 0


def test_a_patch_lies_as_smoothly_as_its_rim_allows(generator) -> None:
    """Each vertex is the mean of its neighbours; or its offset from that mean is the mean of their offsets."""
    ball = icosphere(3, dtype=torch.float64)
    surface = LocalSurface(ball.vertices.numpy(), ball.faces.numpy())
    inner = surface.grown(np.array([40]), 3)
    beside = [sorted({int(v) for f in ball.faces.tolist() if i in f for v in f} - {i}) for i in range(642)]

    def offsets(points):
        return np.stack([points[i] - points[beside[i]].mean(axis=0) for i in range(len(points))])

    membrane, plate = (faired(surface, inner, order) for order in (1, 2))
    assert np.abs(offsets(membrane)[inner]).max() < 1e-12
    # The plate's energy is the sum of degree times offset²: no step of any inner vertex lowers it.
    degree = np.array([len(some) for some in beside])[:, None]

    def energy(points):
        return float((degree * offsets(points) ** 2).sum())

    lowest = energy(plate)
    for vertex in inner[::5]:
        for step in (1e-3, -1e-3):
            other = plate.copy()
            other[vertex] += step
            assert energy(other) > lowest
    for points in (membrane, plate):
        assert np.array_equal(np.delete(points, inner, axis=0), np.delete(surface.vertices, inner, axis=0))
    assert faired(surface, np.arange(642), 1) is None


def test_smoothing_that_makes_it_worse_is_taken_back() -> None:
    """Of two shells that nearly touch the inner one has a spike: the wider it is smoothed, the more they cross."""
    ball = icosphere(3, dtype=torch.float64)
    turn = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    inner = 0.988 * ball.vertices @ torch.linalg.qr(turn)[0].T
    inner[40] *= 1.3
    both, faces = torch.cat([ball.vertices, inner]), torch.cat([ball.faces, ball.faces + 642])
    mended = untangled(both, faces)
    assert wrong(mended.vertices, mended.faces) == 0
    assert mended.moved < 60  # of 1284; from what was smoothed most, 219 would move


def test_the_reach_of_smoothing_falls_by_one_an_edge() -> None:
    """Else what is smoothed far would break off at what is not: the highest cone of slope 1 over each vertex."""
    ball = icosphere(2, dtype=torch.float64)
    reach = np.zeros(162)
    reach[[3, 40, 41, 100]] = 2.5, 1.0, 0.4, 3.0
    a, b = ball.faces.numpy()[:, [0, 1, 2, 1, 2, 0]].T.reshape(2, -1)
    edges = csr_array((np.ones(len(a)), (a, b)), shape=(162, 162))
    apart = dijkstra(edges, directed=False, unweighted=True)
    expected = np.maximum((reach - apart).max(axis=1), 0.0)
    assert np.allclose(_graded(LocalSurface(ball.vertices.numpy(), ball.faces.numpy()), reach), expected)


def test_smoothing_over_one_reach_everywhere_is_that_of_large_steps() -> None:
    """x with (I + λL) x = given, λ the square of the reach; the published parametrization solves the same."""
    ball = icosphere(2, dtype=torch.float64)
    surface = LocalSurface(ball.vertices.numpy(), ball.faces.numpy())
    found = diffused(surface, np.full(162, 1.5))
    expected = LargeSteps(ball.faces, ball.vertices, 1.5**2).from_differential(ball.vertices)
    assert np.abs(found - expected.numpy()).max() < 1e-10
    some = np.zeros(162)
    some[7] = 2.0
    assert np.flatnonzero((diffused(surface, some) != surface.vertices).any(axis=1)).tolist() == [7]


def test_merging_keeps_the_topology_and_leaves_no_short_edge(generator) -> None:
    ball = icosphere(3, dtype=torch.float64)
    shrunk = ball.vertices.clone()
    near = (shrunk - shrunk[40]).norm(dim=1) < 0.5
    shrunk[near] = shrunk[40] + 0.02 * (shrunk[near] - shrunk[40])
    surface = LocalSurface(shrunk.numpy(), ball.faces.numpy())
    fewer = merged(surface, np.flatnonzero(near.numpy()), 0.05)
    found = topology(torch.from_numpy(fewer.faces))
    assert found.watertight and found.euler == 2 and len(fewer.faces) < len(ball.faces) - 40
    ends = np.concatenate([fewer.faces[:, [0, 1]], fewer.faces[:, [1, 2]], fewer.faces[:, [2, 0]]])
    assert np.linalg.norm(fewer.vertices[ends[:, 0]] - fewer.vertices[ends[:, 1]], axis=1).min() > 0.05


def test_merging_shortens_a_finger_from_its_tip(generator) -> None:
    """Of three edges around none can be merged: their ends know a third vertex in common, across no face."""
    vertices, faces = finger(6, generator)
    surface = LocalSurface(vertices.numpy(), faces.numpy())
    fewer = merged(surface, np.arange(642, 660), 1.0)
    found = topology(torch.from_numpy(fewer.faces))
    assert found.watertight and found.euler == 2
    assert len(nonmanifold_vertices(torch.from_numpy(fewer.faces), len(vertices))) == 0
    sides = np.sort(fewer.faces, axis=1)
    assert len(np.unique(sides, axis=0)) == len(sides)  # no face twice
    assert np.setdiff1d(fewer.faces, np.arange(642)).size == 0  # the whole finger went


def merged_within(vertices, faces, inner, shortest: float):
    """The faces that merging leaves."""
    surface = LocalSurface(np.array(vertices, dtype=float), np.array(faces))
    return merged(surface, np.array(inner), shortest).faces


def test_a_tetrahedron_stays() -> None:
    """Its edges have the two vertices across in common, and nobody else; two faces back to back would be left."""
    corners = 0.01 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    faces = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]
    assert merged_within(corners, faces, range(4), 1.0).tolist() == faces


def test_an_edge_around_a_finger_stays() -> None:
    """A tower of three rings of three; two vertices of the middle one nearly meet, and have the third in common."""
    ring = np.array([[1, 0, 0], [-0.5, 0.9, 0], [-0.5, -0.9, 0]])
    middle = np.array([[1, 0, 1], [-0.5, 0.005, 1], [-0.5, -0.005, 1]])
    vertices = [[0, 0, -1], *ring, *middle, *(ring + np.array([0, 0, 2])), [0, 0, 3]]
    sides = [(1, 2), (2, 3), (3, 1)]
    faces = [[0, j, i] for i, j in sides] + [[i + 6, j + 6, 10] for i, j in sides]
    for low in (0, 3):
        faces += [[i + low, j + low, j + low + 3] for i, j in sides]
        faces += [[i + low, j + low + 3, i + low + 3] for i, j in sides]
    assert topology(torch.tensor(faces)).genus == 0
    assert merged_within(vertices, faces, range(11), 0.1).tolist() == faces


def test_an_edge_of_three_faces_stays() -> None:
    """Two tips (0, 1) over three paths from 2 to 3: the ends of edge (0, 2) have in common only what lies across it."""
    vertices = [[0, 0, 0.01], [0, 0, -9], [0, 0, 0], [9, 9, 0], [5, 0, 0], [0, 5, 0], [3, 3, 0]]
    faces = [[tip, end, middle] for tip in (0, 1) for end in (2, 3) for middle in (4, 5, 6)]
    assert merged_within(vertices, faces, range(7), 0.1).tolist() == faces


def grid(rows: int, columns: int):
    """A flat sheet of unit squares, cut along one diagonal each."""
    vertices = [[i, j, 0] for i in range(rows) for j in range(columns)]
    corners = [(i * columns + j) for i in range(rows - 1) for j in range(columns - 1)]
    faces = [[c, c + columns, c + 1] for c in corners] + [
        [c + 1, c + columns, c + columns + 1] for c in corners
    ]
    return np.array(vertices, dtype=float), np.array(faces)


def test_a_sheet_is_never_pinched() -> None:
    """The border keeps its vertices, and inner edges between two of them stay."""
    vertices, faces = grid(2, 6)
    assert merged_within(0.01 * vertices, faces, range(12), 1.0).tolist() == faces.tolist()
    vertices, faces = grid(5, 6)
    left = torch.from_numpy(merged_within(0.01 * vertices, faces, range(30), 1.0))
    found = topology(left)
    border = [v for v, (i, j, _) in enumerate(vertices) if i in (0, 4) or j in (0, 5)]
    assert (found.euler, found.components, found.boundary_edges) == (1, 1, len(border))
    assert len(nonmanifold_vertices(left, 30)) == 0
    assert set(left.unique().tolist()) == set(border)  # all inner vertices went


def test_a_region_that_moves_too_far_is_left_as_it_was() -> None:
    """Two balls deep inside each other: no region mends them, and none may move by more than it is allowed to."""
    ball = icosphere(3, dtype=torch.float64)
    both = torch.cat([ball.vertices, ball.vertices + torch.tensor([1.0, 0.1, 0.2])])
    faces = torch.cat([ball.faces, ball.faces + len(ball.vertices)])
    ways = [
        untangled(both, faces, constants=Mending(rings=(1, 2, 3, 4), farthest=farthest, rounds=1)).farthest
        for farthest in (1.0, 4.0)
    ]
    assert ways[0] < 1.0 < ways[1]


def test_wrong_faces_near_some_vertices_are_those_of_the_whole(generator) -> None:
    vertices, faces = dented(2.4)
    surface = LocalSurface(vertices.numpy(), faces.numpy())
    everywhere = np.flatnonzero(wrong_faces(surface.vertices, surface.faces, 1e-3))
    for places in (np.unique(surface.faces[everywhere[:3]]), np.arange(0, 2562, 7)):
        own = surface.faces_at(places)
        assert wrong_around(surface, places, 1e-3).tolist() == sorted(set(everywhere) & set(own))


def test_two_surfaces_in_one_place_stay_two() -> None:
    """Every face lies in another, and nothing helps; vertices in one place are not one where edges get four faces."""
    ball = icosphere(2, dtype=torch.float64)
    faces = torch.cat([ball.faces, ball.faces + len(ball.vertices)])
    mended = untangled(torch.cat([ball.vertices, ball.vertices]), faces)
    assert topology(mended.faces, len(mended.vertices)).components == 2
    assert wrong(mended.vertices, mended.faces) <= len(faces)
