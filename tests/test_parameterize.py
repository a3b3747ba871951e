"""The parametrization: round trips, seams, gradients, and code written for the published package."""

from __future__ import annotations

import copy
import gc
import io
import weakref

import pytest
import torch
from torch import Tensor

import largesteps_zg.parameterize as parameterize
from largesteps_zg.geometry import compute_matrix
from largesteps_zg.mesh import icosphere
from largesteps_zg.parameterize import LargeSteps, from_differential, to_differential
from largesteps_zg.solvers import CholeskySolver, ConjugateGradientSolver, solve

FACES = torch.tensor([[0, 1, 2], [2, 1, 3]])
SQUARE = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], dtype=torch.float64)


def seamed() -> tuple[Tensor, Tensor]:
    """The square with its diagonal cut open: vertices 1 and 2 come twice, once for each triangle."""
    vertices = SQUARE[[0, 1, 2, 2, 1, 3]]
    return vertices, torch.tensor([[0, 1, 2], [3, 4, 5]])


def test_latent_of_two_triangles_by_hand() -> None:
    # lambda 1: u = v + L v, with L v = (-1, -1), (2, -2), (-2, 2), (1, 1).
    expected = torch.tensor([[-1.0, -1, 0], [3, -2, 0], [-2, 3, 0], [2, 2, 0]], dtype=torch.float64)
    torch.testing.assert_close(LargeSteps(FACES, SQUARE, 1.0).to_differential(SQUARE), expected)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize(
    "options", [{}, {"alpha": 0.95}, {"cotangent": True}, {"lambda_": 0}, {"solver": "cg"}]
)
def test_round_trip(dtype, tolerance, options) -> None:
    mesh = icosphere(3, dtype=dtype)
    if options.get("solver") == "cg":
        tolerance = max(tolerance, 1e-8)
    p = LargeSteps(mesh.faces, mesh.vertices, **options)
    u = p.to_differential(mesh.vertices)
    assert u.dtype == dtype and u.shape == mesh.vertices.shape
    torch.testing.assert_close(p.from_differential(u), mesh.vertices, atol=tolerance, rtol=0)
    torch.testing.assert_close(p.to_differential(p.from_differential(u)), u, atol=1e3 * tolerance, rtol=0)


def test_a_latent_spike_becomes_a_smooth_bump() -> None:
    # The inverse of I + lambda L averages: its entries are positive and its rows sum to one.
    mesh = icosphere(2, dtype=torch.float64)
    p = LargeSteps(mesh.faces, mesh.vertices)
    inverse = p.from_differential(torch.eye(len(mesh.vertices), dtype=torch.float64))
    assert inverse.min() > 0
    torch.testing.assert_close(inverse.sum(dim=1), torch.ones(len(mesh.vertices), dtype=torch.float64))


def test_an_isolated_vertex_is_its_own_latent() -> None:
    vertices = torch.cat([SQUARE, torch.tensor([[5.0, 6, 7]], dtype=torch.float64)])
    p = LargeSteps(FACES, vertices)
    assert p.to_differential(vertices)[4].tolist() == [5, 6, 7]
    assert p.from_differential(p.to_differential(vertices))[4].tolist() == pytest.approx([5, 6, 7])


def test_seams_do_not_tear(generator: torch.Generator) -> None:
    vertices, faces = seamed()
    p = LargeSteps(faces, vertices, 3.0)
    assert p.index.tolist() == [0, 1, 2, 2, 1, 3]
    whole = LargeSteps(FACES, SQUARE, 3.0)
    torch.testing.assert_close(p.matrix.to_dense(), whole.matrix.to_dense())
    u = p.to_differential(vertices)
    assert u.shape == (4, 3)
    torch.testing.assert_close(p.from_differential(u), vertices)
    moved = p.from_differential(u + torch.randn(4, 3, generator=generator, dtype=torch.float64))
    assert torch.equal(moved[1], moved[4]) and torch.equal(moved[2], moved[3])
    # As if it had never been cut: also the gradients, which the copies add up to.
    weights = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    left, right = u.clone().requires_grad_(), u.clone().requires_grad_()
    (p.from_differential(left) * weights).sum().backward()
    (whole.from_differential(right)[p.index] * weights).sum().backward()
    torch.testing.assert_close(left.grad, right.grad)


