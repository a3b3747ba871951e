"""Which triangle is nearest at each pixel's centre.

On CUDA a thread takes one triangle, on the CPU a thread takes a chunk of views, and one view at a time, so that
its buffer of keys (8 bytes a pixel) stays in the core's cache from the first triangle to the list of fragments.
"""

# No `from __future__ import annotations` here: Warp reads the annotations of closures as objects.
# mypy: ignore-errors
from typing import Any

import warp as wp

from .._support.warp_kernels import BYTES, FLOATS, INTS, KEYS, TRIPLES, KernelModule
from .triangles import RASTER

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

# Fragments in the order of rows and columns, and their number; leaves the keys cleared for the next view.
COLLECT = """
    const int area = height * width;
    unsigned long long* key = (unsigned long long*)keys.data + (size_t)plane * area;
    int slot = start;
    const int end = last_row * width;
    for (int i = first_row * width; i < end; ++i) {
        const size_t pixel = (size_t)view * area + i;
#if !defined(__CUDA_ARCH__)
        if (i + 16 <= end) {  // most pixels are as their neighbours
            int filled = 0;
            for (int n = 0; n < 16; ++n) filled += key[i + n] != 0;
            if (filled == 0) {
                for (int n = 0; n < 16; ++n) slots.data[pixel + n] = -1;
                i += 15;
                continue;
            }
            if (filled == 16) {
                const size_t to = offset + slot;
                for (int n = 0; n < 16; ++n) {
                    pixels.data[to + n] = (int)pixel + n;
                    triangles.data[to + n] = (int)(0xFFFFFFFFu - (unsigned)key[i + n]);
                    slots.data[pixel + n] = slot + n;
                }
                if (general) {
                    for (int n = 0; n < 16; ++n) {
                        const union { unsigned bits; float number; } depth = {(unsigned)(key[i + n] >> 32)};
                        depths.data[to + n] = depth.number;
                    }
                }
                for (int n = 0; n < 16; ++n) key[i + n] = 0;
                slot += 16;
                i += 15;
                continue;
            }
        }
#endif
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
        ceilings=FLOATS, keys=KEYS, later=INTS, sides=BYTES,
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
        later: INTS,
        sides: BYTES,
    ):
        view, face = wp.tid()
        raster_faces(
            points, closeness, screen, faces, vertices, faces.shape[0], view, view, face, face + 1, height, width, near,
            ceilings, keys, later, sides,
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
        later: INTS,
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
                keys, later, sides,
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
