"""Tools for the pictures of this room: images as the eye sees them, text, colours for errors."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from ...images.color import linear_to_srgb

WHITE, INK, FAINT = (255, 255, 255), (28, 28, 30), (205, 205, 210)
PANEL = 320  # pixels, the longer side of one image in a figure
GAP, MARGIN, TEXT = 10, 28, 22  # pixels
_REST = 1600  # milliseconds of an animation on its last picture

ACCENT, PALE, GREY = "#2f5d8a", "#a9c1d9", "#6e6e73"
PLOT_STYLE: Any = {  # matplotlib's own type for it lists every setting by name
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 12,
    "axes.edgecolor": "#8a8a8e",
    "axes.linewidth": 0.6,
    "axes.labelcolor": "#1c1c1e",
    "xtick.color": "#48484a",
    "ytick.color": "#48484a",
}


def as_images(name: str, images: ArrayLike) -> NDArray[np.float32]:
    """(B, H, W, 4) float32, or a ValueError that names the argument."""
    array = np.asarray(images, dtype=np.float32)
    if array.ndim != 4 or array.shape[-1] != 4 or 0 in array.shape:
        raise ValueError(
            f"{name}: expected linear RGBA images (B, H, W, 4), got shape {array.shape}; is alpha missing?"
        )
    return array


def check_count(name: str, labels: Sequence[str] | None, count: int) -> None:
    """As many labels as images, or a ValueError that names the argument."""
    if labels is not None and len(labels) != count:
        raise ValueError(
            f"{name}: expected {count}, one for each image, got {len(labels)}; leave out or complete"
        )


def displayed(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Linear premultiplied (..., 4) over white, as sRGB bytes (..., 3); values that are not finite become white."""
    opaque = np.nan_to_num(images[..., :3] + (1 - images[..., 3:]), nan=1.0)
    return (_encode(opaque) * 255 + 0.5).astype(np.uint8)


def absolute_errors(targets: NDArray[np.float32], results: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B, H, W) mean over the channels of |sRGB and alpha difference|, 1 where the result is not finite."""
    broken = ~np.isfinite(results).all(axis=-1)
    first, second = (np.concatenate([_encode(x[..., :3]), x[..., 3:]], axis=-1) for x in (targets, results))
    return np.where(broken, np.float32(1), np.abs(first - second).mean(axis=-1))


def _encode(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    return linear_to_srgb(torch.from_numpy(np.clip(linear, 0, 1))).numpy()


def covered(targets: NDArray[np.float32], results: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(B, H, W) where either of the two has alpha, or a number that is not finite."""
    return ~((targets[..., 3] <= 0) & (results[..., 3] <= 0) & np.isfinite(results).all(axis=-1))


