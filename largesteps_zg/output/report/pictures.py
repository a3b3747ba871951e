"""Photographs beside what a run made of them, for a page on which one is drawn over the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..pictures import drawing
from .filling import error_ramp, picture, straight_bytes

SIDE = 800  # pixels, of the longer side


def compared(
    targets: ArrayLike, results: ArrayLike, surfaces: ArrayLike, names: Sequence[str]
) -> dict[str, Any]:
    """Pictures of some views for ``run.html.jinja``.

    Parameters
    ----------
    targets, results, surfaces : (B, H, W, 4) linear, premultiplied
        Photographs, renderings, and the bare surface.
    names : sequence of str
        Of the photographs.

    Returns
    -------
    dict
        ``views``, each with ``name``, ``target``, ``layers`` (name and picture of the rendering, the surface and the
        error) and ``told``; ``outlines``, see `told.warnings`; ``ramp`` and ``top``, the scale of the errors.
    """
    arrays = [
        drawing.as_images(what, images)
        for what, images in (("targets", targets), ("results", results), ("surfaces", surfaces))
    ]
    cut = drawing.cropped(list(np.stack(arrays, axis=1)))  # B times (3, H, W, 4)
    true, made = (np.stack([group[i] for group in cut]) for i in (0, 1))
    errors, inside = drawing.absolute_errors(true, made), drawing.covered(true, made)
    top = drawing.nice_ceiling(float(np.quantile(errors[inside], 0.95)) if inside.any() else 0.0)
    views, outlines = [], []
    for i, name in enumerate(names):
        there = 255 * inside[i].astype(np.uint8)
        error = np.dstack([drawing.error_colors(errors[i] / top), there])
        pixels = {"result": straight_bytes(made[i]), "surface": straight_bytes(cut[i][2]), "error": error}
        layers = [
            {"name": layer, "image": _picture(image, f"{layer} of {name}")} for layer, image in pixels.items()
        ]
        off = outline_error(true[i, ..., 3] > 0.5, made[i, ..., 3] > 0.5)
        outlines += [(name, off)] if math.isfinite(off) else []
        told = f"outline off by {off:.2g} pixels" if math.isfinite(off) else "no outline"
        views.append(
            {
                "name": name, "target": _picture(straight_bytes(true[i]), f"photograph {name}"), "layers": layers,
                "told": told,
            }
        )  # fmt: skip
    scale = {"ramp": error_ramp(), "top": f"≥ {top:g}" if top < 1 else "1"}
    return {"views": views, "outlines": outlines, **scale}


def outline_error(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """By how many pixels an outline is off on average: the area between two masks over its length.

    The outline is counted as mask pixels with a neighbour (of four) outside; NaN where there is none, as where the mask
    is empty or fills the picture. The picture's own border is no outline.
    """
    padded = np.pad(mask, 1, mode="edge")
    around = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    length = int((mask & ~around).sum())
    return float((mask ^ other).sum()) / length if length else math.nan


def _picture(pixels: NDArray[np.uint8], alt: str) -> dict[str, Any]:
    return picture(pixels, alt, side=SIDE, format="WEBP")
