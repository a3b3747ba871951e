"""From triangles straight to pictures, where nobody asks for derivatives: one pass over the pixels, no list of them.

Along a row, inside one triangle, the barycentric coordinates up to scale, `b_i = e_j x e_k`, are affine in the pixel,
and so are `sum b_i c_i` for each channel of the colours and `sum b_i`: a pixel costs four additions and four divisions.
"""

# No `from __future__ import annotations` here: Warp reads the annotations of closures as objects.
# mypy: ignore-errors
from types import SimpleNamespace
from typing import Any

import torch
import warp as wp

from .._support.warp_kernels import BYTES, FLOATS, INTS, KEYS, TRIPLES, KernelModule, compiled
from ..rasterizer.coverage import CONTRACT, define_raster

# Homogeneous pixels of the vertices, (u z, v z, z), and what RASTER takes: (u, v, 1 / z), 0 for what is too near.
PROJECT = """
    for (int vertex = first; vertex < last; ++vertex) {
        const vec3& v = vertices.data[(shared ? 0 : (size_t)view * count) + vertex];
        const real* m = matrices.data + (size_t)view * 12;
        const real x = m[0] * v[0] + m[1] * v[1] + m[2] * v[2] + m[3];
        const real y = m[4] * v[0] + m[5] * v[1] + m[6] * v[2] + m[7];
        const real z = m[8] * v[0] + m[9] * v[1] + m[10] * v[2] + m[11];
        const real q = z >= near ? real(1) / z : real(0);
        const size_t place = (size_t)view * count + vertex;
        points.data[place] = vec3(x, y, z);
        screen.data[place] = vec3(x * q, y * q, q);
    }
"""

# Some pixels of one row, from their keys, which are left cleared for the next view.
RESOLVE = """
    const size_t begin = ((size_t)view * height + row) * width;
    unsigned long long* key = (unsigned long long*)keys.data + ((size_t)plane * height + row) * width;
    wp::float32* image = images.data + 4 * begin;
    const vec3* point = points.data + (size_t)view * count;
    const vec3* color = colors.data + (shared ? 0 : (size_t)view * count);
    const real py = (real)row + real(0.5), outside = real(0.01);
    unsigned long long before = 0;
    real sums[4] = {}, steps[4] = {}, det = 0, px = 0;
    for (int x = first; x < last; ++x) {
        const unsigned low = (unsigned)key[x];
        const bool empty = key[x] == 0;
        key[x] = 0;
        if (empty) {
            for (int n = 0; n < 4; ++n) image[4 * x + n] = 0;
            triangles.data[begin + x] = -1;
            if (deep) depth.data[begin + x] = INFINITY;
            before = 0;
            continue;
        }
        const int face = (int)(0xFFFFFFFFu - low);
        if (before != (unsigned long long)face + 1) {
            before = (unsigned long long)face + 1;
            px = (real)x + real(0.5);
            const wp::vec_t<3, int> corners = faces.data[face];
            const int i = corners[0], j = corners[1], k = corners[2];
            const vec3 &a = point[i], &b = point[j], &c = point[k];
            const real ax = a[0] - px * a[2], ay = a[1] - py * a[2], bx = b[0] - px * b[2];
            const real by = b[1] - py * b[2], cx = c[0] - px * c[2], cy = c[1] - py * c[2];
            real wa = bx * cy - by * cx, wb = cx * ay - cy * ax, wc = ax * by - ay * bx;
            real da = c[2] * by - b[2] * cy, db = a[2] * cy - c[2] * ay, dc = b[2] * ay - a[2] * by;
            const real sum = wa + wb + wc, low_a = wa / sum, low_b = wb / sum, low_c = wc / sum;
            // A triangle seen edge on, of which only rounding is left: NaN, or colours far outside the corners'.
            if (!(low_a >= -outside && low_b >= -outside && low_c >= -outside)) {
                wa = low_a > 0 ? (low_a < 1 ? low_a : 1) : 0;
                wb = low_b > 0 ? (low_b < 1 ? low_b : 1) : 0;
                wc = low_c > 0 ? (low_c < 1 ? low_c : 1) : 0;
                if (!(wa + wb + wc > 0)) wa = wb = wc = 1;
                da = db = dc = 0;
            }
            const vec3 &ca = color[i], &cb = color[j], &cc = color[k];
            for (int n = 0; n < 3; ++n) {
                sums[n] = wa * ca[n] + wb * cb[n] + wc * cc[n];
                steps[n] = da * ca[n] + db * cb[n] + dc * cc[n];
            }
            sums[3] = wa + wb + wc;
            steps[3] = da + db + dc;
            det = wa * a[2] + wb * b[2] + wc * c[2];
        }
        const real dx = (real)x + real(0.5) - px, total = sums[3] + dx * steps[3];
        for (int n = 0; n < 4; ++n) image[4 * x + n] = (wp::float32)((sums[n] + dx * steps[n]) / total);
        triangles.data[begin + x] = face;
        if (deep) depth.data[begin + x] = (wp::float32)(det / total);
    }
"""


