"""Mesh, icosphere, files, checks, topology, welding."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh

from largesteps_zg.geometry import check_mesh, check_start_mesh, nonmanifold_vertices, topology, weld
from largesteps_zg.mesh import Mesh, icosphere, load_mesh, save_mesh

TETRAHEDRON = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
CORNERS = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def volume(mesh: Mesh) -> float:
    """Signed volume by trimesh, an implementation that is not ours."""
    return trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False).volume


# Starting shapes


@pytest.mark.parametrize("level", [0, 1, 3])
def test_icosphere_has_the_counts_of_its_formula_and_looks_outward(level):
    ball = icosphere(level, radius=2.0, center=(1.0, -2.0, 3.0), dtype=torch.float64)
    assert ball.vertices.shape == (10 * 4**level + 2, 3)
    assert ball.faces.shape == (20 * 4**level, 3)
    assert ball.faces.dtype == torch.int64
    radii = (ball.vertices - torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)).norm(dim=1)
    torch.testing.assert_close(radii, torch.full_like(radii, 2.0), rtol=0, atol=1e-12)
    counts = topology(ball.faces, len(ball.vertices))
    assert counts.watertight and counts.genus == 0 and counts.isolated_vertices == 0
    assert 0 < volume(ball) < 4 / 3 * math.pi * 8


def test_icosphere_converges_to_the_volume_of_the_ball():
    assert volume(icosphere(4)) == pytest.approx(4 / 3 * math.pi, rel=3e-3)


@pytest.mark.parametrize("bad", [{"subdivisions": -1}, {"subdivisions": 10}, {"radius": 0.0}])
def test_icosphere_refuses(bad):
    with pytest.raises(ValueError, match=rf"^{next(iter(bad))}: expected"):
        icosphere(**bad)


def test_to_changes_floats_and_leaves_integers():
    mesh = Mesh(CORNERS, TETRAHEDRON, CORNERS).to(dtype=torch.float64)
    assert (mesh.vertices.dtype, mesh.colors.dtype, mesh.faces.dtype) == (
        torch.float64,
        torch.float64,
        torch.int64,
    )


# Checks


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (CORNERS[:, :2], TETRAHEDRON, r"vertices: expected a \(V, 3\) tensor of floats, got \(4, 2\)"),
        (CORNERS.long(), TETRAHEDRON, r"vertices: .*int64"),
        (CORNERS, torch.tensor([[0, 1, 2, 3]]), r"faces: .*\(1, 4\).*triangulate"),
        (CORNERS, TETRAHEDRON.float(), r"faces: expected an \(F, 3\) tensor of integers.*float32"),
        (CORNERS[:0], TETRAHEDRON, r"vertices: expected at least 3, got none"),
        (CORNERS, TETRAHEDRON[:0], r"faces: expected at least one triangle, got none"),
        (CORNERS, TETRAHEDRON + 1, r"expected indices in \[0, 4\), got 4 at face 1; is the file 1-indexed\?"),
        (CORNERS, TETRAHEDRON - 1, r"expected indices in \[0, 4\), got -1 at face 0$"),
        (
            CORNERS,
            torch.tensor([[0, 1, 2], [3, 1, 3]]),
            r"three different corners, got \[3, 1, 3\] at face 1",
        ),
    ],
)
def test_check_mesh_names_the_fault_in_one_line(vertices, faces, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_mesh(vertices, faces)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_check_mesh_names_the_vertex_that_is_not_finite(value):
    vertices = CORNERS.clone()
    vertices[2, 1] = value
    with pytest.raises(
        ValueError, match=r"vertices: expected finite positions, got .* at vertex 2 \(1 in all\)"
    ):
        check_mesh(vertices, TETRAHEDRON)


def test_start_mesh_with_three_faces_at_an_edge_is_refused_and_located():
    book = torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4]])
    vertices = torch.cat([CORNERS, torch.tensor([[0.0, -1, 0]])])
    check_mesh(vertices, book)
    with pytest.raises(ValueError, match=r"got 1 edges .* vertices 0 and 1 near \[0.5, 0.0, 0.0\]"):
        check_start_mesh(vertices, book)


def test_start_mesh_with_a_face_turned_over_is_refused_and_an_open_one_is_not():
    turned = TETRAHEDRON.clone()
    turned[0] = turned[0].flip(0)
    with pytest.raises(ValueError, match=r"same winding, got 3 edges"):
        check_start_mesh(CORNERS, turned)
    check_start_mesh(CORNERS, TETRAHEDRON[1:])


# Topology


def test_topology_of_a_tetrahedron_with_one_face_missing_and_a_spare_vertex():
    counts = topology(TETRAHEDRON[1:], 6)
    assert (counts.vertices, counts.edges, counts.faces, counts.boundary_edges) == (4, 6, 3, 3)
    assert (counts.components, counts.euler, counts.isolated_vertices, counts.genus) == (1, 1, 2, None)
    assert not counts.watertight


def test_genus_of_two_tori_and_a_sphere_adds_up():
    torus = trimesh.creation.torus(1.0, 0.3, 8, 6)
    one = torch.from_numpy(np.array(torus.faces))
    ball = icosphere(0).faces
    count = len(torus.vertices)
    counts = topology(torch.cat([one, one + count, ball + 2 * count]))
    assert (counts.components, counts.euler, counts.genus, counts.watertight) == (3, 2, 2, True)


def test_edge_counts_agree_with_a_dictionary():
    faces = torch.randint(0, 9, (40, 3), generator=torch.Generator().manual_seed(3))
    faces = faces[(faces != faces.roll(1, dims=1)).all(dim=1)]
    table: dict[tuple[int, int], list[int]] = {}
    for face in faces.tolist():
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            table.setdefault((min(a, b), max(a, b)), []).append(1 if a < b else -1)
    counts = topology(faces)
    sizes = [len(runs) for runs in table.values()]
    assert counts.edges == len(table)
    assert counts.boundary_edges == sizes.count(1)
    assert counts.nonmanifold_edges == sum(size > 2 for size in sizes)
    assert counts.misoriented_edges == sum(len(runs) == 2 and sum(runs) != 0 for runs in table.values())


def test_two_fans_that_touch_in_a_point_make_it_non_manifold():
    assert nonmanifold_vertices(torch.tensor([[0, 1, 2], [0, 3, 4]]), 5).tolist() == [0]
    assert nonmanifold_vertices(torch.tensor([[0, 1, 2], [0, 2, 3]]), 5).tolist() == []
    assert nonmanifold_vertices(icosphere(1).faces, 42).tolist() == []


# Welding


def test_weld_joins_a_triangle_soup_and_leaves_the_order():
    ball = icosphere(2)
    soup = ball.vertices[ball.faces].reshape(-1, 3)
    vertices, faces, index = weld(soup, torch.arange(len(soup)).reshape(-1, 3))
    assert len(vertices) == len(ball.vertices) and topology(faces).watertight
    assert torch.equal(vertices[faces], ball.vertices[ball.faces])
    assert torch.equal(vertices[index], soup)
    again = weld(ball.vertices, ball.faces)
    assert torch.equal(again[2], torch.arange(len(ball.vertices))) and torch.equal(again[1], ball.faces)


def test_weld_by_tolerance_is_transitive_and_drops_collapsed_faces():
    # On a line at 0, 0.9, 1.8: neighbours are within 1 of each other, so that all three become one.
    vertices = torch.tensor([[0.0, 0, 0], [0.9, 0, 0], [1.8, 0, 0], [5, 0, 0], [0, 5, 0]])
    faces = torch.tensor([[0, 1, 4], [2, 3, 4]])
    welded, kept, index = weld(vertices, faces, 1.0)
    assert index.tolist() == [0, 0, 0, 1, 2]
    assert torch.equal(welded, vertices[[0, 3, 4]])
    assert kept.tolist() == [[0, 1, 2]]
    assert len(weld(vertices, faces, 0.5)[0]) == 5


def test_weld_takes_both_zeros_for_one_place_and_lets_gradients_through():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [-0.0, 0, -0.0]], requires_grad=True)
    welded, _, index = weld(vertices, torch.tensor([[0, 1, 2], [3, 2, 1]]))
    assert index.tolist() == [0, 1, 2, 0]
    welded.sum().backward()
    assert vertices.grad[:, 0].tolist() == [1, 1, 1, 0]
    with pytest.raises(ValueError, match="tolerance: expected a distance >= 0"):
        weld(vertices, TETRAHEDRON, -1.0)


# Files


@pytest.mark.parametrize("suffix", ["ply", "obj", "stl", "glb"])
def test_a_mesh_survives_the_disk(tmp_path, suffix):
    ball = icosphere(1, center=(3.0, 0.0, 0.0))
    levels = torch.arange(len(ball.vertices) * 3).reshape(-1, 3) % 256 / 255  # any 8-bit sRGB level
    linear = torch.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    save_mesh(tmp_path / f"ball.{suffix}", Mesh(ball.vertices, ball.faces, linear))
    read = load_mesh(tmp_path / f"ball.{suffix}", dtype=torch.float64)
    assert read.vertices.dtype == torch.float64 and topology(read.faces).watertight
    corners = read.vertices[read.faces].float()
    torch.testing.assert_close(corners, ball.vertices[ball.faces], rtol=0, atol=1e-6)
    if suffix == "stl":
        assert read.colors is None
    else:
        # sRGB comes back to the bit; GLB's linear bytes to half a step.
        atol = 0.5 / 255 + 1e-6 if suffix == "glb" else 1e-6
        torch.testing.assert_close(read.colors.float(), linear, rtol=0, atol=atol)
    assert [file.name for file in tmp_path.iterdir()] == [f"ball.{suffix}"]


def test_a_mesh_without_colours_stays_so(tmp_path):
    ball = icosphere(0)
    for suffix in ("ply", "obj", "glb"):
        save_mesh(tmp_path / f"a.{suffix}", ball)
        assert load_mesh(tmp_path / f"a.{suffix}").colors is None


def test_quads_are_triangulated_and_seams_are_kept(tmp_path):
    path = tmp_path / "sheet.obj"
    # Two unit squares whose common edge x = 1 is stored twice.
    path.write_text(
        "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 1 0 0\nv 2 0 0\nv 2 1 0\nv 1 1 0\nf 1 2 3 4\nf 5 6 7 8\n"
    )
    sheet = load_mesh(path)
    assert sheet.vertices.shape == (8, 3) and sheet.faces.shape == (4, 3)
    assert topology(sheet.faces).components == 2
    assert topology(weld(sheet.vertices, sheet.faces)[1]).components == 1


def test_the_parts_of_a_scene_are_placed_and_joined(tmp_path):
    scene = trimesh.Scene()
    shift = trimesh.transformations.translation_matrix([10, 0, 0])
    scene.add_geometry(trimesh.creation.box(), node_name="a")
    scene.add_geometry(trimesh.creation.box(), node_name="b", transform=shift)
    scene.export(tmp_path / "two.glb")
    both = load_mesh(tmp_path / "two.glb")
    assert topology(both.faces).components == 2
    assert both.vertices[:, 0].max().item() == pytest.approx(10.5)


def write_points(path):
    trimesh.PointCloud([[0.0, 0, 0], [1, 0, 0]]).export(path)


def write_half(path):
    save_mesh(path, icosphere(1))
    path.write_bytes(path.read_bytes()[:600])


def write_nan(path):
    lines = ["ply", "format ascii 1.0", "element vertex 3", *(f"property float {axis}" for axis in "xyz")]
    lines += ["element face 1", "property list uchar int vertex_indices", "end_header"]
    path.write_text("\n".join([*lines, "0 0 0", "1 nan 0", "0 1 0", "3 0 1 2", ""]))


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("none.ply", lambda path: None, "expected a mesh file, got nothing there"),
        ("folder.ply", lambda path: path.mkdir(), "got a folder"),
        ("empty.ply", lambda path: path.touch(), "got an empty file"),
        ("a.xyzzy", lambda path: path.write_text("?"), "got suffix '.xyzzy'"),
        ("noise.ply", lambda path: path.write_bytes(bytes(range(256))), "is it damaged"),
        ("half.ply", write_half, "is it damaged"),
        ("points.ply", write_points, "no faces; is this a point cloud"),
        ("nan.ply", write_nan, "expected finite positions, .* at vertex 1"),
    ],
)
def test_a_file_that_is_no_mesh_gets_one_line_with_its_name(tmp_path, name, write, message):
    write(tmp_path / name)
    with pytest.raises((ValueError, OSError), match=message) as caught:
        load_mesh(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_saving_refuses_an_unknown_suffix_a_broken_mesh_and_odd_colours(tmp_path):
    ball = icosphere(0)
    with pytest.raises(ValueError, match=r"expected a suffix among \.ply"):
        save_mesh(tmp_path / "a.docx", ball)
    with pytest.raises(ValueError, match=r"a\.ply: vertices: expected finite"):
        save_mesh(tmp_path / "a.ply", Mesh(ball.vertices * float("nan"), ball.faces))
    with pytest.raises(ValueError, match="colors: expected shape"):
        save_mesh(tmp_path / "a.ply", Mesh(ball.vertices, ball.faces, ball.vertices[:3]))
    with pytest.raises(OSError, match="nowhere"):
        save_mesh(tmp_path / "nowhere" / "a.ply", ball)
    assert list(tmp_path.iterdir()) == []
