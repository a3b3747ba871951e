"""Triangles to images of barycentrics, depth and ids; one layer or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .._support.warp_launch import chunks_of, launch_items, run_chunks
from ..rasterizer import Fragments, pixels_from_clip
from ..rasterizer.depth_test import DepthTest, ceilings_behind, in_clip_space
from ..rasterizer.warp_backend import rasterize as find_nearest
from .checks import check_device, check_positions, check_triangles
from .contexts import RasterizeCudaContext
from .kernels import kernels_for


def rasterize(
    glctx: RasterizeCudaContext,
    pos: Tensor,
    tri: Tensor,
    resolution: Sequence[int],
    ranges: Tensor | None = None,
    grad_db: bool = True,
) -> tuple[Tensor, Tensor]:
    """The nearest triangle at the centre of every pixel.

    Parameters
    ----------
    glctx : RasterizeCudaContext or RasterizeGLContext
    pos : (B, V, 4) or (V, 4) float32
        Clip-space positions: for each image, or for all of them, in range mode. Also float64, and so are the results.
    tri : (T, 3) int32
    resolution : (H, W)
    ranges : (B, 2) int32 on the CPU, optional
        In range mode the first triangle and the number of triangles of each image; ignored otherwise.
    grad_db : bool
        Whether gradients of the second result go back to `pos`.

    Returns
    -------
    (B, H, W, 4)
        (u, v, z/w, triangle's number + 1), zeros where nothing is drawn. Row 0 is at y/w = -1, the bottom in OpenGL.
        The first corner weighs u, the second v, the third 1 - u - v.
    (B, H, W, 4)
        (du/dX, du/dY, dv/dX, dv/dY), X and Y in pixels; (B, H, W, 0) for a context without ``output_db``.

    Raises
    ------
    ValueError
        If a shape, a type, an index or a device is wrong.

    Notes
    -----
    Differentiable in `pos` through u, v and the second result; not through z/w, as documented there. What lies outside
    of -w <= z <= w is not drawn; at equal depth the lowest number wins. Both sides are drawn.
    """
    drawing = _Drawing.of(glctx, pos, tri, resolution, ranges, grad_db)
    return drawing.images(drawing.layer(None))


class DepthPeeler:
    """Layers of depth one after another, nearest first; takes the arguments of `rasterize`.

    Examples
    --------
    >>> pos = torch.tensor([[-1.0, -1, 0, 1], [3, -1, 0, 1], [-1, 3, 0, 1]]).repeat(2, 1)
    >>> pos[3:, 2] = 0.5
    >>> tri = torch.arange(6, dtype=torch.int32).view(2, 3)
    >>> with DepthPeeler(RasterizeCudaContext(), pos[None], tri, (1, 1)) as peeler:
    ...     [peeler.rasterize_next_layer()[0][0, 0, 0, 3].item() for _ in range(3)]
    [1.0, 2.0, 0.0]
    """

    def __init__(
        self,
        glctx: RasterizeCudaContext,
        pos: Tensor,
        tri: Tensor,
        resolution: Sequence[int],
        ranges: Tensor | None = None,
        grad_db: bool = True,
    ) -> None:
        self._drawing = _Drawing.of(glctx, pos, tri, resolution, ranges, grad_db)
        self._last: list[Fragments | None] | None = None
        self._inside = False

    def __enter__(self) -> DepthPeeler:
        self._inside = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inside, self._last = False, None

    def rasterize_next_layer(self) -> tuple[Tensor, Tensor]:
        """As `rasterize`, but only of what lies behind the layers so far; zeros after the last one.

        What is less than four millionths (of 1 - z/w) behind them counts as seen.

        Raises
        ------
        ValueError
            Outside of the ``with`` block.
        """
        if not self._inside:
            raise ValueError(
                "rasterize_next_layer: expected to be called inside `with DepthPeeler(...) as peeler:`"
            )
        self._last = self._drawing.layer(self._last)
        return self._drawing.images(self._last)


class _Part(NamedTuple):
    """What is drawn in one go: points (B, V, 3) of all images or of one, their depth, and some of the triangles."""

    points: Tensor
    test: DepthTest
    tri: Tensor
    first: int


class _Drawing(NamedTuple):
    """Checked arguments: one part in instanced mode, one for each image in range mode."""

    parts: list[_Part]
    edges: Tensor
    resolution: tuple[int, int]
    output_db: bool
    grad_db: bool

    @staticmethod
    def of(
        glctx: Any, pos: Tensor, tri: Tensor, resolution: Sequence[int], ranges: Tensor | None, grad_db: bool
    ) -> _Drawing:
        if not isinstance(glctx, RasterizeCudaContext):
            raise ValueError(
                "glctx: expected a RasterizeCudaContext or RasterizeGLContext of this module, "
                f"got {type(glctx).__name__}"
            )
        check_positions(pos)
        tri = check_triangles(tri, pos.shape[-2], pos.device)
        height, width = (int(side) for side in resolution)
        if height <= 0 or width <= 0:
            raise ValueError(f"resolution: expected a positive height and width, got {height} x {width}")
        given = pixels_from_clip(pos if pos.dim() == 3 else pos[None], (height, width))
        points, test = torch.cat([given[..., :2], given[..., 3:]], dim=-1), in_clip_space(given.detach())
        spans = [(0, len(tri))] if pos.dim() == 3 else _spans(ranges, len(tri))
        parts = [_Part(points, test, tri[first : first + count], first) for first, count in spans]
        edges = torch.empty(0, 6, dtype=torch.int32, device=tri.device)
        return _Drawing(parts, edges, (height, width), glctx.output_db, grad_db)

    def layer(self, before: list[Fragments | None] | None) -> list[Fragments | None]:
        """What each part shows, or what it shows behind another layer; None for a part without triangles."""
        layers: list[Fragments | None] = []
        for number, (points, test, tri, _) in enumerate(self.parts):
            last = before[number] if before else None
            if last is not None:
                test = replace(test, ceilings=ceilings_behind(last))
            given = points, tri, self.edges, self.resolution, test.near, test
            layers.append(find_nearest(*given) if len(tri) else None)
        return layers

    def images(self, layers: list[Fragments | None]) -> tuple[Tensor, Tensor]:
        """Both results for a layer of each part."""
        found: list[tuple[Tensor, Tensor]] = []
        for (points, _, _, first), f in zip(self.parts, layers, strict=True):
            if f is None:
                empty = points.new_zeros(1, *self.resolution, 4)
                found.append((empty, torch.zeros_like(empty) if self.output_db else empty[..., :0]))
                continue
            found.append(_Barycentrics.apply(points, f, first, self.output_db, self.grad_db))
        if len(found) == 1:
            return found[0]
        return torch.cat([rast for rast, _ in found]), torch.cat([db for _, db in found])


def _spans(ranges: Tensor | None, triangles: int) -> list[tuple[int, int]]:
    """First triangle and number of triangles of each image in range mode, or ValueError."""
    if (
        ranges is None
        or ranges.dim() != 2
        or ranges.shape[1] != 2
        or ranges.dtype != torch.int32
        or not len(ranges)
    ):
        got = None if ranges is None else f"{tuple(ranges.shape)} {ranges.dtype}"
        raise ValueError(f"ranges: expected shape (B, 2) int32 with pos (V, 4), got {got}")
    check_device("ranges", ranges, torch.device("cpu"))
    spans = [(int(first), int(count)) for first, count in ranges.tolist()]
    for first, count in spans:
        if first < 0 or count < 0 or first + count > triangles:
            raise ValueError(
                f"ranges: expected spans within {triangles} triangles, got {count} from {first} on"
            )
    return spans


class _Barycentrics(torch.autograd.Function):
    """Images (u, v, z/w, id) and slopes of fragments whose triangles begin at number `first`."""

    @staticmethod
    def forward(
        ctx: Any, points: Tensor, f: Fragments, first: int, output_db: bool, grad_db: bool
    ) -> tuple[Tensor, Tensor]:
        ctx.fragments, ctx.with_db = f, output_db and grad_db
        ctx.set_materialize_grads(False)
        rast = points.new_zeros(len(points), *f.resolution, 4)
        rast_db = points.new_zeros(len(points), *f.resolution, 4 if output_db else 0)
        assert f.closeness is not None
        _for_fragments(f, "barycentrics", output_db, [f.closeness, rast, rast_db], first)
        return rast, rast_db

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_rast: Tensor | None, grad_db: Tensor | None) -> tuple[Tensor | None, ...]:
        f: Fragments = ctx.fragments
        with_db = ctx.with_db and grad_db is not None
        grad_points = torch.zeros_like(f.points)
        if grad_rast is None and not with_db:
            return grad_points, None, None, None, None
        if grad_rast is None:
            grad_rast = f.points.new_zeros(len(f.points), *f.resolution, 4)
        grad_rast = grad_rast.contiguous()
        slopes = grad_db.contiguous() if with_db and grad_db is not None else grad_rast.new_empty(0)
        _for_fragments(f, "barycentrics_adjoint", with_db, [grad_rast, slopes, grad_points], 0)
        return grad_points, None, None, None, None


def _for_fragments(f: Fragments, name: str, with_db: bool, results: list[Any], first: int) -> None:
    """Launch a kernel on the fragments of each chunk of views."""
    device, ends = f.points.device, f.view_ends.tolist()
    k = kernels_for(f.points.dtype, device)
    given = [f.points, f.faces, f.pixels, f.triangles, *f.resolution, f.points.shape[1]]
    given += [first, int(with_db), *results]

    def run(_: int, chunk: range) -> None:
        launch_items(getattr(k, name), ends[chunk.start], ends[chunk.stop], given, device)

    run_chunks(run, chunks_of(len(f.points), device))
