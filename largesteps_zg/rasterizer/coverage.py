"""Which triangle is nearest at each pixel's centre.

On CUDA a thread takes one triangle, on the CPU a thread takes a chunk of views, and one view at a time, so that
its buffer of keys (8 bytes a pixel) stays in the core's cache from the first triangle to the list of fragments.
"""

# No `from __future__ import annotations` here: Warp reads the annotations of closures as objects.
# mypy: ignore-errors
from typing import Any

import warp as wp

from .._support.warp_kernels import BYTES, FLOATS, INTS, KEYS, TRIPLES, KernelModule

CONTRACT = False  # it would break the exact antisymmetry of the cross product, and with it watertight edges

# Each body is made in three forms. In the plain one depth is w. In the *general* ones each vertex has a `closeness` N,
# and the largest N/w is nearest; it is affine on the screen as 1/w is, which is N = 1. Clip space has N = w - z, so
# that N/w = 1 - z/w lies in [0, 2], and `near` is 1/2. General forms also tell each fragment's N/w; the one for layers
# draws only what lies below each pixel's ceiling.
FORMS = {
    "plain": "constexpr bool general = false, peels = false;\n",
    "clip": "constexpr bool general = true, peels = false;\n",
    "layers": "constexpr bool general = true, peels = true;\n",
}

PROJECT = """
    for (int i = first; i < last; ++i) {
        const vec3& p = points.data[i];
        const bool seen = general ? (p[2] > 0) & (closeness.data[i] * near <= p[2]) : p[2] >= near;
        const real q = seen ? real(1) / p[2] : real(0);
        screen.data[i] = vec3(p[0] * q, p[1] * q, q);
    }
"""

