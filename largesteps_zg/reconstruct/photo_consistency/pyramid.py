"""Brightness of photographs at full size, half of it, a quarter and so on."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...images.color import linear_to_srgb
from ...scenes.views import Views
from ..batch import means
from .agreement import Photograph

LUMA = (0.299, 0.587, 0.114)
# Variance of rounding to a whole number of 255.
ROUNDING = 1.0 / (12.0 * 255.0**2)
NORMAL = 0.6745  # median size of a normal number of spread 1
MASK = ((1.0, -2.0, 1.0), (-2.0, 4.0, -2.0), (1.0, -2.0, 1.0))  # of spread 6 in white noise of spread 1


class Pyramid:
    """Photographs at each of some sizes.

    Parameters
    ----------
    views : Views
    levels : int
        Sizes, >= 1: level k is 2^k times smaller than level 0.
    device
        Where the photographs are wanted. Whole ones are made of the views' bytes as they are asked for, smaller ones
        are kept as halves of floats.
    halvings : int
        Of the photographs at level 0.
    """

    def __init__(self, views: Views, levels: int, device: torch.device, halvings: int = 0) -> None:
        height, width = views.images.shape[1:3]
        self._images, self._device = views.images, device
        # Eleven bits are more than the photographs' eight.
        self._kept = [
            torch.empty(2, len(views), height >> size, width >> size, dtype=torch.float16, device=device)
            if size
            else None
            for size in range(halvings, halvings + levels)
        ]
        self._noises: list[list[float]] = [[] for _ in range(levels)]
        for i in range(len(views)):
            photo = self._whole(i)
            for _ in range(halvings):
                photo = means(photo)
            for level, (kept, noises) in enumerate(zip(self._kept, self._noises, strict=True)):
                photo = means(photo) if level else photo
                noises.append(noise_of(photo[0], photo[1] > 0.5))
                if kept is not None:
                    kept[:, i] = photo

    def __len__(self) -> int:
        return len(self._kept)

    def photograph(self, index: int, level: int) -> Photograph:
        """One of them at one size."""
        kept = self._kept[level]
        gray, weight = self._whole(index) if kept is None else kept[:, index].float()
        return Photograph(gray, weight, self._noises[level][index])

    def _whole(self, index: int) -> Tensor:
        """(2, H, W): brightness and the last channel of one of the views."""
        *colors, alpha = self._images[index].to(self._device).unbind(-1)
        brightness = torch.zeros_like(alpha, dtype=torch.float32)
        for color, part in zip(colors, LUMA, strict=True):
            brightness.add_(color, alpha=part / 255)
        return torch.stack([brightness, alpha.float().div_(255)])


def gray_of(image: Tensor) -> Tensor:
    """(H, W) brightness in sRGB of a rendering (H, W, 4), linear and premultiplied, as photographs have it."""
    alpha = image[..., 3:]
    straight = linear_to_srgb((image[..., :3] / alpha.clamp_min(1e-6)).clamp(0.0, 1.0))
    return straight @ straight.new_tensor(LUMA)


def noise_of(gray: Tensor, inside: Tensor) -> float:
    """Variance of the noise in an image, from the part that is inside a mask; rounding to bytes is the least.

    The median of what a filter leaves that knows no slopes: edges and texture are few.

    References
    ----------
    Immerkær: Fast Noise Variance Estimation. Computer Vision and Image Understanding 64(2), 1996.
    """
    if min(gray.shape) < 3:
        return ROUNDING
    left = torch.nn.functional.conv2d(gray[None, None], gray.new_tensor(MASK)[None, None])[0, 0]
    left = left[inside[1:-1, 1:-1]].abs()
    spread = float(left.median()) / (NORMAL * 6.0) if len(left) else 0.0
    return max(spread**2, ROUNDING) if math.isfinite(spread) else ROUNDING