def test_a_torn_seam_is_closed_at_the_mean() -> None:
    vertices, faces = seamed()
    p = LargeSteps(faces, vertices)
    torn = vertices.clone()
    torn[4, 2] = 1.0
    closed = p.from_differential(p.to_differential(torn))
    assert closed[[1, 4], 2].tolist() == pytest.approx([0.5, 0.5])


def test_the_cotangent_matrix_sees_through_seams() -> None:
    vertices, faces = seamed()
    cut = LargeSteps(faces, vertices, cotangent=True).matrix
    torch.testing.assert_close(cut.to_dense(), compute_matrix(SQUARE, FACES, 19.0, cotan=True).to_dense())


@pytest.mark.slow
def test_all_shapes_and_gradients(generator: torch.Generator) -> None:
    for faces, vertices in ((FACES, SQUARE), seamed()[::-1]):
        p = LargeSteps(faces, vertices, 2.0)
        count, rows = len(vertices), p.matrix.shape[0]
        for shape in ((count,), (count, 5), (2, count, 3), (2, 3, count, 1)):
            v = torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
            u = p.to_differential(v)
            assert u.numel() * count == v.numel() * rows
            assert p.from_differential(u).shape == v.shape
            assert torch.autograd.gradcheck(p.to_differential, v)
            assert torch.autograd.gradcheck(p.from_differential, u.detach().requires_grad_())
        batch = torch.randn(2, count, 3, generator=generator, dtype=torch.float64)
        torch.testing.assert_close(p.to_differential(batch)[1], p.to_differential(batch[1]))
        torch.testing.assert_close(p.to_differential(batch)[1][:, 2], p.to_differential(batch[1][:, 2]))


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"expected indices in \[0, 4\), got 4 at face 1; is the file 1-indexed"
    ):
        LargeSteps(FACES + 1, SQUARE)
    with pytest.raises(ValueError, match="expected finite positions"):
        LargeSteps(FACES, SQUARE / 0)
    with pytest.raises(ValueError, match="lambda_: expected a finite number >= 0, got -1"):
        LargeSteps(FACES, SQUARE, -1)
    with pytest.raises(ValueError, match="solver: expected one of cholesky, cg, got 'lu'"):
        LargeSteps(FACES, SQUARE, solver="lu")
    for faces, vertices in ((FACES, SQUARE), seamed()[::-1]):
        with pytest.raises(ValueError, match="v: expected"):
            LargeSteps(faces, vertices).to_differential(torch.zeros(9, 3, dtype=torch.float64))
        with pytest.raises(ValueError, match=r"b: expected shape \(4,\)"):
            LargeSteps(faces, vertices).from_differential(torch.zeros(9, 3, dtype=torch.float64))


def test_code_written_for_the_published_package_runs() -> None:
    import largesteps_zg as largesteps
    from largesteps_zg.geometry import laplacian_cot, laplacian_uniform
    from largesteps_zg.optimize import AdamUniform
    from largesteps_zg.parameterize import from_differential, to_differential
    from largesteps_zg.solvers import CholeskySolver, ConjugateGradientSolver, solve

    mesh = icosphere(2)
    verts, faces = mesh.vertices, mesh.faces
    M = largesteps.geometry.compute_matrix(verts, faces, lambda_=10)
    u = to_differential(M, verts)
    u.requires_grad = True
    opt = AdamUniform([u], 3e-2)
    target = verts * torch.tensor([1.5, 1.0, 0.5])
    start = None
    for _ in range(150):
        loss = (from_differential(M, u, "Cholesky") - target).abs().mean()
        start = start or loss.item()
        opt.zero_grad()
        loss.backward()
        opt.step()
    assert loss.item() < 0.1 * start
    v = from_differential(M, u.detach(), method="CG")
    torch.testing.assert_close(v, from_differential(M, u.detach()), atol=1e-4, rtol=0)
    for solver in (CholeskySolver(M), ConjugateGradientSolver(M)):
        torch.testing.assert_close(solve(solver, u.detach()), v, atol=1e-4, rtol=0)
        torch.testing.assert_close(solver.solve(u.detach(), backward=True), v, atol=1e-4, rtol=0)
    reg = (laplacian_uniform(verts, faces) @ v).square().mean() + (
        v * (laplacian_cot(verts, faces) @ v)
    ).mean()
    assert reg > 0
    assert compute_matrix(verts, faces, 0, 0.9, True).is_coalesced()


