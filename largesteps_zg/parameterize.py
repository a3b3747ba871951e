"""The Large Steps parametrization: a surface as the diffusion of a latent, v = (I + lambda L)^-1 u."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from ._support.checks import check_tensor
from .geometry.connectivity import check_mesh, weld
from .geometry.laplacian import compute_matrix
from .solvers.cholesky import CholeskySolver
from .solvers.conjugate_gradient import ConjugateGradientSolver
from .solvers.linear_system import eagerly
from .solvers.operations import batched_axis, multiplied
from .solvers.solver import Solver, solve

_SOLVERS = {"cholesky": CholeskySolver, "cg": ConjugateGradientSolver}

# Solvers of `from_differential`, which is only given a matrix: method -> (version, solver) for each matrix
# that is alive. The keys are the tensor objects themselves, weakly: no number that a later tensor could
# reuse.
_cache: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def cache_put(key: tuple[int, str], value: Solver, A: Float[Tensor, "V V"]) -> None:
    """Make `value` the solver that `from_differential` uses for the matrix A, with the method key[1].

    For code that fills the cache of the published ``largesteps`` package; ``key[0]`` is ``id(A)`` and not looked at.
    """
    _cache.setdefault(A, {})[key[1].lower()] = (_version(A), value)


def _version(matrix: Tensor) -> int:
    """Rises whenever the matrix is changed in place."""
    return 0 if matrix.is_inference() else matrix._version


@eagerly
def to_differential(L: Float[Tensor, "V V"], v: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Latent coordinates u = L v, where L is the whole system matrix (I + lambda times the Laplacian).

    Parameters
    ----------
    L : (V, V) sparse tensor
        From `geometry.compute_matrix`.
    v : (V,), (V, k) or (..., V, k) tensor
        Of the matrix's type or a narrower one; u has its type.

    Notes
    -----
    Differentiable in v. Linear: any attribute of vertices may be parametrized so, not only positions.
    """
    check_tensor("L", L)
    check_tensor("v", v)
    size = L.shape[1]
    rows = v.shape[0] if v.ndim == 1 else v.shape[-2] if v.ndim else None
    if rows != size:
        raise ValueError(
            f"v: expected shape ({size},), ({size}, k) or (..., {size}, k), got {tuple(v.shape)}"
        )
    if v.dtype != L.dtype:
        if not v.dtype.is_floating_point or torch.promote_types(v.dtype, L.dtype) != L.dtype:
            raise ValueError(
                f"v: expected {L.dtype}, like the matrix, got {v.dtype}; convert it, or build L in that type"
            )
        return _Product.apply(L, v.to(L.dtype)).to(v.dtype)
    return _Product.apply(L, v)


