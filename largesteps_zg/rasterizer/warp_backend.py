"""The default backend: Warp kernels, on CUDA one thread an item, on the CPU one chunk of views per core."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .._support.warp_launch import (
    chunks_of,
    in_chunks,
    launch,
    launch_items,
    run_chunks,
)
from .depth_test import PADDING, DepthTest
from .fragments import Fragments
from .kernels import clip_kernels_for, kernels_for, layer_kernels_for
from .triangles import room_to_wait

# int32 addresses pixels, and a crossing's sort key needs two more bits for its direction.
MAX_PIXELS = 2**29
# Of divided pairs: inner pixels, directions and edges, and where those of each view begin.
Pairs = tuple[Tensor, Tensor, Tensor, list[int]]


def rasterize(
    points: Tensor,
    faces: Tensor,
    edges: Tensor,
    resolution: tuple[int, int],
    near: float,
    test: DepthTest | None = None,
) -> Fragments:
    """The nearest triangle at every pixel centre; see :func:`largesteps_zg.rasterizer.api.rasterize`."""
    views, (height, width), device = len(points), resolution, points.device
    if views * height * width >= MAX_PIXELS:
        raise ValueError(
            f"points: expected fewer than {MAX_PIXELS} pixels in a batch, got {views} views of {height} x {width}; "
            "render fewer views at a time"
        )
    sides = torch.empty(views, len(faces), dtype=torch.uint8, device=device)
    slots = torch.empty(views * height * width, dtype=torch.int32, device=device)
    draw = _draw_in_chunks if in_chunks(device) else _draw_at_once
    pixels, triangles, depths, ends = draw(points, faces, resolution, test or DepthTest(near), sides, slots)
    return Fragments(
        points=points, faces=faces, edges=edges, resolution=resolution, near=near, pixels=pixels,
        triangles=triangles, slots=slots, sides=sides, view_ends=ends,
        closeness=test.closeness if test else None, reached=depths if test else None,
    )  # fmt: skip


def _kernels(points: Tensor, test: DepthTest) -> SimpleNamespace:
    if test.closeness is None:
        return kernels_for(points.dtype, points.device)
    general = clip_kernels_for if test.ceilings is None else layer_kernels_for
    return general(points.dtype, points.device)


def _depth_arrays(points: Tensor, test: DepthTest) -> tuple[Tensor, Tensor]:
    """Closeness and ceilings, of no length where there are none."""
    closeness = points.new_empty(0) if test.closeness is None else test.closeness
    ceilings = torch.empty(0, device=points.device) if test.ceilings is None else test.ceilings
    return closeness, ceilings


def _draw_in_chunks(
    points: Tensor,
    faces: Tensor,
    resolution: tuple[int, int],
    test: DepthTest,
    sides: Tensor,
    slots: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draws one view after the other in each thread; fragments, their N/w and where each view's end."""
    views, vertices, _ = points.shape
    height, width = resolution
    k, device = _kernels(points, test), points.device
    chunks = chunks_of(views, device)
    screen = torch.empty_like(points)
    keys = torch.empty(len(chunks), height * width + PADDING, dtype=torch.int64)  # the kernel clears them
    later = room_to_wait(len(chunks), len(faces))
    counts = torch.empty(views, dtype=torch.int32)
    # Room for all pixels: what is not covered is never touched, and so costs no memory.
    room = torch.empty(2, views * height * width, dtype=torch.int32)
    depths = torch.empty(0 if test.closeness is None else views * height * width)
    closeness, ceilings = _depth_arrays(points, test)
    given = [height, width, test.near, points, closeness, faces, vertices, screen, ceilings]
    made = [sides, counts, slots, *room, depths]

    def draw(index: int, chunk: range) -> None:
        inputs = [chunk.start, chunk.stop, *given, keys[index], later[index], *made]
        launch(k.draw_views, 1, inputs, device)

    run_chunks(draw, chunks)
    where = [0, *itertools.accumulate(counts.tolist())]
    kept = [r.new_empty(where[-1] if len(r) else 0) for r in (*room, depths)]

    def keep(_: int, chunk: range) -> None:
        begin, first, last = chunk.start * height * width, where[chunk.start], where[chunk.stop]
        for to, r in zip(kept, (*room, depths), strict=True):
            if len(r):
                to[first:last] = r[begin : begin + last - first]

    run_chunks(keep, chunks)
    pixels, triangles, depths = kept
    return pixels, triangles, depths, torch.tensor(where, dtype=torch.int32)


