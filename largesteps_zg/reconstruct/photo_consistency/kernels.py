"""The loops of `agreement`: photographs sampled at projected points, and sums over square windows."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from ..._support.warp_kernels import INTS, KernelModule, compiled

BLOCK = 64  # columns that a thread takes at once: their sums stay in the fastest memory
WIDEST = 7  # radius of windows for which there is room beside them

# The other photograph at the projections of what the first one sees. A point counts where the other one sees it too:
# it is not behind what is nearest around its pixel, by more than `slack` pixels' width. Whatever doesn't count is 0.
CARRY = """
    for (int i = first; i < last; ++i) {
        const int pixel = pixels.data[i], row = pixel / width, column = pixel - row * width;
        const int place = (row - top + radius) * stride + column - left + radius;
        places.data[i] = place;
        slopes.data[2 * i] = slopes.data[2 * i + 1] = 0;
        const vec3 at = points.data[i];
        if (!(at[2] > 0) || !(weights.data[pixel] > real(0.5))) continue;
        const real x = at[0] / at[2] - real(0.5), y = at[1] / at[2] - real(0.5);
        if (!(x >= 1 && y >= 1 && x < real(width - 2) && y < real(height - 2))) continue;
        const int c = (int)x, r = (int)y, nearest = (int)(y + real(0.5)) * width + (int)(x + real(0.5));
        real seen = 0;
        for (int dy = -1; dy <= 1; ++dy)
            for (int dx = -1; dx <= 1; ++dx) seen = wp::max(seen, depths.data[nearest + dy * width + dx]);
        if (at[2] > seen * (1 + slack)) continue;
        const real* p = others.data + (size_t)r * width + c;
        const real fx = x - c, fy = y - r, upper = p[1] - p[0], lower = p[width + 1] - p[width];
        const real above = p[0] + fx * upper, below = p[width] + fx * lower;
        slopes.data[2 * i] = upper + fy * (lower - upper);
        slopes.data[2 * i + 1] = below - above;
        valid.data[place] = 1;
        here.data[place] = photographs.data[pixel];
        there.data[place] = above + fy * (below - above);
    }
"""

# Sums over the rows of a window for a block of columns, then over its columns.
SUMS = """
    const int blocks = (columns + BLOCK - 1) / BLOCK, reach = 2 * radius, side = reach + 1;
    const auto each_window = [&](int item, auto channels, auto terms, auto take) {
        const int row = item / blocks, from = (item % blocks) * BLOCK;
        const int count = wp::min(BLOCK, columns - from);
        real tall[channels()][BLOCK + 2 * WIDEST] = {}, sums[channels()][BLOCK] = {};
        for (int dy = 0; dy < side; ++dy) terms(row + dy, from, count + reach, tall);
        for (int n = 0; n < channels(); ++n)
            for (int dx = 0; dx < side; ++dx)
                for (int x = 0; x < count; ++x) sums[n][x] += tall[n][x + dx];
        take((row + radius) * stride + from + radius, count, sums);
    };
"""

# Of both photographs: how many pixels, their sums, and the sums of their products.
MOMENTS = """
    const auto terms = [&](int row, int from, int count, auto& tall) {
        const size_t at = (size_t)row * stride + from;
        const real *m = valid.data + at, *a = here.data + at, *b = there.data + at;
        for (int x = 0; x < count; ++x) {
            tall[0][x] += m[x];
            tall[1][x] += a[x];
            tall[2][x] += b[x];
            tall[3][x] += a[x] * a[x];
            tall[4][x] += b[x] * b[x];
            tall[5][x] += a[x] * b[x];
        }
    };
