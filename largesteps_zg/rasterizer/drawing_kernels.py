"""Bodies of the kernels that draw three channels in one pass on the CPU: interpolation, coverage and silhouettes.

Weights of the corners are affine along a row, up to their sum: a run of pixels that show one triangle visits its
corners once. Vectors of four hold the three corners, or the three channels and the coverage.
"""

from __future__ import annotations

from typing import Any

from .._support.warp_kernels import INTS, TRIPLES, KernelModule

# Corners of the triangle that a run shows, about its first pixel: e = (X - px w, Y - py w), and their cross products.
RUNS = """
    using v4 = real __attribute__((vector_size(4 * sizeof(real)), aligned(sizeof(real))));
    const int ahead = 8, longest = 16;  // then corners are read again, so that rounding does not add up
    const int area = height * width, found = ends.data[last];
    const real half = real(0.5), third = real(1) / real(3);
    const auto load = [](const real* from) { return *(const v4*)from; };
    const auto after = [](v4 v) { return __builtin_shufflevector(v, v, 1, 2, 0, 3); };
    const auto before = [](v4 v) { return __builtin_shufflevector(v, v, 2, 0, 1, 3); };
    const auto cross = [=](v4 a, v4 b, v4 c, v4 d) { return after(a) * before(b) - after(c) * before(d); };
    const auto sum_of = [](v4 v) { return v[0] + v[1] + v[2]; };
    int row_first = 0, row_last = 0, view = 0, seen = -1, next_pixel = -1;
    int corner[3];
    real px = 0, py = 0, dx = 0, scale = 0;
    v4 ex, ey, w, product, step, weight;
    // Whether a run begins at this pixel.
    const auto begins = [&](int pixel, int triangle) {
        return (triangle != seen) | (pixel != next_pixel) | (pixel >= row_last) | (dx >= longest - 1);
    };
    const auto begin_run = [&](int pixel, int triangle) {
        if (pixel >= row_last || pixel < row_first) {
            const int row = pixel / width;
            row_first = row * width;
            row_last = row_first + width;
            view = row / height;
            py = (real)(row - view * height) + half;
        }
        seen = triangle;
        dx = 0;
        px = (real)(pixel - row_first) + half;
        const vec3* point = points.data + (size_t)view * vertices;
        for (int i = 0; i < 3; ++i) corner[i] = faces.data[triangle][i];
        const vec3 &a = point[corner[0]], &b = point[corner[1]], &c = point[corner[2]];
        w = v4{a[2], b[2], c[2], 0};
        ex = v4{a[0], b[0], c[0], 0} - px * w;
        ey = v4{a[1], b[1], c[1], 0} - py * w;
        product = cross(ex, ey, ey, ex);
        step = cross(w, ey, ey, w);
    };
    // Corners of fragments that are about to come: where meshes are larger than the cache, a core waits for them. Runs
    // are short there, so that to ask for them where a run begins is enough.
    const auto fetch = [&](int slot, auto also) {
        if (slot + 2 * ahead >= found) return;
        __builtin_prefetch(faces.data + triangles.data[slot + 2 * ahead]);
        const int next = triangles.data[slot + ahead];
        if (next == triangles.data[slot + ahead - 1]) return;
        for (int i = 0; i < 3; ++i) {
            const size_t vertex = faces.data[next][i], here = (size_t)view * vertices + vertex;
            __builtin_prefetch(points.data + here);
            __builtin_prefetch(attributes.data + (shared ? vertex : here) * 3);
            also(here, shared ? vertex : here);
        }
    };
    const auto weigh = [&]() {
        const v4 here = product - dx * step;
        const real sum = sum_of(here);
        // Seen edge-on all digits cancel: then any point of the triangle is as good, and none has a derivative.
        if (__builtin_expect(wp::abs(sum) > half * sum_of(__builtin_elementwise_abs(here)), 1)) {
            scale = real(1) / sum;
            weight = here * scale;
        } else {
            scale = 0;
            weight = v4{third, third, third, 0};
        }
    };
"""