def _draw_at_once(
    points: Tensor,
    faces: Tensor,
    resolution: tuple[int, int],
    test: DepthTest,
    sides: Tensor,
    slots: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draws all triangles of all views side by side; fragments, their N/w and where each view's end."""
    views, vertices, _ = points.shape
    height, width = resolution
    k, device = _kernels(points, test), points.device
    screen = torch.empty_like(points)
    keys = torch.zeros(views * height * width, dtype=torch.int64, device=device)
    counts = torch.empty(views * height, dtype=torch.int32, device=device)
    closeness, ceilings = _depth_arrays(points, test)
    launch(k.project, views * vertices, [points, closeness, test.near, screen], device)
    given = [height, width, test.near, points, closeness, faces, vertices, screen, ceilings, keys]
    launch(k.raster, (views, len(faces)), [*given, counts[:0], sides], device)
    launch(k.count, views * height, [keys, width, counts], device)
    # Rows begin where the rows before them in their view end.
    starts = counts.view(views, height).cumsum(1, dtype=torch.int32).view(-1) - counts
    seen = counts.view(views, height).sum(1).cumsum(0, dtype=torch.int32)
    ends = torch.nn.functional.pad(seen, (1, 0))
    pixels = torch.empty(int(ends[-1]), dtype=torch.int32, device=device)
    triangles = torch.empty_like(pixels)
    depths = torch.empty(0 if test.closeness is None else len(pixels), device=device)
    rest = [ends, starts, counts, slots, pixels, triangles, depths]
    launch(k.collect, (views, height), [keys, height, width, *rest], device)
    return pixels, triangles, depths, ends


def interpolate(attributes: Tensor, fragments: Fragments, faces: Tensor | None = None) -> Tensor:
    """See :func:`largesteps_zg.rasterizer.api.interpolate`."""
    return _Interpolate.apply(fragments.points, attributes, fragments, faces)


def antialias(values: Tensor, fragments: Fragments) -> Tensor:
    """See :func:`largesteps_zg.rasterizer.api.antialias`."""
    return _Antialias.apply(fragments.points, values, fragments)


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points: Tensor, attributes: Tensor, f: Fragments, faces: Tensor | None) -> Tensor:
        ctx.fragments, ctx.faces = f, faces
        ctx.save_for_backward(points, attributes)
        values = points.new_empty(len(f.pixels), attributes.shape[-1])
        shared = 0 if len(attributes) == 1 else -1
        _for_fragments(f, "interpolate", attributes, faces, lambda _: shared, [values])
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_values: Tensor):
        f: Fragments = ctx.fragments
        points, attributes = ctx.saved_tensors
        grad_points = torch.zeros_like(points)
        # A buffer per chunk where views share their attributes: no two threads add to one place.
        shared = len(attributes) == 1
        rows = len(chunks_of(len(points), points.device)) if shared else len(attributes)
        grad_attributes = attributes.new_zeros(rows, *attributes.shape[1:])
        results = [grad_values.contiguous(), grad_points, grad_attributes]
        _for_fragments(
            f, "interpolate_adjoint", attributes, ctx.faces, lambda i: i if shared else -1, results
        )
        return grad_points, grad_attributes.sum(0, keepdim=True) if shared else grad_attributes, None, None


def _for_fragments(
    f: Fragments, name: str, attributes: Tensor, faces: Tensor | None, shared, results: list
) -> None:
    """Launch a kernel on the fragments of each chunk of views; ``shared(chunk)`` is where its sums go."""
    views, vertices, _ = f.points.shape
    k, device = kernels_for(f.points.dtype, f.points.device), f.points.device
    given: list[Any] = [f.points, f.faces, f.pixels, f.triangles, *f.resolution, vertices]
    given += [f.faces if faces is None else faces, int(faces is not None), *attributes.shape[1:]]
    ends = f.view_ends.tolist()

    def run(index: int, chunk: range) -> None:
        inputs = [*given, shared(index), attributes, *results]
        launch_items(getattr(k, name), ends[chunk.start], ends[chunk.stop], inputs, device)

    run_chunks(run, chunks_of(views, device))


def find_pairs(f: Fragments) -> Pairs:
    """Pixel pairs that a visible silhouette crosses: inner pixel, direction, edge, and where each view's begin.

    Where several edges cross one pair, the outermost counts: the surface covers everything up to there.
    """
    views, device, search = len(f.points), f.points.device, pair_search(f)
    chunks = chunks_of(views, device)
    parts: list[tuple[Tensor, ...]] = [()] * len(chunks)

    def run(index: int, chunk: range) -> None:
        parts[index] = search(chunk)

    run_chunks(run, chunks)
    pixels, directions, edge = parts[0] if len(parts) == 1 else map(torch.cat, zip(*parts, strict=True))
    starts = torch.arange(views + 1, device=device) * (f.resolution[0] * f.resolution[1])
    return pixels, directions, edge, torch.searchsorted(pixels, starts).tolist()


