"""Laplacians, normals and edges: by hand on small meshes, against other formulas, and by their laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from largesteps_zg import geometry
from largesteps_zg.geometry import penalties as baselines
from largesteps_zg.mesh import icosphere

# 2 --- 3    Two right triangles in the unit square; the edge 1-2 is the hypotenuse of both.
# | \ 1 |
# | 0 \ |
# 0 --- 1
SQUARE = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], dtype=torch.float64)
FACES = torch.tensor([[0, 1, 2], [2, 1, 3]])
LAPLACIANS = [geometry.laplacian_uniform, geometry.laplacian_cot]


@pytest.fixture
def bumpy(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A sphere of 42 vertices with noise: every angle different, some obtuse."""
    mesh = icosphere(1, dtype=torch.float64)
    noise = torch.randn(mesh.vertices.shape, generator=generator, dtype=torch.float64)
    return mesh.vertices + 0.2 * noise, mesh.faces


def test_uniform_laplacian_of_two_triangles() -> None:
    # Degrees 2, 3, 3, 2; all pairs but 0-3 are joined.
    expected = torch.tensor([[2.0, -1, -1, 0], [-1, 3, -1, -1], [-1, -1, 3, -1], [0, -1, -1, 2]])
    found = geometry.laplacian_uniform(SQUARE.float(), FACES)
    assert found.is_coalesced() and found.dtype == torch.float32
    assert torch.equal(found.to_dense(), expected)


def test_cotangent_laplacian_of_two_triangles() -> None:
    # Each side of the square lies opposite one angle of 45 degrees (cotangent 1, not halved); the diagonal lies
    # opposite two right angles (cotangent 0).
    expected = torch.tensor([[2.0, -1, -1, 0], [-1, 2, 0, -1], [-1, 0, 2, -1], [0, -1, -1, 2]])
    found = geometry.laplacian_cot(SQUARE, FACES).to_dense()
    torch.testing.assert_close(found, expected.double(), atol=1e-12, rtol=0)


def test_obtuse_angle_has_a_negative_cotangent() -> None:
    # The angle at the origin is 135 degrees: cotangent -1, so the entry of the edge 1-2 is +1.
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [-1, 1, 0]], dtype=torch.float64)
    found = geometry.laplacian_cot(vertices, torch.tensor([[0, 1, 2]])).to_dense()
    assert found[1, 2] == pytest.approx(1.0)
    assert torch.linalg.eigvalsh(found).min() > -1e-12


def test_cotangent_energy_is_that_of_finite_elements(bumpy: tuple[Tensor, Tensor]) -> None:
    # x' L x = 2 * integral of |grad x|^2, with gradients found by solving for them in each triangle.
    vertices, faces = bumpy
    values = np.sin(3 * vertices[:, 0].numpy()) + vertices[:, 1].numpy()
    energy = 0.0
    for a, b, c in faces.tolist():
        p, q, r = vertices[[a, b, c]].numpy()
        normal = np.cross(q - p, r - p)
        system = np.stack([q - p, r - p, normal])
        gradient = np.linalg.solve(system, [values[b] - values[a], values[c] - values[a], 0])
        energy += gradient @ gradient * np.linalg.norm(normal) / 2
    found = values @ geometry.laplacian_cot(vertices, faces).to_dense().numpy() @ values
    assert found == pytest.approx(2 * energy, rel=1e-10)


@pytest.mark.parametrize("laplacian", LAPLACIANS)
def test_laws_of_a_laplacian(laplacian, bumpy: tuple[Tensor, Tensor]) -> None:
    found = laplacian(*bumpy).to_dense()
    assert torch.equal(found, found.T)
    assert found.sum(dim=1).abs().max() < 1e-12 * found.abs().max()
    values = torch.linalg.eigvalsh(found)
    assert values[0] > -1e-10 and values[1] > 1e-3  # one zero: the mesh is connected


