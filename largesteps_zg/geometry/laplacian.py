"""Quantities of a triangle mesh as pure functions of tensors: Laplacians, system matrix, normals, edges."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .._support.checks import as_number, check_tensor
from .connectivity import check_faces
from .half_edges import edges

# Height over longest edge below which a triangle counts as degenerate for its cotangents. At 1e-4 a cotangent
# is at most 1e4, so that float32 still tells `1 + lambda * cot` from `lambda * cot`.
_THINNEST = 1e-4


def laplacian_uniform(verts: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "V V"]:
    """Combinatorial Laplacian L = D - A: positive semi-definite, with vertex degrees on the diagonal.

    ``L[i, j] = -1`` for each edge (i, j), ``L[i, i]`` = the number of edges at i, no other scale. The row of
    a vertex that no face uses is zero.

    Parameters
    ----------
    verts : (V, 3) float tensor
        Only its length, type and device matter.
    faces : (F, 3) integer tensor

    Returns
    -------
    (V, V) sparse COO tensor, coalesced

    Raises
    ------
    ValueError
        An index out of range.

    Examples
    --------
    >>> import torch
    >>> laplacian_uniform(torch.zeros(3, 3), torch.tensor([[0, 1, 2]])).to_dense()
    tensor([[ 2., -1., -1.],
            [-1.,  2., -1.],
            [-1., -1.,  2.]])
    """
    return _assemble(*_uniform_weights(verts, faces), verts)


def laplacian_cot(verts: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "V V"]:
    """Cotangent Laplacian, positive semi-definite: ``L[i, j] = -(cot a + cot b)``, rows that sum to zero.

    a and b are the angles opposite the edge (i, j). This is the published ``largesteps`` matrix: the sum is
    *not* halved (so it is twice the stiffness matrix of linear finite elements) and not divided by any area;
    it does not change when the mesh is scaled.

    Parameters
    ----------
    verts : (V, 3) float tensor
        Taken as constants: no gradient flows to the positions through the weights.
    faces : (F, 3) integer tensor

    Returns
    -------
    (V, V) sparse COO tensor, coalesced

    Raises
    ------
    ValueError
        An index out of range.

    Notes
    -----
    Obtuse angles give negative cotangents, and single entries of L may be positive. The matrix stays positive
    semi-definite all the same, because it is a sum of one such matrix per triangle; but the smallest and
    largest vertex of a solution may then lie outside the range of the right-hand side.

    A triangle thinner than 1e-4 (height over longest edge) has its three cotangents scaled down together, as
    if it had that height, which keeps the property; a triangle of no extent adds nothing.
    """
    return _assemble(*_cotangent_weights(verts, faces), verts)


def compute_matrix(
    verts: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    lambda_: float | int | None,
    alpha: float | int | None = None,
    cotan: bool = False,
) -> Float[Tensor, "V V"]:
    """System matrix of the parametrization: I + lambda L, or (1 - alpha) I + alpha L when alpha is given.

    The two are equal up to a factor for lambda = alpha / (1 - alpha): alpha 0.95 smooths as much as lambda
    19. With alpha the matrix, and so the size of the latent, hardly changes with the amount of smoothing.

    Parameters
    ----------
    verts : (V, 3) float tensor
        Sets type and device of the result; its values matter for `cotan` only.
    faces : (F, 3) integer tensor
    lambda_ : float
        Smoothing, >= 0. Not looked at when alpha is given.
    alpha : float, optional
        In [0, 1).
    cotan : bool
        The Laplacian: `laplacian_cot`, or `laplacian_uniform` by default. Unit weights suit optimisation
        better: they do not depend on positions that are about to change.

    Returns
    -------
    (V, V) sparse COO tensor, coalesced
        Symmetric and positive definite; the row of a vertex that no face uses is that of I (or of (1 - alpha)
        I).

    Raises
    ------
    ValueError
        Smoothing out of its range, an index out of range.

    References
    ----------
    Nicolet, Jacobson, Jakob. Large Steps in Inverse Rendering of Geometry. ACM Transactions on Graphics
    40(6), 2021.
    """
    identity, weight = _weights(lambda_, alpha)
    pairs, weights = _cotangent_weights(verts, faces) if cotan else _uniform_weights(verts, faces)
    return _assemble(pairs, weight * weights, verts, identity=identity)


def _weights(lambda_: float | int | None, alpha: float | int | None) -> tuple[float, float]:
    """Weights of the identity and of the Laplacian."""
    if alpha is not None:
        alpha = as_number("alpha", alpha, "a number in [0, 1)")
        if not 0 <= alpha < 1:
            raise ValueError(
                f"alpha: expected a number in [0, 1), got {alpha}; 0.95 smooths as lambda 19 does"
            )
        return 1 - alpha, alpha
    if lambda_ is not None:
        lambda_ = as_number("lambda_", lambda_, "a finite number >= 0")
    if lambda_ is None or not (lambda_ >= 0 and math.isfinite(lambda_)):
        raise ValueError(f"lambda_: expected a finite number >= 0, got {lambda_}; 19 is a usual choice")
    return 1.0, lambda_


def _check(verts: Tensor, faces: Tensor, dimensions: tuple[int, ...]) -> None:
    """ValueError unless vertices are a row each, of as many coordinates as one of `dimensions`, and faces triangles."""
    check_tensor("verts", verts)
    if verts.ndim != 2 or verts.shape[1] not in dimensions:
        wanted = " or ".join(f"(V, {count})" for count in dimensions)
        raise ValueError(f"verts: expected shape {wanted}, got {tuple(verts.shape)}; pass one mesh at a time")
    check_faces(faces, len(verts))


def _uniform_weights(verts: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Edges (E, 2) and a one for each."""
    _check(verts, faces, (2, 3))
    pairs = edges(faces)
    return pairs, torch.ones(len(pairs), dtype=torch.float64, device=verts.device)


