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

# The same for a block of fragments: vector code where numbers are worked out, one fragment after the other where memory
# is visited. `give` takes the fragments in their order, `finish` the block.
BLOCKS = """
#if defined(__CUDA_ARCH__)
    constexpr int many = 1;
#else
    constexpr int many = 16;
#endif
    const real half = real(0.5);
    real x[3][many], y[3][many], depth[3][many], px[many], py[many], ex[3][many], ey[3][many], weight[3][many];
    real scale[many];
    size_t place[3][many], row[3][many];
    bool starts[many];  // a run of neighbours in a row that show the same triangle
    int row_first = 0, row_last = -1, view = 0, pixel_before = -2, triangle_before = -1;
    real line = 0;
    const auto gather = [&](int begin, int count) {
        for (int n = 0; n < count; ++n) {
            const int pixel = pixels.data[begin + n], triangle = triangles.data[begin + n];
            starts[n] = (triangle != triangle_before) | (pixel != pixel_before + 1) | (pixel >= row_last);
            pixel_before = pixel;
            triangle_before = triangle;
            if (pixel >= row_last) {
                const int above = pixel / width;
                row_first = above * width;
                row_last = row_first + width;
                view = above / height;
                line = (real)(above - view * height) + half;
            }
            px[n] = (real)(pixel - row_first) + half;
            py[n] = line;
            const wp::vec_t<3, int> corners = faces.data[triangle];
            const wp::vec_t<3, int> at = own ? attribute_faces.data[triangle] : corners;
            const size_t before = (size_t)view * vertices, rows_before = shared >= 0 ? 0 : (size_t)view * rows;
            for (int i = 0; i < 3; ++i) {
                const vec3& p = points.data[before + corners[i]];
                x[i][n] = p[0];
                y[i][n] = p[1];
                depth[i][n] = p[2];
                place[i][n] = before + corners[i];
                row[i][n] = rows_before + at[i];
            }
        }
    };
    const auto weigh = [&](int n) {
        for (int i = 0; i < 3; ++i) {
            ex[i][n] = x[i][n] - px[n] * depth[i][n];
            ey[i][n] = y[i][n] - py[n] * depth[i][n];
        }
        const real wa = ex[1][n] * ey[2][n] - ey[1][n] * ex[2][n], wb = ex[2][n] * ey[0][n] - ey[2][n] * ex[0][n];
        const real wc = ex[0][n] * ey[1][n] - ey[0][n] * ex[1][n], sum = wa + wb + wc;
        // Seen edge-on all digits cancel: then any point of the triangle is as good, and none has a derivative.
        const bool whole = wp::abs(sum) > half * (wp::abs(wa) + wp::abs(wb) + wp::abs(wc));
        scale[n] = whole ? real(1) / sum : real(0);
        const real rest = whole ? real(0) : real(1) / real(3);
        weight[0][n] = wa * scale[n] + rest;
        weight[1][n] = wb * scale[n] + rest;
        weight[2][n] = wc * scale[n] + rest;
    };
    const auto in_blocks = [&](auto give, auto finish) {
        for (int begin = first; begin < last; begin += many) {
            const int count = last - begin < many ? last - begin : many;
            gather(begin, count);
            for (int n = 0; n < many; ++n) weigh(n);
            for (int n = 0; n < count; ++n) give(n, begin + n);
            finish(begin, count);
        }
    };
"""

INTERPOLATE = (
    BLOCKS
    + """
    const auto interpolate = [&](auto count) {
        in_blocks(
            [&](int n, int slot) {
                const real *a = attributes.data + row[0][n] * count();
                const real *b = attributes.data + row[1][n] * count();
                const real *c = attributes.data + row[2][n] * count();
                real* value = values.data + (size_t)slot * count();
                for (int m = 0; m < count(); ++m)
                    value[m] = weight[0][n] * a[m] + weight[1][n] * b[m] + weight[2][n] * c[m];
            },
            [](int, int) {});
    };
    if (channels == 3) interpolate([]() { return 3; });  // the usual number: without loops
    else interpolate([&]() { return channels; });
"""
)

