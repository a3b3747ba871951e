"""Images of barycentric coordinates and of attributes, and their adjoints by hand.

With `e_i = (X_i - px w_i, Y_i - py w_i, w_i)` and `C_i = e_j x e_k`, the barycentrics up to scale at pixel p are the
last components `b_i` of the `C_i`, and their derivatives along the row and along the column are the first two.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch

from .._support.warp_kernels import BYTES, INTS, TRIPLES, KernelModule, compiled
from ..rasterizer.shading import EACH_FRAGMENT

# The derivatives of the b_i along the row and the column, those of their sum, and (du/dX, du/dY, dv/dX, dv/dY).
SLOPES = """
        const vec3 ea(ax, ay, a[2]), eb(bx, by, b[2]), ec(cx, cy, c[2]);
        real total_x = 0, total_y = 0, ux = 0, uy = 0, vx = 0, vy = 0;
        if (with_db) {
            const vec3 ca = wp::cross(eb, ec), cb = wp::cross(ec, ea), cc = wp::cross(ea, eb);
            total_x = ca[0] + cb[0] + cc[0];
            total_y = ca[1] + cb[1] + cc[1];
            ux = (ca[0] - wa * total_x) * scale;
            uy = (ca[1] - wa * total_y) * scale;
            vx = (cb[0] - wb * total_x) * scale;
            vy = (cb[1] - wb * total_y) * scale;
        }
"""

BARYCENTRICS = (
    EACH_FRAGMENT
    + """
        real* out = rast.data + (size_t)pixel * 4;
        const real* n = closeness.data + (size_t)view * vertices;
        const real w = wa * a[2] + wb * b[2] + wc * c[2];
        out[0] = wa;
        out[1] = wb;
        out[2] = 1 - (wa * n[corners[0]] + wb * n[corners[1]] + wc * n[corners[2]]) / w;
        out[3] = (real)(base + triangles.data[slot] + 1);
        if (!with_db) continue;
"""
    + SLOPES
    + """
        real* to = rast_db.data + (size_t)pixel * 4;
        to[0] = ux;
        to[1] = uy;
        to[2] = vx;
        to[3] = vy;
    }
"""
)

# u = b_a / S, du/dX = (b_a' - u S') / S: so b_a gets g_u / S, and all b get what S takes; likewise the slopes.
BARYCENTRICS_ADJOINT = (
    """
    vec3 sums[3] = {};
"""
    + EACH_FRAGMENT
    + SLOPES
    + """
        const real* g = grad_rast.data + (size_t)pixel * 4;
        const real none[4] = {};
        const real* s = with_db ? grad_rast_db.data + (size_t)pixel * 4 : none;
        const real gu = g[0] - (s[0] * total_x + s[1] * total_y) * scale;
        const real gv = g[1] - (s[2] * total_x + s[3] * total_y) * scale;
        const real mean_x = s[0] * wa + s[2] * wb, mean_y = s[1] * wa + s[3] * wb;
        const real mean = gu * wa + gv * wb + s[0] * ux + s[1] * uy + s[2] * vx + s[3] * vy;
        const vec3 ga = vec3(s[0] - mean_x, s[1] - mean_y, gu - mean) * scale;
        const vec3 gb = vec3(s[2] - mean_x, s[3] - mean_y, gv - mean) * scale;
        const vec3 gc = vec3(-mean_x, -mean_y, -mean) * scale;
        // d(x cross y) . g = dx . (y cross g) + dy . (g cross x); then d(X, Y, w) of d(e): (1, 0, -px), (0, 1, -py).
        const auto add = [&](int corner, const vec3& d) {
            sums[corner] += vec3(d[0], d[1], d[2] - px * d[0] - py * d[1]);
        };
        add(0, wp::cross(eb, gc) + wp::cross(gb, ec));
        add(1, wp::cross(ec, ga) + wp::cross(gc, ea));
        add(2, wp::cross(ea, gb) + wp::cross(ga, eb));
        // Neighbours in a row mostly show the same triangle: one visit to memory for all of them.
        if (slot + 1 < last && triangles.data[slot + 1] == triangles.data[slot] && pixel + 1 < row_last) continue;
        for (int corner = 0; corner < 3; ++corner) {
            real* to = (real*)(grad_points.data + (size_t)view * vertices + corners[corner]);
            for (int n = 0; n < 3; ++n) wp::atomic_add(to + n, sums[corner][n]);
            sums[corner] = vec3();
        }
    }
