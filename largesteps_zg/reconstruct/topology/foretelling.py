"""How well photographs foretell one another over a surface: a judge of shapes that knows no light and no colours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...constants import DEFAULTS, Topology
from ...geometry.laplacian import laplacian_uniform
from ...rasterizer.fragments import Fragments
from ...rasterizer.silhouette_edges import edge_table
from ...renderers.rasterized import drawn, fragments_of
from ...solvers.conjugate_gradient import ConjugateGradientSolver
from ..batch import Batch

_TINY = 1e-6  # of a pixel: parts that nobody sees get a colour, too
_STEP = 1 / 255  # from a photograph's values to the next


@dataclass(frozen=True)
class Foretold:
    """What photographs look like by what others show of a surface.

    Attributes
    ----------
    misses : (B, H, W) float tensor
        Difference of each pixel from what is foretold, of colours and coverage.
    doubts : (V,) float tensor, or None
        Mean difference around each vertex where photographs see it, after noise was averaged out; 0 where none does.
        None where nobody asked for them.
    """

    misses: Tensor
    doubts: Tensor | None = None

    @property
    def losses(self) -> Tensor:
        """(B,): means of each photograph."""
        return self.misses.mean(dim=(1, 2))

    @property
    def loss(self) -> float:
        """Mean of the losses."""
        return float(self.losses.mean())

    def better_than(self, other: Foretold) -> bool:
        """Whether less is missed: in the mean, in most pixels, and in most photographs, each by most of its pixels.

        A pixel votes where it differs by more than from one of a photograph's values to the next: rounding does not.
        """
        votes = self._votes(other)
        return self.loss < other.loss and all(float(part.sum()) > 0 for part in (votes, votes.sign()))

    def better_throughout(self, other: Foretold, parts: int) -> bool:
        """Whether less is missed in each of so many parts of the photographs: in the mean, and in most pixels."""
        found = self._votes(other), other.losses - self.losses
        return all(
            float(each[i::parts].sum()) > 0 for each in found for i in range(min(parts, len(self.misses)))
        )

    def _votes(self, other: Foretold) -> Tensor:
        """(B,): in how many more pixels of each photograph less is missed than more."""
        less = other.misses - self.misses
        return torch.where(less.abs() < _STEP, 0.0, less).sign().sum(dim=(1, 2))


@torch.no_grad()
def foretold(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    photographs: Batch,
    *,
    doubts: bool = False,
    backend: str = "auto",
    constants: Topology = DEFAULTS.topology,
) -> Foretold:
    """Foretell each photograph: the surface has the colours that the others show, each point one for all of them.

    Colours are the means of the pixels that see a vertex; between neighbours a difference counts as much as one to a
    pixel, so that parts which no other photograph sees look like what is around them. Where the surface is wrong, the
    photographs mean different points of the object.

    Parameters
    ----------
    vertices : (V, 3) float32 tensor
    faces : (F, 3) int64 tensor
    photographs : Batch
        Of two photographs and more.
    doubts : bool
        Whether these are asked for.
    backend : str
        Of the rasterizer.
    constants : Topology, optional

    References
    ----------
    K. Kutulakos and S. Seitz, "A Theory of Shape by Space Carving", IJCV 2000: photo-consistency.
    """
    corners = faces.int()
    seen = fragments_of(vertices, corners, photographs.cameras, edges=edge_table(corners), backend=backend)
    weights, rows = seen.barycentrics(), faces[seen.triangles.long()]
    targets = photographs.targets.reshape(-1, 4)[seen.pixels.long()]
    known = targets[:, 3]
    if photographs.weights is not None:
        known = known * photographs.weights.reshape(-1)[seen.pixels.long()]
    view = _views(seen)
    smooth = laplacian_uniform(vertices, faces)
    folds = min(constants.folds, len(photographs))
    others = [weights * (known * (view % folds != fold))[:, None] for fold in range(folds)]
    colors = torch.stack([_colors(smooth, rows, part, targets) for part in others])
    fold_of = torch.arange(len(photographs), device=colors.device) % folds
    differences = drawn(colors[fold_of], seen) - photographs.targets
    if photographs.weights is not None:
        differences = differences * photographs.weights[..., None]
    found = _doubts(differences, seen, rows, weights) if doubts else None
    return Foretold(differences.abs().sum(dim=-1), found)


def _views(seen: Fragments) -> Tensor:
    """The view of each fragment."""
    counts = seen.view_ends.diff().long()
    return torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)


def _colors(smooth: Tensor, rows: Tensor, weights: Tensor, targets: Tensor) -> Tensor:
    """(V, 3): colours that fit pixels of these weights and neighbours."""
    count = len(smooth)
    straight = targets[:, :3] / targets[:, 3:].clamp_min(_TINY)
    known = weights.new_zeros(count).index_add_(0, rows.reshape(-1), weights.reshape(-1))
    total = weights.new_zeros(count, 3).index_add_(
        0, rows.reshape(-1), (weights[..., None] * straight[:, None]).reshape(-1, 3)
    )
    diagonal = torch.arange(count, device=weights.device).repeat(2, 1)
    own = torch.sparse_coo_tensor(diagonal, known + _TINY, (count, count), check_invariants=False)
    return ConjugateGradientSolver((own + smooth).coalesce()).solve(total)


def _doubts(differences: Tensor, seen: Fragments, rows: Tensor, weights: Tensor) -> Tensor:
    """(V,): see `Foretold`."""
    calm = torch.nn.functional.avg_pool2d(differences.movedim(-1, 1), 5, 1, 2, count_include_pad=False)
    found = calm.abs().sum(dim=1).reshape(-1)[seen.pixels.long()]
    count = seen.points.shape[1]
    total, often = (
        weights.new_zeros(count).index_add_(0, rows.reshape(-1), part.reshape(-1))
        for part in (weights * found[:, None], weights)
    )
    return total / often.clamp_min(_TINY)
