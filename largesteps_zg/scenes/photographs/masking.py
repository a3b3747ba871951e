"""Masks: which are refused, and how one is found before a background of one colour.

If the object stands alone before the background, everything that differs from it is object. Stray things may stand
there too, if their colours are not the object's, or if they are much darker. Then the pixels that differ most are
certainly object. They teach the colours of the object, shadows on it included. Pixels far from them teach the colours
of the background. The colours decide about the pixels between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from ..._support.threads import in_threads
from ...constants import DEFAULTS, Photographs
from ...images.masks import on_object
from .matting import outlined

_BINS = 96  # of each channel's signed root of the difference from the background, -16 to 16


def check_mask(mask: np.ndarray, source: object, constants: Photographs = DEFAULTS.photographs) -> None:
    """ValueError for a mask (H, W) uint8 that is empty, full or inverted; `source` begins the message."""
    inside = on_object(mask)
    if not inside.any():
        found = f" (its largest value is {mask.max()}, expected 255 on the object)" if mask.max() else ""
        raise ValueError(
            f"{source}: mask is empty{found}, so the view sees no object; correct the mask or remove the view"
        )
    if inside.all():
        raise ValueError(
            f"{source}: mask covers the whole image, so nothing outlines the object; give a mask "
            "(alpha 0 on the background, or a file in 'masks') or remove the view"
        )
    border = np.concatenate([inside[0], inside[-1], inside[1:-1, 0], inside[1:-1, -1]])
    if border.mean() >= constants.all_around and inside.mean() > 0.5:
        raise ValueError(
            f"{source}: mask covers {inside.mean():.0%} of the image and {border.mean():.0%} of its border; is it "
            "inverted? Expected 255 on the object and 0 around it"
        )


def masks_from_background(
    images: Sequence[np.ndarray],
    background: str | Sequence[float] | np.ndarray = "auto",
    constants: Photographs = DEFAULTS.photographs,
) -> list[np.ndarray] | None:
    """Masks of photographs of one object before a background of one colour.

    Parameters
    ----------
    images : sequence of (H, W, 3 or 4) uint8
        Of any sizes; a fourth channel is ignored.
    background : "auto" or (R, G, B)
        Its colour, 0 to 255; by default the commonest colour along the borders of all images.
    constants : Photographs, optional

    Returns
    -------
    list of (H, W) bool, or None
        True on the object; a mask may be empty. None if no colour fills most of the borders.

    Notes
    -----
    Otsu's threshold over all images makes the first masks. These leave out shadows on the object, and paint as dark as
    shadows. A photograph has nothing stray if no piece that differs from the background hangs on the border or lies
    apart; then everything that differs is object. In other photographs histograms of the colours inside and far outside
    decide, in three rounds. Small pieces and pits are dropped. Holes that show the background stay holes. About 0.3 s
    for each 640 x 480 pixels on one core.
    """
    images = [image[..., :3] for image in images]
    color = (
        background_color(images, constants)
        if isinstance(background, str)
        else np.array(background, dtype=np.float32)
    )
    if color is None:
        return None
    steps = [-(-max(image.shape[:2]) // constants.learn) for image in images]  # rounded up
    learners = [
        _Photograph.of(image[::step, ::step], color) for image, step in zip(images, steps, strict=True)
    ]
    certain = max(constants.contrast, _otsu([photograph.difference for photograph in learners]))
    masks = [
        _pieces(
            photograph.difference > (constants.faint if _alone(photograph, certain, constants) else certain),
            photograph,
            constants,
        )
        for photograph in learners
    ]
    ratio = np.zeros(0)
    for _ in range(constants.rounds):
        ratio = _colours_of_the_object(learners, masks, constants)
        masks = in_threads(partial(_classified, certain=certain, ratio=ratio, constants=constants), learners)
    if max(steps) == 1:
        return masks
    return in_threads(
        lambda image: _classified(_Photograph.of(image, color), certain, ratio, constants), images
    )


@dataclass(frozen=True)
class _Photograph:
    """An image's light, its difference from the background, and the bins of its colours."""

    light: np.ndarray  # (H, W, 3) float32, linear
    # (H, W) the largest of the three channels in bytes, without the noise of single pixels
    difference: np.ndarray
    bins: np.ndarray  # (H, W) int

    @staticmethod
    def of(image: np.ndarray, color: np.ndarray) -> _Photograph:
        offset = image.astype(np.float32) - color
        smooth = ndimage.gaussian_filter(offset, (1.0, 1.0, 0.0))
        # Roots spread dark colours, which lie close together and have to be told apart.
        roots = np.sign(smooth) * np.sqrt(np.abs(smooth))
        cell = ((roots + 16) * (_BINS / 32)).astype(np.int64).clip(0, _BINS - 1)
        bins = (cell[..., 0] * _BINS + cell[..., 1]) * _BINS + cell[..., 2]
        light = (image.astype(np.float32) / 255) ** 2.2  # close enough to sRGB's own curve
        return _Photograph(light, ndimage.gaussian_filter(np.abs(offset).max(axis=-1), 0.7), bins)


