"""Image losses in one pass over the pixels: value and gradient together, or the loss of every pixel."""

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


# Three or four channels and the kind are constants within their loops, so that these become vector code too.
COMPARE_PIXELS = """
    const auto compare_all = [&](auto count, auto power) {
        const wp::float32 *image = images.data, *target = targets.data, *weight = weights.data;
        for (size_t i = first; i < (size_t)last; ++i) {
            wp::float32 total = 0;
            for (size_t n = 0; n < count(); ++n) {
                const size_t place = count() * i + n;
                total += weight[n] * power(image[place] - target[place]);
            }
            losses.data[i] = total;
        }
    };
    const auto compare = [&](auto power) {
        if (channels == 4) compare_all([]() { return (size_t)4; }, power);
        else if (channels == 3) compare_all([]() { return (size_t)3; }, power);
        else compare_all([&]() { return (size_t)channels; }, power);
    };
    if (squared) compare([](wp::float32 x) { return x * x; });
    else compare([](wp::float32 x) { return x < 0 ? -x : x; });
"""


@wp.func_native(COMPARE_PIXELS)
def _compare_pixels(
    images: wp.array(dtype=wp.float32),
    targets: wp.array(dtype=wp.float32),
    weights: wp.array(dtype=wp.float32),
    squared: int,
    channels: int,
    first: int,
    last: int,
    losses: wp.array(dtype=wp.float32),
): ...


@wp.kernel(enable_backward=False, module="largesteps_zg.losses")
def _pixels(
    begin: int,
    block: int,
    images: wp.array(dtype=wp.float32),
    targets: wp.array(dtype=wp.float32),
    weights: wp.array(dtype=wp.float32),
    squared: int,
    channels: int,
    losses: wp.array(dtype=wp.float32),
):
    first = begin + wp.tid() * block
    _compare_pixels(images, targets, weights, squared, channels, first, first + block, losses)


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
    weights = _checked(images, targets, kind, weights)
    return _ImageLoss.apply(images.contiguous(), targets.contiguous(), weights, kind == "l2")


def pixel_losses(
    images: Float[Tensor, "B H W C"],
    targets: Float[Tensor, "B H W C"],
    *,
    kind: str = "l1",
    weights: Float[Tensor, " C"] | None = None,
) -> Float[Tensor, "B H W"]:
    """What every pixel adds to `image_loss`, which is their sum. No derivatives; arguments as there."""
    weights = _checked(images, targets, kind, weights)
    losses, device = torch.empty(images.shape[:3], device=images.device), images.device
    inputs = [
        as_flat(images.contiguous()),
        as_flat(targets.contiguous()),
        as_warp(weights),
        int(kind == "l2"),
    ]
    inputs += [images.shape[3], as_flat(losses)]
    if device.type == "cpu":
        wp.load_module("largesteps_zg.losses", device="cpu")

    def run(_: int, chunk: range) -> None:
        launch_items(_pixels, chunk.start, chunk.stop, inputs, device)

    run_chunks(run, chunks_of(losses.numel(), device))
    return losses


def _checked(images: Tensor, targets: Tensor, kind: str, weights: Tensor | None) -> Tensor:
    """The weights of the channels, over the number of pixels; ValueError for what cannot be compared."""
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
    return weights.to(images) / pixels
