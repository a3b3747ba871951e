"""Both solvers, with every backend that is here: against SciPy, by the laws of a symmetric inverse, and refusals."""

from __future__ import annotations

import ctypes
import math
import sys
import types
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch
from torch import Tensor

from largesteps_zg.geometry import compute_matrix
from largesteps_zg.mesh import icosphere
from largesteps_zg.solvers import (
    CholeskySolver,
    ConjugateGradientSolver,
    ConvergenceError,
    DifferentiableSolve,
    cholesky_backends,
    solve,
)
from largesteps_zg.solvers.linear_system import checked_csr

CHOLESKY = ["cholespy", "scikit-sparse"]
DTYPES = [torch.float32, torch.float64]


def system(dtype: torch.dtype = torch.float64, lambda_: float = 19.0, level: int = 2) -> Tensor:
    """The matrix of a sphere with 162 vertices, and one more vertex that no face uses."""
    mesh = icosphere(level, dtype=dtype)
    return compute_matrix(torch.cat([mesh.vertices, mesh.vertices[:1]]), mesh.faces, lambda_)


def as_scipy(matrix: Tensor) -> scipy.sparse.csc_array:
    """The same matrix for SciPy."""
    rows, columns = matrix.indices().numpy()
    return scipy.sparse.csc_array((matrix.values().numpy(), (rows, columns)), shape=tuple(matrix.shape))


def make(name: str, matrix: Tensor):
    """A solver by its test's name."""
    if name == "cg":
        return ConjugateGradientSolver(matrix, rtol=1e-13 if matrix.dtype == torch.float64 else None)
    if name == "scikit-sparse":
        pytest.importorskip("sksparse.cholmod", reason="scikit-sparse is not installed (it has no wheels)")
    return CholeskySolver(matrix, backend=name)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads would spend their time waiting for each other on matrices as small as these."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[*CHOLESKY, "cg"])
def solver_name(request: pytest.FixtureRequest) -> str:
    """Every solver in turn."""
    return request.param