INTERPOLATE_ADJOINT = (
    BLOCKS
    + """
    real share[3][many], gx[3][many], gy[3][many], gw[3][many], sums[9] = {};
    // d(b_a) = eb x ec, and so on around; then d(X, Y, w) from d(e): (1, 0, -px), (0, 1, -py).
    const auto differentiate = [&](int n) {
        const real mean = share[0][n] * weight[0][n] + share[1][n] * weight[1][n] + share[2][n] * weight[2][n];
        real g[3];
        for (int i = 0; i < 3; ++i) g[i] = (share[i][n] - mean) * scale[n];
        for (int i = 0; i < 3; ++i) {
            const int j = (i + 1) % 3, k = (i + 2) % 3;
            gx[i][n] = g[k] * ey[j][n] - g[j] * ey[k][n];
            gy[i][n] = g[j] * ex[k][n] - g[k] * ex[j][n];
            gw[i][n] = px[n] * gx[i][n] + py[n] * gy[i][n];
        }
    };
    // One visit to memory for all of a run.
    const auto add = [](real* to, real* from, int size) {
        for (int m = 0; m < size; ++m) wp::atomic_add(to + m, from[m]);
    };
    bool open = false;
    size_t corner[3] = {}, painted[3] = {};
    real paint[9] = {};
    const auto end_points = [&]() {
        for (int i = 0; i < 3; ++i) add((real*)(grad_points.data + corner[i]), sums + 3 * i, 3);
    };
    const auto scatter = [&](int n) {
        if (starts[n]) {
            if (open) end_points();
            open = true;
            for (int i = 0; i < 3; ++i) corner[i] = place[i][n];
            for (int m = 0; m < 9; ++m) sums[m] = 0;
        }
        for (int i = 0; i < 3; ++i) {
            sums[3 * i] += gx[i][n];
            sums[3 * i + 1] += gy[i][n];
            sums[3 * i + 2] -= gw[i][n];
        }
    };
    real* out = grad_attributes.data + (shared >= 0 ? (size_t)shared * rows * channels : 0);
    const auto end_paint = [&]() {
        for (int i = 0; i < 3; ++i) add(out + painted[i] * 3, paint + 3 * i, 3);
    };
    const auto finish = [&](int begin, int number) {
        for (int n = 0; n < many; ++n) differentiate(n);
        for (int n = 0; n < number; ++n) scatter(n);
    };
    const auto give_three = [&](int n, int slot) {
        const real* grad = grad_values.data + (size_t)slot * 3;
        if (starts[n]) {
            if (slot > first) end_paint();
            for (int i = 0; i < 3; ++i) painted[i] = row[i][n];
            for (int m = 0; m < 9; ++m) paint[m] = 0;
        }
        for (int i = 0; i < 3; ++i) {
            const real* value = attributes.data + row[i][n] * 3;
            share[i][n] = grad[0] * value[0] + grad[1] * value[1] + grad[2] * value[2];
            for (int m = 0; m < 3; ++m) paint[3 * i + m] += grad[m] * weight[i][n];
        }
    };
    const auto give_any = [&](int n, int slot) {
        const real* grad = grad_values.data + (size_t)slot * channels;
        for (int i = 0; i < 3; ++i) {
            const size_t from = row[i][n] * channels;
            share[i][n] = 0;
            for (int m = 0; m < channels; ++m) {
                share[i][n] += grad[m] * attributes.data[from + m];
                wp::atomic_add(out + from + m, grad[m] * weight[i][n]);
            }
        }
    };
    if (first >= last) return;
    if (channels == 3) {  // the usual number
        in_blocks(give_three, finish);
        end_paint();
    } else {
        in_blocks(give_any, finish);
    }
    end_points();
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
