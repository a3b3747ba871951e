"""Sparse Cholesky factors by other people's libraries: one thin adapter each, imported on first use.

An adapter is made from a checked matrix and offers ``solve(columns)`` for a contiguous (V, n) tensor of the
matrix's type on its device. The checks are the caller's; see `linear_system`.
"""

from __future__ import annotations

import atexit
import weakref
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from scipy.sparse import csc_matrix, csr_array
from torch import Tensor

from .._support.native_output import caught, hand_on
from .linear_system import not_positive_definite, too_large

# cholespy's bindings print a list of "leaks" for every factor that a script still holds when Python ends.
_alive: weakref.WeakSet[CholespyFactor] = weakref.WeakSet()


@atexit.register
def _let_go() -> None:
    for factor in list(_alive):
        factor.__dict__.pop("native", None)


_CUDA_COLUMNS = 128  # the most that cholespy's CUDA kernels take at once


@runtime_checkable
class Factor(Protocol):
    """A factored matrix.

    Attributes
    ----------
    native : object
        What the library made of it.
    """

    native: Any

    def solve(self, columns: Tensor) -> Tensor:
        """Solution of M x = columns, both (V, n)."""


class CholespyFactor:
    """`cholespy`: factors on the CPU, solves on CPU or CUDA."""

    def __init__(self, system: csr_array, dtype: torch.dtype, device: torch.device) -> None:
        import cholespy

        size = system.shape[0]
        if max(size, system.nnz) >= 2**31:
            raise too_large(size, "more than 2^31 entries")
        if device.type == "cuda" and device.index not in (None, 0):
            raise ValueError(
                f"M: cholespy solves on the first CUDA device only, got a matrix on {device}; "
                "use ConjugateGradientSolver, or make this device the first with CUDA_VISIBLE_DEVICES"
            )
        kind = cholespy.CholeskySolverD if dtype == torch.float64 else cholespy.CholeskySolverF
        # CSR, never CSC: cholespy reallocates a CSC matrix in place, though the memory is ours.
        arrays = (
            torch.from_numpy(system.indptr.astype(np.int32, copy=False)).to(device),
            torch.from_numpy(system.indices.astype(np.int32, copy=False)).to(device),
            torch.from_numpy(system.data).to(device),
        )
        printed: list[str] = []
        try:
            with caught("stdout") as printed:
                self.native = kind(size, *arrays, cholespy.MatrixType.CSR)
        except ValueError as error:
            if "positive definite" in str(error):
                raise not_positive_definite() from error
            raise
        finally:
            hand_on([line for line in printed if not line.startswith("CHOLMOD ")], "stdout")
        # The only way to learn that CHOLMOD gave up inside cholespy: it prints so. cholespy doesn't look, and the
        # first solve would end the process.
        for line in printed:
            if line.startswith("CHOLMOD error"):
                raise too_large(size, line.removeprefix("CHOLMOD error: ").split(". file:")[0])
        _alive.add(self)
        self._most = _CUDA_COLUMNS if device.type == "cuda" else None

    def solve(self, columns: Tensor) -> Tensor:
        """Solution of M x = columns, both (V, n)."""
        if columns.shape[1] == 0:
            return columns.clone()
        if self._most is not None and columns.shape[1] > self._most:
            return torch.cat(
                [self.solve(part.contiguous()) for part in columns.split(self._most, dim=1)], dim=1
            )
        solution = torch.empty_like(columns)
        if columns.device.type == "cuda":
            # cholespy works on the default stream, whatever the current one is.
            torch.cuda.current_stream(columns.device).synchronize()
        self.native.solve(columns, solution)
        if columns.device.type == "cuda" and torch.cuda.current_stream(columns.device).cuda_stream != 0:
            torch.cuda.default_stream(columns.device).synchronize()
        return solution


class ScikitSparseFactor:
    """`scikit-sparse`, of the 0.4 series (``cholesky``) or from 0.5 (``cho_factor``); solves on the CPU."""

    def __init__(self, system: csr_array, dtype: torch.dtype, device: torch.device) -> None:
        del dtype, device  # double precision on the CPU inside; `solve` converts
        from sksparse import cholmod

        # The rows of a symmetric matrix are its columns. A `csc_array` is not known to every version.
        matrix = csc_matrix((system.data, system.indices, system.indptr), shape=system.shape)
        too_big = (
            getattr(cholmod, "CholmodTooLargeError", None) or cholmod.CholmodOverflowError,
            cholmod.CholmodOutOfMemoryError,
        )
        try:
            # Simplicial: a slower factor than the supernodal one, but the faster solve, and solves are many.
            if hasattr(cholmod, "cho_factor"):
                self.native = cholmod.cho_factor(matrix, lower=True, supernodal_mode="simplicial")
                self._solve = self.native.solve
            else:
                self.native = self._solve = cholmod.cholesky(matrix, mode="simplicial")
                # This is an LDL' factor, which indefinite matrices have, too.
                if not (self.native.D() > 0).all():
                    raise not_positive_definite()
        except cholmod.CholmodNotPositiveDefiniteError as error:
            raise not_positive_definite() from error
        except too_big as error:
            raise too_large(system.shape[0], str(error)) from error

    def solve(self, columns: Tensor) -> Tensor:
        """Solution of M x = columns, both (V, n)."""
        if columns.shape[1] == 0:
            return columns.clone()
        solution = self._solve(np.asfortranarray(columns.double().cpu().numpy()))
        return torch.from_numpy(np.ascontiguousarray(solution)).to(columns)


_BACKENDS: dict[str, tuple[type[Any], str, str]] = {
    "cholespy": (CholespyFactor, "cholespy", "pip install cholespy"),
    "scikit-sparse": (
        ScikitSparseFactor,
        "sksparse.cholmod",
        "install SuiteSparse's headers (Debian: libsuitesparse-dev), then pip install scikit-sparse",
    ),
}


def factor(
    system: csr_array, *, backend: str, dtype: torch.dtype, device: torch.device
) -> tuple[Factor, str]:
    """Factor a checked matrix with the backend of that name, or the first that can be imported.

    Also returns the name of the one in use.

    Raises
    ------
    ImportError
        The backend, or with "auto" every backend, is missing.
    ValueError
        No such backend; a matrix that is not positive definite, or too large.
    """
    if backend != "auto" and backend not in _BACKENDS:
        raise ValueError(f"backend: expected 'auto' or one of {', '.join(_BACKENDS)}, got {backend!r}")
    missing = []
    for name in _BACKENDS if backend == "auto" else (backend,):
        kind, module, remedy = _BACKENDS[name]
        try:
            __import__(module)
        except ImportError as error:
            missing.append(f"{name} can't be imported ({error}); {remedy}")
            continue
        return kind(system, dtype, device), name
    raise ImportError("CholeskySolver: " + "; or ".join(missing))