def _cotangent_weights(verts: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Sides of the faces (3F, 2) and the cotangents opposite to them; an edge comes once for each of its faces."""
    _check(verts, faces, (3,))
    faces = faces.long()
    corners = verts.detach().double()[faces]  # (F, 3, 3); in double, for cotangents of thin triangles cancel
    following, preceding = corners.roll(-1, dims=1), corners.roll(1, dims=1)
    cosines = ((following - corners) * (preceding - corners)).sum(dim=-1)  # (F, 3), times both lengths
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    longest = (following - corners).square().sum(dim=-1).amax(dim=1)
    double_area = torch.maximum(torch.linalg.vector_norm(normal, dim=1), _THINNEST * longest)
    weights = torch.where(double_area[:, None] > 0, cosines / double_area[:, None], 0.0)
    # Corner c weighs the edge from c+1 to c+2.
    pairs = torch.stack([faces.roll(-1, dims=1), faces.roll(-2, dims=1)], dim=-1).reshape(-1, 2)
    return pairs, weights.reshape(-1)


def _assemble(pairs: Tensor, weights: Tensor, verts: Tensor, *, identity: float = 0.0) -> Tensor:
    """Sum of ``w (e_i - e_j)(e_i - e_j)^T`` over pairs (E, 2) with weights w (E,), plus a multiple of I."""
    count = len(verts)
    i, j = pairs.T
    diagonal = torch.full((count,), identity, dtype=weights.dtype, device=verts.device)
    diagonal.index_add_(0, i, weights).index_add_(0, j, weights)
    everyone = torch.arange(count, device=verts.device)
    indices = torch.stack([torch.cat([i, j, everyone]), torch.cat([j, i, everyone])])
    values = torch.cat([-weights, -weights, diagonal])
    # Summed in double and then rounded to the type of verts, so that both triangles of the matrix round alike.
    total = torch.sparse_coo_tensor(indices, values, (count, count), check_invariants=False).coalesce()
    return total.to(verts.dtype)
