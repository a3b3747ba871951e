"""Signs that mostly agree, and what makes the sums of per-pixel estimation right again where they do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._support.warp_kernels import INTS, KernelModule, compiled
from .._support.warp_launch import run_items
from ..images.contributors import Contributors
from .antithetic import random_signs

# The rows that made a pixel are those to which `scattering` gives it, each once. Neighbours are often made by the same.
WEIGH = """
    int last_before = -2, last_after = -2, last_view = -1;
    real factor = 0;
    for (int pixel = first; pixel < last; ++pixel) {
        const real difference = plus.data[pixel] - minus.data[pixel];
        weighed.data[pixel] = 0;
        if (difference == 0) continue;
        const int* before = made_plus.data + (size_t)pixel * slots;
        const int* after = made_minus.data + (size_t)pixel * slots;
        const int view = pixel / pixels;
        if (slots > 1 || view != last_view || *before != last_before || *after != last_after) {
            const auto id_of = [&](int slot) { return slot < slots ? before[slot] : after[slot - slots]; };
            const auto row_of = [&](int id, int corner) {
                return id < 0 ? -1 : direct ? id : table.data[(size_t)id * corners + corner];
            };
            real sum = 0, many = 0;
            for (int place = 0; place < 2 * slots * corners; ++place) {
                const int row = row_of(id_of(place / corners), place % corners);
                bool known = row < 0;
                for (int other = 0; other < place && !known; ++other)
                    known = row_of(id_of(other / corners), other % corners) == row;
                if (known) continue;
                sum += signs.data[(size_t)view * rows + row];
                many += 1;
            }
            factor = many > 0 ? coherence * sum / (1 + (many - 1) * coherence) : real(0);
            last_before = *before; last_after = *after; last_view = view;
        }
        weighed.data[pixel] = difference * factor;
    }
"""


def build(dtype: torch.dtype) -> SimpleNamespace:
    """The kernel for one type of losses, in a Warp module of its own."""
    make = KernelModule("largesteps_zg.estimators.coherent", dtype)
    make.items(
        "weigh", WEIGH, plus=make.reals, minus=make.reals, made_plus=INTS, made_minus=INTS, table=INTS, direct=int,
        slots=int, corners=int, pixels=int, rows=int, signs=make.reals, coherence=make.real, weighed=make.reals,
    )  # fmt: skip
    return make.finished()


kernels_for = compiled(build)


def coherent_signs(
    shape: tuple[int, int, int], coherence: float, generator: torch.Generator | None
) -> Float[Tensor, "B R C"]:
    """Signs +1 and -1 with equal chances; those of a view and column have a mean product of `coherence`.

    All take the same sign, and each is turned with a chance of (1 - sqrt(coherence)) / 2.
    """
    views, _, columns = shape
    device = torch.device("cpu") if generator is None else generator.device
    common = random_signs(views, columns, generator).view(views, 1, columns)
    turned = torch.rand(shape, generator=generator, device=device) < 0.5 * (1.0 - coherence**0.5)
    return torch.where(turned, -common, common).float()


def weighed(
    plus: Tensor,
    minus: Tensor,
    made_plus: Tensor | Contributors,
    made_minus: Tensor | Contributors,
    table: Tensor | None,
    signs: Float[Tensor, "B R"],
    coherence: float,
) -> Tensor:
    """The difference of each pixel times c S / (1 + (m - 1) c), for the m rows that made it, whose signs s sum up to S.

    Signs with a mean product of c have the covariance C = (1 - c) I + c 1 1^T. The estimate needs C^-1 s in the place
    of s; by the formula of Sherman and Morrison that is ``(s - c S / (1 + (m - 1) c)) / (1 - c)``.

    Parameters
    ----------
    plus, minus, made_plus, made_minus, table
        As `scatter` takes them, which has found them to fit.
    signs : (B, R)
        Of the rows, for each view or for all.
    coherence : float
        c, in [0, 1).

    Returns
    -------
    Tensor
        Shaped as `plus`, of its type.
    """
    if isinstance(made_plus, Contributors) and isinstance(made_minus, Contributors):
        places = max(1, made_plus.longest, made_minus.longest)
        made_plus, made_minus = made_plus.padded(places), made_minus.padded(places)
    assert isinstance(made_plus, Tensor) and isinstance(made_minus, Tensor)
    made, count, device = torch.empty_like(plus), plus.numel(), plus.device
    kernels, signs = kernels_for(plus.dtype, device), signs.to(plus).contiguous()
    inputs: list[Any] = [plus, minus, made_plus, made_minus, made_plus if table is None else table]
    inputs += [int(table is None), made_plus.numel() // count, 1 if table is None else table.shape[1]]
    inputs += [count // len(signs), signs.shape[1], signs, coherence, made]
    run_items(kernels.weigh, count, inputs, device)
    return made
