"""Image and mask files -> uint8 arrays, and where the file that belongs to a name lies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from PIL import Image

from .._support.regular_files import PointerError, check_regular
from .headers import Header, deep_pixels, header_of, is_deep, smallest_depth
from .opening import file_error, opened_image

_STRIP = 2**20  # pixels converted at a time
_ONE_VAST = threading.Lock()
NEEDS_CONVERSION = (".heic", ".heif")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", *NEEDS_CONVERSION)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image whose faults become one line that names the file."""
    try:
        check_regular(path)
        _refuse_heif(path)
        with opened_image(path) as image:
            yield image
    except (HeifError, PointerError):
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything for damaged files
        raise file_error(path, error) from error


class HeifError(ValueError):
    """A photograph in a form that is not read; the message says how to convert it."""


def _refuse_heif(path: Path) -> None:
    """HeifError with the cure for what telephones write, whatever its suffix."""
    with open(path, "rb") as file:
        start = file.read(12)
    if start[4:8] == b"ftyp" and start[8:] in _HEIF_BRANDS:
        raise HeifError(
            f"{path}: a HEIC (HEIF) photograph, which is not read; convert it to JPEG under the same name and leave it "
            f"beside (heif-convert {path.name} {path.stem}.jpg, or the telephone's setting 'most compatible')"
        )


def image_header(path: Path) -> Header:
    """Size, orientation and depth, from the header alone.

    Raises
    ------
    ValueError
        No image, in one line that names the file.
    """
    with _opened(path) as image:
        return header_of(image)


def image_size(path: Path) -> tuple[int, int]:
    """(width, height), from the header alone.

    As the pixels are stored: an orientation in the EXIF data is left alone, as the programs that calibrate do.

    Raises
    ------
    ValueError
        No image, in one line that names the file.
    """
    header = image_header(path)
    return header.width, header.height


def bit_depth(path: Path) -> int:
    """Bits that the brightest value of a file with 16 bits in a channel needs: 8, 10, 12, 14 or 16; alpha aside."""
    with _opened(path) as image:
        pixels = deep_pixels(path, image)
        colours = pixels[..., : 3 if pixels.shape[-1] > 2 else 1] if pixels.ndim == 3 else pixels
        return smallest_depth(int(colours.max()))


def read_image(path: Path, *, depth: int = 16) -> tuple[np.ndarray, bool]:
    """(H, W, 4) uint8 pixels, sRGB with straight alpha, and whether the file has an alpha channel (else it is 255).

    `depth` is the number of bits that white fills where the file stores 16.

    Raises
    ------
    ValueError
        A damaged file, or floating-point pixels.
    """
    with _opened(path) as image:
        has_alpha = "A" in image.getbands() or "transparency" in image.info
        return _pixels(_eight_bit(path, image, depth), "RGBA"), has_alpha


def read_mask(path: Path) -> np.ndarray:
    """(H, W) uint8 of a mask file: its alpha where that says something, else its brightness.

    Raises
    ------
    ValueError
        A damaged file, or floating-point pixels.
    """
    with _opened(path) as image:
        image = _eight_bit(path, image, None)
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


def _strips(image: Image.Image) -> Iterator[tuple[int, int]]:
    """First and last row of each: what is converted piece by piece is in memory once besides."""
    rows = max(1, _STRIP // image.width)
    return ((top, min(image.height, top + rows)) for top in range(0, image.height, rows))


def _pixels(image: Image.Image, mode: str) -> np.ndarray:
    """Its pixels in another mode."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.empty((image.height, image.width, channels)[: 3 if channels > 1 else 2], dtype=np.uint8)
    for top, end in _strips(image):
        pixels[top:end] = np.asarray(image.crop((0, top, image.width, end)).convert(mode))
    return pixels


def _eight_bit(path: Path, image: Image.Image, depth: int | None) -> Image.Image:
    """Numbers of 16 bits as 8, of which white fills `depth`; None for a mask, in which the brightest value is white."""
    if image.mode == "F":
        raise ValueError("floating-point pixels; expected 8-bit or 16-bit sRGB; convert it")
    if not is_deep(image):
        return image
    values = deep_pixels(path, image)
    mode = "L" if values.ndim == 2 else image.mode
    brightest = int(values.max())
    if depth is None:
        depth = 1 if brightest == 1 else smallest_depth(brightest)  # 0 and 1 are labels
    white = np.full(values.shape[-1] if values.ndim == 3 else 1, 2.0**depth - 1)
    if mode in ("LA", "RGBA") and depth > 1:
        # Alpha says of itself what is opaque.
        white[-1] = 2.0 ** smallest_depth(int(values[..., -1].max())) - 1
    eight = np.empty(values.shape, dtype=np.uint8)
    for top, end in _strips(image):
        eight[top:end] = np.clip(values[top:end] * (255.0 / white) + 0.5, 0, 255)
    return Image.fromarray(eight, mode)