# Inside is where the three coordinates t_i are positive; they are affine in the pixel, and so is N/w = sum t_i z_i:
# in front of the camera t_i are the barycentric coordinates on the screen and z_i = N_i/w_i; otherwise t_i are those of
# homogeneous coordinates divided by D, and z_i = N_i.
RASTER = """
    const real slack = real(1) / (sizeof(real) == 4 ? 1 << 21 : 1ll << 50);  // four units in the last place of 1
    const auto clamp = [](real x, real low, real high) { return x > low ? (x < high ? x : high) : low; };  // NaN: low
    const auto smallest = [](real x, real y, real z) { const real m = x < y ? x : y; return m < z ? m : z; };
    const auto largest = [](real x, real y, real z) { const real m = x > y ? x : y; return m > z ? m : z; };
    const vec3* point = points.data + (size_t)view * vertices;
    const vec3* seen = screen.data + (size_t)view * vertices;
    unsigned long long* target = (unsigned long long*)keys.data + (size_t)plane * height * width;
    for (int face = first; face < last; ++face) {
        const wp::vec_t<3, int> corners = faces.data[face];
        const vec3 &a = seen[corners[0]], &b = seen[corners[1]], &c = seen[corners[2]];
        wp::uint8& side = sides.data[(size_t)view * face_count + face];
        side = 0;
        const auto numerator = [&](int corner) {
            return general ? closeness.data[(size_t)view * vertices + corners[corner]] : real(1);
        };
        const bool whole = a[2] > 0 && b[2] > 0 && c[2] > 0;
        int x0 = 0, y0 = 0, x1 = width - 1, y1 = height - 1;
        real za = numerator(0), zb = numerator(1), zc = numerator(2);
        real ta, tb, tc, tax, tbx, tcx, tay, tby, tcy;  // at the box's first pixel, and their steps along x and y
        if (whole) {
            // Image coordinates run down: a triangle that is counter-clockwise seen from outside has a negative area.
            const real area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
            side = area < 0;
            const real half = real(0.5);
            x0 = (int)wp::ceil(clamp(smallest(a[0], b[0], c[0]) - half, 0, (real)width));
            x1 = (int)wp::floor(clamp(largest(a[0], b[0], c[0]) - half, -1, (real)(width - 1)));
            if (x0 > x1) continue;
            y0 = (int)wp::ceil(clamp(smallest(a[1], b[1], c[1]) - half, 0, (real)height));
            y1 = (int)wp::floor(clamp(largest(a[1], b[1], c[1]) - half, -1, (real)(height - 1)));
            if (y0 > y1 || area == 0) continue;
            const real scale = real(1) / area;
            // Everything about the first pixel of the box: about the image's corner the digits would cancel.
            const real px = (real)x0 + half, py = (real)y0 + half;
            const real ax = a[0] - px, ay = a[1] - py, bx = b[0] - px, by = b[1] - py, cx = c[0] - px, cy = c[1] - py;
            ta = (bx * cy - by * cx) * scale;
            tb = (cx * ay - cy * ax) * scale;
            tc = (ax * by - ay * bx) * scale;
            tax = (by - cy) * scale;
            tbx = (cy - ay) * scale;
            tcx = (ay - by) * scale;
            tay = (cx - bx) * scale;
            tby = (ax - cx) * scale;
            tcy = (bx - ax) * scale;
            za *= a[2];
            zb *= b[2];
            zc *= c[2];
        } else if (general || a[2] > 0 || b[2] > 0 || c[2] > 0) {
            const vec3 &u = point[corners[0]], &v = point[corners[1]], &w = point[corners[2]];
            // Behind the camera, or all of it nearer than the near plane: what lies between three such corners is too.
            if (general && u[2] <= 0 && v[2] <= 0 && w[2] <= 0) continue;
            if (general && za * near > u[2] && zb * near > v[2] && zc * near > w[2]) continue;
            const real px = real(0.5), py = real(0.5);
            const real ax = u[0] - px * u[2], ay = u[1] - py * u[2], bx = v[0] - px * v[2];
            const real by = v[1] - py * v[2], cx = w[0] - px * w[2], cy = w[1] - py * w[2];
            ta = bx * cy - by * cx;
            tb = cx * ay - cy * ax;
            tc = ax * by - ay * bx;
            const real det = ta * u[2] + tb * v[2] + tc * w[2];
            side = det < 0;
            if (det == 0) continue;
            const real scale = real(1) / det;
            ta *= scale;
            tb *= scale;
            tc *= scale;
            tax = (w[2] * by - v[2] * cy) * scale;
            tbx = (u[2] * cy - w[2] * ay) * scale;
            tcx = (v[2] * ay - u[2] * by) * scale;
            tay = (v[2] * cx - w[2] * bx) * scale;
            tby = (w[2] * ax - u[2] * cx) * scale;
            tcy = (u[2] * bx - v[2] * ax) * scale;
        } else {
            continue;
        }
        // Neighbours round a shared edge differently; without this slack (1e-5 of a pixel) it would leak.
        const real columns = (real)(x1 - x0 + 1), rows = (real)(y1 - y0 + 1);
        const real la = -slack * (wp::abs(ta) + columns * wp::abs(tax) + rows * wp::abs(tay));
        const real lb = -slack * (wp::abs(tb) + columns * wp::abs(tbx) + rows * wp::abs(tby));
        const real lc = -slack * (wp::abs(tc) + columns * wp::abs(tcx) + rows * wp::abs(tcy));
        const unsigned low = 0xFFFFFFFFu - (unsigned)face;
        for (int y = y0; y <= y1; ++y) {
            const real dy = (real)(y - y0), ra = ta + dy * tay, rb = tb + dy * tby, rc = tc + dy * tcy;
            unsigned long long* row = target + (size_t)y * width;
            const float* ceiling = ceilings.data + ((size_t)view * height + y) * width + x0;
            // The key of the pixel `dx` to the right, 0 outside; no branches, so that it becomes vector code.
            const auto key_at = [&](int right) -> unsigned long long {
                const real dx = (real)right;
                const real pa = ra + dx * tax, pb = rb + dx * tbx, pc = rc + dx * tcx;
                const real z = pa * za + pb * zb + pc * zc;
                const union { float number; unsigned bits; } depth = {(float)z};
                const bool front = general ? (z >= 0) & (pa + pb + pc > 0) : z > 0;
                const bool lower = !peels || depth.number < ceiling[right];
                const bool in =
                    (pa >= la) & (pb >= lb) & (pc >= lc) & front & (z * near <= 1) & (dx < columns) & lower;
                // Nearest first, then the lowest face: the same winner in any order of execution.
                return in ? ((unsigned long long)depth.bits << 32) | low : 0;
            };
#if defined(__CUDA_ARCH__)
            for (int x = x0; x <= x1; ++x) {
                const unsigned long long key = key_at(x - x0);
                if (key) atomicMax(row + x, key);
            }
#else
            for (int x = x0; x <= x1; x += 8) {  // past the row's end nothing changes; the buffer has room for it
                for (int lane = 0; lane < 8; ++lane) {
                    const unsigned long long key = key_at(x - x0 + lane), old = row[x + lane];
                    row[x + lane] = key > old ? key : old;
                }
            }
#endif
        }
    }
"""

# Fragments in the order of rows and columns, and their number; leaves the keys cleared for the next view.
COLLECT = """
    const int area = height * width;
    unsigned long long* key = (unsigned long long*)keys.data + (size_t)plane * area;
    int slot = start;
    for (int i = first_row * width; i < last_row * width; ++i) {
        const size_t pixel = (size_t)view * area + i;
        if (key[i] == 0) {
            slots.data[pixel] = -1;
            continue;
        }
        pixels.data[offset + slot] = (int)pixel;
        triangles.data[offset + slot] = (int)(0xFFFFFFFFu - (unsigned)key[i]);
        const union { unsigned bits; float number; } depth = {(unsigned)(key[i] >> 32)};
        if (general) depths.data[offset + slot] = depth.number;
        slots.data[pixel] = slot++;
        key[i] = 0;
    }
    counts.data[place] = slot - start;
"""


