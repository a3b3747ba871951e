"""Kernels that sample textures, forward and backward, and that build their mipmaps; compiled by NVIDIA Warp.

An item is a pixel. Its footprint is the image of a pixel's square in the texture, to first order: the columns of the
Jacobian J of texel coordinates by pixel coordinates span an ellipse. The level is log2 of the length of its major axis:
half log2 of the larger eigenvalue of J J^T. Four texels on each of one or two levels, their weights and the weights'
slopes by (s, t) are found first (`Taps`), for all boundaries alike; everything else is sums over them.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch

from .._support.warp_kernels import INTS, KernelModule, compiled
from . import cube_maps

FILTERS = (
    "nearest",
    "linear",
    "linear-mipmap-nearest",
    "linear-mipmap-linear",
)  # by their numbers in the kernels
BOUNDARIES = ("wrap", "clamp", "zero")

# Texels at (s, t) on a level, by their numbers there. BORDER finds those that lie outside.
TAPS = """
    struct Taps { int at[4]; real weight[4], by_s[4], by_t[4]; };
    const auto find_taps = [&](int face, int width, int height, real s, real t, Taps& taps) {
        const auto limit = [](real x, real low, real high) { return x > low ? (x < high ? x : high) : low; };
        const real w = (real)width, h = (real)height;
        for (int k = 0; k < 4; ++k) {
            taps.at[k] = 0;
            taps.weight[k] = taps.by_s[k] = taps.by_t[k] = 0;
        }
        if (filter == 0) {
            const bool outside = boundary == 2 && !(s >= 0 && s < 1 && t >= 0 && t < 1);
            const int x = (int)limit(s * w, 0, w - 1), y = (int)limit(t * h, 0, h - 1);
            taps.at[0] = (face * height + y) * width + x;
            taps.weight[0] = outside ? 0 : 1;
            return;
        }
        // Beyond these bounds all is as at them.
        const real margin = boundary == 1 ? real(0) : real(1.5);
        const real u = s * w - real(0.5), v = t * h - real(0.5);
        const real x = limit(u, -margin, w - 1 + margin), y = limit(v, -margin, h - 1 + margin);
        const real left = wp::floor(x), top = wp::floor(y), fx = x - left, fy = y - top;
        const real slope_x = x == u ? w : real(0), slope_y = y == v ? h : real(0);
        int xs[2] = {(int)left, (int)left + 1}, ys[2] = {(int)top, (int)top + 1};
        const real wx[2] = {1 - fx, fx}, wy[2] = {1 - fy, fy};
        for (int k = 0; k < 4; ++k) {
            taps.weight[k] = wx[k & 1] * wy[k >> 1];
            taps.by_s[k] = (k & 1 ? slope_x : -slope_x) * wy[k >> 1];
            taps.by_t[k] = (k >> 1 ? slope_y : -slope_y) * wx[k & 1];
        }
        const auto drop = [&](int k, real share) {  // hands a share of a texel's weight to each of the others
            for (int n = 0; n < 4; ++n) {
                if (n == k) continue;
                taps.weight[n] += share * taps.weight[k];
                taps.by_s[n] += share * taps.by_s[k];
                taps.by_t[n] += share * taps.by_t[k];
            }
            taps.weight[k] = taps.by_s[k] = taps.by_t[k] = 0;
        };
        BORDER
    };
"""

FLAT_BORDER = """
        if (xs[0] < 0 || ys[0] < 0 || xs[1] >= width || ys[1] >= height) {
            if (boundary == 2) {
                for (int k = 0; k < 4; ++k) {
                    const int i = xs[k & 1], j = ys[k >> 1];
                    if (i < 0 || j < 0 || i >= width || j >= height) drop(k, 0);
                }
            }
            const bool wraps = boundary == 0;  // otherwise the nearest texel; where all is zero any one serves
            for (int k = 0; k < 2; ++k) {
                xs[k] = xs[k] < 0 ? (wraps ? width - 1 : 0) : xs[k] >= width ? (wraps ? 0 : width - 1) : xs[k];
                ys[k] = ys[k] < 0 ? (wraps ? height - 1 : 0) : ys[k] >= height ? (wraps ? 0 : height - 1) : ys[k];
            }
        }
        for (int k = 0; k < 4; ++k) taps.at[k] = ys[k >> 1] * width + xs[k & 1];
"""

# At a cube's corner three texels meet, and a fourth would be their mean.
CUBE_BORDER = """
        for (int k = 0; k < 4; ++k) {
            const int i = xs[k & 1], j = ys[k >> 1];
            const bool out_x = i < 0 || i >= width, out_y = j < 0 || j >= height;
            if (out_x && out_y) drop(k, real(1) / real(3));
            else taps.at[k] = out_x || out_y ? beyond(face, width, i, j) : (face * height + j) * width + i;
        }