def windows(
    groups: Sequence[Iterable[NDArray[np.float32]]], border: float = 0.03
) -> list[tuple[slice, slice]]:
    """For each group of images (H, W, 4) the rows and columns of its covered part, all of one size.

    Each group has one window, around the covered pixels of all its images, which are asked for one at a time.
    """
    bounds = []  # for each group: first and last covered row, first and last covered column
    for group in groups:
        # NaN counts as covered.
        anything = functools.reduce(np.logical_or, (~(image[..., 3] <= 0) for image in group))
        rows, columns = np.flatnonzero(np.any(anything, axis=1)), np.flatnonzero(np.any(anything, axis=0))
        if len(rows) == 0:
            return [(slice(None), slice(None))] * len(groups)
        bounds.append((rows[0], rows[-1], columns[0], columns[-1]))
    corners = np.array(bounds).reshape(len(groups), 2, 2)  # group, axis, first and last
    shape = np.array(anything.shape)
    pad = 2 * round(border * max(shape))
    size = np.minimum((corners[..., 1] - corners[..., 0]).max(axis=0) + 1 + pad, shape)
    starts = np.clip((corners.sum(axis=-1) + 1 - size) // 2, 0, shape - size)
    return [(slice(y, y + size[0]), slice(x, x + size[1])) for y, x in starts.tolist()]


def cropped(groups: Sequence[NDArray[np.float32]], border: float = 0.03) -> list[NDArray[np.float32]]:
    """Groups (N, H, W, 4) cut to their `windows`."""
    return [
        group[:, rows, columns]
        for group, (rows, columns) in zip(groups, windows(groups, border), strict=True)
    ]


def nice_ceiling(value: float) -> float:
    """The next of 0.05, 0.1, 0.2, 0.5, 1 from `value` up, so that scales of different runs compare."""
    for candidate in (0.05, 0.1, 0.2, 0.5):
        if value <= candidate:
            return candidate
    return 1.0


def plotting() -> Any:
    """matplotlib, loaded on first use, so that importing the package stays quick.

    A notebook names its own backend in MPLBACKEND, and programs that its cells start inherit the name. If this Python
    does not have that backend, matplotlib refuses to be imported, although this package only writes files.
    """
    if "matplotlib" not in sys.modules and (named := os.environ.pop("MPLBACKEND", None)) is not None:
        try:
            import matplotlib
        finally:
            os.environ["MPLBACKEND"] = named
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = named  # as the import does
    import matplotlib

    return matplotlib


def error_colors(unit: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Perceptually uniform colours (..., 3), light to dark, for numbers (...) clipped to [0, 1]."""
    rgba = plotting().colormaps["magma_r"](np.clip(unit, 0, 1), bytes=True)
    return np.asarray(rgba, dtype=np.uint8)[..., :3]


def fit(pixels: NDArray[np.uint8], side: int = PANEL) -> Image.Image:
    """The picture with its longer side at `side` pixels."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)


def running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Geometric mean of up to 31 neighbours, because the loss jumps with the views of each step."""
    half = min(15, len(values) // 20)
    known = np.isfinite(values)
    ones = np.ones(2 * half + 1)
    total = np.convolve(np.where(known, np.log(values, where=known, out=np.zeros_like(values)), 0), ones)
    count = np.convolve(known.astype(float), ones)
    with np.errstate(invalid="ignore"):  # without a number around: NaN, a gap in the curve
        return np.exp(total / count)[half : half + len(values)]


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The typeface of the loss curve, which matplotlib brings along, so all figures of a run match."""
    return ImageFont.truetype(str(Path(plotting().get_data_path(), "fonts", "ttf", "STIXGeneral.ttf")), size)


def shortened(text: str, room: int, size: int) -> str:
    """The text, cut by an ellipsis to `room` pixels."""
    while font(size).getlength(text) > room and len(text) > 1:
        text = text.rstrip("…")[:-1] + "…"
    return text


def write(
    sheet: Image.Image, at: tuple[float, float], text: str, *, anchor: str = "mm", size: int = TEXT
) -> None:
    """Text at a point; `anchor` as in Pillow ("mt": centred, hanging from the point)."""
    ImageDraw.Draw(sheet).text(at, text, fill=INK, font=font(size), anchor=anchor)


def write_upright(sheet: Image.Image, at: tuple[int, int], text: str, room: int) -> None:
    """Text that reads upwards, centred on a point; an ellipsis cuts it to `room` pixels."""
    text = shortened(text, room, TEXT)
    stripe = Image.new("RGB", (room, TEXT + 8), WHITE)
    write(stripe, (room / 2, TEXT / 2 + 4), text)
    turned = stripe.rotate(90, expand=True)
    sheet.paste(turned, (at[0] - turned.width // 2, at[1] - turned.height // 2))


def color_bar(
    sheet: Image.Image, corner: tuple[int, int], width: int, top: float, *, last: str | None = None
) -> None:
    """The colours of errors from 0 to `top`, 12 pixels high; numbers below name both ends and the middle."""
    x, y = corner
    ramp = np.broadcast_to(error_colors(np.linspace(0, 1, width)), (12, width, 3))
    sheet.paste(Image.fromarray(np.ascontiguousarray(ramp)), corner)
    last = last or (f"≥ {top:g}" if top < 1 else "1")
    for place, label, anchor in ((0, "0", "lt"), (width / 2, f"{top / 2:g}", "mt"), (width, last, "rt")):
        write(sheet, (x + place, y + 12 + 6), label, anchor=anchor, size=TEXT - 4)


def save_png(path: Path, sheet: Image.Image) -> None:
    """Write a PNG with Pillow's best compression."""
    sheet.save(path, format="PNG", optimize=True)


def encode_gif(sheets: list[Image.Image], milliseconds: int) -> bytes:
    """An endless animation that rests on its last picture, as bytes.

    All pictures share one palette, made from pictures spread over the whole. With one palette each, colours would
    flicker.
    """
    spread = [sheets[round(i)] for i in np.linspace(0, len(sheets) - 1, min(len(sheets), 6))]
    montage = Image.new("RGB", (spread[0].width, sum(sheet.height for sheet in spread)))
    for index, sheet in enumerate(spread):
        montage.paste(sheet, (0, index * sheet.height))
    palette = montage.quantize(255, method=Image.Quantize.MEDIANCUT)
    colors = np.array([*(palette.getpalette() or []), *WHITE]).reshape(-1, 3)
    # Pillow's search is coarse: the background would turn slightly grey.
    colors[(colors >= 248).all(axis=1)] = 255
    palette.putpalette(colors.flatten().tolist())
    # No dithering, because its noise moves and costs most of the bytes.
    frames = [sheet.quantize(palette=palette, dither=Image.Dither.NONE) for sheet in sheets]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[milliseconds] * (len(frames) - 1) + [_REST],
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()
