"""Image losses in one pass over the pixels: value and gradient together, or the loss of every pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import warp as wp
from jaxtyping import Float
from torch import Tensor

from .rasterizer.launch import as_flat, as_warp, chunks_of, launch_items, run_chunks

KINDS = ("l1", "l2", "robust")

# Where the robust loss bends: a third of the influence is left at 0.7 of it, a quarter at the whole, a ninth at twice.
SCALE = 0.2

# Value and slope of one difference x, for a scale of 1 / sharp. One kind each, so that loops have no choice in them.
SHAPES = """
    const auto with_shape = [&](auto work) {
        const auto absolute = [](wp::float32 x) { return x < 0 ? -x : x; };
        const auto sign = [](wp::float32 x) { return x > 0 ? 1.0f : (x < 0 ? -1.0f : 0.0f); };
        if (kind == 0) work([=](wp::float32 x, wp::float32) { return absolute(x); },
                            [=](wp::float32 x, wp::float32) { return sign(x); });
        else if (kind == 1) work([](wp::float32 x, wp::float32) { return x * x; },
                                 [](wp::float32 x, wp::float32) { return 2.0f * x; });
        else work([=](wp::float32 x, wp::float32 sharp) { return absolute(x) / (1.0f + sharp * absolute(x)); },
                  [=](wp::float32 x, wp::float32 sharp) {
                      const wp::float32 left = 1.0f / (1.0f + sharp * absolute(x));
                      return sign(x) * left * left;
                  });
    };
"""

# Sixteen sums side by side, so that it becomes vector code: additions may not be reordered otherwise. `weights` and
# `sharps` hold a row of pixels each; `known`, where there is one, has a number for each pixel.
COMPARE = (
    SHAPES
    + """
    const auto compare_rows = [&](auto value, auto slope_of, auto count, bool weighted) {
        for (int row = first; row < last; ++row) {
            const wp::float32* image = images.data + (size_t)row * size;
            const wp::float32* target = targets.data + (size_t)row * size;
            wp::float32* slope = gradient.data + (size_t)row * size;
            wp::float32 totals[16] = {};
            const auto compare = [&](int i, int lane, wp::float32 weight) {
                const wp::float32 difference = image[i] - target[i];
                totals[lane] += weight * value(difference, sharps.data[i]);
                slope[i] = weight * slope_of(difference, sharps.data[i]);
            };
            int i = 0;
            if (weighted) {
                // Blocks of 16 values are whole pixels where the number of channels divides 16.
                const wp::float32* share = known.data + (size_t)row * (size / count());
                for (; i + 16 <= size && 16 % count() == 0; i += 16) {
                    const wp::float32* here = share + i / count();
                    wp::float32 both[16];
                    for (int n = 0; n < 16 / count(); ++n)
                        for (int m = 0; m < count(); ++m) both[n * count() + m] = here[n];
                    for (int lane = 0; lane < 16; ++lane) both[lane] *= weights.data[i + lane];
                    for (int lane = 0; lane < 16; ++lane) compare(i + lane, lane, both[lane]);
                }
                for (; i < size; ++i) compare(i, 0, weights.data[i] * share[i / count()]);
            } else {
                for (; i + 16 <= size; i += 16)
                    for (int lane = 0; lane < 16; ++lane) compare(i + lane, lane, weights.data[i + lane]);
                for (; i < size; ++i) compare(i, 0, weights.data[i]);
            }
            wp::float32 total = 0;
            for (int lane = 0; lane < 16; ++lane) total += totals[lane];
            sums.data[row] = total;
        }
    };
    with_shape([&](auto value, auto slope_of) {
        if (!weighted) compare_rows(value, slope_of, []() { return 1; }, false);
        else if (channels == 4) compare_rows(value, slope_of, []() { return 4; }, true);
        else compare_rows(value, slope_of, [&]() { return channels; }, true);
    });