def test_another_method_is_refused() -> None:
    with pytest.raises(ValueError, match="method: expected 'Cholesky' or 'CG', got 'LU'"):
        from_differential(compute_matrix(SQUARE, FACES, 1.0), SQUARE, "LU")


@pytest.fixture
def factored(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The matrices that `from_differential` made Cholesky solvers for, in order."""
    seen: list[Tensor] = []
    original = parameterize._SOLVERS["cholesky"]

    def counting(matrix: Tensor):
        seen.append(matrix.to_dense())
        return original(matrix)

    monkeypatch.setitem(parameterize._SOLVERS, "cholesky", counting)
    return seen


def test_a_matrix_is_factored_once(factored: list[Tensor]) -> None:
    first, second = compute_matrix(SQUARE, FACES, 1.0), compute_matrix(SQUARE, FACES, 2.0)
    for _ in range(3):
        for matrix in (first, second):
            torch.testing.assert_close(from_differential(matrix, to_differential(matrix, SQUARE)), SQUARE)
    assert len(factored) == 2


def test_a_matrix_changed_in_place_is_factored_anew(factored: list[Tensor]) -> None:
    matrix = compute_matrix(SQUARE, FACES, 1.0)
    before = from_differential(matrix, SQUARE)
    matrix.values().mul_(2)
    torch.testing.assert_close(from_differential(matrix, SQUARE), before / 2)
    assert len(factored) == 2


@pytest.mark.slow
def test_solvers_die_with_their_matrix_and_are_never_another_matrix_s(factored: list[Tensor]) -> None:
    # Matrices made and dropped in turn get the same address again and again.
    for lambda_ in range(5):
        matrix = compute_matrix(SQUARE, FACES, lambda_)
        torch.testing.assert_close(from_differential(matrix, to_differential(matrix, SQUARE)), SQUARE)
        from_differential(matrix, SQUARE, "CG")
        solvers = [weakref.ref(solver) for _, solver in parameterize._cache[matrix].values()]
        del matrix
        gc.collect()
        assert [solver() for solver in solvers] == [None, None]
    assert len(factored) == 5


def test_a_used_matrix_can_still_be_copied_and_saved() -> None:
    matrix = compute_matrix(SQUARE, FACES, 1.0)
    expected = from_differential(matrix, SQUARE)
    file = io.BytesIO()
    torch.save(matrix, file)
    file.seek(0)
    for other in (copy.deepcopy(matrix), torch.load(file)):
        torch.testing.assert_close(from_differential(other, SQUARE), expected)


def test_works_where_nothing_is_recorded() -> None:
    with torch.inference_mode():
        matrix = compute_matrix(SQUARE, FACES, 1.0)
        torch.testing.assert_close(from_differential(matrix, to_differential(matrix, SQUARE)), SQUARE)


@pytest.mark.parametrize("kind", ["a NumPy array of shape (162, 3)", "list"])
def test_what_is_no_tensor_is_named_by_every_way_in(kind, unchecked):
    """In one line, which a dispatcher's list of types and values is not."""
    ball = icosphere(2)
    p = LargeSteps(ball.faces, ball.vertices)
    solver = CholeskySolver(p.matrix)
    given = ball.vertices.numpy() if "NumPy" in kind else ball.vertices.tolist()
    for name, call in (
        ("u", p.from_differential),
        ("v", p.to_differential),
        ("u", lambda values: from_differential(p.matrix, values)),
        ("v", lambda values: to_differential(p.matrix, values)),
        ("u", lambda values: solve(solver, values)),
        ("b", solver.solve),
        ("b", ConjugateGradientSolver(p.matrix).solve),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected a tensor, got ") as caught:
            call(given)
        assert kind in str(caught.value) and "\n" not in str(caught.value)


def test_faces_of_a_type_that_counts_nothing_are_to_be_converted(unchecked):
    ball = icosphere(1)
    with pytest.raises(ValueError, match=r"got \(80, 3\) torch.float32; convert them to torch.int64"):
        LargeSteps(ball.faces.float(), ball.vertices)
    with pytest.raises(ValueError, match="triangulate polygons first"):
        LargeSteps(torch.zeros(4, 4, dtype=torch.long), ball.vertices)
