"""Soft triangles, from lists of those that reach into each tile of an image, and the adjoint by hand.

A triangle covers a pixel with the probability ``D = 1 / (1 + exp(-x))``, where ``x`` is the squared distance of the
pixel from its outline over sigma², negative outside. Attributes and depth are those of the pixel inside a triangle, and
of the nearest point of its outline elsewhere.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch

from .._support.warp_kernels import INTS, TRIPLES, KernelModule, compiled

TILE = 8  # pixels, along both axes: decides about time alone
REACH = 3.0  # sigmas; beyond D < 1.3e-4, where the released code stops as well

TILES = f"""
    const int size = {TILE}, tiles_x = (width + size - 1) / size, tiles_y = (height + size - 1) / size;
    const real reach = real({REACH}) * sigma, scale = real(1) / (sigma * sigma);
    for (int tile = first; tile < last; ++tile) {{
        const int view = tile / (tiles_x * tiles_y), left = tile % tiles_x * size;
        const int top = (tile / tiles_x - view * tiles_y) * size;
        const int columns = width - left < size ? width - left : size;
        const int rows = height - top < size ? height - top : size;
        const auto pixel_at = [&](int row, int column) {{
            return ((size_t)view * height + top + row) * width + left + column;
        }};
        const vec3* point = screen.data + (size_t)view * vertices;
        const real* given = attributes.data + (shared >= 0 ? 0 : (size_t)view * vertices * channels);
"""

# One triangle, as seen from the tile's first pixel. Edges are named by the corner opposite.
TRIANGLES = """
        for (int entry = starts.data[tile]; entry < starts.data[tile + 1]; ++entry) {
            const wp::vec_t<3, int> corners = faces.data[entries.data[entry]];
            const real* value[3];
            real u[3], v[3], q[3], edge_u[3], edge_v[3], per_length[3];  // q: the inverse of the depth
            real low_u = INFINITY, low_v = INFINITY, high_u = -INFINITY, high_v = -INFINITY;
            for (int k = 0; k < 3; ++k) {
                const vec3& p = point[corners[k]];
                u[k] = p[0] - (real)left - real(0.5);
                v[k] = p[1] - (real)top - real(0.5);
                q[k] = p[2];
                value[k] = given + (size_t)corners[k] * channels;
                low_u = u[k] < low_u ? u[k] : low_u;
                low_v = v[k] < low_v ? v[k] : low_v;
                high_u = u[k] > high_u ? u[k] : high_u;
                high_v = v[k] > high_v ? v[k] : high_v;
            }
            for (int k = 0; k < 3; ++k) {
                const int i = (k + 1) % 3, j = (k + 2) % 3;
                edge_u[k] = u[j] - u[i];
                edge_v[k] = v[j] - v[i];
                const real length = edge_u[k] * edge_u[k] + edge_v[k] * edge_v[k];
                per_length[k] = length > 0 ? real(1) / length : real(0);
            }
            const real area = edge_u[0] * edge_v[1] - edge_v[0] * edge_u[1];
            const real per_area = area != 0 ? real(1) / area : real(0);
"""

PIXELS = """
            for (int cell = 0; cell < rows * columns; ++cell) {
                const int row = cell / columns, column = cell % columns;
                const real px = (real)column, py = (real)row;
                if (px < low_u - reach || px > high_u + reach || py < low_v - reach || py > high_v + reach) continue;
                // The nearest point of the outline, (rx, ry) from the pixel, on edge i j at t.
                real nearest = INFINITY, t = 0, rx = 0, ry = 0, share[3];
                int opposite = 0;
                for (int k = 0; k < 3; ++k) {
                    const int start = (k + 1) % 3;
                    const real x = u[start] - px, y = v[start] - py;
                    share[k] = (x * edge_v[k] - y * edge_u[k]) * per_area;
                    const real at = -(x * edge_u[k] + y * edge_v[k]) * per_length[k];
                    const real here = at > 0 ? (at < 1 ? at : real(1)) : real(0);
                    const real dx = x + here * edge_u[k], dy = y + here * edge_v[k], distance = dx * dx + dy * dy;
                    if (distance < nearest) {
                        nearest = distance;
                        t = here;
                        rx = dx;
                        ry = dy;
                        opposite = k;
                    }
                }
                const bool inside = share[0] > 0 && share[1] > 0 && share[2] > 0;
                if (!inside && !(nearest < reach * reach)) continue;
                const int i = (opposite + 1) % 3, j = (opposite + 2) % 3;
                const real small = wp::exp(-nearest * scale), large = real(1) / (1 + small);
                const real covers = inside ? large : small * large, misses = inside ? small * large : large;
                if (!inside) {
                    share[opposite] = 0;
                    share[i] = 1 - t;
                    share[j] = t;
                }
                const real inverse = share[0] * q[0] + share[1] * q[1] + share[2] * q[2];
                real weight[3];  // perspective-correct
                for (int k = 0; k < 3; ++k) weight[k] = share[k] * q[k] / inverse;
                // Nearer triangles count more: their depth to the power of -1 / gamma.
                const real nearness = channels > 0 ? wp::log(inverse) / gamma : real(0);
"""

BLEND = (
    TILES
    + """
        real open[size * size], most[size * size], sum[size * size];
        for (int row = 0; row < rows; ++row) {
            for (int column = 0; column < columns; ++column) {
                const int cell = row * columns + column;
                open[cell] = 1;
                most[cell] = -INFINITY;
                sum[cell] = 0;
                real* out = image.data + pixel_at(row, column) * (channels + 1);
                for (int n = 0; n <= channels; ++n) out[n] = 0;
            }
        }
"""
    + TRIANGLES
    + PIXELS
    + """
                open[cell] *= misses;
                if (channels == 0) continue;
                real* out = image.data + pixel_at(row, column) * (channels + 1);
                if (nearness > most[cell]) {  // sums are relative to the nearest
                    const real less = wp::exp(most[cell] - nearness);
                    for (int n = 0; n < channels; ++n) out[n] *= less;
                    sum[cell] *= less;
                    most[cell] = nearness;
                }
                const real part = covers * wp::exp(nearness - most[cell]);
                sum[cell] += part;
                for (int n = 0; n < channels; ++n)
                    out[n] += part * (weight[0] * value[0][n] + weight[1] * value[1][n] + weight[2] * value[2][n]);
            }
        }
        for (int row = 0; row < rows; ++row) {
            for (int column = 0; column < columns; ++column) {
                const int cell = row * columns + column;
                real* out = image.data + pixel_at(row, column) * (channels + 1);
                out[channels] = 1 - open[cell];
                totals.data[pixel_at(row, column)] = most[cell] + wp::log(sum[cell]);
                if (sum[cell] > 0) for (int n = 0; n < channels; ++n) out[n] *= out[channels] / sum[cell];
            }
        }
    }
"""
)

ADJOINT = (
    TILES
    + """
        real* to_values = grad_attributes.data + (size_t)(shared >= 0 ? shared : view) * vertices * channels;
"""
    + TRIANGLES
    + """
            real to_u[3] = {}, to_v[3] = {}, to_q[3] = {};
"""
    + PIXELS
    + """
                const size_t pixel = pixel_at(row, column);
                const real *out = image.data + pixel * (channels + 1), *grad = grad_image.data + pixel * (channels + 1);
                const real covered = out[channels];
                if (!(covered > 0)) continue;
                real mean = 0;  // what all colours together get
                for (int n = 0; n < channels; ++n) mean += grad[n] * out[n] / covered;
                real of_x = (grad[channels] + mean) * (1 - covered) * covers;
                real of_log_depth = 0, of_weight[3] = {}, of_mean = 0;
                if (channels > 0) {
                    const real part = covered * covers * wp::exp(nearness - totals.data[pixel]);
                    for (int k = 0; k < 3; ++k) {
                        real* to = to_values + (size_t)corners[k] * channels;
                        for (int n = 0; n < channels; ++n) {
                            of_weight[k] += part * grad[n] * value[k][n];
                            wp::atomic_add(to + n, part * grad[n] * weight[k]);
                        }
                        of_mean += weight[k] * of_weight[k];
                    }
                    const real of_logit = of_mean - part * mean;
                    of_x += of_logit * misses;
                    of_log_depth = of_logit / gamma;
                }
                real of_share[3];
                for (int k = 0; k < 3; ++k) {
                    const real both = (of_weight[k] - of_mean + of_log_depth) / inverse;
                    of_share[k] = q[k] * both;
                    to_q[k] += share[k] * both;
                }
                const real pull = 2 * of_x * (inside ? scale : -scale);
                to_u[i] += pull * (1 - t) * rx;
                to_v[i] += pull * (1 - t) * ry;
                to_u[j] += pull * t * rx;
                to_v[j] += pull * t * ry;
                if (inside) {  // a corner that moves does its share of what the pixel would do the other way
                    real gx = 0, gy = 0;
                    for (int k = 0; k < 3; ++k) {
                        gx -= of_share[k] * edge_v[k] * per_area;
                        gy += of_share[k] * edge_u[k] * per_area;
                    }
                    for (int k = 0; k < 3; ++k) {
                        to_u[k] -= share[k] * gx;
                        to_v[k] -= share[k] * gy;
                    }
                } else if (t > 0 && t < 1) {
                    const real of_t = (of_share[j] - of_share[i]) * per_length[opposite], turn = 2 * t;
                    const real ex = edge_u[opposite], ey = edge_v[opposite], x = u[i] - px, y = v[i] - py;
                    to_u[i] += of_t * (x - ex + turn * ex);
                    to_v[i] += of_t * (y - ey + turn * ey);
                    to_u[j] -= of_t * (x + turn * ex);
                    to_v[j] -= of_t * (y + turn * ey);
                }
            }
            for (int k = 0; k < 3; ++k) {
                real* to = (real*)(grad_screen.data + (size_t)view * vertices + corners[k]);
                wp::atomic_add(to, to_u[k]);
                wp::atomic_add(to + 1, to_v[k]);
                wp::atomic_add(to + 2, to_q[k]);
            }
        }
    }
"""
)


def build(dtype: torch.dtype) -> SimpleNamespace:
    """Kernels of `soft.render_soft` for one floating-point type; their items are the tiles of all views."""
    make = KernelModule("largesteps_zg.soft", dtype)
    real, reals, vec3s = make.real, make.reals, make.vec3s
    given = {
        "height": int, "width": int, "sigma": real, "gamma": real, "vertices": int, "channels": int, "shared": int,
        "screen": vec3s, "faces": TRIPLES, "starts": INTS, "entries": INTS, "attributes": reals, "image": reals,
        "totals": reals,
    }  # fmt: skip
    gradients = {"grad_image": reals, "grad_screen": vec3s, "grad_attributes": reals}
    make.items("blend_soft", BLEND, **given)
    make.items("blend_soft_adjoint", ADJOINT, **given, **gradients)
    return make.finished()


kernels_for = compiled(build)