"""
)


@wp.func_native(COMPARE)
def _compare_rows(
    images: wp.array(dtype=wp.float32),
    targets: wp.array(dtype=wp.float32),
    weights: wp.array(dtype=wp.float32),
    sharps: wp.array(dtype=wp.float32),
    known: wp.array(dtype=wp.float32),
    weighted: int,
    kind: int,
    channels: int,
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
    sharps: wp.array(dtype=wp.float32),
    known: wp.array(dtype=wp.float32),
    weighted: int,
    kind: int,
    channels: int,
    size: int,
    sums: wp.array(dtype=wp.float32),
    gradient: wp.array(dtype=wp.float32),
):
    first = begin + wp.tid() * block
    _compare_rows(
        images, targets, weights, sharps, known, weighted, kind, channels, size, first, first + block, sums, gradient
    )  # fmt: skip


# Three or four channels and the kind are constants within their loops, so that these become vector code too.
COMPARE_PIXELS = (
    SHAPES
    + """
    const auto compare_all = [&](auto count, auto value, bool weighted) {
        const wp::float32 *image = images.data, *target = targets.data;
        const wp::float32 *weight = weights.data, *sharp = sharps.data;
        for (size_t i = first; i < (size_t)last; ++i) {
            wp::float32 total = 0;
            for (size_t n = 0; n < count(); ++n) {
                const size_t place = count() * i + n;
                total += weight[n] * value(image[place] - target[place], sharp[n]);
            }
            losses.data[i] = weighted ? known.data[i] * total : total;
        }
    };
    with_shape([&](auto value, auto) {
        const auto compare = [&](auto count) {
            if (weighted) compare_all(count, value, true);
            else compare_all(count, value, false);
        };
        if (channels == 4) compare([]() { return (size_t)4; });
        else if (channels == 3) compare([]() { return (size_t)3; });
        else compare([&]() { return (size_t)channels; });
    });
"""
)


@wp.func_native(COMPARE_PIXELS)
def _compare_pixels(
    images: wp.array(dtype=wp.float32),
    targets: wp.array(dtype=wp.float32),
    weights: wp.array(dtype=wp.float32),
    sharps: wp.array(dtype=wp.float32),
    known: wp.array(dtype=wp.float32),
    weighted: int,
    kind: int,
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
    sharps: wp.array(dtype=wp.float32),
    known: wp.array(dtype=wp.float32),
    weighted: int,
    kind: int,
    channels: int,
    losses: wp.array(dtype=wp.float32),
):
    first = begin + wp.tid() * block
    _compare_pixels(
        images, targets, weights, sharps, known, weighted, kind, channels, first, first + block, losses
    )  # fmt: skip


class _ImageLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, images: Tensor, targets: Tensor, weights: Tensor, sharps: Tensor, known: Tensor | None, kind: int
    ) -> Tensor:
        views, height, width, channels = images.shape
        rows, device = views * height, images.device
        gradient = torch.empty_like(images)
        sums = torch.empty(rows, device=device)
        row_weights, row_sharps = weights.repeat(width), sharps.repeat(width)
        inputs = [as_flat(images), as_flat(targets), as_warp(row_weights), as_warp(row_sharps)]
        inputs += [as_flat(sums if known is None else known), int(known is not None), kind]
        inputs += [channels, width * channels, as_warp(sums), as_flat(gradient)]
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
        return gradient if alone else gradient * grad, None, None, None, None, None


def image_loss(
    images: Float[Tensor, "B H W C"],
    targets: Float[Tensor, "B H W C"],
    *,
    kind: str = "l1",
    weights: Float[Tensor, " C"] | None = None,
    scales: float | Sequence[float] = SCALE,
    pixel_weights: Float[Tensor, "B H W"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over all pixels of ``w_p sum_c weights_c rho(difference_c)``.

    ``rho(x)`` is |x|, x², or |x| / (1 + |x| / scale): as |x| where differences are small, and never more than the
    scale, so that what the model cannot explain (a shadow, a stray background) pulls the less the more it is off.

    Parameters
    ----------
    images, targets : (B, H, W, C) float32
        Differentiable in `images`.
    kind : {"l1", "l2", "robust"}
        l1 for what has outliers, as photographs do: shadows, highlights, masks that are off. Robust for many.
    weights : (C,) float, optional
        For each channel; 1 by default.
    scales : float, or C of them
        Of the robust kind, > 0, in units of the images; infinity is l1. Coverage wants infinity: where surface is
        missing it is off by 1, and that is what moves the surface there.
    pixel_weights : (B, H, W) float32, optional
        For each pixel, 0 where it is not known. The mean is over all pixels all the same.

    Raises
    ------
    ValueError
        If shapes or types differ, the kind is unknown, or a scale is not positive.
    """
    weights, sharps, known = _checked(images, targets, kind, weights, scales, pixel_weights)
    return _ImageLoss.apply(
        images.contiguous(), targets.contiguous(), weights, sharps, known, KINDS.index(kind)
    )


