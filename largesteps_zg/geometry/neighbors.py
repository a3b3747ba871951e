"""Sums and means over the neighbours of each vertex."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Neighbors:
    """Which vertices an edge connects, in both directions.

    Attributes
    ----------
    start, end : (N,) int64 tensor
        Each edge twice: `end` is a neighbour of `start`.
    degree : (V,) int64 tensor
        How many neighbours each vertex has.
    """

    start: Tensor
    end: Tensor
    degree: Tensor

    def of(self, which: Bool[Tensor, " V"]) -> Neighbors:
        """The neighbours of some vertices alone; the others have none."""
        kept = which[self.start]
        return Neighbors(self.start[kept], self.end[kept], self.degree * which)

    def sum(self, values: Float[Tensor, "V ..."]) -> Float[Tensor, "V ..."]:
        """Sum of the neighbours' values; 0 without neighbours. Differentiable."""
        return torch.zeros_like(values).index_add(0, self.start, values.index_select(0, self.end))

    def mean(self, values: Float[Tensor, "V ..."]) -> Float[Tensor, "V ..."]:
        """Mean of the neighbours' values; 0 without neighbours. Differentiable."""
        degree = self.degree.clamp(min=1).to(values)
        return self.sum(values) / degree.view(-1, *[1] * (values.ndim - 1))


def neighbors(edges: Int[Tensor, "E 2"], vertex_count: int) -> Neighbors:
    """The neighbours of each vertex, from edges that each come once.

    Examples
    --------
    >>> path = neighbors(torch.tensor([[0, 1], [1, 2]]), 3)
    >>> path.mean(torch.tensor([0.0, 3.0, 8.0])).tolist()
    [3.0, 4.0, 3.0]
    """
    start, end = torch.cat([edges, edges.flip(1)]).T.contiguous()
    return Neighbors(start, end, torch.bincount(start, minlength=vertex_count))
