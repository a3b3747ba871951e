"""Any solver, differentiable."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from .._support.checks import check_tensor
from .linear_system import eagerly
from .operations import batched_axis, solved


@runtime_checkable
class Solver(Protocol):
    """Anything that solves M x = b for one symmetric M."""

    def solve(self, b: Tensor, backward: bool = False) -> Tensor:
        """Solution x in the shape of b; `backward` tells solves for gradients from the others."""


class DifferentiableSolve(torch.autograd.Function):
    """The solve as an operation of autograd; `solve` is its name in use."""

    @staticmethod
    def forward(solver: Solver, b: Tensor, backward: bool = False) -> Tensor:
        """Solve."""
        return solved(solver, b, backward)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the solver for the way back."""
        ctx.solver = inputs[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor | None, None]:
        """One more solve: M is symmetric, so the adjoint of its inverse is its inverse."""
        if not ctx.needs_input_grad[1]:
            return None, None, None
        return None, DifferentiableSolve.apply(ctx.solver, gradients[0], True), None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        """The tangent of a solution is that of the right-hand side, solved for."""
        return DifferentiableSolve.apply(ctx.solver, tangents[1], True)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[Any, ...], solver: Solver, b: Tensor, *rest: Any
    ) -> tuple[Tensor, int]:
        """All at once."""
        right, axis = batched_axis(b, in_dims[1])
        return DifferentiableSolve.apply(solver, right, *rest), axis


@eagerly
def solve(solver: Solver, u: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Solution v of M v = u for the solver's matrix. Differentiable in `u`, any number of times.

    ``torch.func`` transforms it (grad, vjp, jvp, linearize, vmap, hessian); ``torch.compile`` breaks its graph here.

    Parameters
    ----------
    solver : CholeskySolver, ConjugateGradientSolver, or any object with their `solve`
    u : (V,), (V, k) or (..., V, k) tensor
        All columns and batches share one factor. Of the matrix's type or a narrower one; v has its type.

    Raises
    ------
    ValueError
        Another shape, a wider type or another device than the matrix.
    ConvergenceError
        From ConjugateGradientSolver.
    """
    if isinstance(solver, Tensor) or not callable(getattr(solver, "solve", None)):
        raise ValueError(
            f"solver: expected an object with a method solve, got {type(solver).__name__}; "
            "make CholeskySolver(M) of a matrix"
        )
    check_tensor("u", u)
    return DifferentiableSolve.apply(solver, u)
