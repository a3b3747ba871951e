"""Linear solvers: factor once, solve often, and let autograd pass.

``CholeskySolver`` is the one to use; ``ConjugateGradientSolver`` is for matrices whose factor does not fit.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from .cholesky_backends import factor
from .conjugate_gradient import ConjugateGradientSolver as ConjugateGradientSolver
from .conjugate_gradient import Convergence as Convergence
from .conjugate_gradient import ConvergenceError as ConvergenceError
from .linear_system import checked_csr, from_columns, to_columns


@runtime_checkable
class Solver(Protocol):
    """Anything that solves M x = b for one symmetric M."""

    def solve(self, b: Tensor, backward: bool = False) -> Tensor:
        """Solution x in the shape of b; `backward` tells solves for gradients from the others."""


class CholeskySolver:
    """Solve M x = b with a sparse Cholesky factor that is made once, here.

    Parameters
    ----------
    M : (V, V) sparse tensor
        Symmetric and positive definite. COO or CSR, float32 or float64, on the CPU or a CUDA device. Taken as
        a constant: the factor is that of its values now, and no gradient flows to them.
    backend : {"auto", "cholespy", "scikit-sparse"}
        "auto" takes cholespy, or else scikit-sparse (which solves on the CPU wherever the tensors are).

    Attributes
    ----------
    backend : str
        The one in use.

    Raises
    ------
    ValueError
        A matrix that is not square, symmetric, finite or positive definite, or whose factor is too large.
    ImportError
        The backend is missing; tells how to install it.

    Notes
    -----
    The factor is in double precision on the CPU, also for a float32 matrix. Two cores, 3 columns, 10,242
    vertices: factor 40 ms, solve 0.4 ms.
    """

    def __init__(self, M: Float[Tensor, "V V"], *, backend: str = "auto") -> None:
        system = checked_csr(M)
        self.size, self.dtype, self.device = system.shape[0], M.dtype, M.device
        self._factor, self.backend = factor(system, backend=backend, dtype=M.dtype, device=M.device)

    def solve(self, b: Float[Tensor, "..."], backward: bool = False) -> Float[Tensor, "..."]:
        """Solution x of M x = b, in the shape of b: (V,), (V, k) or (..., V, k). Not recorded by autograd.

        Parameters
        ----------
        b : tensor of the matrix's type, on its device
        backward : bool
            Makes no difference here.

        Raises
        ------
        ValueError
            Another shape, type or device.
        """
        del backward
        columns = to_columns(b, size=self.size, dtype=self.dtype, device=self.device)
        return from_columns(self._factor.solve(columns), b.shape)


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