def build(dtype: torch.dtype) -> SimpleNamespace:
    """Kernels of `hard.draw` for one floating-point type of the points, in a Warp module of their own."""
    make = KernelModule("largesteps_zg.renderers", dtype, contract=CONTRACT)
    raster_faces = define_raster(make)
    project_vertices = make.native(
        "project_vertices", PROJECT, vertices=make.vec3s, matrices=make.reals, view=int, count=int, shared=int,
        first=int, last=int, near=make.real, points=make.vec3s, screen=make.vec3s,
    )  # fmt: skip
    resolve_row = make.native(
        "resolve_row", RESOLVE, keys=KEYS, points=make.vec3s, faces=TRIPLES, colors=make.vec3s, view=int, plane=int,
        row=int, first=int, last=int, height=int, width=int, count=int, shared=int, deep=int, images=FLOATS,
        triangles=INTS, depth=FLOATS,
    )  # fmt: skip
    _define_for_chunks(make, project_vertices, raster_faces, resolve_row)
    _define_for_items(make, project_vertices, resolve_row)
    return make.finished()


kernels_for = compiled(build)


def _define_for_chunks(
    make: KernelModule, project_vertices: Any, raster_faces: Any, resolve_row: Any
) -> None:
    """All of it for some views, one after the other, so that keys stay in the core's cache: for the CPU."""
    real, reals, vec3s = make.real, make.reals, make.vec3s

    @make.kernel
    def draw_views(
        first_view: int,
        last_view: int,
        height: int,
        width: int,
        near: real,
        vertices: vec3s,
        matrices: reals,
        faces: TRIPLES,
        colors: vec3s,
        count: int,
        shared_vertices: int,
        shared_colors: int,
        deep: int,
        points: vec3s,
        screen: vec3s,
        keys: KEYS,
        later: INTS,
        sides: BYTES,
        images: FLOATS,
        triangles: INTS,
        depth: FLOATS,
    ):
        for i in range(keys.shape[0]):
            keys[i] = wp.uint64(0)
        for view in range(first_view, last_view):
            project_vertices(vertices, matrices, view, count, shared_vertices, 0, count, near, points, screen)
            # The plain form reads neither closeness nor ceilings: any arrays of their types will do.
            raster_faces(
                points, matrices, screen, faces, count, faces.shape[0], view, 0, 0, faces.shape[0], height, width, near,
                depth, keys, later, sides,
            )  # fmt: skip
            for row in range(height):
                resolve_row(
                    keys, points, faces, colors, view, 0, row, 0, width, height, width, count, shared_colors, deep,
                    images, triangles, depth,
                )  # fmt: skip


def _define_for_items(make: KernelModule, project_vertices: Any, resolve_row: Any) -> None:
    """A thread for each vertex, and for each pixel: for CUDA."""
    real, reals, vec3s = make.real, make.reals, make.vec3s

    @make.kernel
    def project(
        vertices: vec3s, matrices: reals, count: int, shared: int, near: real, points: vec3s, screen: vec3s
    ):
        view, vertex = wp.tid()
        project_vertices(vertices, matrices, view, count, shared, vertex, vertex + 1, near, points, screen)

    @make.kernel
    def resolve(
        height: int,
        width: int,
        points: vec3s,
        faces: TRIPLES,
        colors: vec3s,
        count: int,
        shared: int,
        deep: int,
        keys: KEYS,
        images: FLOATS,
        triangles: INTS,
        depth: FLOATS,
    ):
        view, row, x = wp.tid()
        resolve_row(
            keys, points, faces, colors, view, view, row, x, x + 1, height, width, count, shared, deep, images,
            triangles, depth,
        )  # fmt: skip
