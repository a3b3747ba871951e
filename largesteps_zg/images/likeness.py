"""How alike two images are: PSNR and mask IoU."""

from __future__ import annotations

import torch
from torch import Tensor


def psnr(image: Tensor, reference: Tensor, mask: Tensor | None = None) -> float:
    """Peak signal-to-noise ratio in dB, -10 log10 of the mean squared difference; the peak is 1.

    Parameters
    ----------
    image, reference : (..., H, W, C) float tensors
    mask : (..., H, W) tensor, optional
        Weights in [0, 1] (or booleans) of the pixels that count.

    Returns
    -------
    float
        Infinite for equal images.

    Raises
    ------
    ValueError
        Shapes that do not match, or a mask that selects nothing.
    """
    if image.shape != reference.shape:
        raise ValueError(
            f"image: expected shape {tuple(reference.shape)}, like reference, got {tuple(image.shape)}"
        )
    squares = (image.double() - reference.double()) ** 2
    if mask is None:
        mean = squares.mean()
    else:
        if mask.shape != image.shape[:-1]:
            raise ValueError(f"mask: expected shape {tuple(image.shape[:-1])}, got {tuple(mask.shape)}")
        weights = mask.double()
        if not float(weights.sum()) > 0:
            raise ValueError("mask: expected at least one selected pixel, got an empty mask")
        mean = (squares.mean(dim=-1) * weights).sum() / weights.sum()
    return float(-10 * torch.log10(mean))


def mask_iou(mask: Tensor, reference: Tensor, *, threshold: float = 0.5) -> float:
    """Intersection over union of two masks of one shape, in [0, 1]; 1 when both are empty.

    Float masks count as inside where they are above `threshold`.

    Raises
    ------
    ValueError
        Shapes that do not match.
    """
    if mask.shape != reference.shape:
        raise ValueError(
            f"mask: expected shape {tuple(reference.shape)}, like reference, got {tuple(mask.shape)}"
        )
    a, b = (m if m.dtype == torch.bool else m > threshold for m in (mask, reference))
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0