def background_color(
    images: Sequence[np.ndarray], constants: Photographs = DEFAULTS.photographs
) -> np.ndarray | None:
    """The commonest colour (3,) along the borders of images (H, W, 3 or 4); None if most of the borders differ."""
    images = [image[..., :3] for image in images]
    borders = [
        np.concatenate([image[:3].reshape(-1, 3), image[-3:].reshape(-1, 3),
                        image[:, :3].reshape(-1, 3), image[:, -3:].reshape(-1, 3)])
        for image in images
    ]  # fmt: skip
    pixels = np.concatenate(borders)
    coarse = pixels.astype(np.int64) // 16
    cells = (coarse[:, 0] * 16 + coarse[:, 1]) * 16 + coarse[:, 2]
    color = np.median(pixels[cells == np.bincount(cells).argmax()], axis=0).astype(np.float32)
    same = np.abs(pixels - color).max(axis=1) <= constants.same
    return color if same.mean() > 0.5 else None


def _otsu(differences: Sequence[np.ndarray]) -> float:
    """The threshold that splits bytes into two groups, each as uniform as possible (Otsu, 1979)."""
    counts = sum(np.bincount(of.ravel().astype(np.int64).clip(0, 255), minlength=256) for of in differences)
    levels = np.arange(256)
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = below[-1] + np.asarray(counts)[-1] - below
    sums = np.cumsum(counts * levels)
    means = sums[:-1] / np.maximum(below, 1), (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above * (means[1] - means[0]) ** 2
    return float(between.argmax()) + 0.5


def _colours_of_the_object(
    photographs: Sequence[_Photograph], masks: Sequence[np.ndarray], constants: Photographs
) -> np.ndarray:
    """For each bin the share of the object among the pixels of its colour, (BINS^3,) in [0, 1]."""
    inside, outside = np.zeros(_BINS**3), np.zeros(_BINS**3)
    for photograph, mask in zip(photographs, masks, strict=True):
        # Neither counts the pixels at the outline, which mix both.
        away = max(4, constants.far * max(mask.shape))
        far = ndimage.distance_transform_edt(~mask) > away if mask.any() else ~mask
        inside += np.bincount(photograph.bins[ndimage.binary_erosion(mask, iterations=2)], minlength=_BINS**3)
        outside += np.bincount(photograph.bins[far], minlength=_BINS**3)
    inside, outside = (
        ndimage.gaussian_filter(counts.reshape(_BINS, _BINS, _BINS), 1.5, truncate=2.0).ravel()
        for counts in (inside, outside)
    )
    ratio: np.ndarray = (inside + 1e-3) / (inside + outside + 2e-3)
    return ratio.astype(np.float32)


def _classified(
    photograph: _Photograph, certain: float, ratio: np.ndarray, constants: Photographs
) -> np.ndarray:
    """The mask (H, W) bool by thresholds and colours."""
    candidates = photograph.difference > constants.faint
    alone = _alone(photograph, certain, constants)
    if not alone:
        likely = ndimage.gaussian_filter(ratio[photograph.bins], 1.0) > 0.5
        # A pixel that differs enough to be a seed may have a stray thing's colour, unless it differs by far more.
        candidates &= likely | (photograph.difference > constants.surely * certain)
    parts, seeded = _seeded(candidates, photograph.difference > certain)
    mask = _pieces(seeded[parts], photograph, constants)
    for _ in range(2 if alone else 1):  # everything that differs also includes the blur around the object
        mask = _pieces(outlined(mask, photograph.light, constants), photograph, constants)
    return mask


def _seeded(candidates: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pieces (H, W) of the candidates, 0 outside, and which of the pieces (N,) hold a seed."""
    parts, count = ndimage.label(ndimage.binary_opening(candidates, np.ones((3, 3))))  # cuts threads
    seeded = np.bincount(parts[seeds], minlength=count + 1) > 0
    seeded[0] = False
    return parts, seeded


def _alone(photograph: _Photograph, certain: float, constants: Photographs) -> bool:
    """Whether almost all pixels that differ from the background are in pieces with a seed, clear of the border."""
    parts, seeded = _seeded(photograph.difference > constants.faint, photograph.difference > certain)
    cut = np.zeros(len(seeded), dtype=bool)
    for border in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        cut[border] = True
    areas = np.bincount(parts.ravel(), minlength=len(seeded))
    areas[0] = 0
    return bool(areas[cut | ~seeded].sum() <= constants.stray * areas.sum())


def enclosed(mask: np.ndarray) -> np.ndarray:
    """(H, W) int: the number of each hole of a mask (H, W) bool, from 1; 0 inside and around the object."""
    # Diagonal neighbours count as joined, so a thin outline makes no hole. Regions at the border are outside.
    regions, count = ndimage.label(np.pad(~mask, 1, constant_values=True), structure=np.ones((3, 3)))
    number = np.zeros(count + 1, dtype=np.int64)
    number[np.delete(np.arange(count + 1), [0, regions[0, 0]])] = np.arange(1, count)
    holes: np.ndarray = number[regions[1:-1, 1:-1]]
    return holes


def _pieces(mask: np.ndarray, photograph: _Photograph, constants: Photographs) -> np.ndarray:
    """The mask without specks, and with false holes filled: pits, and shadows that show no background."""
    parts, count = ndimage.label(mask)
    if count == 0:
        return mask
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    mask = mask & (areas >= constants.speck * areas.max())[parts]
    holes = enclosed(mask)
    areas = np.bincount(holes.ravel())
    shown = np.bincount(holes[photograph.difference < constants.faint], minlength=len(areas))
    filled = (areas < constants.pit * mask.size) | (shown < constants.dark * areas)
    filled[0] = False
    whole: np.ndarray = mask | filled[holes]
    return whole
