"""What all solvers share: checks of a matrix and of a right-hand side, and the shape that they solve in."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

_SYMMETRY = {torch.float32: 1e-5, torch.float64: 1e-12}  # largest asymmetry, as a part of the largest entry


def checked_csr(matrix: Tensor) -> csr_array:
    """The matrix in double precision on the CPU, after a look at everything that factoring takes for granted.

    Raises
    ------
    ValueError
        Not a square, sparse, float32 or float64 matrix; without rows; not finite; not symmetric.
    """
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
    rows = right.shape[0] if right.ndim == 1 else right.shape[-2] if right.ndim else None
    if rows != size:
        raise ValueError(
            f"b: expected shape ({size},), ({size}, k) or (..., {size}, k), got {tuple(right.shape)}; "
            "was the mesh changed after the solver was made?"
        )
    if right.dtype != dtype:
        raise ValueError(
            f"b: expected {dtype}, like the matrix, got {right.dtype}; convert it, or build M in that type"
        )
    if right.device != device:
        raise ValueError(
            f"b: expected a tensor on {device}, like the matrix, got {right.device}; move one of them"
        )
    right = right.detach()
    if right.ndim == 1:
        return right[:, None].contiguous()
    return right.movedim(-2, 0).reshape(size, -1).contiguous()


def from_columns(columns: Tensor, shape: torch.Size) -> Tensor:
    """The solution in the shape of the right-hand side."""
    if len(shape) <= 2:
        return columns.reshape(shape)
    return columns.reshape(shape[-2], *shape[:-2], shape[-1]).movedim(0, -2)