def define_raster(make: KernelModule, form: str = "plain") -> Any:
    """The kernel whose threads draw a face each into keys; a function that draws some, for other kernels."""
    real, reals, vec3s = make.real, make.reals, make.vec3s
    raster_faces = make.native(
        "raster_faces", FORMS[form] + RASTER, points=vec3s, closeness=reals, screen=vec3s, faces=TRIPLES,
        vertices=int, face_count=int, view=int, plane=int, first=int, last=int, height=int, width=int, near=real,
        ceilings=FLOATS, keys=KEYS, sides=BYTES,
    )  # fmt: skip

    @make.kernel
    def raster(
        height: int,
        width: int,
        near: real,
        points: vec3s,
        closeness: reals,
        faces: TRIPLES,
        vertices: int,
        screen: vec3s,
        ceilings: FLOATS,
        keys: KEYS,
        sides: BYTES,
    ):
        view, face = wp.tid()
        raster_faces(
            points, closeness, screen, faces, vertices, faces.shape[0], view, view, face, face + 1, height, width, near,
            ceilings, keys, sides,
        )  # fmt: skip

    return raster_faces


def define(make: KernelModule, form: str = "plain") -> None:
    """Kernels of `warp_backend.rasterize`, in one of their forms."""
    raster_faces = define_raster(make, form)
    project_points = make.native(
        "project_points", FORMS[form] + PROJECT, points=make.vec3s, closeness=make.reals, first=int, last=int,
        near=make.real, screen=make.vec3s,
    )  # fmt: skip
    collect_rows = make.native(
        "collect_rows", FORMS[form] + COLLECT, keys=KEYS, view=int, plane=int, first_row=int, last_row=int,
        height=int, width=int, offset=int, start=int, place=int, counts=INTS, slots=INTS, pixels=INTS, triangles=INTS,
        depths=FLOATS,
    )  # fmt: skip
    _define_for_chunks(make, project_points, raster_faces, collect_rows)
    _define_for_items(make, project_points, collect_rows)


def _define_for_chunks(make: KernelModule, project_points: Any, raster_faces: Any, collect_rows: Any) -> None:
    """All of it for some views, one after the other: for the CPU."""
    real, reals, vec3s = make.real, make.reals, make.vec3s

    @make.kernel
    def draw_views(
        first_view: int,
        last_view: int,
        height: int,
        width: int,
        near: real,
        points: vec3s,
        closeness: reals,
        faces: TRIPLES,
        vertices: int,
        screen: vec3s,
        ceilings: FLOATS,
        keys: KEYS,
        sides: BYTES,
        counts: INTS,
        slots: INTS,
        pixels: INTS,
        triangles: INTS,
        depths: FLOATS,
    ):
        project_points(points, closeness, first_view * vertices, last_view * vertices, near, screen)
        for i in range(keys.shape[0]):
            keys[i] = wp.uint64(0)
        offset = first_view * height * width
        for view in range(first_view, last_view):
            count = faces.shape[0]
            raster_faces(
                points, closeness, screen, faces, vertices, count, view, 0, 0, count, height, width, near, ceilings,
                keys, sides,
            )  # fmt: skip
            collect_rows(
                keys,
                view,
                0,
                0,
                height,
                height,
                width,
                offset,
                0,
                view,
                counts,
                slots,
                pixels,
                triangles,
                depths,
            )
            offset += counts[view]


def _define_for_items(make: KernelModule, project_points: Any, collect_rows: Any) -> None:
    """A thread for each vertex, and for each row of each view: for CUDA."""
    real, reals, vec3s = make.real, make.reals, make.vec3s

    @make.kernel
    def project(points: vec3s, closeness: reals, near: real, screen: vec3s):
        vertex = wp.tid()
        project_points(points, closeness, vertex, vertex + 1, near, screen)

    @make.kernel
    def count(keys: KEYS, width: int, counts: INTS):
        row = wp.tid()
        found = int(0)  # noqa: RUF046, UP018  (a constant could not change in the loop)
        for x in range(width):
            if keys[row * width + x] != wp.uint64(0):
                found += 1
        counts[row] = found

    @make.kernel
    def collect(
        keys: KEYS,
        height: int,
        width: int,
        offsets: INTS,
        starts: INTS,
        counts: INTS,
        slots: INTS,
        pixels: INTS,
        triangles: INTS,
        depths: FLOATS,
    ):
        view, row = wp.tid()
        place = view * height + row
        collect_rows(
            keys, view, view, row, row + 1, height, width, offsets[view], starts[place], place, counts, slots, pixels,
            triangles, depths,
        )  # fmt: skip
