"""Alpha at outlines: how much of a pixel is object, from its light, or from the outline's shape alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from scipy.special import erfinv

from ..._support.threads import in_threads
from ...constants import DEFAULTS, Photographs
from ...images.color import linear_to_srgb, srgb_to_linear
from ...images.masks import on_object
from ..views import Views

_AROUND = [(0, 0), *((y, x) for y in (-2, 0, 2) for x in (-2, 0, 2) if y or x)]


def outlined(
    mask: np.ndarray, light: np.ndarray, constants: Photographs = DEFAULTS.photographs
) -> np.ndarray:
    """The mask (H, W) bool, its outline moved, by up to 2 pixels, to where the object has half the light (H, W, 3)."""
    ring, share, _ = _shares(mask, light, constants.band, constants)
    moved = mask.copy()
    moved[ring] = share > 0.5
    return moved


def matted(pixels: np.ndarray, constants: Photographs = DEFAULTS.photographs) -> np.ndarray:
    """A photograph with soft alpha at its outlines: the share of the object in each pixel.

    A pixel at an outline has the light c = a F + (1 - a) B, where F is the light of the object beside it and B that of
    the background. Its alpha becomes a and its colour F. Outlines of 0 and 1 are off by up to half a pixel, which is
    more than the error of the surface that comes from soft ones.

    Parameters
    ----------
    pixels : (H, W, 4) uint8
        sRGB. Alpha is at least 128 on the object.
    constants : Photographs, optional

    Returns
    -------
    (H, W, 4) uint8
        Straight alpha: 255 inside and 0 outside of a line two pixels wide. Alpha stays 0 or 255 where the object is too
        thin, or has the light of the background.
    """
    mask = on_object(pixels[..., 3])
    ring, share, inside = _shares(mask, _linear(pixels), 1, constants)
    result = pixels.copy()
    result[..., 3] = np.where(mask, 255, 0)
    result[ring, 3] = np.rint(255 * share.clip(0, 1))
    result[ring, :3] = _bytes(inside)
    return result


def softened(views: Views, constants: Photographs = DEFAULTS.photographs) -> Views:
    """Views whose masks of 0 and 1 become soft along the line between their steps.

    A blurred straight outline is the integral of a normal distribution, so the blurred value tells the distance to the
    outline. Steps of a pixel become a line that is off by a tenth of a pixel. Light does not count, so any background
    will do.

    Returns
    -------
    Views
        At outlines alpha is the share of the object, and the colour is the one just inside. Parts that are one or two
        pixels thin stay, and so do pixels near unknown ones. If no mask is of 0 and 1, the given views themselves.
    """
    hard = ((views.images[..., 3] == 0) | (views.images[..., 3] == 255)).all(dim=2).all(dim=1)
    if not bool(hard.any()):
        return views
    images = views.images.clone()

    def soften(view: int) -> None:
        known = None if views.known is None else views.known[view].cpu().numpy()
        soft = _without_steps(views.images[view].cpu().numpy(), known, constants.band)
        images[view] = torch.from_numpy(soft).to(images.device)

    in_threads(soften, hard.nonzero()[:, 0].tolist())
    return replace(views, images=images)


def _without_steps(pixels: np.ndarray, known: np.ndarray | None, band: int) -> np.ndarray:
    """(H, W, 4) uint8 with a soft mask."""
    mask = on_object(pixels[..., 3])
    blurred = ndimage.gaussian_filter(mask.astype(np.float64), 1.0).clip(1e-6, 1 - 1e-6)
    share = (0.5 + 2**0.5 * erfinv(2 * blurred - 1)).clip(0, 1)
    square = np.ones((3, 3), dtype=bool)
    padded = np.pad(mask, 2, mode="edge")
    thin = (padded ^ ndimage.binary_opening(padded, square)) | (
        padded ^ ndimage.binary_closing(padded, square)
    )
    stays = ndimage.binary_dilation(thin, square)[2:-2, 2:-2]
    if known is not None:
        stays |= ndimage.binary_dilation(~known, square, iterations=4)
    result = pixels.copy()
    result[..., 3] = np.where(stays, pixels[..., 3], np.rint(255 * share))
    inner = ndimage.binary_erosion(mask, border_value=1)
    nearest, inside = _nearest_light(_linear(pixels), inner)
    ring = (result[..., 3] > 0) & ~inner & (nearest <= 2 * band) & ~stays
    result[ring, :3] = _bytes(inside[ring])
    return result


def _linear(pixels: np.ndarray) -> np.ndarray:
    light: np.ndarray = srgb_to_linear(torch.from_numpy(pixels[..., :3] / np.float32(255))).numpy()
    return light


def _bytes(light: np.ndarray) -> np.ndarray:
    levels: np.ndarray = np.rint(255 * linear_to_srgb(torch.from_numpy(light.clip(0, 1))).numpy())
    return levels


def _shares(
    mask: np.ndarray, light: np.ndarray, width: int, constants: Photographs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixels (H, W) within `width` of the outline, the share of the object in them (N,), and its light (N, 3)."""
    band, alike, least_gain = constants.band, constants.alike, constants.better
    cross = ndimage.generate_binary_structure(2, 1)

    def grown(part: np.ndarray, by: int) -> np.ndarray:
        found: np.ndarray = ndimage.binary_dilation(part, cross, iterations=by)
        return found

    inner, outer = ~grown(~mask, band), ~grown(mask, band)
    nearest, inside = _nearest_light(light, inner)
    weight = ndimage.gaussian_filter(outer.astype(np.float32), band, truncate=2.5)
    outside = ndimage.gaussian_filter(light * outer[..., None], (band, band, 0), truncate=2.5)
    # Thin parts have no inside, and narrow gaps no outside. They stay.
    ring = grown(mask, width) & grown(~mask, width) & (nearest <= 2 * band + 1.5) & (weight > 1e-3)
    back = outside[ring] / weight[ring][:, None]
    share, own = np.zeros(len(back)), np.zeros((len(back), 3), dtype=light.dtype)
    least = np.full(len(back), np.inf)
    row, column = np.nonzero(ring)
    # Paint may change near the outline: of the object's colours around, take the one that explains the pixel best.
    for down, right in _AROUND:
        front = inside[(row + down).clip(0, len(mask) - 1), (column + right).clip(0, mask.shape[1] - 1)]
        axis = front - back
        size = (axis**2).sum(axis=1)
        part = ((light[ring] - back) * axis).sum(axis=1) / np.maximum(size, alike)
        part = np.where(size < alike, mask[ring], part)
        missed = ((light[ring] - back - part.clip(0, 1)[:, None] * axis) ** 2).sum(axis=1)
        better = missed < least - least_gain
        least[better], share[better], own[better] = missed[better], part[better], front[better]
    return ring, share, own


def _nearest_light(light: np.ndarray, inner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances (H, W) to the nearest pixel of a part, and the light around that pixel, (H, W, 3)."""
    if not inner.any():
        return np.full(inner.shape, np.inf), light
    # A mean of everything near would mix paint of other colours.
    weight = ndimage.gaussian_filter(inner.astype(np.float32), 0.7, truncate=2.5)
    total = ndimage.gaussian_filter(light * inner[..., None], (0.7, 0.7, 0), truncate=2.5)
    distance, (row, column) = ndimage.distance_transform_edt(~inner, return_indices=True)
    return distance, (total / np.maximum(weight, 1e-9)[..., None])[row, column]