# Where the edge of pair n crosses the line of the two centres, as in `silhouettes`.
PAIRS = """
    const int pair_count = pair_pixels.shape[0];
    int inner = 0, outer = 0, ends_at[2] = {}, forward = 0, pair_view = 0;
    bool in_row = false;
    real excess = 0, share = 0, across = 0, along = 0, inverse[2] = {};
    size_t target = 0;
    // Of a pair that is about to come, what lies in one row of the image and what in the next.
    const auto fetch_pair = [&](int n, const auto* data, int pitch) {
        if (n >= pair_count) return;
        const int direction = pair_directions.data[n], step = direction < 2 ? 1 : width;
        __builtin_prefetch(data + (size_t)pair_pixels.data[n] * pitch);
        __builtin_prefetch(data + (size_t)(pair_pixels.data[n] + ((direction & 1) * 2 - 1) * step) * pitch);
    };
    const auto cross_pair = [&](int n) {
        inner = pair_pixels.data[n];
        const int direction = pair_directions.data[n];
        in_row = direction < 2;
        forward = (direction & 1) * 2 - 1;
        outer = inner + forward * (in_row ? 1 : width);
        pair_view = inner / area;
        const int line = inner / width, x = inner - line * width, y = line - pair_view * height;
        for (int i = 0; i < 2; ++i) ends_at[i] = edges.data[(size_t)pair_edges.data[n] * 6 + i];
        const vec3* point = points.data + (size_t)pair_view * vertices;
        const vec3 &a = point[ends_at[0]], &b = point[ends_at[1]];
        inverse[0] = real(1) / a[2];
        inverse[1] = real(1) / b[2];
        const real ax = a[0] * inverse[0], ay = a[1] * inverse[0];
        const real tox = b[0] * inverse[1] - ax, toy = b[1] * inverse[1] - ay;
        across = in_row ? tox : toy;
        along = in_row ? toy : tox;
        share = (in_row ? (real)y + half - ay : (real)x + half - ax) / along;
        const real position = (in_row ? ax - (real)x : ay - (real)y) + share * across;
        excess = (real)forward * (position - half) - half;
        target = (size_t)(excess > 0 ? outer : inner) * 4;
    };
"""

DRAW = (
    RUNS
    + PAIRS
    + """
    const v4 nothing = {0, 0, 0, 0}, coverage = {0, 0, 0, 1};
    real* to = image.data + (size_t)first * area * 4;
    v4 color[3];
    int slot = ends.data[first], pair = 0;
    // One view after the other: what a view's pairs visit is still in the core's cache.
    for (int drawn = first; drawn < last; ++drawn) {
        for (; slot < ends.data[drawn + 1]; ++slot) {
            const int pixel = pixels.data[slot], triangle = triangles.data[slot];
            if (begins(pixel, triangle)) {
                begin_run(pixel, triangle);
                fetch(slot, [](size_t, size_t) {});
                for (int i = 0; i < 3; ++i) {
                    const real* c = attributes.data + ((shared ? 0 : (size_t)view * vertices) + corner[i]) * 3;
                    color[i] = v4{c[0], c[1], c[2], 0};
                }
            } else {
                dx += 1;
            }
            next_pixel = pixel + 1;
            weigh();
            for (real* here = image.data + (size_t)pixel * 4; to < here; to += 4) *(v4*)to = nothing;
            *(v4*)to = coverage + weight[0] * color[0] + weight[1] * color[1] + weight[2] * color[2];
            to += 4;
        }
        for (real* end = image.data + (size_t)(drawn + 1) * area * 4; to < end; to += 4) *(v4*)to = nothing;
        // All differences are those of the image before it is blended.
        const int first_pair = pair;
        for (; pair < pair_count && pair_pixels.data[pair] < (drawn + 1) * area; ++pair) {
            fetch_pair(pair + ahead, image.data, 4);
            cross_pair(pair);
            *(v4*)(differences.data + (size_t)pair * 4) =
                load(image.data + (size_t)inner * 4) - load(image.data + (size_t)outer * 4);
            excesses.data[pair] = excess;
        }
        for (int n = first_pair; n < pair; ++n) {
            const int direction = pair_directions.data[n], forward = (direction & 1) * 2 - 1;
            const int pixel = pair_pixels.data[n], outer = pixel + forward * (direction < 2 ? 1 : width);
            real* blended = image.data + (size_t)(excesses.data[n] > 0 ? outer : pixel) * 4;
            *(v4*)blended = load(blended) + excesses.data[n] * load(differences.data + (size_t)n * 4);
        }
    }
"""
)

