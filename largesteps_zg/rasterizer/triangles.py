"""The body of the kernels that draw triangles into a buffer of keys: a block of them at a time on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

_WAITING = 5  # int32 that RASTER keeps of a triangle that waits


def room_to_wait(chunks: int, faces: int) -> Tensor:
    """What RASTER takes for `later`, a row for each thread."""
    return torch.empty(chunks, _WAITING * (faces + 1), dtype=torch.int32)


# Inside is where the three coordinates t_i are positive; they are affine in the pixel, and so is N/w = sum t_i z_i:
# in front of the camera t_i are the barycentric coordinates on the screen and z_i = N_i/w_i; otherwise t_i are those of
# homogeneous coordinates divided by D, and z_i = N_i.
RASTER = """
#if defined(__CUDA_ARCH__)
    constexpr int many = 1, wide = 1;
#else
    constexpr int many = 32, wide = 8;  // triangles that are set up, and pixels that are drawn, by vector code
#endif
    const real slack = real(1) / (sizeof(real) == 4 ? 1 << 21 : 1ll << 50);  // four units in the last place of 1
    const real half = real(0.5);
    const auto clamp = [](real x, real low, real high) { return x > low ? (x < high ? x : high) : low; };  // NaN: low
    const auto smallest = [](const real* x) {
        const real m = x[0] < x[many] ? x[0] : x[many];
        return m < x[2 * many] ? m : x[2 * many];
    };
    const auto largest = [](const real* x) {
        const real m = x[0] > x[many] ? x[0] : x[many];
        return m > x[2 * many] ? m : x[2 * many];
    };
    // The first and the last pixel whose centre an interval holds.
    const auto first_in = [=](real low, int size) { return (int)wp::ceil(clamp(low - half, 0, (real)size)); };
    const auto last_in = [=](real high, int size) { return (int)wp::floor(clamp(high - half, -1, (real)(size - 1))); };
    const vec3* point = points.data + (size_t)view * vertices;
    const vec3* seen = screen.data + (size_t)view * vertices;
    wp::uint8* side = sides.data + (size_t)view * face_count;
    unsigned long long* target = (unsigned long long*)keys.data + (size_t)plane * height * width;

    // Of each triangle its corners on the screen and their 1/w; its box; t at the box's first pixel, and their steps
    // along x and y; the z, and how far below 0 a t still is inside.
    real x[3][many], y[3][many], q[3][many], t[3][many], tx[3][many], ty[3][many], z[3][many], least[3][many];
    real area[many];
    int x0[many], x1[many], y0[many], y1[many], drawn[many];
    bool whole[many];

    // Neighbours round a shared edge differently; without this slack (1e-5 of a pixel) it would leak.
    const auto give_slack = [&](int n) {
        const real columns = (real)(x1[n] - x0[n] + 1), rows = (real)(y1[n] - y0[n] + 1);
        for (int i = 0; i < 3; ++i)
            least[i][n] = -slack * (wp::abs(t[i][n]) + columns * wp::abs(tx[i][n]) + rows * wp::abs(ty[i][n]));
    };
    const auto measure = [&](int n) {
        // Image coordinates run down: a triangle that is counter-clockwise seen from outside has a negative area.
        area[n] = (x[1][n] - x[0][n]) * (y[2][n] - y[0][n]) - (y[1][n] - y[0][n]) * (x[2][n] - x[0][n]);
        whole[n] = (q[0][n] > 0) & (q[1][n] > 0) & (q[2][n] > 0);
        x0[n] = first_in(smallest(&x[0][n]), width);
        x1[n] = last_in(largest(&x[0][n]), width);
        y0[n] = first_in(smallest(&y[0][n]), height);
        y1[n] = last_in(largest(&y[0][n]), height);
        const bool some = general | (q[0][n] > 0) | (q[1][n] > 0) | (q[2][n] > 0);
        drawn[n] = whole[n] ? (x0[n] <= x1[n]) & (y0[n] <= y1[n]) & (area[n] != 0) : some;
    };
    const auto set_up = [&](int n) {
        const real scale = real(1) / area[n];
        // Everything about the first pixel of the box: about the image's corner the digits would cancel.
        const real px = (real)x0[n] + half, py = (real)y0[n] + half;
        for (int i = 0; i < 3; ++i) {
            const int j = (i + 1) % 3, k = (i + 2) % 3;
            t[i][n] = ((x[j][n] - px) * (y[k][n] - py) - (y[j][n] - py) * (x[k][n] - px)) * scale;
            tx[i][n] = ((y[j][n] - py) - (y[k][n] - py)) * scale;
            ty[i][n] = ((x[k][n] - px) - (x[j][n] - px)) * scale;
            z[i][n] *= whole[n] ? q[i][n] : real(1);
        }
        give_slack(n);
    };
    // For triangles that reach behind the near plane; whether there is anything to draw.
    const auto set_up_crossing = [&](int n, int face) {
        const wp::vec_t<3, int> corners = faces.data[face];
        const vec3 &u = point[corners[0]], &v = point[corners[1]], &w = point[corners[2]];
        // Behind the camera, or all of it nearer than the near plane: what lies between three such corners is too.
        if (general && u[2] <= 0 && v[2] <= 0 && w[2] <= 0) return false;
        if (general && z[0][n] * near > u[2] && z[1][n] * near > v[2] && z[2][n] * near > w[2]) return false;
        const real ax = u[0] - half * u[2], ay = u[1] - half * u[2], bx = v[0] - half * v[2];
        const real by = v[1] - half * v[2], cx = w[0] - half * w[2], cy = w[1] - half * w[2];
        const real ta = bx * cy - by * cx, tb = cx * ay - cy * ax, tc = ax * by - ay * bx;
        const real det = ta * u[2] + tb * v[2] + tc * w[2];
        side[face] = det < 0;
        if (det == 0) return false;
        const real scale = real(1) / det;
        x0[n] = y0[n] = 0;
        x1[n] = width - 1;
        y1[n] = height - 1;
        t[0][n] = ta * scale;
        t[1][n] = tb * scale;
        t[2][n] = tc * scale;
        tx[0][n] = (w[2] * by - v[2] * cy) * scale;
        tx[1][n] = (u[2] * cy - w[2] * ay) * scale;
        tx[2][n] = (v[2] * ay - u[2] * by) * scale;
        ty[0][n] = (v[2] * cx - w[2] * bx) * scale;
        ty[1][n] = (w[2] * ax - u[2] * cx) * scale;
        ty[2][n] = (u[2] * bx - v[2] * ax) * scale;
        give_slack(n);
        return true;
    };
    const auto fill = [&](int n, int face) {
        const real ta = t[0][n], tb = t[1][n], tc = t[2][n], tax = tx[0][n], tbx = tx[1][n], tcx = tx[2][n];
        const real tay = ty[0][n], tby = ty[1][n], tcy = ty[2][n], za = z[0][n], zb = z[1][n], zc = z[2][n];
        const real la = least[0][n], lb = least[1][n], lc = least[2][n];
        const int left = x0[n], top = y0[n], right = x1[n], bottom = y1[n];
        const real columns = (real)(right - left + 1);
        const unsigned low = 0xFFFFFFFFu - (unsigned)face;
        for (int line = top; line <= bottom; ++line) {
            const real dy = (real)(line - top), ra = ta + dy * tay, rb = tb + dy * tby, rc = tc + dy * tcy;
            unsigned long long* row = target + (size_t)line * width;
            const float* ceiling = ceilings.data + ((size_t)view * height + line) * width + left;
            // The key of the pixel `at` to the right, 0 outside; no branches, so that it becomes vector code.
            const auto key_at = [&](int at) -> unsigned long long {
                const real dx = (real)at;
                const real pa = ra + dx * tax, pb = rb + dx * tbx, pc = rc + dx * tcx;
                const real reached = pa * za + pb * zb + pc * zc;
                const union { float number; unsigned bits; } depth = {(float)reached};
                const bool front = general ? (reached >= 0) & (pa + pb + pc > 0) : reached > 0;
                const bool lower = !peels || depth.number < ceiling[at];
                const bool in =
                    (pa >= la) & (pb >= lb) & (pc >= lc) & front & (reached * near <= 1) & (dx < columns) & lower;
                // Nearest first, then the lowest face: the same winner in any order of execution.
                return in ? ((unsigned long long)depth.bits << 32) | low : 0;
            };
            for (int column = left; column <= right; column += wide) {
#if defined(__CUDA_ARCH__)
                const unsigned long long key = key_at(column - left);
                if (key) atomicMax(row + column, key);
#else
                // Past the row's end nothing changes; the buffer has room for it.
                for (int lane = 0; lane < wide; ++lane) {
                    const unsigned long long key = key_at(column - left + lane), old = row[column + lane];
                    row[column + lane] = key > old ? key : old;
                }
#endif
            }
        }
    };
    // What is known of a triangle that waits: its box of up to 2 x 2 pixels, and its nearest corner. With rounding and
    // slack its own pixels are no nearer than that by a share of 36 (box / area) / 2^21, with a border of one pixel
    // round the box.
    struct Waiting {
        int face, first_pixel, right, below;  // the other pixels from there
        unsigned nearest;
    };
    Waiting* waiting = (Waiting*)later.data;
    int waits = 0;
    const auto wait = [&](int n, int face) {
        const union { float number; unsigned bits; } depth = {(float)(largest(&q[0][n]) * (1 + real(1) / 128))};
        waiting[waits++] = {face, y0[n] * width + x0[n], x1[n] - x0[n], (y1[n] - y0[n]) * width, depth.bits};
    };
    // Whether all of its box shows what is nearer.
    const auto hidden = [&](const Waiting& some) {
        const unsigned long long* key = target + some.first_pixel;
        const auto nearer = [&](int at) { return (unsigned)(key[at] >> 32) > some.nearest; };
        return nearer(0) & nearer(some.right) & nearer(some.below) & nearer(some.below + some.right);
    };
    const auto draw = [&](auto face_of, int count, auto choose) {
#pragma clang loop vectorize(disable)
        for (int n = 0; n < count; ++n) {
            const wp::vec_t<3, int> corners = faces.data[face_of(n)];
#if !defined(__CUDA_ARCH__)
            if (face_of(n) + many < last)
                for (int i = 0; i < 3; ++i) __builtin_prefetch(seen + faces.data[face_of(n) + many][i]);
#endif
            for (int i = 0; i < 3; ++i) {
                const vec3& p = seen[corners[i]];
                x[i][n] = p[0];
                y[i][n] = p[1];
                q[i][n] = p[2];
                z[i][n] = general ? closeness.data[(size_t)view * vertices + corners[i]] : real(1);
            }
        }
        for (int n = 0; n < many; ++n) measure(n);
        choose(count);
        for (int n = 0; n < many; ++n) set_up(n);
        int list[many], listed = 0;
        for (int n = 0; n < count; ++n) {
            list[listed] = n;
            listed += drawn[n] != 0;
        }
        for (int m = 0; m < listed; ++m) {
            const int n = list[m], face = face_of(n);
            if (whole[n] || set_up_crossing(n, face)) fill(n, face);
        }
    };
    const bool turns = later.shape[0] > 0;
    for (int begin = first; begin < last; begin += many) {
        const int count = last - begin < many ? last - begin : many;
        draw([=](int n) { return begin + n; }, count, [&](int count) {
            for (int n = 0; n < count; ++n) side[begin + n] = whole[n] & (area[n] < 0);
            // What is small and turned away comes last: it is mostly hidden by then.
            int list[many], listed = 0;
            for (int n = 0; turns && n < count; ++n) {
                const bool small = (x1[n] - x0[n] <= 1) & (y1[n] - y0[n] <= 1);
                const bool waits = !general & whole[n] & (area[n] * 32 >= 1) & small & (drawn[n] != 0);
                list[listed] = n;
                listed += waits;
                drawn[n] &= !waits;
            }
            for (int m = 0; m < listed; ++m) wait(list[m], begin + list[m]);
        });
    }
    int* left = later.data;  // faces, in place of the first of those that waited
    int seen_ones = 0;
    for (int n = 0; n < waits; ++n) {
        const Waiting some = waiting[n];
        left[seen_ones] = some.face;
        seen_ones += !hidden(some);
    }
    for (int begin = 0; begin < seen_ones; begin += many) {
        const int* some = left + begin;
        draw([=](int n) { return some[n]; }, seen_ones - begin < many ? seen_ones - begin : many, [](int) {});
    }
"""
