"""Where in the blur between object and background the outline lies, and how much of each of its pixels is object."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from ..color import linear_to_srgb, srgb_to_linear

BAND = 2  # pixels on both sides of an outline that may hold some of both
# Of the light of white, squared: a contrast with which the object can't be told from the background, and by how much
# a colour from farther away has to explain a pixel better.
_CONTRAST, _BETTER = 1e-4, 5e-5
_AROUND = [(0, 0), *((y, x) for y in (-2, 0, 2) for x in (-2, 0, 2) if y or x)]


def outlined(mask: np.ndarray, light: np.ndarray) -> np.ndarray:
    """The mask (H, W) bool, its outline moved by at most two pixels to where the light (H, W, 3) is half of each."""
    ring, share, _ = _shares(mask, light, BAND)
    moved = mask.copy()
    moved[ring] = share > 0.5
    return moved


def matted(pixels: np.ndarray) -> np.ndarray:
    """A photograph whose mask says of the pixels at outlines how much of them is object.

    A pixel at an outline has light c = a F + (1 - a) B of the object beside it, F, and of the background, B; its alpha
    becomes a and its colour F. Outlines of yes and no are half a pixel off here and there, which is more than the
    surface that comes from them.

    Parameters
    ----------
    pixels : (H, W, 4) uint8
        sRGB; the object where the alpha is at least 128.

    Returns
    -------
    (H, W, 4) uint8
        Straight alpha: 255 inside and 0 outside of a line of two pixels. As it was where the object is too thin, or as
        dark as the background.
    """
    mask = pixels[..., 3] >= 128
    light = srgb_to_linear(torch.from_numpy(pixels[..., :3] / np.float32(255))).numpy()
    ring, share, inside = _shares(mask, light, 1)
    result = pixels.copy()
    result[..., 3] = np.where(mask, 255, 0)
    result[ring, 3] = np.rint(255 * share.clip(0, 1))
    shown = linear_to_srgb(torch.from_numpy(inside.clip(0, 1))).numpy()
    result[ring, :3] = np.rint(255 * shown)
    return result


def _shares(mask: np.ndarray, light: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which pixels (H, W) lie within `width` of the outline, how much of them is object (N,), and its light (N, 3)."""
    cross = ndimage.generate_binary_structure(2, 1)

    def grown(part: np.ndarray, by: int) -> np.ndarray:
        found: np.ndarray = ndimage.binary_dilation(part, cross, iterations=by)
        return found

    inner, outer = ~grown(~mask, BAND), ~grown(mask, BAND)
    nearest, inside = _nearest_light(light, inner)
    weight = ndimage.gaussian_filter(outer.astype(np.float32), BAND, truncate=2.5)
    outside = ndimage.gaussian_filter(light * outer[..., None], (BAND, BAND, 0), truncate=2.5)
    # Thin parts have no inside and narrow gaps no outside: they stay as they are.
    ring = grown(mask, width) & grown(~mask, width) & (nearest <= 2 * BAND + 1.5) & (weight > 1e-3)
    back = outside[ring] / weight[ring][:, None]
    share, own = np.zeros(len(back)), np.zeros((len(back), 3), dtype=light.dtype)
    least = np.full(len(back), np.inf)
    row, column = np.nonzero(ring)
    # Of the colours of the object around, paint may change there, the one that explains the pixel best.
    for down, right in _AROUND:
        front = inside[(row + down).clip(0, len(mask) - 1), (column + right).clip(0, mask.shape[1] - 1)]
        axis = front - back
        size = (axis**2).sum(axis=1)
        part = ((light[ring] - back) * axis).sum(axis=1) / np.maximum(size, _CONTRAST)
        part = np.where(size < _CONTRAST, mask[ring], part)
        missed = ((light[ring] - back - part.clip(0, 1)[:, None] * axis) ** 2).sum(axis=1)
        better = missed < least - _BETTER
        least[better], share[better], own[better] = missed[better], part[better], front[better]
    return ring, share, own


def _nearest_light(light: np.ndarray, inner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances (H, W) to the nearest pixel of a part, and the light around that, (H, W, 3)."""
    if not inner.any():
        return np.full(inner.shape, np.inf), light
    # Not a mean of all that is near: paint of another colour may be.
    weight = ndimage.gaussian_filter(inner.astype(np.float32), 0.7, truncate=2.5)
    total = ndimage.gaussian_filter(light * inner[..., None], (0.7, 0.7, 0), truncate=2.5)
    distance, (row, column) = ndimage.distance_transform_edt(~inner, return_indices=True)
    return distance, (total / np.maximum(weight, 1e-9)[..., None])[row, column]