# Gradients have four numbers a vertex. For d(b_a) = eb x ec, and so on around, sums over a run are enough:
# of the products' gradients, and of those times the step from the run's first pixel.
DRAW_ADJOINT = (
    RUNS
    + PAIRS
    + """
    const v4 nothing = {0, 0, 0, 0};
    v4 red = nothing, green = nothing, blue = nothing, sums = nothing, moments = nothing, paint[3];
    size_t place[3], row[3];
    const auto add = [&](real* to, v4 value) { *(v4*)to = load(to) + value; };
    const auto end_run = [&]() {
        if (seen < 0) return;
        const v4 gx = cross(ey, sums, sums, ey);
        const v4 gy = cross(sums, ex, ex, sums) - cross(moments, w, w, moments);
        const v4 gw = -(px * gx + cross(ey, moments, moments, ey) + py * gy);
        for (int i = 0; i < 3; ++i) {
            add(grad_points.data + place[i] * 4, v4{gx[i], gy[i], gw[i], 0});
            add(grad_attributes.data + row[i] * 4, paint[i]);
        }
    };
    const auto visit = [&](int pixel, int slot, v4 grad) __attribute__((always_inline)) {
        const int triangle = triangles.data[slot];
        if (begins(pixel, triangle)) {
            end_run();
            begin_run(pixel, triangle);
            fetch(slot, [&](size_t here, size_t painted) {
                __builtin_prefetch(grad_points.data + here * 4);
                __builtin_prefetch(grad_attributes.data + painted * 4);
            });
            const size_t above = (size_t)view * vertices, from = shared ? 0 : above;
            const real* c[3];
            for (int i = 0; i < 3; ++i) {
                place[i] = above + corner[i];
                row[i] = (shared ? (size_t)bank * vertices : above) + corner[i];
                c[i] = attributes.data + (from + corner[i]) * 3;
                paint[i] = nothing;
            }
            red = v4{c[0][0], c[1][0], c[2][0], 0};
            green = v4{c[0][1], c[1][1], c[2][1], 0};
            blue = v4{c[0][2], c[1][2], c[2][2], 0};
            sums = moments = nothing;
        } else {
            dx += 1;
        }
        next_pixel = pixel + 1;
        weigh();
        const v4 given = grad[0] * red + grad[1] * green + grad[2] * blue;
        const v4 change = (given - sum_of(given * weight)) * scale;
        sums += change;
        moments += dx * change;
        for (int i = 0; i < 3; ++i) paint[i] += weight[i] * grad;
    };
    const auto clear = [&](real* from, size_t begin, size_t end) {
        for (size_t i = begin * vertices; i < end * vertices; ++i) *(v4*)(from + i * 4) = nothing;
    };
    if (shared) clear(grad_attributes.data, bank, bank + 1);
    int slot = ends.data[first], pair = 0;
    for (int drawn = first; drawn < last; ++drawn) {
        clear(grad_points.data, drawn, drawn + 1);
        if (!shared) clear(grad_attributes.data, drawn, drawn + 1);
        for (; slot < ends.data[drawn + 1]; ++slot) {
            const int pixel = pixels.data[slot];
            visit(pixel, slot, load(grad_image.data + (size_t)pixel * 4));
        }
        for (; pair < pair_count && pair_pixels.data[pair] < (drawn + 1) * area; ++pair) {
            fetch_pair(pair + ahead, grad_image.data, 4);
            fetch_pair(pair + ahead, slots.data, 1);
            cross_pair(pair);
            const v4 grad = load(grad_image.data + target);
            const v4 gains = grad * load(differences.data + (size_t)pair * 4);
            const int before = ends.data[drawn];
            visit(inner, before + slots.data[inner], excess * grad);
            if (slots.data[outer] >= 0) visit(outer, before + slots.data[outer], -excess * grad);
            // position = (1 - share) u_a + share u_b with share fixed by the line: moving an end across the line moves
            // it by its share, and moving the end along its normal by -slope times that.
            const real gain = (real)forward * (sum_of(gains) + gains[3]), slope = across / along;
            for (int i = 0; i < 2; ++i) {
                const size_t at = (size_t)drawn * vertices + ends_at[i];
                const real g = gain * (i ? share : 1 - share) * inverse[i], other = -slope * g;
                const real gx = in_row ? g : other, gy = in_row ? other : g;
                const vec3& p = points.data[at];
                add(grad_points.data + at * 4, v4{gx, gy, -(gx * p[0] + gy * p[1]) * inverse[i], 0});
            }
        }
    }
    end_run();
"""
)


def define(make: KernelModule) -> None:
    """Kernels of `drawing.draw`; their items are views; pixels are 4 numbers in images."""
    given: dict[str, Any] = {
        "bank": int, "points": make.vec3s, "faces": TRIPLES, "pixels": INTS, "triangles": INTS, "slots": INTS,
        "ends": INTS, "height": int, "width": int, "vertices": int, "shared": int, "attributes": make.reals,
        "edges": INTS, "pair_pixels": INTS, "pair_directions": INTS, "pair_edges": INTS, "differences": make.reals,
    }  # fmt: skip
    gradients = {"grad_image": make.reals, "grad_points": make.reals, "grad_attributes": make.reals}
    make.items("draw", DRAW, **given, excesses=make.reals, image=make.reals)
    make.items("draw_adjoint", DRAW_ADJOINT, **given, **gradients)
