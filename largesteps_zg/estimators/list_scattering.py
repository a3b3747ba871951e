"""Sums over pixels into the parameters that made them, where each pixel has a list of them of its own length."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from .._support.warp_kernels import INT64S, INTS, KernelModule, compiled
from .._support.warp_launch import chunks_of, launch_items, run_chunks
from ..images.contributors import Contributors

# Lists may be long (the voxels along a ray), so that nobody looks back through them: each row keeps the last pixel that
# it received. Neighbours of the same one id, or of none, are summed up first, as in `scattering`: where all lists are
# of one id the sums are the same to the bit.
SCATTER = """
    const wp::int64 *a = starts_plus.data, *b = starts_minus.data;
    const auto short_list = [&](int pixel) { return a[pixel + 1] - a[pixel] <= 1 && b[pixel + 1] - b[pixel] <= 1; };
    const auto only = [](const wp::int64* starts, const int* ids, int pixel) {
        const int id = starts[pixel + 1] > starts[pixel] ? ids[starts[pixel]] : -1;
        return id < 0 ? -1 : id;
    };
    for (int pixel = first, end; pixel < last; pixel = end) {
        real total = plus.data[pixel] - minus.data[pixel];
        end = pixel + 1;
        if (short_list(pixel)) {
            const int limit = wp::min(last, (pixel / pixels + 1) * pixels);
            const int before = only(a, ids_plus.data, pixel), after = only(b, ids_minus.data, pixel);
            for (; end < limit && short_list(end) && only(a, ids_plus.data, end) == before
                   && only(b, ids_minus.data, end) == after; ++end)
                total += plus.data[end] - minus.data[end];
        }
        if (total == 0) continue;
        real* to = sums.data + (size_t)(buffer >= 0 ? buffer : pixel / pixels) * rows;
        const auto give = [&](const wp::int64* starts, const int* ids) {
            for (wp::int64 place = starts[pixel]; place < starts[pixel + 1]; ++place) {
                const int id = ids[place];
                if (id < 0) continue;
                if (id >= count) { fault.data[0] = wp::max(fault.data[0], id); continue; }
                for (int corner = 0; corner < corners; ++corner) {
                    const int row = direct ? id : table.data[(size_t)id * corners + corner];
                    if (row < 0 || latest.data[row] == pixel) continue;
                    latest.data[row] = pixel;
                    to[row] += total;
                }
            }
        };
        give(a, ids_plus.data);
        if (!same) give(b, ids_minus.data);
    }
"""


def build(dtype: torch.dtype) -> SimpleNamespace:
    """The kernel for one type of losses, in a Warp module of its own."""
    make = KernelModule("largesteps_zg.estimators.list_scattering", dtype)
    make.items(
        "scatter", SCATTER, plus=make.reals, minus=make.reals, starts_plus=INT64S, ids_plus=INTS, starts_minus=INT64S,
        ids_minus=INTS, same=int, table=INTS, direct=int, corners=int, count=int, pixels=int, rows=int,
        sums=make.reals, latest=INTS, fault=INTS, buffer=int,
    )  # fmt: skip
    return make.finished()


kernels_for = compiled(build)


def scatter_lists(
    plus: Tensor,
    minus: Tensor,
    made_plus: Contributors,
    made_minus: Contributors,
    table: Tensor | None,
    count: int,
    rows: int,
    *,
    separate: bool,
) -> tuple[Tensor, int]:
    """`scattering.scatter` for lists on the CPU, and the largest id at or above `count`, or -1."""
    device, pixels, views = plus.device, plus.numel(), len(plus) if separate else 1
    chunks = chunks_of(views if separate else pixels, device)
    sums = torch.zeros(views if separate else len(chunks), rows, dtype=plus.dtype)
    fault = torch.full((len(chunks),), -1, dtype=torch.int32)
    latest = torch.full((len(chunks), rows), -1, dtype=torch.int32)  # a thread's own
    lists = [t for made in (made_plus, made_minus) for t in (made.starts, _not_empty(made.ids))]
    inputs = [plus, minus, *lists, int(made_plus is made_minus)]
    inputs += [fault if table is None else table, int(table is None)]
    inputs += [1 if table is None else table.shape[1], count, pixels // views, rows, sums]
    kernel = kernels_for(plus.dtype, device).scatter

    def run(index: int, chunk: range) -> None:
        buffer, scale = (-1, pixels // views) if separate else (index, 1)
        given = [*inputs, latest[index], fault[index:], buffer]
        launch_items(kernel, chunk.start * scale, chunk.stop * scale, given, device)

    run_chunks(run, chunks)
    return sums if separate or len(sums) == 1 else sums.sum(0, keepdim=True), int(fault.max())


def _not_empty(ids: Tensor) -> Tensor:
    """Something with a place in memory, also where no pixel shows anything."""
    return ids.contiguous() if len(ids) else ids.new_full((1,), -1)