"""

# The windows' correlations z, their losses min(1 - z, cap), and what each loss changes with the values `there`:
# d loss / d b = A a + B b + C in all of its pixels.
SCORE = (
    SUMS
    + MOMENTS
    + """
    for (int item = first; item < last; ++item) {
        real loss = 0, weight = 0;
        each_window(item, []() { return 6; }, terms, [&](int at, int count, auto& sums) {
            real parts[2][BLOCK];
            for (int x = 0; x < count; ++x) {  // without a branch, so that it becomes vector code
                const size_t place = (size_t)at + x;
                const real n = wp::max(sums[0][x], real(1)), ma = sums[1][x] / n, mb = sums[2][x] / n;
                const real va = wp::max(sums[3][x] / n - ma * ma, real(0)), wa = va + noise_here;
                const real vb = wp::max(sums[4][x] / n - mb * mb, real(0)), wb = vb + noise_there;
                const real both = wp::sqrt(wa * wb), z = (sums[5][x] / n - ma * mb) / both;
                const real enough = 2 * n >= real(side * side) ? real(1) : real(0);
                const real share = valid.data[place] * enough * va / wa;
                const real felt = 1 - z < cap ? share / n : real(0), A = -felt / both, B = felt * z / wb;
                slope_a.data[place] = A;
                slope_b.data[place] = B;
                slope_1.data[place] = -A * ma - B * mb;
                agreements.data[place] = share * z;
                shares.data[place] = share;
                parts[0][x] = share * (1 - z < cap ? 1 - z : cap);
                parts[1][x] = share;
            }
            for (int x = 0; x < count; ++x) {
                loss += parts[0][x];
                weight += parts[1][x];
            }
        });
        losses.data[item] = loss;
        counts.data[item] = weight;
    }
"""
)

SLOPE = (
    SUMS
    + """
    const auto terms = [&](int row, int from, int count, auto& tall) {
        const size_t at = (size_t)row * stride + from;
        const real *A = slope_a.data + at, *B = slope_b.data + at, *C = slope_1.data + at;
        for (int x = 0; x < count; ++x) {
            tall[0][x] += A[x];
            tall[1][x] += B[x];
            tall[2][x] += C[x];
        }
    };
    for (int item = first; item < last; ++item)
        each_window(item, []() { return 3; }, terms, [&](int at, int count, auto& sums) {
            for (int x = 0; x < count; ++x) {
                const size_t place = (size_t)at + x;
                gradient.data[place] =
                    valid.data[place] * (sums[0][x] * here.data[place] + sums[1][x] * there.data[place] + sums[2][x]);
            }
        });
"""
)

# From the values to the homogeneous pixels (u z, v z, z) at which they were sampled.
BACK = """
    for (int i = first; i < last; ++i) {
        const real slope = gradient.data[places.data[i]];
        const real gx = slope * slopes.data[2 * i], gy = slope * slopes.data[2 * i + 1];
        const vec3 at = points.data[i];
        if (gx == 0 && gy == 0) {
            grad_points.data[i] = vec3(0, 0, 0);
            continue;
        }
        grad_points.data[i] = vec3(gx / at[2], gy / at[2], -(gx * at[0] + gy * at[1]) / (at[2] * at[2]));
    }
"""


def sized(body: str) -> str:
    """With the sizes of blocks and windows."""
    return body.replace("BLOCK", str(BLOCK)).replace("WIDEST", str(WIDEST))


@compiled
def kernels_for(dtype: torch.dtype) -> SimpleNamespace:
    """Kernels for one floating-point type; items are points or blocks of windows."""
    make = KernelModule("largesteps_zg.reconstruct.photo_consistency", dtype)
    reals, real = make.reals, make.real
    windows = {"stride": int, "columns": int, "radius": int, "valid": reals, "here": reals, "there": reals}
    slopes = {"slope_a": reals, "slope_b": reals, "slope_1": reals}
    make.items(
        "carry", CARRY, points=make.vec3s, pixels=INTS, width=int, height=int, top=int, left=int, stride=int,
        radius=int, photographs=reals, weights=reals, others=reals, depths=reals, slack=real, places=INTS, slopes=reals,
        valid=reals, here=reals, there=reals,
    )  # fmt: skip
    make.items(
        "score", sized(SCORE), **windows, noise_here=real, noise_there=real, cap=real, **slopes,
        agreements=reals, shares=reals, losses=reals, counts=reals,
    )  # fmt: skip
    make.items("slope", sized(SLOPE), **windows, **slopes, gradient=reals)
    make.items(
        "back", BACK, points=make.vec3s, places=INTS, slopes=reals, gradient=reals, grad_points=make.vec3s
    )
    return make.finished()
