"""What all solvers share: checks of a matrix and of a right-hand side, and the shape that they solve in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from .._support.checks import check_tensor

_SYMMETRY = {torch.float32: 1e-5, torch.float64: 1e-12}  # largest asymmetry, as a part of the largest entry


def checked_csr(matrix: Tensor) -> csr_array:
    """The matrix in double precision on the CPU, after a look at everything that factoring takes for granted.

    Raises
    ------
    ValueError
        Not a square, sparse, float32 or float64 matrix; without rows; not finite; not symmetric.
    """
    check_tensor("M", matrix)
    if matrix.layout not in (torch.sparse_coo, torch.sparse_csr):
        raise ValueError(
            f"M: expected a sparse COO or CSR tensor, got layout {matrix.layout}; use M.to_sparse()"
        )
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise ValueError(
            f"M: expected a square matrix with at least one row, got shape {tuple(matrix.shape)}"
        )
    if matrix.dtype not in _SYMMETRY:
        raise ValueError(
            f"M: expected float32 or float64, got {matrix.dtype}; build it from float32 vertices"
        )
    rows, columns, values = (part.cpu().numpy() for part in _csr(matrix.detach()))
    system = csr_array((values.astype(np.float64), columns, rows), shape=tuple(matrix.shape))
    finite = np.isfinite(system.data)
    if not finite.all():
        bad = int(np.argmin(finite))
        row = int(np.searchsorted(system.indptr, bad, side="right")) - 1
        raise ValueError(
            f"M: expected finite entries, got {system.data[bad]} in row {row}; look at its weights"
        )
    _check_symmetric(system, _SYMMETRY[matrix.dtype])
    _check_held(system, matrix.dtype)
    return system


def _csr(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Row pointers, columns and values; duplicate entries summed and columns in rising order."""
    if matrix.layout == torch.sparse_csr:
        matrix = matrix.to_sparse_coo()
    matrix = matrix.coalesce()
    rows, columns = matrix.indices()
    pointers = torch.zeros(matrix.shape[0] + 1, dtype=torch.int64, device=rows.device)
    pointers[1:] = torch.bincount(rows, minlength=matrix.shape[0]).cumsum(0)
    return pointers, columns, matrix.values()


def _check_symmetric(system: csr_array, tolerance: float) -> None:
    """Raise unless the matrix is its own transpose, up to rounding."""
    other = system.tocsc()  # the same arrays as CSR describe the transpose: a counting sort, no comparison
    if np.array_equal(other.indptr, system.indptr) and np.array_equal(other.indices, system.indices):
        difference = np.abs(other.data - system.data).max(initial=0)
    else:
        difference = abs(system - system.T).max()
    largest = np.abs(system.data).max(initial=0)
    if difference > tolerance * largest:
        raise ValueError(
            f"M: expected a symmetric matrix, got entries {difference:g} apart from their mirror images; "
            "a mass matrix on one side, or edited rows, break the symmetry"
        )


def _check_held(system: csr_array, dtype: torch.dtype) -> None:
    """Raise if rounding the matrix to its type has left nothing of its solutions.

    Rounding changes entries by up to ``eps |M|``, and a solution x by up to ``eps |M^-1| |M| |x|``: relative to x by
    Skeel's condition number (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 7.2) times eps.
    With s for the largest row sum and M^-1 >= 0, as of I + lambda L, ``M^-1 1 >= 1 / s``, so that this number is at
    least the mean of the rows' absolute sums over s: 1 + 2 lambda times the mean degree. At 1 no digit is sure.
    """
    rows = np.ones(system.shape[0])
    total, sizes = float(np.abs(system @ rows).max()), float((abs(system) @ rows).mean())
    eps = torch.finfo(dtype).eps
    if sizes * eps >= total:
        condition = f"at least {sizes / total:.1g}" if total else "infinite"
        cure = (
            "build it from float64 vertices" if dtype == torch.float32 else "add a multiple of the identity"
        )
        raise ValueError(
            f"M: expected a condition below {1 / eps:.1g}, which {dtype} can hold, got one that is {condition}; "
            f"lower lambda (or alpha), or {cure}"
        )


def not_positive_definite() -> ValueError:
    """The error for a matrix that has no Cholesky factor."""
    return ValueError(
        "M: expected a positive definite matrix, got one that is not; a negative lambda or negative weights "
        "of your own do that (geometry.compute_matrix with lambda_ >= 0 never does)"
    )


def too_large(size: int, reason: str) -> ValueError:
    """The error for a matrix that a factoring backend can't hold."""
    return ValueError(
        f"M: a Cholesky factor of this {size:,} x {size:,} matrix is out of reach ({reason}); "
        "use ConjugateGradientSolver (method='CG', solver='cg'), which needs no factor"
    )


def to_columns(right: Tensor, *, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """One contiguous (V, n) matrix from right-hand sides (V,), (V, k) or (..., V, k), after checking them."""
    check_tensor("b", right)
    rows = right.shape[0] if right.ndim == 1 else right.shape[-2] if right.ndim else None
    if rows != size:
        raise ValueError(
            f"b: expected shape ({size},), ({size}, k) or (..., {size}, k), got {tuple(right.shape)}; "
            "was the mesh changed after the solver was made?"
        )
    if not right.dtype.is_floating_point or torch.promote_types(right.dtype, dtype) != dtype:
        raise ValueError(
            f"b: expected {dtype}, like the matrix, got {right.dtype}; convert it, or build M in that type"
        )
    if right.device != device:
        raise ValueError(
            f"b: expected a tensor on {device}, like the matrix, got {right.device}; move one of them"
        )
    right = right.detach().to(dtype)
    if right.ndim == 1:
        return right[:, None].contiguous()
    return right.movedim(-2, 0).reshape(size, -1).contiguous()


def from_columns(columns: Tensor, shape: torch.Size) -> Tensor:
    """The solution in the shape of the right-hand side."""
    if columns.shape == shape:
        return columns
    if len(shape) <= 2:
        return columns.reshape(shape)
    return columns.reshape(shape[-2], *shape[:-2], shape[-1]).movedim(0, -2)


def own_copy(matrix: Tensor) -> Tensor:
    """The matrix as it is now, coalesced and in COO, whatever its owner does to it later."""
    matrix = matrix.detach()
    return (matrix.to_sparse_coo() if matrix.layout == torch.sparse_csr else matrix).coalesce().clone()


def eagerly(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with `torch.compile` told to break its graph there: native solvers can't be traced."""

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        # Not decorated at import, because the compiler takes seconds to load. Before torch 2.3 it can't be asked,
        # but breaks the graph by itself.
        compiling = getattr(torch.compiler, "is_compiling", None)
        if compiling is not None and compiling():
            return torch.compiler.disable(function)(*arguments, **options)
        return function(*arguments, **options)

    return call
