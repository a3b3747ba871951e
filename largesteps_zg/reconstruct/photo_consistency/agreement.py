"""How well a patch of one photograph, carried over a surface into another, agrees with what is there (ZNCC)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..._support.warp_launch import run_items
from .kernels import BLOCK, WIDEST, kernels_for


@dataclass(frozen=True)
class Photograph:
    """One photograph at one size.

    Attributes
    ----------
    gray : (H, W) float
        Brightness in [0, 1].
    weight : (H, W) float
        1 where the object is and 0 elsewhere; what is above one half counts.
    noise : float
        Variance of the brightness that says nothing, > 0; see `pyramid.noise_of`.
    """

    gray: Float[Tensor, "H W"]
    weight: Float[Tensor, "H W"]
    noise: float


@dataclass(frozen=True)
class Agreement:
    """What the windows of one photograph say of a surface.

    Attributes
    ----------
    loss : () tensor
        Sum of ``share * min(1 - ZNCC, cap)`` over the windows; differentiable in the points.
    share : () tensor
        Sum of the windows' shares: 1 for a window full of texture, 0 for one that shows noise alone.
    scores, shares : (H, W) tensor or None
        ``share * ZNCC`` and share of the window around each pixel, where these were asked for.
    """

    loss: Tensor
    share: Tensor
    scores: Tensor | None = None
    shares: Tensor | None = None


def agreement(
    points: Float[Tensor, "N 3"],
    pixels: Int[Tensor, " N"],
    here: Photograph,
    there: Photograph,
    depths: Float[Tensor, "H W"],
    *,
    pixel: float,
    radius: int = 3,
    cap: float = 0.8,
    images: bool = False,
) -> Agreement:
    """Compare what one photograph shows at its pixels with what another shows at the same points of a surface.

    Every pixel has a surface point of its own, so windows bend with the surface. ZNCC, the correlation of the values
    in a window without their means, sees neither gain nor offset. The variances in it hold the photographs' noise: the
    correlation of flat windows goes to 0, and so does what they count.

    Parameters
    ----------
    points : (N, 3) float32 or float64
        Homogeneous pixels ``(u z, v z, z)`` in the second photograph of the points that the first one sees;
        differentiable.
    pixels : (N,) int32
        The pixels of the first photograph at which it sees them, ascending, as `rasterize` has them.
    here, there : Photograph
        Of one size.
    depths : (H, W) float
        Depth of the surface in the second photograph, 0 where there is none. Points behind it do not count.
    pixel : float
        Width of a pixel at depth 1, one over the focal length: a point two pixels' widths behind is still seen.
    radius : int
        Of the windows, 1 to 7: (2 radius + 1)² pixels, more than half of which have to be seen twice.
    cap : float
        No window loses more, in (0, 2].
    images : bool
        Whether to return the scores of all windows.

    Raises
    ------
    ValueError
        If sizes or types differ, or a number is out of its range.

    References
    ----------
    Pons, Keriven, Faugeras: Multi-View Stereo Reconstruction and Scene Flow Estimation with a Global Image-Based
    Matching Score. IJCV 72(2), 2007.
    Vu, Labatut, Pons, Keriven: High Accuracy and Visibility-Consistent Dense Multiview Stereo. PAMI 34(5), 2012.
    """
    _check(points, pixels, (here.gray, here.weight, there.gray, depths), radius, cap)
    loss, share, *found = _Agreement.apply(
        points.contiguous(), pixels, here, there, depths, pixel, radius, cap, images
    )
    return Agreement(loss, share, *found)


def _check(points: Tensor, pixels: Tensor, planes: tuple[Tensor, ...], radius: int, cap: float) -> None:
    """ValueError for what does not fit together."""
    size = planes[0].shape
    for plane in planes:
        if plane.shape != size or plane.dim() != 2 or plane.dtype != points.dtype:
            raise ValueError(
                f"here, there, depths: expected (H, W) {points.dtype} of one size, got {tuple(plane.shape)} "
                f"{plane.dtype} beside {tuple(size)}"
            )
    if points.shape != (len(pixels), 3) or pixels.dtype != torch.int32:
        raise ValueError(
            f"points, pixels: expected (N, 3) and (N,) int32, got {tuple(points.shape)} and {tuple(pixels.shape)} "
            f"{pixels.dtype}"
        )
    if not 1 <= radius <= WIDEST:
        raise ValueError(f"radius: expected 1 to {WIDEST}, got {radius}")
    if not 0 < cap <= 2:
        raise ValueError(f"cap: expected a number in (0, 2], got {cap}")


class _Agreement(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points, pixels, here, there, depths, pixel, radius, cap, images):
        (height, width), device, dtype = depths.shape, points.device, points.dtype
        k = kernels_for(dtype, device)
        top, left, rows, columns = window_of(pixels, width)
        stride = columns + 2 * radius
        room = torch.zeros(9, rows + 2 * radius, stride, dtype=dtype, device=device)
        valid, carried, found, *slopes, gradient, scores, shares = room
        places = torch.empty(len(pixels), dtype=torch.int32, device=device)
        sampled = torch.empty(len(pixels), 2, dtype=dtype, device=device)
        windows = [stride, columns, radius, valid, carried, found]

        def run(kernel, count: int, inputs: list) -> None:
            run_items(kernel, count, inputs, device)

        photographs = [here.gray, here.weight, there.gray, depths]
        run(k.carry, len(pixels), [
            points, pixels, width, height, top, left, stride, radius, *photographs,
            2 * pixel, places, sampled, valid, carried, found,
        ])  # fmt: skip
        blocks = rows * -(-columns // BLOCK)
        sums = torch.zeros(2, blocks, dtype=dtype, device=device)
        run(k.score, blocks, [
            *windows, here.noise, there.noise, cap, *slopes,
            scores, shares, sums[0], sums[1],
        ])  # fmt: skip
        if points.requires_grad:
            run(k.slope, blocks, [*windows, *slopes, gradient])
            grad_points = torch.empty_like(points)
            inputs = [points, places, sampled, gradient, grad_points]
            run(k.back, len(pixels), inputs)
            ctx.save_for_backward(grad_points)
        loss, share = sums.double().sum(1).to(dtype)
        if not images:
            ctx.mark_non_differentiable(share)
            return loss, share, None, None
        whole = torch.zeros(2, height, width, dtype=dtype, device=device)
        inner = room[-2:, radius : radius + rows, radius : radius + columns]
        whole[:, top : top + rows, left : left + columns] = inner
        of_scores, of_shares = whole
        # In one call: a second one would undo the first.
        ctx.mark_non_differentiable(share, of_scores, of_shares)
        return loss, share, of_scores, of_shares

    @staticmethod
    @once_differentiable
    def backward(ctx, grad, *_):
        (grad_points,) = ctx.saved_tensors
        return grad * grad_points, *[None] * 8


def window_of(pixels: Tensor, width: int) -> tuple[int, int, int, int]:
    """First row and column that some pixels lie in, and the numbers of both."""
    if len(pixels) == 0:
        return 0, 0, 1, 1
    columns = torch.aminmax(pixels % width)
    top, bottom = int(pixels[0]) // width, int(pixels[-1]) // width
    left, right = int(columns.min), int(columns.max)
    return top, left, bottom - top + 1, right - left + 1
