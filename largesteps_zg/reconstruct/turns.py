"""Whose turn it is: an order of views in which any few in a row look from all around."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def spread_order(places: Float[Tensor, "N 3"], generator: torch.Generator) -> Int[Tensor, " N"]:
    """A random order of places; of two in a row each half of them has one, of four each quarter, and so on.

    Steps compare a few views in a row. By chance alone some have all of them on one side, and gradients differ more
    from step to step.

    Parameters
    ----------
    places : (N, 3) tensor
        Halves are those below and above the median along the longest side of their box.
    generator : torch.Generator
        Of the CPU.
    """
    return _spread(torch.arange(len(places)), places.detach().double().cpu(), generator)


def _spread(some: Tensor, places: Tensor, generator: torch.Generator) -> Tensor:
    """The order of some of the places."""
    if len(some) < 2:
        return some
    box = places[some]
    axis = int((box.amax(dim=0) - box.amin(dim=0)).argmax())
    along = some[box[:, axis].argsort(stable=True)]
    lower_first = int(torch.randint(2, (), generator=generator))
    middle = (len(along) + lower_first) // 2  # of an odd number the first half has one more
    parts = _spread(along[:middle], places, generator), _spread(along[middle:], places, generator)
    first, second = parts if lower_first else parts[::-1]
    result = torch.empty_like(some)
    result[0::2], result[1::2] = first, second
    return result