def pair_search(f: Fragments) -> Callable[[range], tuple[Tensor, Tensor, Tensor]]:
    """What finds the pairs of a chunk of views: inner pixel, direction and edge of each."""
    test, device, count = DepthTest(f.near, f.closeness), f.points.device, len(f.edges)
    k = _kernels(f.points, test)
    given: list[Any] = [f.points, _depth_arrays(f.points, test)[0], f.faces]
    given += [f.edges, f.sides, f.slots, f.triangles, f.view_ends, f.points.shape[1], len(f.faces)]
    given += [*f.resolution, f.near]
    block = max(count, 1) if in_chunks(device) else 1
    settle = kernels_for(f.points.dtype, device).settle if in_chunks(device) else None

    def search(chunk: range) -> tuple[Tensor, Tensor, Tensor]:
        capacity = 8 * sum(f.resolution) * len(chunk)
        while True:
            counter = torch.zeros(1, dtype=torch.int32, device=device)
            keys = torch.empty(2, capacity, dtype=torch.int64, device=device)
            records = torch.empty(5, capacity, dtype=torch.int32, device=device)
            found = [capacity, counter, keys[0], records[0]]
            inputs = [chunk.start, block, *given, *found]
            launch(k.find_crossings, (len(chunk), count // block), inputs, device)
            if settle:
                launch(settle, 1, [0, 1, *found, keys[1], *records[1:]], device)
            counted = int(counter)
            if counted <= capacity:
                break
            capacity = counted
        if settle:
            pixels, directions, edge = records[2:, :counted]
            return pixels, directions, edge
        return _settled(keys[0, :counted], records[0, :counted])

    return search


def _settled(key: Tensor, edge: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels, directions and edges of pairs, from the keys and edges of crossings: what `settle` does in chunks."""
    key, order = key.sort()
    pair = key >> 31
    last = torch.ones_like(pair, dtype=torch.bool)
    torch.ne(pair[1:], pair[:-1], out=last[:-1])
    pair = pair[last]
    return (pair >> 2).to(torch.int32), (pair & 3).to(torch.int32), edge[order][last]


class _Antialias(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points: Tensor, values: Tensor, f: Fragments) -> Tensor:
        device, (height, width), channels = points.device, f.resolution, values.shape[1]
        k, area, ends = kernels_for(points.dtype, device), height * width, f.view_ends.tolist()
        values = values.contiguous()
        ctx.fragments, ctx.pairs = f, find_pairs(f)
        ctx.save_for_backward(points, values)
        # On the CPU the kernel clears the empty pixels on its way through the image.
        clears = in_chunks(device)
        image = (torch.empty if clears else torch.zeros)(
            len(points), height, width, channels + 1, dtype=points.dtype, device=device
        )

        def compose(chunk: range) -> None:
            if not clears or ends[chunk.start] < ends[chunk.stop]:
                window = [chunk.start * area, chunk.stop * area] if clears else [0, 0]
                inputs = [f.pixels, *window, channels, values, image]
                launch_items(k.compose, ends[chunk.start], ends[chunk.stop], inputs, device)
            else:
                image[chunk.start : chunk.stop] = 0

        blend(f, ctx.pairs, values, image, first=compose)
        return image

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_image: Tensor):
        f: Fragments = ctx.fragments
        _, values = ctx.saved_tensors
        device, channels = values.device, values.shape[1]
        k, ends = kernels_for(values.dtype, device), f.view_ends.tolist()
        grad_image = grad_image.contiguous()
        grad_values = torch.empty_like(values)
        grad_points = torch.zeros_like(f.points)
        given = [f.pixels, channels, grad_image, grad_values]

        def decompose(chunk: range) -> None:
            launch_items(k.compose_adjoint, ends[chunk.start], ends[chunk.stop], given, device)

        blend_adjoint(f, ctx.pairs, values, grad_image, grad_values, grad_points, first=decompose)
        return grad_points, grad_values, None


def _nothing_first(chunk: range) -> None:
    """For blending in an image that is there."""


def blend(
    f: Fragments,
    pairs: Pairs,
    values: Tensor,
    image: Tensor,
    *,
    first: Callable[[range], None] = _nothing_first,
) -> None:
    """Blend divided pairs in an image, whose pixels may have one channel more than the values: the coverage."""
    k, device = kernels_for(values.dtype, values.device), values.device
    given = [*_pair_arrays(f, pairs), image.shape[-1], values.shape[1], values, image]

    def run(_: int, chunk: range) -> None:
        first(chunk)
        launch_items(k.blend, pairs[3][chunk.start], pairs[3][chunk.stop], given, device)

    run_chunks(run, chunks_of(len(f.points), device))


def blend_adjoint(
    f: Fragments,
    pairs: Pairs,
    values: Tensor,
    grad_image: Tensor,
    grad_values: Tensor,
    grad_points: Tensor,
    *,
    first: Callable[[range], None] = _nothing_first,
) -> None:
    """Add what blending hands back, to the values' gradients and to the points'."""
    k, device = kernels_for(values.dtype, values.device), values.device
    given = [*_pair_arrays(f, pairs), grad_image.shape[-1], values.shape[1], values]
    given += [grad_image, grad_values, grad_points]

    def run(_: int, chunk: range) -> None:
        first(chunk)
        launch_items(k.blend_adjoint, pairs[3][chunk.start], pairs[3][chunk.stop], given, device)

    run_chunks(run, chunks_of(len(f.points), device))


def _pair_arrays(f: Fragments, pairs: Pairs) -> list:
    """What the kernels that blend take first."""
    return [f.points, f.edges, f.slots, f.view_ends, *pairs[:3], *f.resolution, f.points.shape[1]]