def pixel_losses(
    images: Float[Tensor, "B H W C"],
    targets: Float[Tensor, "B H W C"],
    *,
    kind: str = "l1",
    weights: Float[Tensor, " C"] | None = None,
    scales: float | Sequence[float] = SCALE,
    pixel_weights: Float[Tensor, "B H W"] | None = None,
) -> Float[Tensor, "B H W"]:
    """What every pixel adds to `image_loss`, which is their sum. No derivatives; arguments as there."""
    weights, sharps, known = _checked(images, targets, kind, weights, scales, pixel_weights)
    losses, device = torch.empty(images.shape[:3], device=images.device), images.device
    images, targets = images.contiguous(), targets.contiguous()
    inputs = [as_flat(images), as_flat(targets), as_warp(weights), as_warp(sharps)]
    inputs += [as_flat(losses if known is None else known), int(known is not None), KINDS.index(kind)]
    inputs += [images.shape[3], as_flat(losses)]
    if device.type == "cpu":
        wp.load_module("largesteps_zg.losses", device="cpu")

    def run(_: int, chunk: range) -> None:
        launch_items(_pixels, chunk.start, chunk.stop, inputs, device)

    run_chunks(run, chunks_of(losses.numel(), device))
    return losses


def _checked(
    images: Tensor,
    targets: Tensor,
    kind: str,
    weights: Tensor | None,
    scales: float | Sequence[float],
    pixel_weights: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Weights of the channels over the number of pixels, one over their scales, contiguous weights of the pixels."""
    if images.shape != targets.shape or images.dim() != 4:
        raise ValueError(f"targets: expected images' shape {tuple(images.shape)}, got {tuple(targets.shape)}")
    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    for name, given in (("images", images), ("targets", targets), ("pixel_weights", pixel_weights)):
        if given is not None and given.dtype != torch.float32:
            raise ValueError(f"{name}: expected float32, got {given.dtype}; convert it first")
    channels, pixels = images.shape[3], images.shape[0] * images.shape[1] * images.shape[2]
    if pixel_weights is not None and pixel_weights.shape != images.shape[:3]:
        raise ValueError(
            f"pixel_weights: expected {tuple(images.shape[:3])}, one a pixel, got {tuple(pixel_weights.shape)}"
        )
    if weights is not None and weights.shape != (channels,):
        raise ValueError(f"weights: expected ({channels},), one a channel, got {tuple(weights.shape)}")
    if weights is None:
        weights = torch.ones(channels, device=images.device)
    known = None if pixel_weights is None else pixel_weights.contiguous()
    return weights.to(images) / pixels, _sharps(scales, images), known


def _sharps(scales: float | Sequence[float], images: Tensor) -> Tensor:
    """(C,): one over each channel's scale."""
    channels = images.shape[3]
    each = [float(scales)] * channels if isinstance(scales, (int, float)) else [float(x) for x in scales]
    if len(each) != channels:
        raise ValueError(f"scales: expected {channels}, one a channel, got {len(each)}")
    if not all(scale > 0 for scale in each):
        raise ValueError(f"scales: expected numbers > 0, got {scales}; infinity is l1")
    return torch.tensor([1.0 / scale for scale in each], dtype=images.dtype, device=images.device)
