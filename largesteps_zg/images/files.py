"""Image and mask files -> uint8 arrays, and where the file that belongs to a name lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image whose faults become one line that names the file."""
    try:
        with Image.open(path) as image:
            yield image
    except (Image.DecompressionBombError, MemoryError) as error:
        raise ValueError(f"{path}: image has too many pixels to be read; make it smaller") from error
    except Exception as error:
        # Pillow's decoders raise nearly anything for damaged files: OSError, SyntaxError, struct.error, EOFError, ...
        reason = (str(error).splitlines() or [type(error).__name__])[0].replace(str(path), "file")
        raise ValueError(f"{path}: image cannot be read ({reason}); is the file complete?") from error


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
        return np.array(_eight_bit(image).convert("RGBA")), has_alpha


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
            alpha = np.array(image.convert("RGBA").getchannel("A"))
            if alpha.min() < 255:
                return alpha
        mask = np.array(image.convert("RGB")).max(axis=-1)  # also a mask painted in red is a mask
    # Labels 0 and 1 are a common way to write a mask; as brightness they would all be black.
    return mask * np.uint8(255) if mask.max() == 1 else mask


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


def _eight_bit(image: Image.Image, *, labels: bool = False) -> Image.Image:
    """16-bit grey as 8-bit, labels of 0 and 1 as 0 and 255; Pillow itself converts 16-bit colour on opening."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.float64)
        if labels and values.max() == 1:
            values *= 65535
        return Image.fromarray(np.clip(values / 257 + 0.5, 0, 255).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floating-point pixels; expected 8-bit or 16-bit sRGB")
    return image
