"""Gradients from pairs of points on either side of the parameters, with all entries moved at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from .._support.values import check_count
from .estimate import GradientEstimate
from .evaluation.objective import Objective
from .packing import Packing

# The eight signs that each byte stands for, as the bytes of one number: many times cheaper than a draw for each sign.
_SIGNS_OF_BYTE = (
    torch.tensor([[1 - 2 * (byte >> bit & 1) for bit in range(8)] for byte in range(256)], dtype=torch.int8)
    .view(torch.int64)
    .view(-1)
)


def random_signs(
    pairs: int, count: int, generator: torch.Generator | None
) -> Int8[Tensor, "{pairs} {count}"]:
    """Signs +1 and -1 with equal chances, on the generator's device.

    Row after row, 64 from each random word of 64 bits, lowest first; what is left of a row's last word is dropped.
    """
    device = torch.device("cpu") if generator is None else generator.device
    words = torch.empty(pairs, (count + 63) // 64, dtype=torch.int64, device=device)
    words.random_(-(2**63), None, generator=generator)
    signs = _SIGNS_OF_BYTE.to(device).index_select(0, words.view(torch.uint8).view(-1).int())
    return signs.view(torch.int8).view(pairs, -1)[:, :count]


def estimate_from_pairs(
    objective: Objective,
    packing: Packing,
    draw: Callable[[int], tuple[Tensor, Tensor]],
    scale: Float[Tensor, " P"],
    *,
    pairs: int,
) -> GradientEstimate:
    """Mean over pairs of ``scale * sign * (f(x + offset) - f(x - offset)) / 2``.

    Parameters
    ----------
    objective : Objective
        f.
    packing : Packing
        x.
    draw : callable
        From a number of pairs N to their signs (N, P) and offsets (N, P), of any type and on any device. Two calls must
        draw what one call for as many pairs draws.
    scale : (P,) tensor
        Factor of each entry.
    pairs : int
        How many.

    Returns
    -------
    GradientEstimate
        Of 2 `pairs` evaluations.

    Notes
    -----
    With d = (f(x + offset) - f(x - offset)) / 2, an entry of one pair's gradient is scale * sign * d. Its square does
    not depend on the sign, so that one sum of signed d for each entry and one sum of d^2 for all give mean and spread.
    """
    flat = packing.flat
    signed = torch.zeros_like(flat, dtype=torch.float64)
    squares = total = 0.0
    for first in range(0, pairs, packing.pairs_at_once):
        count = min(packing.pairs_at_once, pairs - first)
        signs, offsets = (drawn.to(flat.device) for drawn in draw(count))
        offsets = offsets.to(flat.dtype)
        moved = torch.stack((flat + offsets, flat - offsets), dim=1).flatten(0, 1)  # (2 N, P)
        losses = objective.losses(packing.points(moved)).view(-1, 2)
        total += losses.sum().item()
        for sign, difference in zip(signs, (0.5 * (losses[:, 0] - losses[:, 1])).tolist(), strict=True):
            signed.add_(sign, alpha=difference)
            squares += difference**2
    mean = signed / pairs
    if pairs > 1:
        error = ((squares / pairs - mean.square()).clamp_(min=0) / (pairs - 1)).sqrt_()
    else:
        error = torch.full_like(mean, torch.nan)
    return GradientEstimate(
        loss=torch.tensor(total / (2 * pairs), dtype=flat.dtype, device=flat.device),
        gradient=packing.restore((mean * scale).to(flat.dtype)),
        standard_error=packing.restore((error * scale).to(flat.dtype)),
        evaluations=2 * pairs,
    )


def check_pairs(pairs: int) -> int:
    """The number of pairs, or ValueError."""
    return check_count("pairs", pairs)
