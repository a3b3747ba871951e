"""Where silhouettes pass between two pixels, and the blending of those, forward and backward.

A *pair* is two neighbouring pixels that the image of a silhouette edge divides: the inner one, on the surface's side,
and the outer one. Its direction is 2 axis + (1 if the outer pixel has the larger coordinate), with axis 0 for
neighbours in a row and 1 for neighbours in a column.
"""

from __future__ import annotations

from .._support.warp_kernels import BYTES, INT64S, INTS, TRIPLES, KernelModule
from .coverage import FORMS

# Columns of `edges`: two ends, two faces (the second -1 at a border), the vertex opposite in the first face, and 1
# where the two faces run along the edge in the same direction.
FIND = """
    // The least gap in depth behind a silhouette: a smaller one is rounding. N/w = 1 - z/w has that of z/w as well.
    const real touching = real(1e-5), noise = general ? real(4) / (sizeof(real) == 4 ? 1 << 23 : 1ll << 52) : 0;
    const vec3* point = points.data + (size_t)view * vertices;
    const wp::uint8* side = sides.data + (size_t)view * face_count;
    const int area = height * width;
    const int* slot = slots.data + (size_t)view * area;
    const int* seen = triangles.data + ends.data[view];
    for (int index = first; index < last; ++index) {
        const int* edge = edges.data + (size_t)index * 6;
        if (edge[3] >= 0 && (side[edge[2]] ^ side[edge[3]]) == edge[5]) continue;
        if (general && side[edge[2]] > 1) continue;  // a mesh that is not in this view
        const vec3 &a = point[edge[0]], &b = point[edge[1]], &o = point[edge[4]];
        const auto numerator = [&](int vertex) {
            return general ? closeness.data[(size_t)view * vertices + vertex] : real(1);
        };
        const real na = numerator(edge[0]), nb = numerator(edge[1]);
        if (!(general ? a[2] > 0 && b[2] > 0 : a[2] >= near && b[2] >= near)) continue;
        const real qa = real(1) / a[2], qb = real(1) / b[2];
        const real ax = a[0] * qa, ay = a[1] * qa, dx = b[0] * qb - ax, dy = b[1] * qb - ay;
        const bool in_row = wp::abs(dy) >= wp::abs(dx);  // steep edges divide pairs in a row
        // u runs across the edge, along the axis of its pairs; v runs from one pair to the next.
        const real u = in_row ? ax : ay, v = in_row ? ay : ax, dv = in_row ? dy : dx;
        if (!(dv != 0)) continue;
        const real slope = (in_row ? dx : dy) / dv;
        // The surface lies on the side of the opposite vertex: where is that from the edge's line at its height?
        const real ox = o[0] - ax * o[2], oy = o[1] - ay * o[2];
        const real lies = ((in_row ? ox : oy) - slope * (in_row ? oy : ox)) * (o[2] > 0 ? 1 : -1);
        if (!(lies != 0)) continue;
        const int step = lies > 0 ? -1 : 1;  // from the inner pixel to the outer one
        const int lines = in_row ? height : width, cells = in_row ? width : height;
        const real low = dv > 0 ? v : v + dv, high = dv > 0 ? v + dv : v;
        const auto clamp = [](real x, real most) { return x > 0 ? (x < most ? x : most) : real(0); };
        const int line0 = (int)wp::ceil(clamp(low - real(0.5), (real)lines));
        const int line1 = (int)wp::ceil(clamp(high - real(0.5), (real)lines));
        for (int line = line0; line < line1; ++line) {
            const real along = (real)line + real(0.5) - v;
            const real position = u + along * slope - real(0.5);
            if (!(position >= 0 && position < (real)(cells - 1))) continue;
            const real z = na * qa + along / dv * (nb * qb - na * qa);
            if (general && !(z >= 0 && z * near <= 1)) continue;
            const auto pixel_at = [&](int cell) { return in_row ? line * width + cell : cell * width + line; };
            // Whether a pixel shows nothing or what is farther than the edge; compared there, and continued to the
            // edge, so that a fold or a seam within one surface is no contour.
            const auto shows_beyond = [&](int cell) {
                if (slot[pixel_at(cell)] < 0) return true;
                const wp::vec_t<3, int> hit = faces.data[seen[slot[pixel_at(cell)]]];
                const vec3 &p = point[hit[0]], &q = point[hit[1]], &r = point[hit[2]];
                const auto depth_at = [&](real across) {
                    const real at = (real)line + real(0.5), x = in_row ? across : at, y = in_row ? at : across;
                    const real px = p[0] - x * p[2], py = p[1] - y * p[2], qx = q[0] - x * q[2], qy = q[1] - y * q[2];
                    const real rx = r[0] - x * r[2], ry = r[1] - y * r[2];
                    const real bp = qx * ry - qy * rx, bq = rx * py - ry * px, br = px * qy - py * qx;
                    const real number = bp * numerator(hit[0]) + bq * numerator(hit[1]) + br * numerator(hit[2]);
                    return number / (bp * p[2] + bq * q[2] + br * r[2]);
                };
                const real there = depth_at((real)cell + real(0.5)), here = depth_at(position + real(0.5));
                return there < z && here + real(0.5) * wp::abs(here - there) < z * (1 - touching) - noise;
            };
            int inner = (int)position + (step < 0);
            const real reach = (real)step * (position - (real)inner);
            // An edge right through a centre: which side that pixel is on is up to what was drawn there.
            const real tie = real(1e-4);
            if (reach > 1 - tie && !shows_beyond(inner + step)) inner += step;
            else if (reach < tie && shows_beyond(inner)) inner -= step;
            const int outer = inner + step, pixel = pixel_at(inner);
            if (inner < 0 || inner >= cells || outer < 0 || outer >= cells) continue;
            if (slot[pixel] < 0 || !shows_beyond(outer)) continue;
            const int index_found = wp::atomic_add(counters.data, 1);
            if (index_found >= capacity) continue;
            const union { float number; int bits; } distance = {(float)wp::abs(position - (real)inner)};
            const long long pair = ((long long)(view * area + pixel) << 2) | ((in_row ? 0 : 2) + (step > 0));
            // Sorting by this key puts the crossings of one pair together, the outermost last.
            keys.data[index_found] = (pair << 31) | distance.bits;
            records.data[index_found] = index;
        }
    }
"""

