"""Values at the covered pixels from values at the vertices, and both adjoints, by hand.

Perspective-correct barycentric coordinates from homogeneous pixels: with `e_i = (X_i - px w_i, Y_i - py w_i)`, the
cross products `b_i = e_j x e_k` are them up to their sum, for any signs of the `w_i`.
"""

from __future__ import annotations

from .._support.warp_kernels import INTS, TRIPLES, KernelModule

# Walks over fragments [first, last), which are sorted; keeps up where the row of the image begins.
EACH_FRAGMENT = """
    int row_first = 0, row_last = -1, view = 0;
    real py = 0;
    for (int slot = first; slot < last; ++slot) {
        const int pixel = pixels.data[slot];
        if (pixel >= row_last) {
            const int row = pixel / width;
            row_first = row * width;
            row_last = row_first + width;
            view = row / height;
            py = (real)(row - view * height) + real(0.5);
        }
        const real px = (real)(pixel - row_first) + real(0.5);
        const wp::vec_t<3, int> corners = faces.data[triangles.data[slot]];
        const vec3* point = points.data + (size_t)view * vertices;
        const vec3 &a = point[corners[0]], &b = point[corners[1]], &c = point[corners[2]];
        const real ax = a[0] - px * a[2], ay = a[1] - py * a[2], bx = b[0] - px * b[2];
        const real by = b[1] - py * b[2], cx = c[0] - px * c[2], cy = c[1] - py * c[2];
        real wa = bx * cy - by * cx, wb = cx * ay - cy * ax, wc = ax * by - ay * bx;
        // Seen edge-on all digits cancel: then any point of the triangle is as good, and none has a derivative.
        const real sum = wa + wb + wc;
        const bool whole = wp::abs(sum) > real(0.5) * (wp::abs(wa) + wp::abs(wb) + wp::abs(wc));
        const real scale = whole ? real(1) / sum : real(0), rest = whole ? real(0) : real(1) / real(3);
        wa = wa * scale + rest;
        wb = wb * scale + rest;
        wc = wc * scale + rest;
"""

ATTRIBUTES = """
        const wp::vec_t<3, int> at = own ? attribute_faces.data[triangles.data[slot]] : corners;
        const real* given = attributes.data + (shared >= 0 ? 0 : (size_t)view * rows * channels);
        const real *va = given + (size_t)at[0] * channels, *vb = given + (size_t)at[1] * channels;
        const real* vc = given + (size_t)at[2] * channels;
"""

INTERPOLATE = (
    EACH_FRAGMENT
    + ATTRIBUTES
    + """
        real* value = values.data + (size_t)slot * channels;
        for (int n = 0; n < channels; ++n) value[n] = wa * va[n] + wb * vb[n] + wc * vc[n];
    }
"""
)

INTERPOLATE_ADJOINT = (
    """
    real sums[9] = {};
"""
    + EACH_FRAGMENT
    + ATTRIBUTES
    + """
        real* out = grad_attributes.data + (size_t)(shared >= 0 ? shared : view) * rows * channels;
        real *oa = out + (size_t)at[0] * channels, *ob = out + (size_t)at[1] * channels;
        real* oc = out + (size_t)at[2] * channels;
        const real* grad = grad_values.data + (size_t)slot * channels;
        real ga = 0, gb = 0, gc = 0;
        for (int n = 0; n < channels; ++n) {
            const real g = grad[n];
            ga += g * va[n];
            gb += g * vb[n];
            gc += g * vc[n];
            wp::atomic_add(oa + n, g * wa);
            wp::atomic_add(ob + n, g * wb);
            wp::atomic_add(oc + n, g * wc);
        }
        const real mean = ga * wa + gb * wb + gc * wc;
        ga = (ga - mean) * scale;
        gb = (gb - mean) * scale;
        gc = (gc - mean) * scale;
        // d(b_a) = eb x ec, and so on around; then d(X, Y, w) from d(e): (1, 0, -px), (0, 1, -py).
        const auto add = [&](int corner, real x, real y) {
            sums[3 * corner] += x;
            sums[3 * corner + 1] += y;
            sums[3 * corner + 2] -= px * x + py * y;
        };
        add(0, gc * by - gb * cy, gb * cx - gc * bx);
        add(1, ga * cy - gc * ay, gc * ax - ga * cx);
        add(2, gb * ay - ga * by, ga * bx - gb * ax);
        // Neighbours in a row mostly show the same triangle: one visit to memory for all of them.
        if (slot + 1 < last && triangles.data[slot + 1] == triangles.data[slot] && pixel + 1 < row_last) continue;
        for (int corner = 0; corner < 3; ++corner) {
            real* to = (real*)(grad_points.data + (size_t)view * vertices + corners[corner]);
            for (int n = 0; n < 3; ++n) {
                wp::atomic_add(to + n, sums[3 * corner + n]);
                sums[3 * corner + n] = 0;
            }
        }
    }
"""
)


def define(make: KernelModule) -> None:
    """Kernels of `warp_backend.interpolate`; their items are fragments.

    `attribute_faces` are read only if `own` is 1; there are so many `rows` of attributes in a view.
    """
    given = {
        "points": make.vec3s, "faces": TRIPLES, "pixels": INTS, "triangles": INTS, "height": int, "width": int,
        "vertices": int, "attribute_faces": TRIPLES, "own": int, "rows": int, "channels": int, "shared": int,
        "attributes": make.reals,
    }  # fmt: skip
    gradients = {"grad_values": make.reals, "grad_points": make.vec3s, "grad_attributes": make.reals}
    make.items("interpolate", INTERPOLATE, **given, values=make.reals)
    make.items("interpolate_adjoint", INTERPOLATE_ADJOINT, **given, **gradients)
