"""Linear solvers: factor once, solve often, and let autograd pass.

``CholeskySolver`` is the one to use; ``ConjugateGradientSolver`` is for matrices whose factor does not fit.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from scipy.sparse import csr_array
from torch import Tensor

from .cholesky_backends import factor
from .linear_system import checked_csr, from_columns, own_copy, to_columns


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
    solver : object
        The backend's own object.

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

    Copies, pickles and files of ``torch.save`` hold the matrix; the factor is made anew, on the device that
    ``torch.load`` maps it to. Factors may be made in several threads at once.

    Memory: cholespy 2.2 keeps the space that a factor solved in when the factor is dropped: 8 bytes for each vertex and
    column. A program that makes thousands had better take ConjugateGradientSolver.
    """

    def __init__(self, M: Float[Tensor, "V V"], *, backend: str = "auto") -> None:
        system = checked_csr(M)
        self._matrix, self._wanted = own_copy(M), backend
        self._make(system)

    def _make(self, system: csr_array) -> None:
        """Factor the matrix."""
        self.size, self.dtype, self.device = system.shape[0], self._matrix.dtype, self._matrix.device
        self._factor, self.backend = factor(
            system, backend=self._wanted, dtype=self.dtype, device=self.device
        )

    @property
    def solver(self) -> Any:
        """The backend's own object, under the name of the published package."""
        return self._factor.native

    def __getstate__(self) -> dict[str, Any]:
        """All but the factor, which is native memory."""
        return {name: value for name, value in self.__dict__.items() if name != "_factor"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The same solver with a factor of its own."""
        self.__dict__.update(state)
        self._make(checked_csr(self._matrix))

    def solve(self, b: Float[Tensor, "..."], backward: bool = False) -> Float[Tensor, "..."]:
        """Solution x of M x = b, in the shape of b: (V,), (V, k) or (..., V, k). Not recorded by autograd.

        Parameters
        ----------
        b : tensor of the matrix's type or a narrower one, on its device
            The solution has its type.
        backward : bool
            Makes no difference here.

        Raises
        ------
        ValueError
            Another shape, a wider type or another device.
        """
        del backward
        columns = to_columns(b, size=self.size, dtype=self.dtype, device=self.device)
        return from_columns(self._factor.solve(columns).to(b.dtype), b.shape)
