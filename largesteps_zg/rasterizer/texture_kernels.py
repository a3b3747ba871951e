"""Kernels that sample textures, forward and backward, and that build their mipmaps; compiled by NVIDIA Warp.

An item is a pixel. Its footprint is the image of a pixel's square in the texture, to first order: the columns of the
Jacobian J of texel coordinates by pixel coordinates span an ellipse. The level is log2 of the length of its major axis:
half log2 of the larger eigenvalue of J J^T. Four texels on each of one or two levels are found first, for all filters
and boundaries alike; everything else is sums over them.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch

from .._support.warp_kernels import INTS, KernelModule, compiled
from . import cube_maps

# By their numbers in the kernels.
FILTERS = ("nearest", "linear", "linear-mipmap-nearest", "linear-mipmap-linear")
BOUNDARIES = ("wrap", "clamp", "zero")

# Small loops over a texel's channels, unrolled for the usual numbers of them.
CHANNELS = """
    struct One { enum { count = 1 }; };
    struct Three { enum { count = 3 }; };
    struct Four { enum { count = 4 }; };
    struct Any { int count; };
    const auto unrolled = [&](auto loop) {
        if (channels == 3) loop(Three{});
        else if (channels == 1) loop(One{});
        else if (channels == 4) loop(Four{});
        else loop(Any{channels});
    };