"""

FLAT_ENTER = """
        const int face = 0;
        const real* p = uv.data + (size_t)pixel * 2;
        const bool valid = wp::isfinite(p[0]) && wp::isfinite(p[1]);
        const real s = boundary == 0 ? p[0] - wp::floor(p[0]) : p[0];
        const real t = boundary == 0 ? p[1] - wp::floor(p[1]) : p[1];
        real sx = 0, sy = 0, tx = 0, ty = 0;
        if (has_footprint) {
            const real* d = footprints.data + (size_t)pixel * 4;
            sx = d[0]; sy = d[1]; tx = d[2]; ty = d[3];
        }
"""

FLAT_LEAVE = """
        if (has_footprint) {
            real* d = grad_footprints.data + (size_t)pixel * 4;
            d[0] = gsx; d[1] = gsy; d[2] = gtx; d[3] = gty;
        }
        grad_uv.data[(size_t)pixel * 2] = gs;
        grad_uv.data[(size_t)pixel * 2 + 1] = gt;
"""

# `levels` has width, height and first texel among the mipmaps, for each level; `lower` and `upper` are mixed.
EACH_PIXEL = """
    const real top_level = (real)(level_count - 1), base_w = (real)levels.data[0], base_h = (real)levels.data[1];
    const bool mixes = filter == 3;
    for (int pixel = first; pixel < last; ++pixel) {
        ENTER
        // Squared lengths of the rows of J in texels, their product, the eigenvalue, and what it moves with.
        const real sxw = sx * base_w, syw = sy * base_w, txh = tx * base_h, tyh = ty * base_h;
        const real ss = sxw * sxw + syw * syw, tt = txh * txh + tyh * tyh, st = sxw * txh + syw * tyh;
        const real spread = wp::sqrt((ss - tt) * (ss - tt) + 4 * st * st), square = real(0.5) * (ss + tt + spread);
        real level = 0;
        if (level_count > 1) {
            if (has_footprint) level = real(0.5) * wp::log2(square > 0 ? square : real(1e-30));
            if (has_bias) level += bias.data[pixel];
            if (!mixes) level = wp::floor(level + real(0.5));
        }
        const bool slides = mixes && level > 0 && level < top_level;
        level = level > 0 ? (level < top_level ? level : top_level) : real(0);  // NaN: 0
        const int lower = (int)level;
        const real share = level - (real)lower;
        const int texture_row = textures == 1 ? 0 : pixel / pixels;
        const auto texels_of = [&](real* base, real* mips, int row, int at) {
            return at == 0 ? base + (size_t)row * texels * channels
                           : mips + ((size_t)row * mip_texels + levels.data[3 * at + 2]) * channels;
        };
"""

SAMPLE = """
        real* value = values.data + (size_t)pixel * channels;
        for (int n = 0; n < channels; ++n) value[n] = 0;
        if (!valid) continue;
        for (int step = 0; step < (share > 0 ? 2 : 1); ++step) {
            const int at = lower + step;
            const real part = step ? share : 1 - share;
            find_taps(face, levels.data[3 * at], levels.data[3 * at + 1], s, t, taps);
            const real* from = texels_of(texture.data, mipmaps.data, texture_row, at);
            for (int k = 0; k < 4; ++k) {
                const real* texel = from + (size_t)taps.at[k] * channels;
                const real weight = part * taps.weight[k];
                for (int n = 0; n < channels; ++n) value[n] += weight * texel[n];
            }
        }
    }
"""

# What a pixel's values do to the texels goes into the buffer `bank`, or into the texture's own where that is -1.
SAMPLE_ADJOINT = """
        real gs = 0, gt = 0, by_level = 0;
        const real* grad = grad_values.data + (size_t)pixel * channels;
        const int row = bank >= 0 ? bank : texture_row;
        for (int step = 0; valid && step < (slides ? 2 : 1); ++step) {
            const int at = lower + step;
            const real part = step ? share : 1 - share;
            find_taps(face, levels.data[3 * at], levels.data[3 * at + 1], s, t, taps);
            if (wants_texels) {
                real* to = texels_of(grad_texture.data, grad_mipmaps.data, row, at);
                for (int k = 0; k < 4; ++k) {
                    real* texel = to + (size_t)taps.at[k] * channels;
                    const real weight = part * taps.weight[k];
                    for (int n = 0; n < channels; ++n) wp::atomic_add(texel + n, weight * grad[n]);
                }
            }
            if (!wants_places) continue;
            const real* from = texels_of(texture.data, mipmaps.data, texture_row, at);
            for (int k = 0; k < 4; ++k) {
                const real* texel = from + (size_t)taps.at[k] * channels;
                real gain = 0;
                for (int n = 0; n < channels; ++n) gain += grad[n] * texel[n];
                gs += part * taps.by_s[k] * gain;
                gt += part * taps.by_t[k] * gain;
                by_level += (step ? gain : -gain) * taps.weight[k];
            }
        }
        if (!wants_places) continue;
        if (!slides) by_level = 0;
        if (has_bias) grad_bias.data[pixel] = by_level;
        real gsx = 0, gsy = 0, gtx = 0, gty = 0;
        if (has_footprint && by_level != 0 && square > 0) {
            // level = log2(square) / 2; where the ellipse is a circle both axes count alike.
            const real scale = by_level / (real(2 * 0.6931471805599453) * square);
            const real lean = spread > 0 ? (ss - tt) / spread : real(0), cross = spread > 0 ? 2 * st / spread : real(0);
            gsx = scale * base_w * ((1 + lean) * sxw + cross * txh);
            gsy = scale * base_w * ((1 + lean) * syw + cross * tyh);
            gtx = scale * base_h * ((1 - lean) * txh + cross * sxw);
            gty = scale * base_h * ((1 - lean) * tyh + cross * syw);
        }
        if (!valid) {
            for (int n = 0; n < SIZE; ++n) grad_uv.data[(size_t)pixel * SIZE + n] = 0;
            for (int n = 0; has_footprint && n < 2 * SIZE; ++n) grad_footprints.data[(size_t)pixel * 2 * SIZE + n] = 0;
            continue;
        }
        LEAVE
    }
