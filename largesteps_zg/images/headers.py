"""What an image file says before its pixels, and pixels of more than eight bits."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .opening import opened_image

_EXIF_ORIENTATION = 0x0112
# Of sensors. Their readings are often stored in 16 bits as they are, so that white is far below 65,535.
DEPTHS = (8, 10, 12, 14, 16)


@dataclass(frozen=True)
class Header:
    """Size as stored; EXIF orientation, 1 for upright; whether there are more than 8 bits in a channel."""

    width: int
    height: int
    orientation: int
    deep: bool


def header_of(image: Image.Image) -> Header:
    """Of an image that was opened; reads no pixels."""
    deep = is_deep(image)  # before EXIF data are looked for, which in a PNG lie behind the pixels
    try:
        orientation = int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # damaged EXIF data is no reason not to read the pixels
        orientation = 1
    return Header(image.width, image.height, orientation, deep)


def is_deep(image: Image.Image) -> bool:
    """Whether the file has more than 8 bits in a channel, whatever Pillow makes of them."""
    return image.mode.startswith("I") or any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def smallest_depth(brightest: int) -> int:
    """The fewest bits of a sensor that hold a value."""
    return next(depth for depth in DEPTHS if brightest < 2**depth or depth == DEPTHS[-1])


def deep_pixels(path: Path, image: Image.Image) -> np.ndarray:
    """(H, W) or (H, W, C) uint16 of an open image that is deep."""
    if image.mode.startswith("I"):
        return np.asarray(image).clip(0, 65535).astype(np.uint16)
    # Of colour Pillow keeps the high bytes. Read with the bytes of each number exchanged, the file gives the low ones.
    values = np.asarray(image).astype(np.uint16)
    with opened_image(path) as other:
        layouts = [tile._replace(args=_exchanged(tile.args)) for tile in getattr(other, "tile", ())]
        setattr(other, "tile", layouts)  # noqa: B010  a name that only some of Pillow's classes declare
        try:
            low = np.asarray(other)
        except ValueError:  # a layout that Pillow knows in one order alone: grey with alpha
            return values * np.uint16(257)
    values <<= 8
    values |= low
    return values


def _exchanged(args: object) -> object:
    """Pillow's name of a layout of pixels with the other order of bytes."""
    if isinstance(args, tuple):
        return tuple(_exchanged(arg) for arg in args)
    if not isinstance(args, str) or ";16" not in args:
        return args
    native = "L" if sys.byteorder == "little" else "B"
    order = native if args.endswith("N") else args[-1]
    return args[:-1] + ("B" if order == "L" else "L")
