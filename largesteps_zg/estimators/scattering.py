"""Sums over pixels into the parameters that made them: the gradient pass of per-pixel estimation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from .._support.warp_kernels import INTS, KernelModule, compiled
from .._support.warp_launch import chunks_of, in_chunks, launch_items, run_chunks
from ..images.contributors import Contributors
from .list_scattering import scatter_lists

# A row that several of a pixel's primitives share, in either picture, receives the pixel once. The candidates before it
# are looked through again rather than kept, so that their number has no bound. Neighbours that the same primitives made
# are summed up first. Triangles have a case of their own: six rows, of which the known ones are given 0, as which ones
# they are is too random for branches.
SCATTER = """
    const auto at = [&](int pixel) { return sums.data + (size_t)(buffer >= 0 ? buffer : pixel / pixels) * rows; };
    const auto add = [&](real* place, real value) {
        if (atomic) wp::atomic_add(place, value);
        else *place += value;
    };
    const auto give = [&](int pixel, real total) {
        real* to = at(pixel);
        const int* before = made_plus.data + (size_t)pixel * slots;
        const int* after = made_minus.data + (size_t)pixel * slots;
        const auto id_of = [&](int slot) { return slot < slots ? before[slot] : after[slot - slots]; };
        for (int slot = 0; slot < 2 * slots; ++slot) {
            const int id = id_of(slot);
            bool seen = id < 0;
            for (int i = 0; i < slot && !seen; ++i) seen = id_of(i) == id;
            for (int corner = 0; corner < corners && !seen; ++corner) {
                const int row = direct ? id : table.data[(size_t)id * corners + corner];
                bool shared = row < 0;
                for (int i = 0; i <= slot && !direct && !shared; ++i) {
                    if (id_of(i) < 0) continue;
                    const int* others = table.data + (size_t)id_of(i) * corners;
                    for (int c = 0; c < (i < slot ? corners : corner) && !shared; ++c) shared = others[c] == row;
                }
                if (!shared) add(to + row, total);
            }
        }
    };
    const int none[3] = {-1, -1, -1};
    const auto give_triangles = [&](real* to, int before, int after, real total) {
        const int* a = before < 0 ? none : table.data + (size_t)before * 3;
        const int* b = after < 0 || after == before ? none : table.data + (size_t)after * 3;
        const int row[6] = {a[0], a[1], a[2], b[0], b[1], b[2]};
        real nowhere = 0;
        for (int n = 0; n < 6; ++n) {
            bool known = false;
            for (int m = 0; m < n; ++m) known |= row[m] == row[n];
            add(row[n] < 0 ? &nowhere : to + row[n], known ? 0 : total);
        }
    };
    for (int pixel = first, end; pixel < last; pixel = end) {
        const int limit = slots == 1 ? wp::min(last, (pixel / pixels + 1) * pixels) : pixel + 1;
        const int before = made_plus.data[(size_t)pixel * slots], after = made_minus.data[(size_t)pixel * slots];
        real total = plus.data[pixel] - minus.data[pixel];
        for (end = pixel + 1; end < limit && made_plus.data[end] == before && made_minus.data[end] == after; ++end)
            total += plus.data[end] - minus.data[end];
        if (total == 0) continue;
        int most = -1;
        for (int slot = 0; slot < slots; ++slot) {
            most = wp::max(most, made_plus.data[(size_t)pixel * slots + slot]);
            most = wp::max(most, made_minus.data[(size_t)pixel * slots + slot]);
        }
        if (most >= count) wp::atomic_max(fault.data, most);
        else if (slots == 1 && corners == 3 && !direct) give_triangles(at(pixel), before, after, total);
        else give(pixel, total);
    }
"""


def build(dtype: torch.dtype) -> SimpleNamespace:
    """The kernel for one type of losses, in a Warp module of its own."""
    make = KernelModule("largesteps_zg.estimators.scattering", dtype)
    make.items(
        "scatter", SCATTER, plus=make.reals, minus=make.reals, made_plus=INTS, made_minus=INTS, table=INTS, direct=int,
        atomic=int, slots=int, corners=int, count=int, pixels=int, rows=int, sums=make.reals, fault=INTS, buffer=int,
    )  # fmt: skip
    return make.finished()


kernels_for = compiled(build)


def scatter(
    plus: Tensor,
    minus: Tensor,
    made_plus: Tensor | Contributors,
    made_minus: Tensor | Contributors,
    table: Tensor | None,
    rows: int,
    *,
    separate: bool,
) -> Tensor:
    """For every row of parameters the sum of ``plus - minus`` over the pixels that it touches in either picture.

    Parameters
    ----------
    plus, minus : (...) float32 or float64
        The pixels' losses in the two pictures; views first, if `separate`.
    made_plus, made_minus : (...) or (..., K) int32, or Contributors
        Primitives that made each pixel, below 0 for none; both buffers or both lists.
    table : (F, C) int32, or None
        Rows of each primitive, below 0 for none; None where primitives are rows themselves.
    rows : int
    separate : bool
        Whether each view has its own sums.

    Returns
    -------
    (B, rows), or (1, rows), of the losses' type

    Raises
    ------
    ValueError
        A primitive or a row that does not exist, at a pixel whose losses differ.
    """
    device, pixels = plus.device, plus.numel()
    count, corners = (rows, 1) if table is None else table.shape
    if table is not None and (most := int(table.max()) if len(table) else -1) >= rows:
        raise ValueError(f"primitives: expected rows below {rows}, those of the parameters, got {most}")
    if isinstance(made_plus, Contributors) and isinstance(made_minus, Contributors):
        if in_chunks(device):
            sums, wrong = scatter_lists(
                plus, minus, made_plus, made_minus, table, count, rows, separate=separate
            )
            _check_ids(wrong, count)
            return sums
        # Threads on CUDA share no memory of what a row has received: they look through buffers.
        places = max(1, made_plus.longest, made_minus.longest)
        made_plus, made_minus = made_plus.padded(places), made_minus.padded(places)
    assert isinstance(made_plus, Tensor) and isinstance(made_minus, Tensor)
    views = len(plus) if separate else 1
    chunked = in_chunks(device)
    chunks = chunks_of(views if separate else pixels, device)
    # No two threads add to one place: views have sums of their own, or else threads do.
    sums = torch.zeros(views if separate else len(chunks), rows, dtype=plus.dtype, device=device)
    fault = torch.full((len(chunks),), -1, dtype=torch.int32, device=device)  # one for each thread
    inputs: list[Any] = [plus, minus, made_plus, made_minus, made_plus if table is None else table]
    inputs += [int(table is None), int(not chunked), made_plus.numel() // pixels, corners, count]
    inputs += [pixels // views, rows, sums]
    kernel = kernels_for(plus.dtype, device).scatter

    def run(index: int, chunk: range) -> None:
        buffer, scale = (-1, pixels // views) if separate else (index, 1)
        given = [*inputs, fault[index:], buffer]
        launch_items(kernel, chunk.start * scale, chunk.stop * scale, given, device)

    run_chunks(run, chunks)
    _check_ids(int(fault.max()), count)
    return sums if separate or len(sums) == 1 else sums.sum(0, keepdim=True)


def _check_ids(wrong: int, count: int) -> None:
    """Raise ValueError where an id was found that does not exist."""
    if wrong >= 0:
        raise ValueError(f"primitives: expected ids below {count}, got {wrong}; are they of this mesh?")