@pytest.mark.parametrize("laplacian", LAPLACIANS)
def test_laplacian_ignores_scale_rotation_and_turns_with_the_numbering(
    laplacian, bumpy: tuple[Tensor, Tensor], generator: torch.Generator
) -> None:
    vertices, faces = bumpy
    expected = laplacian(vertices, faces).to_dense()
    rotation, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    torch.testing.assert_close(laplacian(1e-3 * vertices @ rotation, faces).to_dense(), expected)
    order = torch.randperm(len(vertices), generator=generator)
    renamed = laplacian(vertices[order], torch.argsort(order)[faces]).to_dense()
    torch.testing.assert_close(renamed, expected[order][:, order])


def test_degenerate_triangles_leave_the_cotangents_bounded_and_the_matrix_semi_definite() -> None:
    # A point, a needle whose third corner lies on the opposite side, and a sound triangle.
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0.5, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]])
    faces = torch.tensor([[0, 3, 4], [0, 1, 2], [0, 1, 5]])
    found = geometry.laplacian_cot(vertices, faces).to_dense().double()
    assert found.isfinite().all() and found.abs().max() < 2e4
    assert torch.linalg.eigvalsh(found).min() > -1e-2  # a rounding of 1e4 in float32
    assert torch.linalg.eigvalsh(torch.eye(6, dtype=torch.float64) + 19 * found).min() > 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cotan", [False, True])
def test_system_matrix_is_the_identity_plus_a_multiple(dtype, cotan, bumpy: tuple[Tensor, Tensor]) -> None:
    vertices, faces = bumpy[0].to(dtype), bumpy[1]
    laplacian = (geometry.laplacian_cot if cotan else geometry.laplacian_uniform)(vertices, faces).to_dense()
    eye = torch.eye(len(vertices), dtype=dtype)
    found = geometry.compute_matrix(vertices, faces, 7.5, cotan=cotan)
    assert found.dtype == dtype and found.is_coalesced()
    torch.testing.assert_close(found.to_dense(), eye + 7.5 * laplacian)
    blend = geometry.compute_matrix(vertices, faces, 0.0, alpha=0.95, cotan=cotan)
    torch.testing.assert_close(blend.to_dense(), 0.05 * eye + 0.95 * laplacian)
    # lambda = alpha / (1 - alpha): the two forms differ by the factor 1 - alpha.
    torch.testing.assert_close(
        20 * blend.to_dense(), geometry.compute_matrix(vertices, faces, 19, cotan=cotan).to_dense()
    )


def test_isolated_vertex_keeps_the_identity() -> None:
    vertices = torch.cat([SQUARE, torch.ones(1, 3, dtype=torch.float64)])
    assert not geometry.laplacian_uniform(vertices, FACES).to_dense()[4].any()
    assert geometry.compute_matrix(vertices, FACES, 19.0).to_dense()[4].tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("lambda_", [-1e-9, math.nan, math.inf, None])
def test_bad_lambda_is_refused(lambda_) -> None:
    with pytest.raises(ValueError, match="lambda_: expected a finite number >= 0"):
        geometry.compute_matrix(SQUARE, FACES, lambda_)


@pytest.mark.parametrize("alpha", [-0.1, 1.0, math.nan])
def test_bad_alpha_is_refused(alpha) -> None:
    with pytest.raises(ValueError, match=r"alpha: expected a number in \[0, 1\)"):
        geometry.compute_matrix(SQUARE, FACES, 1.0, alpha=alpha)


@pytest.mark.parametrize(
    "bad, hint", [(4, "got 4 at face 1; is the file 1-indexed"), (-1, "got -1 at face 1")]
)
@pytest.mark.parametrize("laplacian", LAPLACIANS)
def test_index_out_of_range_is_refused(laplacian, bad, hint) -> None:
    faces = torch.tensor([[3, 1, 2], [2, 1, bad]])
    with pytest.raises(ValueError, match=rf"expected indices in \[0, 4\), {hint}"):
        laplacian(SQUARE, faces)


def test_normals_by_hand() -> None:
    # Areas 1/2 towards +z and, for the face folded up along 0-1, 2/2 towards -y.
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 2]])
    faces = torch.tensor([[0, 1, 2], [0, 1, 3]], dtype=torch.int32)
    assert geometry.face_normals(vertices, faces).tolist() == [[0, 0, 1], [0, -1, 0]]
    assert geometry.face_normals(vertices, faces, normalize=False).tolist() == [[0, 0, 1], [0, -2, 0]]
    both = [0, -2 / 5**0.5, 1 / 5**0.5]
    expected = torch.tensor([both, both, [0, 0, 1], [0, -1, 0]])
    torch.testing.assert_close(geometry.vertex_normals(vertices, faces), expected)


