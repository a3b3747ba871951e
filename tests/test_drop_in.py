"""Ways in which programs use the published package: what they do must work here after changing the import.

One test for each pattern that client programs were seen to use; the numbers come from dense linear algebra.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

import largesteps_zg as largesteps
from largesteps_zg import parameterize
from largesteps_zg.geometry import compute_matrix, laplacian_uniform
from largesteps_zg.mesh import icosphere
from largesteps_zg.optimize import AdamUniform
from largesteps_zg.parameterize import from_differential, to_differential
from largesteps_zg.solvers import CholeskySolver, ConjugateGradientSolver, Solver, solve

BALL = icosphere(1)
VERTS, FACES = BALL.vertices, BALL.faces


def dense(matrix: Tensor, right: Tensor) -> Tensor:
    """The solution by LAPACK, in double."""
    return torch.linalg.solve(matrix.double().to_dense(), right.double()).to(right.dtype)


def assert_solves(matrix: Tensor, found: Tensor, right: Tensor) -> None:
    torch.testing.assert_close(found, dense(matrix, right), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("method", ["Cholesky", "CG"])
@pytest.mark.parametrize("columns", [None, 1, 3])
def test_results_may_be_written_into_and_gradients_know(method: str, columns: int | None) -> None:
    # Cloth that is pinned at some vertices, and moved as a whole.
    M = compute_matrix(VERTS, FACES, 10)
    right = VERTS[:, 0] if columns is None else VERTS[:, :columns]
    u = to_differential(M, right).requires_grad_()
    x = from_differential(M, u, method)
    kept = dense(M, u.detach())
    x[0] = 0.0
    x += 1.0
    kept[0] = 0.0
    torch.testing.assert_close(x.detach(), kept + 1, atol=2e-5, rtol=1e-4)
    x.square().sum().backward()
    away = 2 * x.detach()
    away[0] = 0.0  # what was overwritten has no gradient
    assert_solves(M, u.grad, away)
    again = from_differential(M, u.detach(), method)  # nothing that was written came back
    torch.testing.assert_close(again, dense(M, u.detach()), atol=2e-5, rtol=1e-4)


def test_every_way_to_a_result_gives_one_of_its_own() -> None:
    shape = largesteps.LargeSteps(FACES, VERTS)
    u = shape.to_differential(VERTS)
    for batch in (u.detach().requires_grad_(), torch.stack([u, u]).requires_grad_()):
        for way in (shape.from_differential, lambda b: solve(shape.solver, b)):
            result = way(batch)
            result[..., 0, :] = 5.0
            result.sum().backward()
            assert torch.isfinite(batch.grad).all()


@pytest.mark.parametrize("method", ["Cholesky", "CG"])
def test_float64_vertices_with_float32_latents(method: str) -> None:
    # Templates come from NumPy in double, and only what is optimised is made float.
    template = VERTS.double().numpy()
    M = compute_matrix(torch.from_numpy(template), FACES.int(), 19)
    u = to_differential(M, torch.from_numpy(template).float())
    assert u.dtype == torch.float32
    u.requires_grad_()
    v = from_differential(M, u, method)
    assert v.dtype == torch.float32
    torch.testing.assert_close(v.detach(), VERTS, atol=1e-5, rtol=0)
    v.square().sum().backward()
    assert u.grad.dtype == torch.float32
    assert_solves(M, u.grad, 2 * v.detach())
    with pytest.raises(ValueError, match=r"expected torch.float32, like the matrix, got torch.float64"):
        from_differential(M.float(), u.detach().double(), method)
    with pytest.raises(ValueError, match=r"^v: expected torch.float32, like the matrix, got torch.float64"):
        to_differential(M.float(), u.detach().double())


class Batched(ConjugateGradientSolver):
    """A subclass with a solve of its own, made of the parts of the published class."""

    def solve(self, b: Tensor, backward: bool = False) -> Tensor:
        if self.guess_fwd is None:
            self.guess_fwd, self.guess_bwd = torch.zeros_like(b), torch.zeros_like(b)
        start = self.guess_bwd if backward else self.guess_fwd
        assert (self.M @ start).shape == b.shape
        x = torch.stack([self.solve_axis(b[:, i], start[:, i]) for i in range(b.shape[1])], dim=1)
        if backward:
            self.guess_bwd = x
        else:
            self.guess_fwd = x
        return x


class ByAxis(ConjugateGradientSolver):
    """A subclass that only replaces the iteration over one column."""

    calls = 0

    def solve_axis(self, b: Tensor, x0: Tensor) -> Tensor:
        self.calls += 1
        return dense(self.M, b)


@pytest.mark.parametrize("kind", [Batched, ByAxis])
def test_conjugate_gradients_may_be_subclassed(kind: type) -> None:
    M = compute_matrix(VERTS, FACES, 10)
    solver = kind(M)
    u = to_differential(M, VERTS).requires_grad_()
    v = solve(solver, u)
    assert_solves(M, v.detach(), u.detach())
    v.square().sum().backward()
    assert_solves(M, u.grad, 2 * v.detach())
    assert solver.guess_fwd.shape == solver.guess_bwd.shape == u.shape
    if kind is ByAxis:
        assert solver.calls == 6


def test_gradients_start_from_gradients_and_positions_from_positions() -> None:
    # Through autograd, not by the argument: the backward pass must say that it is one.
    M = compute_matrix(VERTS, FACES, 300)
    solver = ConjugateGradientSolver(M)
    u = to_differential(M, VERTS).requires_grad_()
    v = solve(solver, u)
    forward, right = solver.guess_fwd, torch.randn(VERTS.shape, generator=torch.Generator().manual_seed(1))
    assert solver.guess_bwd is None
    v.backward(right)
    assert solver.guess_fwd is forward
    torch.testing.assert_close(solver.guess_bwd, u.grad)
    solve(solver, u.detach())
    assert solver.convergence.iterations == 0  # positions found their own last solution


def test_a_state_that_the_published_optimiser_saved() -> None:
    def steps(optimizer: AdamUniform, p: Tensor, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            (p.square().sum() + p[0].sum()).backward()
            optimizer.step()

    p = VERTS.clone().requires_grad_()
    first = AdamUniform([p], lr=0.05)
    steps(first, p, 3)
    saved = copy.deepcopy(first.state_dict())
    for group in saved["param_groups"]:
        del group["eps"]  # the published one has none
    q = p.detach().clone().requires_grad_()
    second = AdamUniform([q], lr=0.05)
    second.load_state_dict(saved)
    steps(first, p, 2)
    steps(second, q, 2)
    assert torch.equal(p, q)


def test_parts_that_programs_reach_into() -> None:
    M = compute_matrix(VERTS, FACES, 10)
    u = to_differential(M, VERTS)
    x = torch.zeros_like(u)
    CholeskySolver(M).solver.solve(u, x)
    assert_solves(M, x, u)

    class Recorded:
        seen = 0

        def solve(self, b: Tensor, backward: bool = False) -> Tensor:
            self.seen += 1
            return dense(M, b)

    mine = Recorded()
    assert isinstance(mine, Solver)
    parameterize.cache_put((id(M), "Cholesky"), mine, M)
    from_differential(M, u, "Cholesky")
    assert mine.seen == 1
    parameterize._cache.clear()
    from_differential(M, u)
    assert mine.seen == 1
    assert isinstance(largesteps.__author__, str)


def test_a_matrix_of_their_own() -> None:
    # Squared for surface tension, and rescaled.
    M = compute_matrix(VERTS, FACES, 10)
    alpha = compute_matrix(VERTS, FACES, None, alpha=0.9)
    g = torch.randn(VERTS.shape, generator=torch.Generator().manual_seed(2))
    for matrix in (M @ M, alpha / (1 - 0.9)):
        assert_solves(matrix, CholeskySolver(matrix).solve(g), g)


def test_an_optimiser_around_the_four_names(unchecked: None) -> None:
    # Its own gradient by a second solve, on a flat vector, with schedulers and groups that have names.
    class Wrapped(AdamUniform):
        def __init__(self, V: Tensor, F: Tensor) -> None:
            self.M, self.V = compute_matrix(V, F, lambda_=19), V
            self.u = to_differential(L=self.M, v=V.detach()).clone().requires_grad_()
            super().__init__([{"params": [self.u], "lr": 0.1, "name": "u"}], betas=(0.9, 0.999))

        def step(self) -> None:
            with torch.no_grad():
                self.u.grad = from_differential(L=self.M, u=self.V.grad)
            super().step()
            with torch.no_grad():
                self.V.copy_(from_differential(L=self.M, u=self.u))
            self.zero_grad(set_to_none=True)

    flat = VERTS.reshape(-1).clone().requires_grad_()
    V = flat.detach().view(-1, 3).clone().requires_grad_()
    optimizer = Wrapped(V, FACES.float())  # faces arrive as floats from some bindings
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=60, eta_min=1e-3)
    losses = []
    for _ in range(60):
        V.grad = None
        loss = (V - 1.2 * VERTS).square().sum()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_a_matrix_as_a_buffer_of_a_module() -> None:
    class Shape(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("M", compute_matrix(VERTS, FACES, 19))
            self.u = torch.nn.Parameter(to_differential(self.M, VERTS))

        def forward(self) -> Tensor:
            return from_differential(self.M, self.u)

    shape = Shape()
    other = Shape()
    other.load_state_dict(shape.state_dict())
    torch.testing.assert_close(other(), VERTS, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [1.0, 0.01, 1e-4])
def test_cotangents_do_not_depend_on_scale(scale: float) -> None:
    # On purpose unlike the published package, which takes small triangles for larger ones.
    whole = compute_matrix(VERTS, FACES, 19, cotan=True).to_dense()
    small = compute_matrix(scale * VERTS, FACES, 19, cotan=True).to_dense()
    torch.testing.assert_close(small, whole, rtol=1e-4, atol=1e-4)


def test_numbers_of_numpy(unchecked: None) -> None:
    whole = compute_matrix(VERTS, FACES, 19.0)
    for lambda_ in (np.float64(19), np.float32(19), np.int32(19), np.array(19.0), torch.tensor(19.0)):
        assert torch.equal(compute_matrix(VERTS, FACES, lambda_).to_dense(), whole.to_dense())
    assert compute_matrix(VERTS, FACES, None, np.float64(0.5)).is_coalesced()
    optimizer = AdamUniform([VERTS.clone().requires_grad_()], lr=np.float64(0.1), betas=np.array([0.5, 0.9]))
    assert [type(x) for x in (optimizer.defaults["lr"], *optimizer.defaults["betas"])] == [float] * 3
    verts, faces, u = VERTS.numpy(), FACES.numpy(), VERTS.numpy()
    for name, call in {
        "verts": lambda: laplacian_uniform(verts, FACES),
        "faces": lambda: compute_matrix(VERTS, faces, 19, cotan=True),
        "vertices": lambda: largesteps.LargeSteps(FACES, verts),
        "L": lambda: from_differential(whole.to_dense().numpy(), VERTS),
        "u": lambda: from_differential(whole, u),
        "v": lambda: to_differential(whole, u),
        "M": lambda: CholeskySolver(whole.to_dense().numpy()),
        "b": lambda: ConjugateGradientSolver(whole).solve(u),
        "lambda_": lambda: compute_matrix(VERTS, FACES, np.array([1.0, 2.0])),
        "alpha": lambda: compute_matrix(VERTS, FACES, None, "0.5"),
        "lr": lambda: AdamUniform([VERTS.clone()], lr="0.1"),
    }.items():
        with pytest.raises(ValueError, match=rf"^{name}: expected .*, got ") as caught:
            call()
        assert "\n" not in str(caught.value)
