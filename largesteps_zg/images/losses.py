"""Image losses in one pass over the pixels: value and gradient together, or the loss of every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from .._support.warp_launch import run_items
from ..constants import DEFAULTS
from .loss_kernels import compare_pixels, compare_rows

KINDS = ("l1", "l2", "robust")

SCALE = DEFAULTS.schedule.robust_scale


class _ImageLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx,
        images: Tensor,
        targets: Tensor,
        weights: Tensor,
        sharps: Tensor,
        known: Tensor | None,
        trust: Tensor | None,
        kind: int,
        axes: bool,
    ) -> tuple[Tensor, Tensor]:
        views, height, width, channels = images.shape
        rows, device = views * height, images.device
        gradient = torch.empty_like(images)
        sums, bright = torch.empty(2, rows, device=device)
        row_weights, row_sharps = (each.expand(width, -1).contiguous() for each in (weights, sharps))
        inputs: list[Any] = [images, targets, row_weights, row_sharps]
        inputs += [sums if known is None else known, int(known is not None), kind, int(axes)]
        inputs += [channels, sums if trust is None else trust, int(trust is not None)]
        inputs += [width * channels, sums, bright, gradient]
        run_items(compare_rows, rows, inputs, device)
        ctx.save_for_backward(gradient)
        total, of_brightness = sums.sum(dtype=torch.float64).float(), sums.new_empty(())
        if axes:
            of_brightness = bright.sum(dtype=torch.float64).float()
        ctx.mark_non_differentiable(of_brightness)
        return total, of_brightness

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor, _: Tensor):
        (gradient,) = ctx.saved_tensors
        # A pass over all pixels that is nearly always a multiplication by 1; on CUDA to ask would be to wait.
        alone = grad.device.type == "cpu" and float(grad) == 1.0
        return gradient if alone else gradient * grad, *(None,) * 7


def image_loss(
    images: Float[Tensor, "B H W C"],
    targets: Float[Tensor, "B H W C"],
    *,
    kind: str = "l1",
    weights: Float[Tensor, " C"] | None = None,
    scales: float | Sequence[float] = SCALE,
    pixel_weights: Float[Tensor, "B H W"] | None = None,
    brightness: float | None = None,
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
    brightness : float, optional
        Compare the first three channels, red, green and blue, along three axes at right angles instead of one by one:
        brightness and two of hue. Differences of brightness alone, as white light that a surface mirrors makes them,
        count so many times, > 0, what they do channel by channel, whatever the kind. Weights and scales of the three
        channels must then be equal.

    Raises
    ------
    ValueError
        If shapes or types differ, the kind is unknown, a scale or the brightness is not positive, or channels differ in
        weight or scale beside brightness.
    """
    return losses_of_images(
        images,
        targets,
        kind=kind,
        weights=weights,
        scales=scales,
        pixel_weights=pixel_weights,
        brightness=brightness,
    )[0]


def losses_of_images(
    images: Float[Tensor, "B H W C"],
    targets: Float[Tensor, "B H W C"],
    *,
    kind: str = "l1",
    weights: Float[Tensor, " C"] | None = None,
    scales: float | Sequence[float] = SCALE,
    pixel_weights: Float[Tensor, "B H W"] | None = None,
    brightness: float | None = None,
    trust: Float[Tensor, "B H W"] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """`image_loss`, and what it would be with brightness in full, 1; without derivatives.

    Arguments are as there. `trust` scales the differences of a pixel's colours; then brightness has to be given.
    """
    weights, sharps, known = _checked(images, targets, kind, weights, scales, pixel_weights, brightness)
    assert trust is None or brightness is not None
    trust = None if trust is None else trust.float().contiguous()
    axes = brightness is not None
    loss, bright = _ImageLoss.apply(
        images.contiguous(), targets.contiguous(), weights, sharps, known, trust, KINDS.index(kind), axes
    )
    return loss, loss.detach() if brightness is None else loss.detach() + bright * (1.0 / brightness - 1.0)


def pixel_losses(
    images: Float[Tensor, "B H W C"],
    targets: Float[Tensor, "B H W C"],
    *,
    kind: str = "l1",
    weights: Float[Tensor, " C"] | None = None,
    scales: float | Sequence[float] = SCALE,
    pixel_weights: Float[Tensor, "B H W"] | None = None,
    brightness: float | None = None,
) -> Float[Tensor, "B H W"]:
    """What every pixel adds to `image_loss`, which is their sum. No derivatives; arguments as there."""
    weights, sharps, known = _checked(images, targets, kind, weights, scales, pixel_weights, brightness)
    losses, device = torch.empty(images.shape[:3], device=images.device), images.device
    images, targets = images.contiguous(), targets.contiguous()
    inputs: list[Any] = [images, targets, weights, sharps]
    inputs += [losses if known is None else known, int(known is not None), KINDS.index(kind)]
    inputs += [int(brightness is not None), images.shape[3], losses]
    run_items(compare_pixels, losses.numel(), inputs, device)
    return losses


def _checked(
    images: Tensor,
    targets: Tensor,
    kind: str,
    weights: Tensor | None,
    scales: float | Sequence[float],
    pixel_weights: Tensor | None,
    brightness: float | None,
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
        weights = torch.full((channels,), 1.0 / pixels, device=images.device)
    else:
        weights = weights.to(images) / pixels
    sharps = _sharps(scales, images)
    if brightness is not None:
        if channels not in (3, 4):
            raise ValueError(f"brightness: expected images of 3 or 4 channels, got {channels}; leave it out")
        if not brightness > 0:
            raise ValueError(f"brightness: expected a number > 0, got {brightness}")
        weights, sharps = _along_axes(kind, weights, sharps, brightness)
    known = None if pixel_weights is None else pixel_weights.contiguous()
    return weights, sharps, known


def _along_axes(kind: str, weights: Tensor, sharps: Tensor, brightness: float) -> tuple[Tensor, Tensor]:
    """Weights and sharpnesses of the axes, from those of the channels.

    A difference x in all three channels is sqrt(3) x along the axis of brightness. So that f rho(sqrt(3) x) is
    3 brightness rho(x), f is sqrt(3) brightness for |x| and brightness for x²; the robust kind bends at sqrt(3) times
    its scale.
    """
    for name, each in (("weights", weights), ("scales", sharps)):
        if not bool((each[:3] == each[0]).all()):
            raise ValueError(
                f"{name}: expected equal ones of red, green and blue beside brightness; leave brightness out"
            )
    weights, sharps = weights.clone(), sharps.clone()
    weights[0] *= brightness if kind == "l2" else 3**0.5 * brightness
    sharps[0] /= 3**0.5
    return weights, sharps


def _sharps(scales: float | Sequence[float], images: Tensor) -> Tensor:
    """(C,): one over each channel's scale."""
    channels = images.shape[3]
    each = [float(scales)] * channels if isinstance(scales, (int, float)) else [float(x) for x in scales]
    if len(each) != channels:
        raise ValueError(f"scales: expected {channels}, one a channel, got {len(each)}")
    if not all(scale > 0 for scale in each):
        raise ValueError(f"scales: expected numbers > 0, got {scales}; infinity is l1")
    return torch.tensor([1.0 / scale for scale in each], dtype=images.dtype, device=images.device)