"""
)

# Items are pixels. `rast` is what a program hands on, and may have changed: its ids are looked at, not trusted.
EACH_PIXEL = """
    const int area = height * width;
    for (int pixel = first; pixel < last; ++pixel) {
        const real* r = rast.data + (size_t)pixel * 4;
        const real id = r[3] - 1;
        const bool shows = id >= 0 && id < (real)faces.shape[0];
        if (!shows) {
            clear(pixel);
            continue;
        }
        const wp::vec_t<3, int> corners = faces.data[(int)id];
        const int view = shared >= 0 ? 0 : pixel / area;
        const real u = r[0], v = r[1], w = 1 - u - v;
        const real* given = attributes.data + (shared >= 0 ? 0 : (size_t)view * rows * channels);
        const real *va = given + (size_t)corners[0] * channels, *vb = given + (size_t)corners[1] * channels;
        const real* vc = given + (size_t)corners[2] * channels;
        const real* s = rast_db.data + (picked ? (size_t)pixel * 4 : 0);
"""

INTERPOLATE = (
    """
    const auto clear = [&](int pixel) {
        for (int n = 0; n < channels; ++n) values.data[(size_t)pixel * channels + n] = 0;
        for (int n = 0; n < 2 * picked; ++n) slopes.data[(size_t)pixel * 2 * picked + n] = 0;
    };
"""
    + EACH_PIXEL
    + """
        real *value = values.data + (size_t)pixel * channels, *slope = slopes.data + (size_t)pixel * 2 * picked;
        for (int n = 0; n < channels; ++n) value[n] = u * va[n] + v * vb[n] + w * vc[n];
        for (int m = 0; m < picked; ++m) {
            const int n = picks.data[m];
            const real along_u = va[n] - vc[n], along_v = vb[n] - vc[n];
            slope[2 * m] = s[0] * along_u + s[2] * along_v;
            slope[2 * m + 1] = s[1] * along_u + s[3] * along_v;
        }
    }
"""
)

INTERPOLATE_ADJOINT = (
    """
    const auto clear = [](int) {};  // these images are zeros already
"""
    + EACH_PIXEL
    + """
        real* out = grad_attributes.data + (size_t)(shared >= 0 ? shared : view) * rows * channels;
        real *oa = out + (size_t)corners[0] * channels, *ob = out + (size_t)corners[1] * channels;
        real* oc = out + (size_t)corners[2] * channels;
        const real* gv = grad_values.data + (size_t)pixel * channels;
        const real* gs = grad_slopes.data + (size_t)pixel * 2 * picked;
        real* gr = grad_rast.data + (size_t)pixel * 4;
        for (int n = 0; n < channels; ++n) {
            const real g = gv[n];
            gr[0] += g * (va[n] - vc[n]);
            gr[1] += g * (vb[n] - vc[n]);
            wp::atomic_add(oa + n, g * u);
            wp::atomic_add(ob + n, g * v);
            wp::atomic_add(oc + n, g * w);
        }
        for (int m = 0; m < picked; ++m) {
            const int n = picks.data[m];
            const real gx = gs[2 * m], gy = gs[2 * m + 1], along_u = va[n] - vc[n], along_v = vb[n] - vc[n];
            real* gd = grad_rast_db.data + (size_t)pixel * 4;
            gd[0] += gx * along_u;
            gd[1] += gy * along_u;
            gd[2] += gx * along_v;
            gd[3] += gy * along_v;
            const real ga = gx * s[0] + gy * s[1], gb = gx * s[2] + gy * s[3];
            wp::atomic_add(oa + n, ga);
            wp::atomic_add(ob + n, gb);
            wp::atomic_add(oc + n, -ga - gb);
        }
    }
"""
)

# Which side of a triangle is seen: the sign of det(P_a, P_b, P_c), about the image of the corner with the largest |w|,
# since about the image's corner the digits would cancel.
SIDES = """
    for (int face = first; face < last; ++face) {
        const wp::vec_t<3, int> corners = faces.data[face];
        const vec3* point = points.data + (size_t)view * vertices;
        const vec3 p[3] = {point[corners[0]], point[corners[1]], point[corners[2]]};
        int k = wp::abs(p[1][2]) > wp::abs(p[0][2]) ? 1 : 0;
        if (wp::abs(p[2][2]) > wp::abs(p[k][2])) k = 2;
        const vec3 &a = p[k], &b = p[(k + 1) % 3], &c = p[(k + 2) % 3];
        const real x = a[0] / a[2], y = a[1] / a[2];
        const real area = (b[0] - x * b[2]) * (c[1] - y * c[2]) - (b[1] - y * b[2]) * (c[0] - x * c[2]);
        sides.data[(size_t)view * faces.shape[0] + face] = area * a[2] < 0;
    }
"""


def build(dtype: torch.dtype) -> SimpleNamespace:
    """Kernels for one floating-point type, in a Warp module of their own."""
    make = KernelModule("largesteps_zg.nvdiffrast", dtype)
    real, vec3s = make.reals, make.vec3s
    fragments = {
        "points": vec3s, "faces": TRIPLES, "pixels": INTS, "triangles": INTS, "height": int, "width": int,
        "vertices": int, "base": int, "with_db": int,
    }  # fmt: skip
    make.items("barycentrics", BARYCENTRICS, **fragments, closeness=real, rast=real, rast_db=real)
    make.items(
        "barycentrics_adjoint",
        BARYCENTRICS_ADJOINT,
        **fragments,
        grad_rast=real,
        grad_rast_db=real,
        grad_points=vec3s,
    )
    pixels = {
        "rast": real, "rast_db": real, "faces": TRIPLES, "height": int, "width": int, "rows": int, "channels": int,
        "picks": INTS, "picked": int, "shared": int, "attributes": real,
    }  # fmt: skip
    make.items("interpolate", INTERPOLATE, **pixels, values=real, slopes=real)
    make.items(
        "interpolate_adjoint", INTERPOLATE_ADJOINT, **pixels, grad_values=real, grad_slopes=real, grad_attributes=real,
        grad_rast=real, grad_rast_db=real,
    )  # fmt: skip
    make.items_of_views("sides", SIDES, points=vec3s, faces=TRIPLES, vertices=int, sides=BYTES)
    return make.finished()


kernels_for = compiled(build)
