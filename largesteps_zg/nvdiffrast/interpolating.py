"""Attributes at the vertices to images, with derivatives along the image where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .._support.warp_launch import chunks_of, launch_items, run_chunks
from .checks import check_device, check_image, check_like, check_triangles
from .kernels import kernels_for


def interpolate(
    attr: Tensor,
    rast: Tensor,
    tri: Tensor,
    rast_db: Tensor | None = None,
    diff_attrs: Literal["all"] | Sequence[int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Values of vertex attributes at the pixels.

    Parameters
    ----------
    attr : (V, C), (1, V, C) or (B, V, C) float32
        Shared by all images, or one set for each; of rast's type.
    rast : (B, H, W, 4)
        The first result of `rasterize`.
    tri : (T, 3) int32
        Indices into the attributes, of the triangles that were rasterized; need not be those of the positions.
    rast_db : (B, H, W, 4), optional
        The second result of `rasterize`.
    diff_attrs : "all" or list of int, optional
        Channels whose derivatives along the image are wanted.

    Returns
    -------
    (B, H, W, C)
        Zeros where nothing is drawn.
    (B, H, W, 2 K)
        (dA/dX, dA/dY) of each of the K channels in `diff_attrs`; K is 0 unless `rast_db` and `diff_attrs` are given.

    Raises
    ------
    ValueError
        If a shape, a type, an index or a device is wrong.

    Notes
    -----
    Differentiable in `attr`, in u and v of `rast`, and in `rast_db`.
    """
    check_image("rast", rast, 4)
    if attr.dim() == 2:
        attr = attr[None]
    if attr.dim() != 3 or len(attr) not in (1, len(rast)) or attr.dtype != rast.dtype:
        raise ValueError(
            f"attr: expected shape (V, C), (1, V, C) or ({len(rast)}, V, C), {rast.dtype} as rast, "
            f"got {tuple(attr.shape)} {attr.dtype}"
        )
    check_device("attr", attr, rast.device)
    tri = check_triangles(tri, attr.shape[1], rast.device)
    channels = []
    if rast_db is not None and diff_attrs is not None:
        check_like("rast_db", rast_db, rast)
        if rast_db.shape[-1] != 4:
            raise ValueError(
                f"rast_db: expected 4 channels, got {rast_db.shape[-1]}; was the context made with output_db=False?"
            )
        channels = _channels(diff_attrs, attr.shape[-1])
    slopes = rast_db if rast_db is not None and channels else rast.new_empty(0)
    picks = torch.tensor(channels, dtype=torch.int32, device=rast.device)
    return _Interpolate.apply(attr.contiguous(), rast.contiguous(), slopes.contiguous(), tri, picks)


def _channels(diff_attrs: Any, count: int) -> list[int]:
    """Numbers of the channels to differentiate, or ValueError."""
    if isinstance(diff_attrs, str) and diff_attrs != "all":
        raise ValueError(f"diff_attrs: expected 'all' or a list of channels, got {diff_attrs!r}")
    channels = list(range(count)) if isinstance(diff_attrs, str) else [int(channel) for channel in diff_attrs]
    wrong = [channel for channel in channels if not 0 <= channel < count]
    if wrong:
        raise ValueError(f"diff_attrs: expected channels in [0, {count}), got {wrong[0]}")
    return channels


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, attr: Tensor, rast: Tensor, slopes: Tensor, tri: Tensor, picks: Tensor
    ) -> tuple[Tensor, Tensor]:
        tensors = attr, rast, slopes, tri, picks
        ctx.save_for_backward(*tensors)
        values = rast.new_empty(*rast.shape[:3], attr.shape[-1])
        along = rast.new_empty(*rast.shape[:3], 2 * len(picks))
        shared = 0 if len(attr) == 1 else -1
        _for_pixels("interpolate", tensors, lambda _: shared, [values, along])
        return values, along

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_values: Tensor, grad_along: Tensor) -> tuple[Tensor | None, ...]:
        attr, rast, slopes, _, _ = ctx.saved_tensors
        # A buffer per chunk where images share their attributes: no two threads add to one place.
        shared = len(attr) == 1
        rows = len(_chunks(rast, shared)) if shared else len(attr)
        grad_attr = attr.new_zeros(rows, *attr.shape[1:])
        grad_rast, grad_slopes = torch.zeros_like(rast), torch.zeros_like(slopes)
        grad_values, grad_along = grad_values.contiguous(), grad_along.contiguous()
        given = [grad_values, grad_along, grad_attr, grad_rast, grad_slopes]
        _for_pixels("interpolate_adjoint", ctx.saved_tensors, lambda i: i if shared else -1, given)
        return grad_attr.sum(0, keepdim=True) if shared else grad_attr, grad_rast, grad_slopes, None, None


def _chunks(rast: Tensor, shared: bool) -> list[range]:
    """Pixels for each core: any, or those of whole images where two threads could otherwise add to one place."""
    area = rast.shape[1] * rast.shape[2]
    if shared:
        return chunks_of(len(rast) * area, rast.device)
    return [range(c.start * area, c.stop * area) for c in chunks_of(len(rast), rast.device)]


def _for_pixels(name: str, tensors: tuple[Tensor, ...], shared: Any, results: list[Any]) -> None:
    """Launch a kernel on the pixels of each chunk; ``shared(chunk)`` is where its sums go."""
    attr, rast, slopes, tri, picks = tensors
    k, device = kernels_for(rast.dtype, rast.device), rast.device
    given = [rast, slopes, tri, *rast.shape[1:3], *attr.shape[1:], picks, len(picks)]

    def run(index: int, chunk: range) -> None:
        inputs = [*given, shared(index), attr, *results]
        launch_items(getattr(k, name), chunk.start, chunk.stop, inputs, device)

    run_chunks(run, _chunks(rast, len(attr) == 1))