"""

# Coarse texel i of all textures is the mean of one, two or four of the finer level, which none shares with it.
EACH_COARSE = """
    const real weight = real(1) / (real)(step_x * step_y);
    for (int i = first; i < last; ++i) {
        const int line = i / width, x = i - line * width, texture = line / rows, y = line - texture * rows;
        const size_t up = (size_t)texture * fine_stride + fine_at + ((size_t)y * step_y * width + x) * step_x;
        const size_t down = (size_t)texture * coarse_stride + coarse_at + (size_t)y * width + x;
        const real* high = fine.data + up * channels;
        real* low = coarse.data + down * channels;
        const size_t next = (size_t)width * step_x * channels;
"""

HALVE = (
    EACH_COARSE
    + """
        for (int n = 0; n < channels; ++n) {
            real sum = high[n];
            if (step_x > 1) sum += high[channels + n];
            if (step_y > 1) sum += high[next + n];
            if (step_x > 1 && step_y > 1) sum += high[next + channels + n];
            low[n] = weight * sum;
        }
    }
"""
)

HALVE_ADJOINT = (
    EACH_COARSE
    + """
        real* to = (real*)high;
        for (int n = 0; n < channels; ++n) {
            const real grad = weight * low[n];
            to[n] += grad;
            if (step_x > 1) to[channels + n] += grad;
            if (step_y > 1) to[next + n] += grad;
            if (step_x > 1 && step_y > 1) to[next + channels + n] += grad;
        }
    }
"""
)


def _body(cube: bool, rest: str) -> str:
    """A kernel's body for one kind of texture."""
    before = cube_maps.AXES + cube_maps.BEYOND if cube else ""
    taps = TAPS.replace("BORDER", CUBE_BORDER if cube else FLAT_BORDER)
    each = EACH_PIXEL.replace("ENTER", cube_maps.ENTER if cube else FLAT_ENTER)
    rest = rest.replace("LEAVE", cube_maps.LEAVE if cube else FLAT_LEAVE).replace(
        "SIZE", "3" if cube else "2"
    )
    return before + taps + "    Taps taps;\n" + each + rest


def build(dtype: torch.dtype) -> SimpleNamespace:
    """Kernels of `textures` and `mipmaps` for one floating-point type, in a Warp module of their own."""
    make = KernelModule("largesteps_zg.textures", dtype)
    reals = make.reals
    given = {
        "texture": reals, "mipmaps": reals, "levels": INTS, "level_count": int, "textures": int, "texels": int,
        "mip_texels": int, "channels": int, "pixels": int, "filter": int, "boundary": int, "has_footprint": int,
        "has_bias": int, "uv": reals, "footprints": reals, "bias": reals,
    }  # fmt: skip
    gradients = {
        "grad_values": reals, "bank": int, "wants_texels": int, "wants_places": int, "grad_texture": reals,
        "grad_mipmaps": reals, "grad_uv": reals, "grad_footprints": reals, "grad_bias": reals,
    }  # fmt: skip
    for name, cube in (("flat", False), ("cube", True)):
        make.items(f"sample_{name}", _body(cube, SAMPLE), **given, values=reals)
        make.items(f"sample_{name}_adjoint", _body(cube, SAMPLE_ADJOINT), **given, **gradients)
    levels = {
        "fine": reals, "fine_at": int, "fine_stride": int, "coarse": reals, "coarse_at": int, "coarse_stride": int,
        "rows": int, "width": int, "step_x": int, "step_y": int, "channels": int,
    }  # fmt: skip
    make.items("halve", HALVE, **levels)
    make.items("halve_adjoint", HALVE_ADJOINT, **levels)
    return make.finished()


kernels_for = compiled(build)