# All crossings sorted by their keys, 11 bits at a time from the last ones on, and of each pair its last; one item.
SETTLE = """
#if !defined(__CUDA_ARCH__)
    const int count = counters.data[0];
    if (count > capacity) return;
    long long *key = keys.data, *other_key = spare_keys.data;
    int *record = records.data, *other_record = spare_records.data;
    for (int shift = 0; shift < 62 && count > 0; shift += 11) {
        const auto digit = [=](long long of) { return (int)(of >> shift) & 2047; };
        int begins[2049] = {};
        for (int n = 0; n < count; ++n) ++begins[digit(key[n]) + 1];
        if (begins[digit(key[0]) + 1] == count) continue;
        for (int n = 0; n < 2048; ++n) begins[n + 1] += begins[n];
        for (int n = 0; n < count; ++n) {
            const int to = begins[digit(key[n])]++;
            other_key[to] = key[n];
            other_record[to] = record[n];
        }
        long long* const before = key;
        key = other_key;
        other_key = before;
        int* const record_before = record;
        record = other_record;
        other_record = record_before;
    }
    int found = 0;
    for (int n = 0; n < count; ++n) {
        const long long pair = key[n] >> 31;
        if (n + 1 < count && key[n + 1] >> 31 == pair) continue;
        pair_pixels.data[found] = (int)(pair >> 2);
        pair_directions.data[found] = (int)(pair & 3);
        pair_edges.data[found++] = record[n];
    }
    counters.data[0] = found;
#endif
"""