def test_normals_of_a_sphere_point_outwards() -> None:
    mesh = icosphere(3, dtype=torch.float64)
    cosines = (geometry.vertex_normals(mesh.vertices, mesh.faces) * mesh.vertices).sum(dim=1)
    assert cosines.min() > 0.999
    assert (geometry.face_normals(mesh.vertices, mesh.faces) * mesh.vertices[mesh.faces[:, 0]]).sum(
        1
    ).min() > 0.98


def test_normals_turn_with_the_mesh(bumpy: tuple[Tensor, Tensor], generator: torch.Generator) -> None:
    vertices, faces = bumpy
    rotation, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    rotation *= torch.linalg.det(rotation)
    expected = geometry.vertex_normals(vertices, faces) @ rotation.T
    torch.testing.assert_close(geometry.vertex_normals(5 * vertices @ rotation.T, faces), expected)


def test_normals_and_lengths_gradcheck(bumpy: tuple[Tensor, Tensor]) -> None:
    vertices, faces = bumpy[0].requires_grad_(), bumpy[1]
    pairs = geometry.edges(faces)
    assert torch.autograd.gradcheck(lambda v: geometry.vertex_normals(v, faces), vertices)
    assert torch.autograd.gradcheck(lambda v: geometry.face_normals(v, faces), vertices)
    assert torch.autograd.gradcheck(lambda v: geometry.edge_lengths(v, pairs), vertices)


def test_no_direction_gives_zero_normals_and_zero_gradients() -> None:
    # A needle, its corners, and a vertex without faces.
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]], requires_grad=True)
    faces = torch.tensor([[0, 1, 2]])
    normals = torch.cat([geometry.vertex_normals(vertices, faces), geometry.face_normals(vertices, faces)])
    assert not normals.any()
    (normals * torch.arange(1.0, 16.0).reshape(5, 3)).sum().backward()
    assert not vertices.grad.any()


def test_edge_lengths_by_hand() -> None:
    pairs = geometry.edges(FACES)
    assert pairs.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    torch.testing.assert_close(
        geometry.edge_lengths(SQUARE, pairs), torch.tensor([1, 1, 2**0.5, 1, 1], dtype=torch.float64)
    )
    assert geometry.mean_edge_length(SQUARE, FACES).item() == pytest.approx((4 + 2**0.5) / 5)


def test_edge_faces_by_hand() -> None:
    found = geometry.edge_faces(FACES)
    assert found.edges.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    assert found.faces.tolist() == [[0, -1], [0, -1], [0, 1], [1, -1], [1, -1]]
    assert found.opposite.tolist() == [[2, -1], [1, -1], [0, 3], [2, -1], [1, -1]]


def test_edge_with_three_faces_has_a_row_for_each() -> None:
    # Three pages at the spine 0-1.
    found = geometry.edge_faces(torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4]]))
    spine = (found.edges == torch.tensor([0, 1])).all(dim=1)
    assert found.faces[spine].tolist() == [[0, -1], [1, -1], [2, -1]]
    assert found.opposite[spine].tolist() == [[2, -1], [3, -1], [4, -1]]
    assert len(found.edges) == 3 + 6


def test_repeated_corner_makes_no_edge() -> None:
    faces = torch.tensor([[0, 0, 1], [0, 1, 2]])
    assert geometry.edges(faces).tolist() == [[0, 1], [0, 2], [1, 2]]
    found = geometry.edge_faces(faces)
    assert found.edges[-2:].tolist() == [[0, 2], [1, 2]]
    assert found.faces[-2:].tolist() == [[1, -1], [1, -1]]
    # Its two remaining sides, 0-1 and 1-0, and the one of face 1: an edge of three half edges.
    assert found.faces[:-2].tolist() == [[0, -1], [0, -1], [1, -1]]


