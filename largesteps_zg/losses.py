"""Image losses in one pass over the pixels: value and gradient together."""

from __future__ import annotations

import torch
import warp as wp
from jaxtyping import Float
from torch import Tensor

from .rasterizer.launch import as_flat, as_warp, chunks_of, launch_items, run_chunks

KINDS = ("l1", "l2")


# Sixteen sums side by side, so that it becomes vector code: additions may not be reordered otherwise.
COMPARE = """
    for (int row = first; row < last; ++row) {
        const wp::float32* image = images.data + (size_t)row * size;
        const wp::float32* target = targets.data + (size_t)row * size;
        wp::float32* slope = gradient.data + (size_t)row * size;
        wp::float32 totals[16] = {};
        const auto compare = [&](int i, int lane) {
            const wp::float32 difference = image[i] - target[i], weight = weights.data[i];
            totals[lane] += weight * (squared ? difference * difference : wp::abs(difference));
            const wp::float32 sign = difference > 0 ? weight : (difference < 0 ? -weight : 0);
            slope[i] = squared ? 2 * weight * difference : sign;
        };
        int i = 0;
        for (; i + 16 <= size; i += 16)
            for (int lane = 0; lane < 16; ++lane) compare(i + lane, lane);
        for (; i < size; ++i) compare(i, 0);
        wp::float32 total = 0;
        for (int lane = 0; lane < 16; ++lane) total += totals[lane];
        sums.data[row] = total;
    }
"""


@wp.func_native(COMPARE)
def _compare_rows(
    images: wp.array(dtype=wp.float32),
    targets: wp.array(dtype=wp.float32),
    weights: wp.array(dtype=wp.float32),
    squared: int,
    size: int,
    first: int,
    last: int,
    sums: wp.array(dtype=wp.float32),
    gradient: wp.array(dtype=wp.float32),
): ...


@wp.kernel(enable_backward=False, module="largesteps_zg.losses")
def _compare(
    begin: int,
    block: int,
    images: wp.array(dtype=wp.float32),
    targets: wp.array(dtype=wp.float32),
    weights: wp.array(dtype=wp.float32),
    squared: int,
    size: int,
    sums: wp.array(dtype=wp.float32),
    gradient: wp.array(dtype=wp.float32),
):
    first = begin + wp.tid() * block
    _compare_rows(images, targets, weights, squared, size, first, first + block, sums, gradient)


class _ImageLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images: Tensor, targets: Tensor, weights: Tensor, squared: bool) -> Tensor:
        views, height, width, channels = images.shape
        rows, device = views * height, images.device
        gradient = torch.empty_like(images)
        sums = torch.empty(rows, device=device)
        row_weights = weights.repeat(width)
        inputs = [as_flat(images), as_flat(targets), as_warp(row_weights), int(squared), width * channels]
        inputs += [as_warp(sums), as_flat(gradient)]
        if device.type == "cpu":
            wp.load_module("largesteps_zg.losses", device="cpu")  # once, before two threads would

        def run(_: int, chunk: range) -> None:
            launch_items(_compare, chunk.start, chunk.stop, inputs, device)

        run_chunks(run, chunks_of(rows, device))
        ctx.save_for_backward(gradient)
        return sums.double().sum().float()

    @staticmethod
    def backward(ctx, grad: Tensor):
        (gradient,) = ctx.saved_tensors
        # A pass over all pixels that is nearly always a multiplication by 1; on CUDA to ask would be to wait.
        alone = grad.device.type == "cpu" and float(grad) == 1.0
        return gradient if alone else gradient * grad, None, None, None


def image_loss(
    images: Float[Tensor, "B H W C"],
    targets: Float[Tensor, "B H W C"],
    *,
    kind: str = "l1",
    weights: Float[Tensor, " C"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over all pixels of ``sum_c weights_c |difference_c|`` (or its square).

    Parameters
    ----------
    images, targets : (B, H, W, C) float32
        Differentiable in `images`.
    kind : {"l1", "l2"}
        l1 for what has outliers, as photographs do: shadows, highlights, masks that are off.
    weights : (C,) float, optional
        For each channel; 1 by default.

    Raises
    ------
    ValueError
        If shapes or types differ, or the kind is unknown.
    """
    if images.shape != targets.shape or images.dim() != 4:
        raise ValueError(f"targets: expected images' shape {tuple(images.shape)}, got {tuple(targets.shape)}")
    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    for name, given in (("images", images), ("targets", targets)):
        if given.dtype != torch.float32:
            raise ValueError(f"{name}: expected float32, got {given.dtype}; convert it first")
    if weights is not None and weights.shape != images.shape[3:]:
        raise ValueError(f"weights: expected ({images.shape[3]},), one a channel, got {tuple(weights.shape)}")
    pixels = images.shape[0] * images.shape[1] * images.shape[2]
    if weights is None:
        weights = torch.ones(images.shape[3], device=images.device)
    weights = weights.to(images) / pixels
    return _ImageLoss.apply(images.contiguous(), targets.contiguous(), weights, kind == "l2")