# For pair n: where its edge crosses the line of the two centres, as `excess` of what the inner side takes of the
# distance between them over one half; `target` is the pixel whose square the edge divides.
EACH_PAIR = """
    const int area = height * width;
    for (int n = first; n < last; ++n) {
        const int pixel = pair_pixels.data[n], direction = pair_directions.data[n];
        const bool in_row = direction < 2;
        const int step = (direction & 1) * 2 - 1, outer = pixel + step * (in_row ? 1 : width);
        const int view = pixel / area, x = pixel % width, y = (pixel - view * area) / width;
        const int i = edges.data[(size_t)pair_edges.data[n] * 6], j = edges.data[(size_t)pair_edges.data[n] * 6 + 1];
        const vec3* point = points.data + (size_t)view * vertices;
        const vec3 &a = point[i], &b = point[j];
        const real qa = real(1) / a[2], qb = real(1) / b[2];
        const real ax = a[0] * qa, ay = a[1] * qa, dx = b[0] * qb - ax, dy = b[1] * qb - ay;
        const real share = (in_row ? (real)y + real(0.5) - ay : (real)x + real(0.5) - ax) / (in_row ? dy : dx);
        const real position = in_row ? ax + share * dx - (real)x : ay + share * dy - (real)y;
        const real excess = (real)step * (position - real(0.5)) - real(0.5);
        const size_t target = (size_t)(excess > 0 ? outer : pixel) * pitch;
        const real* near_value = values.data + (size_t)(ends.data[view] + slots.data[pixel]) * channels;
        const bool covered = slots.data[outer] >= 0;
        const real* far_value = values.data + (size_t)(covered ? ends.data[view] + slots.data[outer] : 0) * channels;
"""

BLEND = (
    EACH_PAIR
    + """
        for (int n = 0; n < channels; ++n) {
            const real difference = near_value[n] - (covered ? far_value[n] : 0);
            wp::atomic_add(image.data + target + n, excess * difference);
        }
        if (!covered) wp::atomic_add(image.data + target + channels, excess);
    }
"""
)

BLEND_ADJOINT = (
    EACH_PAIR
    + """
        real* near_grad = grad_values.data + (near_value - values.data);
        real* far_grad = grad_values.data + (far_value - values.data);
        const real* grad = grad_image.data + target;
        real gain = covered ? 0 : grad[channels];
        for (int n = 0; n < channels; ++n) {
            const real difference = near_value[n] - (covered ? far_value[n] : 0);
            wp::atomic_add(near_grad + n, excess * grad[n]);
            if (covered) wp::atomic_add(far_grad + n, -excess * grad[n]);
            gain += grad[n] * difference;
        }
        // position = (1 - share) u_a + share u_b with share fixed by the line: moving an end across the line moves it
        // by its share, and moving the end along its normal by -slope times that.
        gain *= (real)step;
        const real slope = in_row ? dx / dy : dy / dx;
        const auto scatter = [&](int vertex, const vec3& p, real q, real g) {
            const real gx = (in_row ? g : -slope * g) * q, gy = (in_row ? -slope * g : g) * q;
            real* to = (real*)(grad_points.data + (size_t)view * vertices + vertex);
            wp::atomic_add(to, gx);
            wp::atomic_add(to + 1, gy);
            wp::atomic_add(to + 2, -(gx * p[0] + gy * p[1]) * q);
        };
        scatter(i, a, qa, gain * (1 - share));
        scatter(j, b, qb, gain * share);
    }
"""
)


def define_search(make: KernelModule, form: str = "plain") -> None:
    """The kernel that finds which pairs are divided, in the plain form of `coverage` or for clip space."""
    make.items_of_views(
        "find_crossings", FORMS[form] + FIND, points=make.vec3s, closeness=make.reals, faces=TRIPLES, edges=INTS,
        sides=BYTES, slots=INTS, triangles=INTS, ends=INTS, vertices=int, face_count=int, height=int, width=int,
        near=make.real, capacity=int, counters=INTS, keys=INT64S, records=INTS,
    )  # fmt: skip


def define(make: KernelModule) -> None:
    """Kernels of `warp_backend.antialias`; `pitch` is the number of channels of the image."""
    define_search(make)
    make.items(
        "settle", SETTLE, capacity=int, counters=INTS, keys=INT64S, records=INTS, spare_keys=INT64S,
        spare_records=INTS, pair_pixels=INTS, pair_directions=INTS, pair_edges=INTS,
    )  # fmt: skip
    pairs = {
        "points": make.vec3s, "edges": INTS, "slots": INTS, "ends": INTS, "pair_pixels": INTS, "pair_directions": INTS,
        "pair_edges": INTS, "height": int, "width": int, "vertices": int, "pitch": int, "channels": int,
        "values": make.reals,
    }  # fmt: skip
    gradients = {"grad_image": make.reals, "grad_values": make.reals, "grad_points": make.vec3s}
    make.items("blend", BLEND, **pairs, image=make.reals)
    make.items("blend_adjoint", BLEND_ADJOINT, **pairs, **gradients)