def test_two_unknowns_by_hand() -> None:
    # [[2, -1], [-1, 2]] x = (1, 4) has the solution (2, 3).
    matrix = torch.tensor([[2.0, -1], [-1, 2]]).to_sparse()
    for solver in (CholeskySolver(matrix), ConjugateGradientSolver(matrix)):
        torch.testing.assert_close(solver.solve(torch.tensor([1.0, 4.0])), torch.tensor([2.0, 3.0]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_agrees_with_scipy(solver_name: str, dtype: torch.dtype, generator: torch.Generator) -> None:
    matrix = system(dtype)
    right = torch.randn(matrix.shape[0], 3, generator=generator, dtype=dtype)
    expected = scipy.sparse.linalg.splu(as_scipy(matrix).astype(np.float64)).solve(right.double().numpy())
    found = make(solver_name, matrix).solve(right)
    assert found.dtype == dtype
    tolerance = 1e-11 if dtype == torch.float64 else 2e-6
    np.testing.assert_allclose(found.numpy(), expected, atol=tolerance, rtol=0)


def test_all_shapes_share_one_factor(solver_name: str, generator: torch.Generator) -> None:
    solver = make(solver_name, system())
    batch = torch.randn(2, 2, solver.size, 2, generator=generator, dtype=torch.float64)
    found = solve(solver, batch)
    assert found.shape == batch.shape
    for i, j, k in np.ndindex(2, 2, 2):
        torch.testing.assert_close(solve(solver, batch[i, j])[:, k], found[i, j, :, k])
        torch.testing.assert_close(solve(solver, batch[i, j, :, k]), found[i, j, :, k])
    assert solve(solver, batch[..., :0]).shape == (2, 2, solver.size, 0)
    assert solve(solver, batch[:0]).shape == (0, 2, solver.size, 2)


def test_more_columns_than_one_cuda_call_takes(solver_name: str, generator: torch.Generator) -> None:
    matrix = system()
    right = torch.randn(matrix.shape[0], 300, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(matrix @ make(solver_name, matrix).solve(right), right)


def test_input_in_any_memory_layout_is_read_and_left_alone(
    solver_name: str, generator: torch.Generator
) -> None:
    solver = make(solver_name, system())
    right = torch.randn(solver.size, 6, generator=generator, dtype=torch.float64)
    expected = solver.solve(right)
    for strided in (right.T.contiguous().T, right.repeat(2, 1)[: solver.size], right.flip(0).flip(0)):
        kept = strided.clone()
        torch.testing.assert_close(solver.solve(strided), expected)
        assert torch.equal(strided, kept)
    torch.testing.assert_close(solver.solve(right[:, ::2]), expected[:, ::2])
    ones = torch.ones(1, 1, dtype=torch.float64).expand(solver.size, 2)
    torch.testing.assert_close(solver.solve(ones), torch.ones(solver.size, 2, dtype=torch.float64))


def test_changing_a_solution_in_place_does_not_reach_the_next(solver_name: str) -> None:
    solver = make(solver_name, system())
    right = torch.ones(solver.size, 2, dtype=torch.float64)
    solver.solve(right).fill_(math.nan)
    torch.testing.assert_close(solver.solve(right), right)


def test_inverse_is_its_own_adjoint(solver_name: str, generator: torch.Generator) -> None:
    solver = make(solver_name, system())
    x, y = torch.randn(2, solver.size, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(solver.solve(x) @ y, x @ solver.solve(y))


@pytest.mark.slow
def test_gradients_of_first_and_second_order(solver_name: str, generator: torch.Generator) -> None:
    mesh = icosphere(0, dtype=torch.float64)
    solver = make(solver_name, compute_matrix(mesh.vertices, mesh.faces, 2.0))
    for shape in ((12,), (12, 2), (2, 12, 2)):
        right = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        # Conjugate gradients start from the last solution: the same up to their tolerance, not to the last bit.
        assert torch.autograd.gradcheck(lambda u: solve(solver, u), right, nondet_tol=1e-10)
    assert torch.autograd.gradgradcheck(lambda u: solve(solver, u).square(), right[0], nondet_tol=1e-10)
    assert torch.equal(DifferentiableSolve.apply(solver, right), solve(solver, right))


def test_gradient_arrives_through_a_view(solver_name: str) -> None:
    # The gradient of a sum is an expanded one: no memory layout that a solver likes.
    matrix = system()
    right = torch.zeros(3, matrix.shape[0], dtype=torch.float64, requires_grad=True)
    solve(make(solver_name, matrix), right.T).sum().backward()
    torch.testing.assert_close(right.grad, torch.ones_like(right))


def test_coo_csr_and_uncoalesced_matrices_are_the_same(solver_name: str) -> None:
    matrix = system()
    halves = torch.sparse_coo_tensor(
        matrix.indices().repeat(1, 2).flip(1), matrix.values().repeat(2).flip(0) / 2, matrix.shape
    )
    right = torch.arange(matrix.shape[0], dtype=torch.float64)
    expected = make(solver_name, matrix).solve(right)
    for other in (halves, matrix.to_sparse_csr()):
        torch.testing.assert_close(make(solver_name, other).solve(right), expected)


@pytest.mark.parametrize("shape", [(162,), (162, 3), (164, 3), (163, 3, 2), (3, 163), ()])
def test_wrong_number_of_rows_is_refused_before_it_reaches_native_code(solver_name: str, shape) -> None:
    with pytest.raises(ValueError, match=r"b: expected shape \(163,\), \(163, k\) .*was the mesh changed"):
        make(solver_name, system()).solve(torch.zeros(shape, dtype=torch.float64))


def test_another_type_is_refused(solver_name: str) -> None:
    solver = make(solver_name, system(torch.float32))
    with pytest.raises(ValueError, match=r"b: expected torch\.float32, like the matrix, got torch\.float64"):
        solver.solve(torch.zeros(163, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match="b: expected a tensor on cpu, like the matrix, got meta"):
        solver.solve(torch.zeros(163, 3, device="meta"))


def bad_matrices() -> dict[str, tuple[Tensor, str]]:
    """Matrices that can't be factored, and what the error says."""
    symmetric = torch.tensor([[2.0, -1], [-1, 2]])
    skewed, holed, indefinite = symmetric.clone(), symmetric.clone(), symmetric.clone()
    skewed[0, 1], holed[1, 1], indefinite[1, 0], indefinite[0, 1] = -1.01, math.nan, -3.0, -3.0
    return {
        "dense": (symmetric, "expected a sparse COO or CSR tensor"),
        "empty": (torch.zeros(0, 0).to_sparse(), "at least one row"),
        "half": (symmetric.half().to_sparse(), "expected float32 or float64, got torch.float16"),
        "skewed": (skewed.to_sparse(), "expected a symmetric matrix, got entries 0.0"),
        "one-sided": (symmetric.triu().to_sparse(), "expected a symmetric matrix, got entries 1 apart"),
        "not finite": (holed.to_sparse(), "expected finite entries, got nan in row 1"),
        "indefinite": (indefinite.to_sparse(), "expected a positive definite matrix.* negative lambda"),
        "negative": (-torch.eye(2).to_sparse(), "expected a positive definite matrix"),
        "singular": (torch.tensor([[1.0, 0], [0, 0]]).to_sparse(), "expected a positive definite matrix"),
    }


def test_a_matrix_that_is_not_square_is_refused() -> None:
    with pytest.raises(ValueError, match=r"M: expected a square matrix with .* got shape \(1, 2\)"):
        checked_csr(torch.ones(1, 2).to_sparse())


@pytest.mark.parametrize("kind", bad_matrices())
def test_bad_matrix_is_refused(solver_name: str, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    matrix, message = bad_matrices()[kind]
    with pytest.raises(ValueError, match=f"^M: .*{message}") as caught:
        make(solver_name, matrix).solve(torch.tensor([1.0, 0.9]))  # CG sees the sign in the first direction
    assert "\n" not in str(caught.value)
    assert "CHOLMOD" not in capfd.readouterr().out


def test_the_backend_in_use_is_known_and_strangers_are_refused() -> None:
    assert CholeskySolver(system()).backend == "cholespy"
    with pytest.raises(
        ValueError, match="backend: expected 'auto' or one of cholespy, scikit-sparse, got 'lapack'"
    ):
        CholeskySolver(system(), backend="lapack")


def test_missing_backends_say_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sksparse.cholmod", None)
    with pytest.raises(ImportError, match=r"scikit-sparse can't be imported .* pip install scikit-sparse"):
        CholeskySolver(system(), backend="scikit-sparse")
    monkeypatch.setitem(sys.modules, "cholespy", None)
    with pytest.raises(ImportError, match="pip install cholespy; or scikit-sparse can't be imported"):
        CholeskySolver(system())


class FakeFactor:
    """As the factors of scikit-sparse 0.5: an object with `solve`, here by SciPy."""

    def __init__(self, matrix: scipy.sparse.csc_matrix) -> None:
        self.solve = scipy.sparse.linalg.splu(matrix).solve


def newer_scikit_sparse(cho_factor) -> types.ModuleType:
    """A module with the names of scikit-sparse 0.5, whose headers are too new for many systems."""
    module = types.ModuleType("sksparse.cholmod")
    errors = ("CholmodNotPositiveDefiniteError", "CholmodOverflowError", "CholmodOutOfMemoryError")
    for name in errors:
        setattr(module, name, type(name, (Exception,), {}))
    module.cho_factor = cho_factor
    return module


def test_scikit_sparse_from_0_5_on(monkeypatch: pytest.MonkeyPatch, generator: torch.Generator) -> None:
    def cho_factor(A, beta=0.0, *, lower=False, order="default", sym_kind=None, supernodal_mode=None):
        assert supernodal_mode in ("auto", "simplicial", "supernodal")
        return FakeFactor(A)

    module = newer_scikit_sparse(cho_factor)
    monkeypatch.setitem(sys.modules, "sksparse", types.ModuleType("sksparse"))
    monkeypatch.setattr(sys.modules["sksparse"], "cholmod", module, raising=False)
    monkeypatch.setitem(sys.modules, "sksparse.cholmod", module)
    matrix = system()
    right = torch.randn(matrix.shape[0], 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(matrix @ CholeskySolver(matrix, backend="scikit-sparse").solve(right), right)

    for name, message in (
        ("CholmodNotPositiveDefiniteError", "M: expected a positive definite matrix"),
        ("CholmodOverflowError", "out of reach .*use ConjugateGradientSolver"),
    ):

        def failing(*args, name=name, **options):
            raise getattr(module, name)("no")

        monkeypatch.setattr(module, "cho_factor", failing)
        with pytest.raises(ValueError, match=message):
            CholeskySolver(matrix, backend="scikit-sparse")


@pytest.mark.skipif(sys.platform == "win32", reason="finds the C library by another name")
def test_a_factor_that_does_not_fit_is_an_error_and_not_a_crash(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # CHOLMOD's way of giving up on two million unknowns in a volume: a printed line, through C's own buffer.
    class GivesUp:
        def __init__(self, *args: object) -> None:
            ctypes.CDLL(None).puts(b"CHOLMOD error: problem too large. file: change_factor.c line: 536")
            ctypes.CDLL(None).puts(b"something else")

    monkeypatch.setattr("cholespy.CholeskySolverD", GivesUp)
    with pytest.raises(ValueError, match=r"163 x 163 .*\(problem too large\); use ConjugateGradientSolver"):
        CholeskySolver(system(), backend="cholespy")
    assert capfd.readouterr().out == "something else\n"


def test_cholespy_is_given_only_the_first_gpu() -> None:
    matrix = cholesky_backends.csr_array(np.eye(2))
    with pytest.raises(ValueError, match="first CUDA device only, got a matrix on cuda:1"):
        cholesky_backends.CholespyFactor(matrix, torch.float32, torch.device("cuda", 1))


def test_conjugate_gradients_reach_the_tolerance_they_promise(generator: torch.Generator) -> None:
    matrix = system(lambda_=300.0, level=3)
    # Columns of very different sizes, and one of zeros: each has the tolerance relative to itself.
    right = torch.randn(matrix.shape[0], 4, generator=generator, dtype=torch.float64)
    right *= torch.tensor([1e-8, 1.0, 1e8, 0.0], dtype=torch.float64)
    for rtol in (1e-3, 1e-10):
        solver = ConjugateGradientSolver(matrix, rtol=rtol)
        found = solver.solve(right)
        residual = (right - matrix @ found).norm(dim=0)
        assert (residual <= 1.01 * rtol * right.norm(dim=0)).all()
        assert not found[:, 3].any()
        assert solver.convergence.residual <= rtol and solver.convergence.iterations > 3


def test_conjugate_gradients_end_in_as_many_steps_as_eigenvalues(generator: torch.Generator) -> None:
    # In exact arithmetic; the preconditioner makes a constant diagonal plus a rank-one matrix two eigenvalues.
    matrix = (3 * torch.eye(50, dtype=torch.float64) + 1).to_sparse()
    solver = ConjugateGradientSolver(matrix)
    solver.solve(torch.randn(50, generator=generator, dtype=torch.float64))
    assert solver.convergence.iterations == 2


def test_the_preconditioner_makes_a_diagonal_matrix_one_step(generator: torch.Generator) -> None:
    matrix = torch.diag(torch.logspace(-4, 4, 50, dtype=torch.float64)).to_sparse()
    solver = ConjugateGradientSolver(matrix)
    solver.solve(torch.randn(50, generator=generator, dtype=torch.float64))
    assert solver.convergence.iterations == 1


def test_conjugate_gradients_start_from_the_last_solution_forward_and_backward_apart(
    generator: torch.Generator,
) -> None:
    matrix = system(lambda_=300.0)
    solver = ConjugateGradientSolver(matrix)
    u, g = torch.randn(2, matrix.shape[0], 3, generator=generator, dtype=torch.float64)
    solver.solve(u)
    cold = solver.convergence.iterations
    solver.solve(g, backward=True)
    assert solver.convergence.iterations > cold // 2  # knows nothing of the forward solution
    solver.solve(u)
    assert solver.convergence.iterations == 0
    solver.solve(g, backward=True)
    assert solver.convergence.iterations == 0
    solver.solve(u + 1e-5 * g)
    assert 0 < solver.convergence.iterations < 0.8 * cold
    solver.solve(u[:, :2])  # another shape: from nothing
    assert solver.convergence.iterations > cold // 2


def test_conjugate_gradients_that_do_not_converge_say_so(generator: torch.Generator) -> None:
    matrix = system(lambda_=1e4)
    solver = ConjugateGradientSolver(matrix, max_iterations=5)
    right = torch.randn(matrix.shape[0], 3, generator=generator, dtype=torch.float64)
    with pytest.raises(
        ConvergenceError, match=r"expected .* of 1e-10, got .* after 5 iterations; raise max_iter"
    ):
        solver.solve(right)
    assert issubclass(ConvergenceError, RuntimeError)
    assert solver.convergence.iterations == 5 and solver.convergence.residual > 1e-10


def test_conjugate_gradients_refuse_what_would_never_end() -> None:
    solver = ConjugateGradientSolver(system())
    with pytest.raises(ValueError, match="b: expected finite entries"):
        solver.solve(torch.full((163,), math.nan, dtype=torch.float64))
    for options, name in (
        ({"rtol": 0.0}, "rtol"),
        ({"rtol": math.nan}, "rtol"),
        ({"max_iterations": 0}, "max_iter"),
    ):
        with pytest.raises(ValueError, match=f"{name}.*: expected"):
            ConjugateGradientSolver(system(), **options)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", DTYPES)
def test_cuda_agrees_with_the_cpu(solver_name: str, dtype: torch.dtype, generator: torch.Generator) -> None:
    matrix = system(dtype)
    right = torch.randn(matrix.shape[0], 130, generator=generator, dtype=dtype)
    expected = make(solver_name, matrix).solve(right)
    found = make(solver_name, matrix.cuda()).solve(right.cuda())
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-5 if dtype == torch.float32 else 1e-11)
