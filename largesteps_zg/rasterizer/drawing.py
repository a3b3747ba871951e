"""Interpolation and antialiasing in one pass: three channels on the CPU."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .._support.warp_kernels import KernelModule, compiled
from .._support.warp_launch import chunks_of, launch, run_chunks
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
        pairs = warp_backend.find_pairs(f)
        image = points.new_empty(len(points), *f.resolution, CHANNELS + 1)
        excesses = points.new_empty(len(pairs[0]))
        ctx.fragments, ctx.pairs = f, pairs
        ctx.differences = points.new_empty(len(pairs[0]), CHANNELS + 1)
        ctx.save_for_backward(points, attributes)
        _for_views("draw", f, pairs, attributes, [ctx.differences, excesses, image])
        return image

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_image: Tensor):
        f: Fragments = ctx.fragments
        points, attributes = ctx.saved_tensors
        shared = len(attributes) == 1
        # A bank for each chunk where views share their attributes: no two threads add to one place.
        banks = len(chunks_of(len(points), points.device)) if shared else len(points)
        grad_points = points.new_empty(*points.shape[:2], 4)  # the kernel clears it
        grad_attributes = points.new_empty(banks, points.shape[1], 4)
        results = [ctx.differences, grad_image.contiguous(), grad_points, grad_attributes]
        _for_views("draw_adjoint", f, ctx.pairs, attributes, results)
        if shared:
            grad_attributes = grad_attributes.sum(0, keepdim=True) if banks > 1 else grad_attributes
        return grad_points[..., :3], grad_attributes[..., :3], None


def _for_views(
    name: str, f: Fragments, pairs: warp_backend.Pairs, attributes: Tensor, results: list[Tensor]
) -> None:
    """Launch a kernel on the fragments and pairs of each chunk of views."""
    views, vertices, _ = f.points.shape
    device, area = f.points.device, f.resolution[0] * f.resolution[1]
    k, ends, starts = kernels_for(f.points.dtype, device), f.view_ends.tolist(), pairs[3]
    given = [f.points, f.faces, f.pixels, f.triangles, f.slots, f.view_ends, *f.resolution, vertices]
    given += [int(len(attributes) == 1), attributes, f.edges, *pairs[:3], *results]

    def run(bank: int, chunk: range) -> None:
        first, last = ends[chunk.start], ends[chunk.stop]
        window = [chunk.start * area, chunk.stop * area, starts[chunk.start], starts[chunk.stop]]
        launch(getattr(k, name), 1, [first, last - first, *window, bank, *given], device)

    run_chunks(run, chunks_of(views, device))
