"""The loops of `sweep`: a photograph carried over many surfaces at once, and the correlations of its windows."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from ..._support.warp_kernels import INTS, KernelModule, compiled
from .kernels import MOMENTS, SUMS, sized

# Sheets of memory lie below one another, one for each surface, each with room for windows around it. Whatever the other
# photograph does not show is 0.
SAMPLE = """
    for (int i = first; i < last; ++i) {
        const int sheet = i / count, n = i - sheet * count, place = sheet * extent + places.data[n];
        const real w = starts.data[n] + real(low + sheet) * step;
        const vec3 ray = rays.data[n];
        const real z = ray[2] + w * shift[2];
        valid.data[place] = here.data[place] = there.data[place] = 0;
        if (!(w > 0) || !(z > 0)) continue;
        const real x = (ray[0] + w * shift[0]) / z - real(0.5), y = (ray[1] + w * shift[1]) / z - real(0.5);
        if (!(x >= 0 && y >= 0 && x < real(width - 1) && y < real(height - 1))) continue;
        const int c = (int)x, r = (int)y;
        const real* p = others.data + (size_t)r * width + c;
        const real fx = x - c, above = p[0] + fx * (p[1] - p[0]), below = p[width] + fx * (p[width + 1] - p[width]);
        valid.data[place] = 1;
        here.data[place] = photographs.data[n];
        there.data[place] = above + (y - r) * (below - above);
    }
"""

# ZNCC times the share of the variance here that is no noise; windows that are seen by less than half say nothing.
RATE = (
    SUMS
    + MOMENTS
    + """
    for (int item = first; item < last; ++item)
        each_window(item, []() { return 6; }, terms, [&](int at, int count, auto& sums) {
            for (int x = 0; x < count; ++x) {
                const size_t place = (size_t)at + x;
                const real n = wp::max(sums[0][x], real(1)), ma = sums[1][x] / n, mb = sums[2][x] / n;
                const real va = wp::max(sums[3][x] / n - ma * ma, real(0)), wa = va + noise_here;
                const real wb = wp::max(sums[4][x] / n - mb * mb, real(0)) + noise_there;
                const real enough = 2 * n >= real(side * side) ? valid.data[place] : real(0);
                scores.data[place] = enough * va / wa * (sums[5][x] / n - ma * mb) / wp::sqrt(wa * wb);
            }
        });
"""
)


@compiled
def sweep_kernels_for(dtype: torch.dtype) -> SimpleNamespace:
    """Kernels for one floating-point type; items are pixels on surfaces or blocks of windows."""
    make = KernelModule("largesteps_zg.reconstruct.photo_consistency.sweep", dtype)
    reals, real = make.reals, make.real
    make.items(
        "sample", SAMPLE, rays=make.vec3s, starts=reals, places=INTS, count=int, extent=int, low=int, step=real,
        shift=make.vec3, width=int, height=int, photographs=reals, others=reals, valid=reals, here=reals, there=reals,
    )  # fmt: skip
    make.items(
        "rate", sized(RATE), stride=int, columns=int, radius=int, valid=reals, here=reals, there=reals,
        noise_here=real, noise_there=real, scores=reals,
    )  # fmt: skip
    return make.finished()
