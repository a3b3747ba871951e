"""Image and mask files -> uint8 arrays, and where the file that belongs to a name lies."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from PIL import Image

from .opening import file_error, opened_image

_STRIP = 2**20  # pixels converted at a time
_ONE_VAST = threading.Lock()
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image whose faults become one line that names the file."""
    try:
        with opened_image(path) as image:
            yield image
    except Exception as error:  # Pillow's decoders raise nearly anything for damaged files
        raise file_error(path, error) from error


def image_size(path: Path) -> tuple[int, int]:
    """(width, height), from the header alone.

    As the pixels are stored: an orientation in the EXIF data is left alone, as the programs that calibrate do.

    Raises
    ------
    ValueError
        No image, in one line that names the file.
    """
    with _opened(path) as image:
        return image.size


def read_image(path: Path) -> tuple[np.ndarray, bool]:
    """(H, W, 4) uint8 pixels, sRGB with straight alpha, and whether the file has an alpha channel (else it is 255).

    Raises
    ------
    ValueError
        A damaged file, or floating-point pixels.
    """
    with _opened(path) as image:
        has_alpha = "A" in image.getbands() or "transparency" in image.info
        return _pixels(_eight_bit(image), "RGBA"), has_alpha


def read_mask(path: Path) -> np.ndarray:
    """(H, W) uint8 of a mask file: its alpha where that says something, else its brightness.

    Raises
    ------
    ValueError
        A damaged file, or floating-point pixels.
    """
    with _opened(path) as image:
        image = _eight_bit(image, labels=True)
        if "A" in image.getbands() or "transparency" in image.info:
            alpha = _pixels(image, "RGBA")[..., 3]
            if alpha.min() < 255:
                return alpha
        # Also a mask painted in red is a mask.
        mask = _pixels(image, "L") if image.mode == "L" else _pixels(image, "RGB").max(axis=-1)
    # Labels 0 and 1 are a common way to write a mask; as brightness they would all be black.
    return mask * np.uint8(255) if mask.max() == 1 else mask


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """For one thread at a time where an image of few bytes is vast: all at once they would fill the memory."""
    width, height = image_size(path)
    # Photographs have more than a bit for eight pixels; of these each thread may hold one.
    vast = width * height > 16 * _STRIP and path.stat().st_size * 64 < width * height
    with _ONE_VAST if vast else nullcontext():
        yield


def find_image(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder, with or without its suffix; None where there is none.

    `name` may hold folders, with `/` or, as some programs write it, with a backslash.
    """
    name = name if os.sep == "\\" or (folder / name).is_file() else name.replace("\\", "/")
    endings = ("", *SUFFIXES, *(suffix.upper() for suffix in SUFFIXES))
    return next((folder / f"{name}{end}" for end in endings if (folder / f"{name}{end}").is_file()), None)


def find_mask(place: Path, image: Path, below: Path | None = None) -> Path | None:
    """The mask of an image in a folder: masks/a.png, masks/a.jpg or, as COLMAP has it, masks/a.jpg.png.

    Parameters
    ----------
    place : Path
        The folder of masks.
    image : Path
    below : Path, optional
        Where the image lies below the folder of images, a relative path to its own folder: for images/left/a.jpg,
        with `left`, masks/left/a.png is looked for before masks/a.png.
    """
    if not place.is_dir():  # most scenes have none; saves a dozen look-ups for each image
        return None
    places = [place / below, place] if below is not None else [place]
    found = (find_image(folder, name) for folder in places for name in (image.stem, image.name))
    return next((file for file in found if file is not None and file != image), None)


def sibling_mask(folder: Path, image: Path) -> Path | None:
    """A mask beside an image of the scene in `folder`: images/a.jpg -> masks/a.png, images/masks/a.png, ..."""
    below = None
    if image.parent != folder and image.is_relative_to(folder):
        # images/left/a.jpg -> masks/left/a.png
        below = Path(*image.parent.relative_to(folder).parts[1:])
    places = {image.parent.parent / "masks": None, image.parent / "masks": None, folder / "masks": below}
    found = (find_mask(place, image, below) for place, below in places.items())
    return next((file for file in found if file is not None), None)


def _pixels(image: Image.Image, mode: str) -> np.ndarray:
    """Its pixels in another mode, strip by strip: large images are in memory once besides."""
    rows = max(1, _STRIP // image.width)
    boxes = [(0, top, image.width, min(image.height, top + rows)) for top in range(0, image.height, rows)]
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.empty((image.height, image.width, channels)[: 3 if channels > 1 else 2], dtype=np.uint8)
    for box in boxes:
        pixels[box[1] : box[3]] = np.asarray(image.crop(box).convert(mode))
    return pixels


def _eight_bit(image: Image.Image, *, labels: bool = False) -> Image.Image:
    """16-bit grey as 8-bit, labels of 0 and 1 as 0 and 255; Pillow itself converts 16-bit colour on opening."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        scale = (65535 if labels and values.max() == 1 else 1) / 257
        eight = np.empty(values.shape, dtype=np.uint8)
        for row, wide in zip(eight, values, strict=True):  # all at once would take 24 bytes for each pixel
            row[:] = np.clip(wide * scale + 0.5, 0, 255)
        return Image.fromarray(eight)
    if image.mode == "F":
        raise ValueError("floating-point pixels; expected 8-bit or 16-bit sRGB")
    return image
