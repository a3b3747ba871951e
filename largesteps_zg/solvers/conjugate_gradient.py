"""Conjugate gradients: solves without a factor, on any device, where the factor would be too large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from scipy.sparse import csr_array
from torch import Tensor

from .._support.while_inside import silence
from .linear_system import checked_csr, from_columns, not_positive_definite, own_copy, to_columns

_DERIVED = frozenset({"_matrix", "_inverse_diagonal"})
_RTOL = {torch.float32: 1e-6, torch.float64: 1e-10}


class ConvergenceError(RuntimeError):
    """An iterative method stopped at its cap, short of its tolerance."""


@dataclass(frozen=True)
class Convergence:
    """How a solve ended.

    Attributes
    ----------
    iterations : int
    residual : float
        Largest of ``|b - M x| / |b|`` over the columns, as the iteration tracks it.
    """

    iterations: int
    residual: float


class ConjugateGradientSolver:
    """Solve M x = b by conjugate gradients with a Jacobi preconditioner.

    Every column has its own step lengths; all run together. A solve starts from the solution of the solve
    before it, forward and backward solves apart: over an optimisation both change little from step to step.
    So results repeat within the tolerance, and not to the last bit.

    Parameters
    ----------
    M : (V, V) sparse tensor
        Symmetric and positive definite. COO or CSR, float32 or float64, on any device. Taken as a constant.
    rtol : float, optional
        Stop when ``|b - M x| <= rtol |b|`` in every column. Default 1e-6 in float32, 1e-10 in float64.
    max_iterations : int
        The cap. About ``sqrt(condition) / 2 * log(2 / rtol)`` are needed: 100 for lambda 19, 1,000 for 2,000.

    Attributes
    ----------
    convergence : Convergence or None
        How the last solve ended.
    M : (V, V) sparse tensor
        A copy of the matrix.
    guess_fwd, guess_bwd : tensor or None
        The last solutions (V, n) of forward and of backward solves, where the next ones start.

    Notes
    -----
    May be subclassed as in the published ``largesteps`` package: `solve`, or `solve_axis`, which then solves for one
    column after the other. Copies and pickles hold the matrix and the guesses.

    Raises
    ------
    ValueError
        A matrix that is not symmetric, finite, square; rtol or cap out of range.
    """

    def __init__(
        self, M: Float[Tensor, "V V"], *, rtol: float | None = None, max_iterations: int = 10_000
    ) -> None:
        system = checked_csr(M)
        self.M = own_copy(M)
        self.rtol = _RTOL[M.dtype] if rtol is None else rtol
        self.max_iterations = max_iterations
        self.convergence: Convergence | None = None
        self.guess_fwd: Tensor | None = None
        self.guess_bwd: Tensor | None = None
        if not 0 < self.rtol < 1:
            raise ValueError(f"rtol: expected a number in (0, 1), got {rtol}")
        if max_iterations < 1:
            raise ValueError(f"max_iterations: expected a number >= 1, got {max_iterations}")
        self._make(system)

    def _make(self, system: csr_array) -> None:
        """What is derived from the matrix."""
        self.size, self.dtype, self.device = system.shape[0], self.M.dtype, self.M.device
        diagonal = torch.from_numpy(system.diagonal()).to(dtype=self.dtype, device=self.device)
        if not bool((diagonal > 0).all()):
            raise not_positive_definite()
        self._inverse_diagonal = diagonal.reciprocal()[:, None]
        with silence:  # torch calls its CSR products a beta feature, once per process
            self._matrix = torch.sparse_csr_tensor(
                torch.from_numpy(system.indptr).to(self.device),
                torch.from_numpy(system.indices).to(self.device),
                torch.from_numpy(system.data).to(dtype=self.dtype, device=self.device),
                size=tuple(self.M.shape),
            )

    def __getstate__(self) -> dict[str, Any]:
        """All but what is derived from the matrix: not every version of torch can copy a CSR tensor."""
        return {name: value for name, value in self.__dict__.items() if name not in _DERIVED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The same solver."""
        self.__dict__.update(state)
        self._make(checked_csr(self.M))

    def solve(self, b: Float[Tensor, "..."], backward: bool = False) -> Float[Tensor, "..."]:
        """Solution x of M x = b, in the shape of b: (V,), (V, k) or (..., V, k). Not recorded by autograd.

        Parameters
        ----------
        b : tensor of the matrix's type or a narrower one, on its device
            The solution has its type.
        backward : bool
            Which of the two earlier solutions to start from.

        Raises
        ------
        ConvergenceError
            The tolerance was not reached within the cap.
        ValueError
            Another shape, a wider type or another device; entries that are not finite; a matrix that is indefinite.
        """
        right = to_columns(b, size=self.size, dtype=self.dtype, device=self.device)
        if not bool(torch.isfinite(right).all()):
            raise ValueError("b: expected finite entries, got some that are not; is the loss finite?")
        guess = self.guess_bwd if backward else self.guess_fwd
        if guess is None or guess.shape != right.shape:
            guess = torch.zeros_like(right)
        if type(self).solve_axis is ConjugateGradientSolver.solve_axis:
            solution = self._iterate(right, guess.to(right))
        else:
            columns = zip(right.unbind(1), guess.to(right).unbind(1), strict=True)
            solution = torch.stack([self.solve_axis(column, start) for column, start in columns], dim=1)
        if backward:
            self.guess_bwd = solution
        else:
            self.guess_fwd = solution
        # A clone: callers may change what they get in place, and the guess must not follow.
        return from_columns(solution.to(b.dtype, copy=True), b.shape)

    def solve_axis(self, b: Float[Tensor, " V"], x0: Float[Tensor, " V"]) -> Float[Tensor, " V"]:
        """Solution of M x = b for one column, from the guess x0: for subclasses, which may replace it."""
        return self._iterate(b[:, None], x0[:, None])[:, 0]

    def _iterate(self, b: Tensor, x: Tensor) -> Tensor:
        """Preconditioned conjugate gradients on all columns of b (V, n), from x."""
        limit = self.rtol * torch.linalg.vector_norm(b, dim=0)
        x = torch.where(limit > 0, x, 0)  # the answer to a zero column is zero, whatever the guess
        residual = b - self._matrix @ x
        step = preconditioned = self._inverse_diagonal * residual
        decrease = (residual * preconditioned).sum(dim=0)
        stride = 1 if b.device.type == "cpu" else 10  # a look at the residual makes a GPU wait
        for iteration in range(self.max_iterations + 1):
            if iteration % stride == 0 or iteration == self.max_iterations:
                size = torch.linalg.vector_norm(residual, dim=0)
                if bool((size <= limit).all()):
                    break
            image = self._matrix @ step
            curvature = (step * image).sum(dim=0)
            if iteration % stride == 0 and bool(((curvature <= 0) & (size > limit)).any()):
                raise not_positive_definite()
            # A column that has reached its solution exactly has nothing left to divide.
            length = torch.where(curvature > 0, decrease / curvature, 0)
            x = x + length * step
            residual = residual - length * image
            preconditioned = self._inverse_diagonal * residual
            previous, decrease = decrease, (residual * preconditioned).sum(dim=0)
            step = preconditioned + torch.where(previous > 0, decrease / previous, 0) * step
        relative = float((size / (limit / self.rtol)).nan_to_num(0.0).max()) if b.numel() else 0.0
        self.convergence = Convergence(iteration, relative)
        if not bool((size <= limit).all()):
            raise ConvergenceError(
                f"conjugate gradients: expected a relative residual of {self.rtol:.2g}, got {relative:.2g} after "
                f"{iteration} iterations; raise max_iterations or rtol, lower lambda, or use CholeskySolver"
            )
        return x
