"""Photographs at another size or through another lens: averages in linear light, weighted by alpha."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse import csr_matrix

from .color import srgb_to_linear

_BAND = 2**22  # pixels that are averaged at a time
_LINEAR = srgb_to_linear(torch.arange(256, dtype=torch.float64) / 255).numpy().astype(np.float32)
# Levels of linear light at which the nearest of the 256 bytes changes.
_STEPS = srgb_to_linear((torch.arange(255, dtype=torch.float64) + 0.5) / 255).numpy().astype(np.float32)


def shrunk(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A photograph made smaller, each pixel the mean of the area it covers.

    Parameters
    ----------
    pixels : (H, W, 4) uint8
        sRGB with straight alpha.
    size : (width, height)
        At most that of `pixels`; need not divide it.

    Returns
    -------
    (height, width, 4) uint8
    """
    rows, columns = (_averages(n, m) for n, m in zip(pixels.shape[:2], size[::-1], strict=True))
    # Band by band: as float32 all channels of a large photograph would take several times its memory.
    bands = np.array_split(np.arange(size[1]), min(size[1], -(-pixels[..., 0].size // _BAND)))
    return np.concatenate([_band(pixels, rows[band], columns) for band in bands])


def _band(pixels: np.ndarray, rows: csr_matrix, columns: csr_matrix) -> np.ndarray:
    """Some rows of a smaller photograph, from those of the large one that they are made of."""
    first, end = rows.indices.min(), rows.indices.max() + 1
    some = rows[:, first:end]
    return _filtered(pixels[first:end], lambda channel: (columns @ (some @ channel).T).T)


def covered(known: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Where each pixel that `shrunk` makes covers only pixels of (H, W) `known`, (height, width) bool."""
    rows, columns = (_averages(n, m) for n, m in zip(known.shape, size[::-1], strict=True))
    share: np.ndarray = (columns @ (rows @ known.astype(np.float32)).T).T
    return share > 0.999


def sampled(pixels: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A photograph looked up between its pixels, bicubic; beyond its border the border goes on.

    Parameters
    ----------
    pixels : (H, W, 4) uint8
        sRGB with straight alpha.
    at : (h, w, 2) float64
        Where, in pixels from the top left corner: the first pixel's centre is (0.5, 0.5).

    Returns
    -------
    (h, w, 4) uint8
    """
    size = np.array([pixels.shape[1], pixels.shape[0]])
    grid = torch.from_numpy((2 * at / size - 1).astype(np.float32))[None]

    def look_up(channel: np.ndarray) -> np.ndarray:
        values: np.ndarray = torch.nn.functional.grid_sample(
            torch.from_numpy(channel)[None, None],
            grid,
            mode="bicubic",
            padding_mode="border",
            align_corners=False,
        )[0, 0].numpy()
        return values.clip(0, channel.max())  # the cubic overshoots at edges

    return _filtered(pixels, look_up)


def _filtered(pixels: np.ndarray, linear_map: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Bytes through a linear map of float32 channels that keeps constants."""
    alpha = pixels[..., 3].astype(np.float32) / 255
    opaque = bool(alpha.min() == 1)
    share = None if opaque else linear_map(alpha)
    channels = []
    for index in range(3):
        channel = _LINEAR[pixels[..., index]]
        plain = linear_map(channel)
        if share is not None:
            # What shows of the object; where nothing does, the colour below it, so that nothing is lost.
            weighted = linear_map(channel * alpha)
            plain = np.where(share > 1e-3, weighted / np.maximum(share, 1e-3), plain)
        channels.append(np.searchsorted(_STEPS, plain).astype(np.uint8))
    last = (
        np.full_like(channels[0], 255) if share is None else np.rint(255 * share.clip(0, 1)).astype(np.uint8)
    )
    return np.stack([*channels, last], axis=-1)


def _averages(old: int, new: int) -> csr_matrix:
    """(new, old) weights: each of `new` equal parts of a line of `old` pixels as the mean of what it covers."""
    ends = np.arange(new + 1) * (old / new)
    first = np.floor(ends[:-1] + 1e-9).astype(np.int64)
    reach = int(np.ceil(old / new)) + 1
    columns = first[:, None] + np.arange(reach)  # (new, reach)
    weights = np.minimum(columns + 1, ends[1:, None]) - np.maximum(columns, ends[:-1, None])
    weights = np.where(columns < old, weights.clip(0), 0)
    rows = np.repeat(np.arange(new), reach)
    entries = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32).ravel()
    return csr_matrix((entries, (rows, columns.clip(max=old - 1).ravel())), shape=(new, old))
