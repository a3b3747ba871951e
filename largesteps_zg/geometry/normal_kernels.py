"""Vertex normals and their derivative in two loops each, over faces and over vertices; for the CPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from .._support.transforms import is_plain
from .._support.warp_kernels import TRIPLES, KernelModule, compiled
from .._support.warp_launch import chunks_of, launch_items, run_chunks, run_items
from .normal_operations import normals_by_operations

# Edges of a face from its first corner, and the sum over faces in the bank of a thread.
FACES = """
    for (int face = first; face < last; ++face) {
        const wp::vec_t<3, int> corners = faces.data[face];
        const vec3 &a = vertices.data[corners[0]], &b = vertices.data[corners[1]], &c = vertices.data[corners[2]];
        const real ux = b[0] - a[0], uy = b[1] - a[1], uz = b[2] - a[2];
        const real vx = c[0] - a[0], vy = c[1] - a[1], vz = c[2] - a[2];
        const auto add = [&](int corner, real x, real y, real z) {
            vec3& to = banks.data[(size_t)bank * count + corners[corner]];
            to[0] += x;
            to[1] += y;
            to[2] += z;
        };
"""

ADD = (
    FACES
    + """
        for (int i = 0; i < 3; ++i) add(i, uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx);
    }
"""
)

# d(u x v) = du x v + u x dv: the gradient g of the normal gives v x g and g x u.
ADD_ADJOINT = (
    FACES
    + """
        real g[3];
        for (int m = 0; m < 3; ++m)
            g[m] = sums.data[corners[0]][m] + sums.data[corners[1]][m] + sums.data[corners[2]][m];
        const real bx = vy * g[2] - vz * g[1], by = vz * g[0] - vx * g[2], bz = vx * g[1] - vy * g[0];
        const real cx = g[1] * uz - g[2] * uy, cy = g[2] * ux - g[0] * uz, cz = g[0] * uy - g[1] * ux;
        add(0, -bx - cx, -by - cy, -bz - cz);
        add(1, bx, by, bz);
        add(2, cx, cy, cz);
    }
"""
)

UNIT = """
    for (int i = first; i < last; ++i) {
        vec3 sum = banks.data[i];
        for (int bank = 1; bank < bank_count; ++bank) {
            const vec3& more = banks.data[(size_t)bank * count + i];
            for (int m = 0; m < 3; ++m) sum[m] += more[m];
        }
        const real length = wp::sqrt(sum[0] * sum[0] + sum[1] * sum[1] + sum[2] * sum[2]);
        lengths.data[i] = length;
        for (int m = 0; m < 3; ++m) normals.data[i][m] = length > 0 ? sum[m] / length : real(0);
    }
"""

UNIT_ADJOINT = """
    for (int i = first; i < last; ++i) {
        const vec3 &n = normals.data[i], &g = grads.data[i];
        const real scale = lengths.data[i] > 0 ? real(1) / lengths.data[i] : real(0);
        const real along = n[0] * g[0] + n[1] * g[1] + n[2] * g[2];
        for (int m = 0; m < 3; ++m) sums.data[i][m] = (g[m] - along * n[m]) * scale;
    }
"""


def build(dtype: torch.dtype) -> SimpleNamespace:
    """Kernels for one floating-point type."""
    make = KernelModule("largesteps_zg.geometry.normals", dtype)
    faces: dict[str, Any] = {"vertices": make.vec3s, "faces": TRIPLES, "bank": int, "count": int}
    make.items("add", ADD, **faces, banks=make.vec3s)
    make.items("add_adjoint", ADD_ADJOINT, **faces, sums=make.vec3s, banks=make.vec3s)
    found: dict[str, Any] = {"lengths": make.reals, "normals": make.vec3s}
    make.items("unit", UNIT, banks=make.vec3s, bank_count=int, count=int, **found)
    make.items("unit_adjoint", UNIT_ADJOINT, **found, grads=make.vec3s, sums=make.vec3s)
    return make.finished()


kernels_for = compiled(build)


class VertexNormals(torch.autograd.Function):
    """`vertex_normals` of vertices (V, 3), of float32 or float64, and faces (F, 3) int32, checked, on the CPU."""

    @staticmethod
    def forward(ctx, vertices: Tensor, faces: Tensor) -> Tensor:
        vertices, faces = vertices.contiguous(), faces.contiguous()
        k, device, normals = (
            kernels_for(vertices.dtype, vertices.device),
            vertices.device,
            torch.empty_like(vertices),
        )
        lengths = vertices.new_empty(len(vertices))
        banks = _over_faces("add", vertices, faces, [])
        inputs = [banks, len(banks), len(vertices), lengths]
        run_items(k.unit, len(vertices), [*inputs, normals], device, len(vertices))
        ctx.save_for_backward(vertices, faces, normals, lengths)
        return normals

    @staticmethod
    def backward(ctx, grad: Tensor):
        vertices, faces, normals, lengths = ctx.saved_tensors
        if torch.is_grad_enabled() or not is_plain(
            grad
        ):  # for second derivatives, and for many gradients at once
            with torch.enable_grad():
                again = normals_by_operations(vertices, faces)
            return *torch.autograd.grad(again, vertices, grad, create_graph=torch.is_grad_enabled()), None
        k, sums, grad = kernels_for(grad.dtype, grad.device), torch.empty_like(vertices), grad.contiguous()
        inputs = [lengths, normals, grad, sums]
        run_items(k.unit_adjoint, len(vertices), inputs, grad.device, len(vertices))
        banks = _over_faces("add_adjoint", vertices, faces, [sums])
        return banks.sum(0) if len(banks) > 1 else banks[0], None


def _over_faces(name: str, vertices: Tensor, faces: Tensor, more: list) -> Tensor:
    """(banks, V, 3): sums over the faces of each thread."""
    k, count = kernels_for(vertices.dtype, vertices.device), len(faces)
    chunks = chunks_of(count, vertices.device, count)
    banks = vertices.new_zeros(len(chunks), len(vertices), 3)

    def run(bank: int, chunk: range) -> None:
        inputs = [vertices, faces, bank, len(vertices), *more, banks]
        launch_items(getattr(k, name), chunk.start, chunk.stop, inputs, vertices.device)

    run_chunks(run, chunks)
    return banks
