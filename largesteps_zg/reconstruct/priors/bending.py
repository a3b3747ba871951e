"""How much a surface bends. Where images leave a choice, the smooth shape is preferred to the bumpy one."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..._support.while_inside import silence
from ...constants import DEFAULTS, Priors
from ...geometry.half_edges import edges
from ...geometry.normals import vertex_normals

# In the regular tessellation the neighbours of a vertex lie lower by edge² H / 2 in the mean, and each vertex stands
# for sqrt(3)/2 edge² of the surface.
_PER_AREA = math.sqrt(3.0)


class Bending:
    """The integral of |H|, the absolute mean curvature, over a surface.

    ::

        E = sqrt(3) sum_i h_i (sqrt(b_i² + s²) - s),    b_i = n_i . (x_i - mean of its neighbours) / h_i

    Here h is the root mean square length of the edges at a vertex. Below s = 0.02 bending counts with its square. E is
    a length: 4 pi r for a sphere, half of angle times length for a crease. It does not depend on the size of triangles
    until edges turn by less than s. The absolute value spares creases; a square (the Willmore energy) would round
    them off.

    Parameters
    ----------
    faces : (F, 3) integer tensor
    vertices : (V, 3) float tensor
        They give type, device and the lengths h. The lengths stay fixed.
    constants : Priors, optional
        Its `round_below` is s. An absolute value would make the steps jump to and fro there.

    Notes
    -----
    Differentiable in the vertices along their normals n. The normals and h count as constants. Vertices without a face
    add nothing. Value and gradient of 20,000 vertices cost about 2 ms on one core, most of it for the normals.

    Examples
    --------
    >>> from largesteps_zg.mesh import icosphere
    >>> ball = icosphere(3)
    >>> energy = Bending(ball.faces, ball.vertices)
    >>> 0.6 < float(energy(ball.vertices)) / (4 * math.pi) < 1.0
    True
    """

    def __init__(
        self, faces: Int[Tensor, "F 3"], vertices: Float[Tensor, "V 3"], constants: Priors = DEFAULTS.priors
    ) -> None:
        self._round = constants.round_below
        self.faces, rest = faces, vertices.detach()
        pairs = edges(faces)
        start, end = torch.cat([pairs, pairs.flip(1)]).T
        degree = torch.bincount(start, minlength=len(rest)).to(rest)
        squares = (rest[start] - rest[end]).square().sum(dim=1)
        total = torch.zeros_like(degree).index_add_(0, start, squares)
        self.lengths = (total / degree.clamp(min=1)).sqrt().clamp_min(torch.finfo(rest.dtype).tiny)
        # x_i minus the mean of its neighbours, as a matrix.
        everyone = torch.arange(len(rest), device=rest.device)
        places = torch.stack([torch.cat([start, everyone]), torch.cat([end, everyone])])
        values = torch.cat([-1 / degree[start], (degree > 0).to(rest)])
        matrix = torch.sparse_coo_tensor(places, values, (len(rest), len(rest)), check_invariants=False)
        with silence:  # PyTorch warns that compressed rows are new
            self._offsets, self._spread = matrix.to_sparse_csr(), matrix.t().coalesce().to_sparse_csr()

    def __call__(
        self, vertices: Float[Tensor, "V 3"], normals: Float[Tensor, "V 3"] | None = None
    ) -> Float[Tensor, ""]:
        """E of other positions of the same mesh; ``vertex_normals(vertices, faces)``, where these are at hand."""
        return _Energy.apply(vertices, normals, self)

    def value_and_gradient(
        self, vertices: Float[Tensor, "V 3"], normals: Float[Tensor, "V 3"] | None = None
    ) -> tuple[Tensor, Float[Tensor, "V 3"]]:
        """E and its gradient, without a graph; arguments as for a call."""
        vertices = vertices.detach()
        normals = vertex_normals(vertices, self.faces) if normals is None else normals.detach()
        slopes = (normals * (self._offsets @ vertices)).sum(dim=1) / self.lengths
        rounded = (slopes.square() + self._round**2).sqrt()
        energy = _PER_AREA * (self.lengths * (rounded - self._round)).sum()
        return energy, _PER_AREA * (self._spread @ (normals * (slopes / rounded)[:, None]))


class _Energy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, vertices: Tensor, normals: Tensor | None, bending: Bending) -> Tensor:
        energy, gradient = bending.value_and_gradient(vertices, normals)
        ctx.save_for_backward(gradient)
        return energy

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        (gradient,) = ctx.saved_tensors
        return grad * gradient, None, None