def test_no_faces_have_no_edges() -> None:
    empty = torch.empty(0, 3, dtype=torch.int64)
    found = geometry.edge_faces(empty)
    assert (
        geometry.edges(empty).shape
        == found.edges.shape
        == found.faces.shape
        == found.opposite.shape
        == (0, 2)
    )
    assert not geometry.laplacian_uniform(SQUARE, empty).to_dense().any()


@pytest.mark.slow
@given(
    st.lists(
        st.lists(st.integers(0, 7), min_size=3, max_size=3, unique=True),
        min_size=1,
        max_size=20,
        unique_by=frozenset,
    )
)
def test_edge_faces_agrees_with_a_dictionary(faces: list[list[int]]) -> None:
    beside: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for face, (a, b, c) in enumerate(faces):
        for i, j, across in ((a, b, c), (b, c, a), (c, a, b)):
            beside.setdefault((min(i, j), max(i, j)), []).append((face, across))
    expected = []
    for pair, sides in sorted(beside.items()):
        if len(sides) == 2:
            expected.append((pair, (sides[0][0], sides[1][0]), (sides[0][1], sides[1][1])))
        else:
            expected += [(pair, (face, -1), (across, -1)) for face, across in sides]
    found = geometry.edge_faces(torch.tensor(faces))
    rows = zip(found.edges.tolist(), found.faces.tolist(), found.opposite.tolist(), strict=True)
    assert [tuple(map(tuple, row)) for row in rows] == expected


def test_edges_of_a_closed_mesh_have_two_faces() -> None:
    mesh = icosphere(2)
    found = geometry.edge_faces(mesh.faces)
    assert len(found.edges) == len(mesh.faces) * 3 // 2 and found.faces.min() >= 0
    assert torch.equal(found.edges, geometry.edges(mesh.faces))


def test_regularisation_by_hand() -> None:
    # Uniform: 4 sides of length 1 and a diagonal of squared length 2, over 4 vertices of 3 coordinates.
    laplacian = geometry.laplacian_uniform(SQUARE, FACES)
    assert baselines.laplacian_loss(SQUARE, laplacian).item() == pytest.approx((4 + 2) / 12)
    # The rows of L v are (-1, -1), (2, -2), (-2, 2) and (1, 1), with z = 0: squares 2 + 8 + 8 + 2.
    assert baselines.bilaplacian_loss(SQUARE, laplacian).item() == pytest.approx(20 / 12)
    vertices = SQUARE.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: baselines.bilaplacian_loss(v, laplacian), vertices)


@pytest.mark.parametrize(
    ("verts", "faces", "message"),
    [
        (lambda v: v[None], lambda f: f, r"verts: expected shape .*\(V, 3\), got \(1, 4, 3\); pass one mesh"),
        (lambda v: v[:, 0], lambda f: f, r"verts: expected shape .*\(V, 3\), got \(4,\)"),
        (lambda v: v, lambda f: f[None], r"faces: expected shape \(F, 3\), got \(1, 2, 3\)"),
        (
            lambda v: v,
            lambda f: f[:, [0, 1, 2, 2]],
            r"faces: expected shape \(F, 3\), got \(2, 4\); triangulate",
        ),
        (lambda v: v, lambda f: f[:, :2], r"faces: expected shape \(F, 3\), got \(2, 2\)"),
        (lambda v: v, lambda f: f[:, 0], r"faces: expected shape \(F, 3\), got \(2,\)"),
        (lambda v: v, lambda f: f > 1, r"faces: expected whole numbers, got torch.bool"),
        (lambda v: v, lambda f: f + 0j, r"faces: expected whole numbers, got torch.complex64"),
        (lambda v: v, lambda f: f + 0.5, r"faces: expected whole numbers, got fractions"),
    ],
)
def test_shapes_and_types_that_would_give_a_wrong_matrix(verts, faces, message, unchecked):
    """Indexing with them gives a matrix of the right size, or an error about something else."""
    square = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    triangles = torch.tensor([[0, 1, 2], [2, 1, 3]])
    for build in (
        geometry.laplacian_uniform,
        geometry.laplacian_cot,
        lambda v, f: geometry.compute_matrix(v, f, 19),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            build(verts(square), faces(triangles))