class _Product(torch.autograd.Function):
    """L v for all shapes of v, under the transforms of `torch.func` too, which know no sparse tensors."""

    @staticmethod
    def forward(L: Tensor, v: Tensor, transposed: bool = False) -> Tensor:
        """The product."""
        return multiplied(L, v, transposed)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the matrix, which is a constant."""
        ctx.matrix, _, *transposed = inputs
        ctx.transposed = any(transposed)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        """The product with the transpose."""
        return None, _Product.apply(ctx.matrix, gradients[0], not ctx.transposed), None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        """Linear: the product with the tangent."""
        return _Product.apply(ctx.matrix, tangents[1], ctx.transposed)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], L: Tensor, v: Tensor, *rest: Any) -> tuple[Tensor, int]:
        """All at once."""
        right, axis = batched_axis(v, in_dims[1])
        return _Product.apply(L, right, *rest), axis


@eagerly
def from_differential(
    L: Float[Tensor, "V V"], u: Float[Tensor, "..."], method: str = "Cholesky"
) -> Float[Tensor, "..."]:
    """Positions from latent coordinates: solves L v = u. Differentiable in u.

    ``torch.func`` transforms it; ``torch.compile`` breaks its graph here.

    The first call with a matrix makes its solver, which lives as long as the matrix object does and is made
    anew when the matrix was changed in place.

    Parameters
    ----------
    L : (V, V) sparse tensor
        From `geometry.compute_matrix`. A constant: no gradient flows to it.
    u : (V,), (V, k) or (..., V, k) tensor
        Of the matrix's type or a narrower one; v has its type.
    method : {"Cholesky", "CG"}
        `CholeskySolver` or `ConjugateGradientSolver`; in any case of letters.

    Raises
    ------
    ValueError
        Another method; see also the solvers.
    """
    if not isinstance(method, str) or method.lower() not in _SOLVERS:
        raise ValueError(f"method: expected 'Cholesky' or 'CG', got {method!r}")
    check_tensor("L", L)
    check_tensor("u", u)
    solvers: dict[str, tuple[int, Solver]] = _cache.setdefault(L, {})
    version = _version(L)
    made_for, solver = solvers.get(method.lower(), (None, None))
    if solver is None or made_for != version:
        solver = _SOLVERS[method.lower()](L)
        solvers[method.lower()] = (version, solver)
    return solve(solver, u)


class LargeSteps:
    """The parametrization of one mesh: owns its system matrix and the factor.

    ``u = p.to_differential(v)`` gives the latent to optimise, ``v = p.from_differential(u)`` the positions,
    smooth changes of which are then short ways in u.

    Parameters
    ----------
    faces : (F, 3) integer tensor
    vertices : (V, 3) float tensor
        Says which vertices coincide, sets type and device, and gives the angles for `cotangent`.
    lambda_ : float
        Smoothing, >= 0. More for finer meshes.
    alpha : float, optional
        In [0, 1): take (1 - alpha) I + alpha L in place of I + lambda L; see `geometry.compute_matrix`.
    cotangent : bool
        The cotangent Laplacian of `vertices` in place of the uniform one.
    solver : {"cholesky", "cg"}

    Attributes
    ----------
    matrix : (W, W) sparse tensor
    index : (V,) int64 tensor
        The row of the latent that moves each vertex.
    solver : Solver

    Raises
    ------
    ValueError
        An unsound mesh, smoothing out of range, another solver.

    Notes
    -----
    Vertices at exactly the same position, as files with texture seams or flat shading have them, are one
    vertex here: the latent has a row for each of the W <= V *different* positions, in the order of their
    first vertices, and `from_differential` gives all copies the same position, so that no seam can tear.
    Where nothing coincides, W = V and the numbering is that of the mesh. A vertex that no face uses is left
    alone: its latent is its position.

    May be copied, pickled and saved, also within a module; the factor is then made anew. Latents of float32 go with a
    float64 mesh and give float32 positions.

    References
    ----------
    Nicolet, Jacobson, Jakob. Large Steps in Inverse Rendering of Geometry. ACM Transactions on Graphics
    40(6), 2021.

    Examples
    --------
    >>> faces = torch.tensor([[0, 1, 2], [2, 1, 3]])
    >>> vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    >>> p = LargeSteps(faces, vertices)
    >>> bool(torch.allclose(p.from_differential(p.to_differential(vertices)), vertices, atol=1e-5))
    True
    """

    def __init__(
        self,
        faces: Int[Tensor, "F 3"],
        vertices: Float[Tensor, "V 3"],
        lambda_: float | int = 19.0,
        *,
        alpha: float | int | None = None,
        cotangent: bool = False,
        solver: str = "cholesky",
    ) -> None:
        if solver not in _SOLVERS:
            raise ValueError(f"solver: expected one of {', '.join(_SOLVERS)}, got {solver!r}")
        check_tensor("faces", faces)
        check_tensor("vertices", vertices)
        check_mesh(vertices, faces)
        welded, welded_faces, self.index = weld(vertices.detach(), faces)
        self.matrix = compute_matrix(welded, welded_faces, lambda_, alpha, cotangent)
        self.solver: Solver = _SOLVERS[solver](self.matrix)
        # How many vertices share each row, for the mean; None where every vertex is alone.
        count = torch.bincount(self.index, minlength=len(welded))
        self._count = None if len(welded) == len(vertices) else count.to(vertices.dtype)

    def to_differential(self, v: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Latent (W, k) of positions, or of any attribute, (V, k). Differentiable.

        Takes (V,), (V, k) or (..., V, k). Copies of one vertex that differ are replaced by their mean.
        """
        return to_differential(self.matrix, self.merged(v))

    def merged(self, v: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Values (W, k) of the latent's rows from values (V, k) of the vertices: the means of copies. Differentiable.

        Takes (V,), (V, k) or (..., V, k).
        """
        if self._count is None:
            return v
        check_tensor("v", v)
        axis = 0 if v.ndim == 1 else -2
        if v.ndim == 0 or v.shape[axis] != len(self.index):
            raise ValueError(f"v: expected {len(self.index)} vertices, got shape {tuple(v.shape)}")
        shape = list(v.shape)
        shape[axis] = len(self._count)
        total = v.new_zeros(shape).index_add(axis, self.index, v)
        return total / (self._count if v.ndim == 1 else self._count[:, None]).to(v.dtype)

    def from_differential(self, u: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Positions (V, k) of a latent (W, k): one solve, and one more backward. Differentiable.

        Takes (W,), (W, k) or (..., W, k): all columns and batches share the factor.
        """
        v = solve(self.solver, u)
        return v if self._count is None else v.index_select(0 if v.ndim == 1 else -2, self.index)
