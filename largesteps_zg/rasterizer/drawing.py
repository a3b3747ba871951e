"""Interpolation and antialiasing in one pass: three channels on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .._support.warp_kernels import KernelModule, compiled
from .._support.warp_launch import chunks_of, launch_items, run_chunks
from . import drawing_kernels, warp_backend
from .fragments import Fragments

CHANNELS = 3


def build(dtype: torch.dtype) -> SimpleNamespace:
    """Kernels for one floating-point type, of a module that is compiled for the CPU alone."""
    make = KernelModule("largesteps_zg.rasterizer.drawing", dtype)
    drawing_kernels.define(make)
    return make.finished()


kernels_for = compiled(build)


def can_draw(attributes: Tensor) -> bool:
    """Whether `draw` takes them."""
    return warp_backend.in_chunks(attributes.device) and attributes.shape[-1] == CHANNELS


def draw(attributes: Tensor, f: Fragments) -> Tensor:
    """``antialias(interpolate(attributes, f), f)`` for attributes (1 or B, V, 3)."""
    return _Draw.apply(f.points, attributes, f)


class _Draw(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points: Tensor, attributes: Tensor, f: Fragments) -> Tensor:
        search = warp_backend.pair_search(f)
        image = points.new_empty(len(points), *f.resolution, CHANNELS + 1)
        # Chunks as they are here: by the time of the derivative there may be another number of threads.
        ctx.fragments, ctx.chunks = f, chunks_of(len(points), points.device)
        ctx.pairs = [()] * len(ctx.chunks)

        def pairs_of(bank: int, chunk: range) -> list[Tensor]:
            pairs = search(chunk)
            differences = points.new_empty(len(pairs[0]), CHANNELS + 1)
            ctx.pairs[bank] = (*pairs, differences)
            return [*ctx.pairs[bank], points.new_empty(len(pairs[0])), image]

        ctx.save_for_backward(points, attributes)
        _for_views("draw", f, ctx.chunks, attributes, pairs_of)
        return image

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_image: Tensor):
        f: Fragments = ctx.fragments
        points, attributes = ctx.saved_tensors
        shared = len(attributes) == 1
        # A bank for each chunk where views share their attributes: no two threads add to one place.
        banks = len(ctx.chunks) if shared else len(points)
        grad_points = points.new_empty(*points.shape[:2], 4)  # the kernel clears it
        grad_attributes = points.new_empty(banks, points.shape[1], 4)
        results = [grad_image.contiguous(), grad_points, grad_attributes]
        _for_views("draw_adjoint", f, ctx.chunks, attributes, lambda bank, _: [*ctx.pairs[bank], *results])
        if shared:
            grad_attributes = grad_attributes.sum(0, keepdim=True) if banks > 1 else grad_attributes
        return grad_points[..., :3], grad_attributes[..., :3], None


def _for_views(
    name: str,
    f: Fragments,
    chunks: list[range],
    attributes: Tensor,
    rest: Callable[[int, range], list[Tensor]],
) -> None:
    """Launch a kernel on each chunk of views; its pairs and results are ``rest(bank, chunk)``."""
    device = f.points.device
    kernel = getattr(kernels_for(f.points.dtype, device), name)
    given = [f.points, f.faces, f.pixels, f.triangles, f.slots, f.view_ends, *f.resolution, f.points.shape[1]]
    given += [int(len(attributes) == 1), attributes, f.edges]

    def run(bank: int, chunk: range) -> None:
        launch_items(kernel, chunk.start, chunk.stop, [bank, *given, *rest(bank, chunk)], device)

    run_chunks(run, chunks)