"""

# A spot is what a pixel sees on one level: four texels `at`, mixed by fx and fy. `keep` is 0 for texels that are not
# part of the texture, `missing` is the one beyond a cube's corner or -1. BORDER finds the texels that lie outside.
SPOTS = """
    struct Spot {
        int pixel, number, step, at[4], missing;
        bool slides;
        real part, fx, fy, slope_x, slope_y, keep[4];
    };
    const auto limit = [](real x, real low, real high) { return x > low ? (x < high ? x : high) : low; };
    const auto find_texels = [&](Spot& spot, int face, real s, real t) {
        const int width = levels.data[3 * spot.number], height = levels.data[3 * spot.number + 1];
        const real w = (real)width, h = (real)height;
        spot.missing = -1;
        for (int k = 0; k < 4; ++k) spot.keep[k] = 1;
        if (filter == 0) {
            const bool outside = boundary == 2 && !(s >= 0 && s < 1 && t >= 0 && t < 1);
            const int x = (int)limit(s * w, 0, w - 1), y = (int)limit(t * h, 0, h - 1);
            for (int k = 0; k < 4; ++k) spot.at[k] = (face * height + y) * width + x;
            spot.fx = spot.fy = spot.slope_x = spot.slope_y = 0;
            spot.keep[0] = outside ? 0 : 1;
            return;
        }
        // Beyond these bounds all is as at them.
        const real margin = boundary == 1 ? real(0) : real(1.5), most_x = w - 1 + margin, most_y = h - 1 + margin;
        const real u = s * w - real(0.5), v = t * h - real(0.5);
        const real x = limit(u, -margin, most_x), y = limit(v, -margin, most_y);
        const int left = (int)wp::floor(x), top = (int)wp::floor(y);
        spot.fx = x - (real)left;
        spot.fy = y - (real)top;
        spot.slope_x = x == u ? w : real(0);
        spot.slope_y = y == v ? h : real(0);
        const int first_texel = (face * height + top) * width + left;
        for (int k = 0; k < 4; ++k) spot.at[k] = first_texel + (k >> 1) * width + (k & 1);
        if (left >= 0 && top >= 0 && left + 1 < width && top + 1 < height) return;
        for (int k = 0; k < 4; ++k) {
            int i = left + (k & 1), j = top + (k >> 1);
            const bool out_x = i < 0 || i >= width, out_y = j < 0 || j >= height;
            BORDER
        }
    };
    struct Weights { real of[4]; };
    const auto weights_of = [](const Spot& spot) {
        const real fx = spot.fx, fy = spot.fy;
        Weights w = {{(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy}};
        SHARE
        for (int k = 0; k < 4; ++k) w.of[k] *= spot.part * spot.keep[k];
        return w;
    };
    const auto texels_of = [&](real* base, real* mips, int row, int number) {
        return number == 0 ? base + (size_t)row * texels * channels
                           : mips + ((size_t)row * mip_texels + levels.data[3 * number + 2]) * channels;
    };
"""

FLAT_BORDER = """
            if (boundary == 2) spot.keep[k] = out_x || out_y ? 0 : 1;
            const bool wraps = boundary == 0;  // otherwise the nearest texel; where all is zero any one serves
            i = i < 0 ? (wraps ? width - 1 : 0) : i >= width ? (wraps ? 0 : width - 1) : i;
            j = j < 0 ? (wraps ? height - 1 : 0) : j >= height ? (wraps ? 0 : height - 1) : j;
            spot.at[k] = j * width + i;
"""

# At a cube's corner three texels meet, and a fourth would be their mean.
CUBE_BORDER = """
            if (out_x && out_y) {
                spot.missing = k;
                spot.at[k] = 0;
            } else if (out_x || out_y) spot.at[k] = beyond(face, width, i, j);
"""

# A sum over the four with the missing one as the mean of the others, and the weights of that sum.
CORNER_COLLECT = """
            if (spot.missing >= 0) {
                real others = 0;
                for (int k = 0; k < 4; ++k) others += k == spot.missing ? 0 : gain[k];
                for (int k = 0; k < 4; ++k) gain[k] = k == spot.missing ? others / 3 : gain[k];
            }
"""

CORNER_SHARE = """
        if (spot.missing >= 0) {
            real third = 0;
            for (int k = 0; k < 4; ++k) third += k == spot.missing ? w.of[k] / 3 : 0;
            for (int k = 0; k < 4; ++k) w.of[k] = k == spot.missing ? 0 : w.of[k] + third;
        }
"""

FLAT_ENTER = """
        const int face = 0;
        const real* p = uv.data + (size_t)pixel * 2;
        const bool valid = p[0] - p[0] == 0 && p[1] - p[1] == 0;  // finite
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

# The rows of J in texels, their squared lengths and product, and the larger eigenvalue.
FOOTPRINT = """
        real sxw = 0, syw = 0, txh = 0, tyh = 0, ss = 0, tt = 0, st = 0, spread = 0, square = 0;
        if (has_footprint) {
            sxw = sx * base_w; syw = sy * base_w; txh = tx * base_h; tyh = ty * base_h;
            ss = sxw * sxw + syw * syw;
            tt = txh * txh + tyh * tyh;
            st = sxw * txh + syw * tyh;
            spread = wp::sqrt((ss - tt) * (ss - tt) + 4 * st * st);
            square = real(0.5) * (ss + tt + (spread < ss + tt ? spread : ss + tt));  // the latter where it overflows
        }
"""

# Finds the spots of some pixels before any texel is read: a CPU's core then waits for many of them at once.
EACH_BATCH = """
#if defined(__CUDA_ARCH__)
    enum { batch = 1 };
    const auto expect = [](const real*) {};
#else
    enum { batch = 16 };
    const auto expect = [](const real* texel) { __builtin_prefetch(texel); };
#endif
    const real base_w = (real)levels.data[0], base_h = (real)levels.data[1], top_level = (real)(level_count - 1);
    const bool mixes = filter == 3;
    Spot spots[2 * batch];
    for (int start = first, end; start < last; start = end) {
        end = start + batch < last ? start + batch : last;
        int count = 0;
        for (int pixel = start; pixel < end; ++pixel) {
            ENTER
            FOOTPRINT
            real level = has_bias ? bias.data[pixel] : real(0);
            if (has_footprint) level += real(0.5) * wp::log2(square);
            if (!mixes) level = wp::floor(level + real(0.5));
            const bool slides = mixes && level > 0 && level < top_level;
            level = level > 0 ? (level < top_level ? level : top_level) : real(0);  // NaN: 0
            for (int step = 0; step < (valid ? 1 + slides : 0); ++step) {
                Spot& spot = spots[count++];
                const real share = level - (real)(int)level;
                spot.pixel = pixel;
                spot.step = step;
                spot.slides = slides;
                spot.number = (int)level + step;
                spot.part = step ? share : 1 - share;
                find_texels(spot, face, s, t);
                const int row = textures == 1 ? 0 : pixel / pixels;
                FOUND
            }
            UNSEEN
        }
"""

FOUND = """
                const real* from = texels_of(texture.data, mipmaps.data, row, spot.number);
                expect(from + (size_t)spot.at[0] * channels);
                expect(from + (size_t)spot.at[0] * channels + 2 * channels - 1);
                expect(from + (size_t)spot.at[2] * channels);
                expect(from + (size_t)spot.at[2] * channels + 2 * channels - 1);
"""

UNSEEN = """
            for (int n = 0; !valid && n < channels; ++n) values.data[(size_t)pixel * channels + n] = 0;
"""

SAMPLE = """
        for (int i = 0; i < count; ++i) {
            const Spot& spot = spots[i];
            const Weights w = weights_of(spot);
            const int row = textures == 1 ? 0 : spot.pixel / pixels;
            const real* from = texels_of(texture.data, mipmaps.data, row, spot.number);
            real* value = values.data + (size_t)spot.pixel * channels;
            unrolled([&](auto size) {
                const real *a = from + (size_t)spot.at[0] * channels, *b = from + (size_t)spot.at[1] * channels;
                const real *c = from + (size_t)spot.at[2] * channels, *d = from + (size_t)spot.at[3] * channels;
                for (int n = 0; n < size.count; ++n) {
                    const real mean = w.of[0] * a[n] + w.of[1] * b[n] + w.of[2] * c[n] + w.of[3] * d[n];
                    value[n] = spot.step ? value[n] + mean : mean;
                }
            });
        }
    }
"""

FOUND_ADJOINT = """
                if (wants_places) {
                    const real* from = texels_of(texture.data, mipmaps.data, row, spot.number);
                    expect(from + (size_t)spot.at[0] * channels);
                    expect(from + (size_t)spot.at[0] * channels + 2 * channels - 1);
                    expect(from + (size_t)spot.at[2] * channels);
                    expect(from + (size_t)spot.at[2] * channels + 2 * channels - 1);
                }
                if (wants_texels) {
                    real* to = texels_of(grad_texture.data, grad_mipmaps.data, bank >= 0 ? bank : row, spot.number);
                    expect(to + (size_t)spot.at[0] * channels);
                    expect(to + (size_t)spot.at[0] * channels + 2 * channels - 1);
                    expect(to + (size_t)spot.at[2] * channels);
                    expect(to + (size_t)spot.at[2] * channels + 2 * channels - 1);
                }
"""

# What a pixel's values do to the texels goes into the buffer `bank`, or into the texture's own where that is -1.
SAMPLE_ADJOINT = """
        real by_s[batch] = {}, by_t[batch] = {}, by_level[batch] = {};
        for (int i = 0; i < count; ++i) {
            const Spot& spot = spots[i];
            const real* grad = grad_values.data + (size_t)spot.pixel * channels;
            const int row = textures == 1 ? 0 : spot.pixel / pixels;
            if (wants_texels) {
                const Weights w = weights_of(spot);
                real* to = texels_of(grad_texture.data, grad_mipmaps.data, bank >= 0 ? bank : row, spot.number);
                unrolled([&](auto size) {
                    for (int k = 0; k < 4; ++k) {
                        real* texel = to + (size_t)spot.at[k] * channels;
                        for (int n = 0; n < size.count; ++n) wp::atomic_add(texel + n, w.of[k] * grad[n]);
                    }
                });
            }
            if (!wants_places) continue;
            const real* from = texels_of(texture.data, mipmaps.data, row, spot.number);
            real gain[4] = {};
            unrolled([&](auto size) {
                for (int k = 0; k < 4; ++k) {
                    const real* texel = from + (size_t)spot.at[k] * channels;
                    real sum = 0;
                    for (int n = 0; n < size.count; ++n) sum += grad[n] * texel[n];
                    gain[k] = spot.keep[k] * sum;
                }
            });
            COLLECT
            const real fx = spot.fx, fy = spot.fy, upper = gain[1] - gain[0], lower = gain[3] - gain[2];
            const real above = gain[0] + fx * upper, below = gain[2] + fx * lower;
            by_s[spot.pixel - start] += spot.part * spot.slope_x * ((1 - fy) * upper + fy * lower);
            by_t[spot.pixel - start] += spot.part * spot.slope_y * (below - above);
            if (spot.slides) by_level[spot.pixel - start] += (spot.step ? 1 : -1) * (above + fy * (below - above));
        }
        for (int pixel = start; wants_places && pixel < end; ++pixel) {
            ENTER
            FOOTPRINT
            const real gs = by_s[pixel - start], gt = by_t[pixel - start], gain = by_level[pixel - start];
            if (has_bias) grad_bias.data[pixel] = gain;
            real gsx = 0, gsy = 0, gtx = 0, gty = 0;
            if (gain != 0 && square > 0) {
                // level = log2(square) / 2; where the ellipse is a circle both axes count alike.
                const real scale = gain / (real(2 * 0.6931471805599453) * square);
                const real lean = spread > 0 ? (ss - tt) / spread : real(0), cross = spread > 0 ? 2 * st / spread : 0;
                gsx = scale * base_w * ((1 + lean) * sxw + cross * txh);
                gsy = scale * base_w * ((1 + lean) * syw + cross * tyh);
                gtx = scale * base_h * ((1 - lean) * txh + cross * sxw);
                gty = scale * base_h * ((1 - lean) * tyh + cross * syw);
            }
            if (valid) {
                LEAVE
                continue;
            }
            for (int n = 0; n < SIZE; ++n) grad_uv.data[(size_t)pixel * SIZE + n] = 0;
            for (int n = 0; has_footprint && n < 2 * SIZE; ++n) grad_footprints.data[(size_t)pixel * 2 * SIZE + n] = 0;
        }
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


def _body(cube: bool, rest: str, found: str, unseen: str) -> str:
    """A kernel's body for one kind of texture: what differs between the kinds takes the place of its name."""
    body = CHANNELS + SPOTS + EACH_BATCH + rest
    parts = {
        "BORDER": CUBE_BORDER if cube else FLAT_BORDER, "ENTER": cube_maps.ENTER if cube else FLAT_ENTER,
        "LEAVE": cube_maps.LEAVE if cube else FLAT_LEAVE, "SIZE": "3" if cube else "2", "FOOTPRINT": FOOTPRINT,
        "FOUND": found, "UNSEEN": unseen,
        "SHARE": CORNER_SHARE if cube else "", "COLLECT": CORNER_COLLECT if cube else "",
    }  # fmt: skip
    for name, part in parts.items():
        body = body.replace(name, part)
    return (cube_maps.AXES + cube_maps.BEYOND if cube else "") + body


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
        make.items(f"sample_{name}", _body(cube, SAMPLE, FOUND, UNSEEN), **given, values=reals)
        make.items(
            f"sample_{name}_adjoint", _body(cube, SAMPLE_ADJOINT, FOUND_ADJOINT, ""), **given, **gradients
        )
    levels = {
        "fine": reals, "fine_at": int, "fine_stride": int, "coarse": reals, "coarse_at": int, "coarse_stride": int,
        "rows": int, "width": int, "step_x": int, "step_y": int, "channels": int,
    }  # fmt: skip
    make.items("halve", HALVE, **levels)
    make.items("halve_adjoint", HALVE_ADJOINT, **levels)
    return make.finished()


kernels_for = compiled(build)
