"""Any solver, differentiable."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Solver(Protocol):
    """Anything that solves M x = b for one symmetric M."""

    def solve(self, b: Tensor, backward: bool = False) -> Tensor:
        """Solution x in the shape of b; `backward` tells solves for gradients from the others."""


class DifferentiableSolve(torch.autograd.Function):
    """The solve as an operation of autograd; `solve` is its name in use."""

    @staticmethod
    def forward(ctx: Any, solver: Solver, b: Tensor, backward: bool = False) -> Tensor:
        """Solve, and keep the solver for the way back."""
        ctx.solver = solver
        return solver.solve(b, backward=backward)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor | None, None]:
        """One more solve: M is symmetric, so the adjoint of its inverse is its inverse."""
        if not ctx.needs_input_grad[1]:
            return None, None, None
        return None, DifferentiableSolve.apply(ctx.solver, gradients[0], True), None


def solve(solver: Solver, u: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Solution v of M v = u for the solver's matrix. Differentiable in `u`, any number of times.

    Parameters
    ----------
    solver : CholeskySolver, ConjugateGradientSolver, or any object with their `solve`
    u : (V,), (V, k) or (..., V, k) tensor
        All columns and batches share one factor.

    Raises
    ------
    ValueError
        Another shape, type or device than the matrix.
    ConvergenceError
        From ConjugateGradientSolver.
    """
    return DifferentiableSolve.apply(solver, u)
