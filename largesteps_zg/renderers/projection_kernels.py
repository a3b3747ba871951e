"""Vertices in the pixels of all views, and the derivative, in one loop each; for the CPU."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from .._support.transforms import is_plain
from .._support.warp_kernels import KernelModule, compiled
from .._support.warp_launch import run_items

PROJECT = """
    for (int view = first; view < last; ++view) {
        const real* m = matrices.data + (size_t)view * 12;
        vec3* to = points.data + (size_t)view * count;
        for (int i = 0; i < count; ++i) {
            const vec3& v = vertices.data[i];
            for (int n = 0; n < 3; ++n)
                to[i][n] = m[4 * n] * v[0] + m[4 * n + 1] * v[1] + m[4 * n + 2] * v[2] + m[4 * n + 3];
        }
    }
"""

# Gradients of points come `pitch` numbers apart.
PROJECT_ADJOINT = """
    using v4 = real __attribute__((vector_size(4 * sizeof(real))));
    const int block = 256;  // vertices whose sums stay in the core's nearest cache
    v4 sums[block];
    for (int begin = first; begin < last; begin += block) {
        const int number = begin + block < last ? block : last - begin;
        for (int i = 0; i < number; ++i) sums[i] = v4{0, 0, 0, 0};
        for (int view = 0; view < views; ++view) {
            const real* m = matrices.data + (size_t)view * 12;
            const real* g = grad_points.data + ((size_t)view * count + begin) * pitch;
            const v4 x = {m[0], m[1], m[2], 0}, y = {m[4], m[5], m[6], 0}, w = {m[8], m[9], m[10], 0};
            for (int i = 0; i < number; ++i, g += pitch) sums[i] += g[0] * x + g[1] * y + g[2] * w;
        }
        for (int i = 0; i < number; ++i)
            for (int n = 0; n < 3; ++n) grads.data[begin + i][n] = sums[i][n];
    }
"""


def build(dtype: torch.dtype) -> SimpleNamespace:
    """Kernels for one floating-point type."""
    make = KernelModule("largesteps_zg.renderers.projection", dtype)
    make.items("project", PROJECT, matrices=make.reals, vertices=make.vec3s, count=int, points=make.vec3s)
    make.items(
        "project_adjoint", PROJECT_ADJOINT, matrices=make.reals, views=int, count=int, pitch=int,
        grad_points=make.reals, grads=make.vec3s,
    )  # fmt: skip
    return make.finished()


kernels_for = compiled(build)


def project_by_operations(vertices: Tensor, matrices: Tensor) -> Tensor:
    """Points (B, V, 3) of vertices (V, 3) and matrices (B, 3, 4), on any device."""
    flat = vertices @ matrices[:, :, :3].reshape(-1, 3).T  # one product for all views: (V, 3B)
    return flat.view(len(vertices), -1, 3).transpose(0, 1) + matrices[:, None, :, 3]


class Project(torch.autograd.Function):
    """Likewise, of float32 or float64 on the CPU."""

    @staticmethod
    def forward(ctx, vertices: Tensor, matrices: Tensor) -> Tensor:
        ctx.save_for_backward(vertices, matrices)
        k = kernels_for(vertices.dtype, vertices.device)
        points = vertices.new_empty(len(matrices), *vertices.shape)
        inputs = [matrices, vertices.contiguous(), len(vertices)]
        views = len(matrices)
        run_items(k.project, views, [*inputs, points], vertices.device, views * len(vertices))
        return points

    @staticmethod
    def backward(ctx, grad: Tensor):
        vertices, matrices = ctx.saved_tensors
        if torch.is_grad_enabled() or not is_plain(
            grad
        ):  # for second derivatives, and for many gradients at once
            of_vertices = (grad @ matrices[:, :, :3]).sum(0)
        else:
            of_vertices = _of_vertices(matrices, grad)
        of_matrices = None
        if ctx.needs_input_grad[1]:
            of_matrices = torch.cat([grad.mT @ vertices, grad.sum(1)[..., None]], dim=2)
        return of_vertices, of_matrices


def _of_vertices(matrices: Tensor, grad: Tensor) -> Tensor:
    views, count, _ = grad.shape
    pitch = grad.stride(1)
    if grad.stride() != (count * pitch, pitch, 1):
        grad, pitch = grad.contiguous(), 3
    k, grads = kernels_for(grad.dtype, grad.device), grad.new_empty(count, 3)
    # As far as the last number of the last point: beyond it the memory may end.
    numbers = grad.as_strided(((views * count - 1) * pitch + 3,), (1,))
    inputs = [matrices, views, count, pitch, numbers, grads]
    run_items(k.project_adjoint, count, inputs, grad.device, views * count)
    return grads
