"""Images are opened by readers of pixels alone, and not where they would fill the memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image

from .._support.errors import first_line
from .._support.regular_files import check_regular
from .._support.while_inside import silence

# Pillow knows a format by its first bytes, whatever the file is called. Left out are those that run other programs
# (PostScript) or are no pixels.
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "TGA", "JPEG2000", "AVIF")
# 8192 x 8192: decoded and as RGBA half a gigabyte. Above 89 million Pillow itself warns.
MOST_PIXELS = 2**26


@contextmanager
def opened_image(source: Path | BytesIO) -> Iterator[Image.Image]:
    """An image of a regular file, of a format that is pixels, and of a size that can be read.

    Raises
    ------
    ValueError, OSError, and whatever Pillow's decoders raise
        It is none of these.
    """
    if isinstance(source, Path):
        check_regular(source)
    with silence:  # of the size, which is checked here, and of odd metadata
        Image.init()  # all of Pillow's readers, of which some builds have no AVIF
        with Image.open(source, formats=[name for name in _FORMATS if name in Image.OPEN]) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise ValueError(f"{width}x{height} pixels, more than {MOST_PIXELS:,}; make it smaller")
            yield image


def holds_several(image: Image.Image) -> bool:
    """Whether more pictures follow the first: frames of an animation, pages, what a telephone adds."""
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a damaged second picture is no reason not to read the first
        return False


def more_pictures(name: str) -> str:
    """What there is to say of a file that holds several."""
    return f"more pictures than the first in {name.strip()[:80]} are not used"


def check_image(data: bytes) -> bool:
    """Whether more pictures follow the first in bytes of an image, whose pixels are not decoded.

    Raises what `opened_image` does where they are no image that can be opened.
    """
    with opened_image(BytesIO(data)) as image:
        return holds_several(image)


def file_error(path: str | os.PathLike[str], error: Exception) -> ValueError:
    """One line that names a file whose image can't be read, for what `opened_image` or a decoder raised."""
    if isinstance(error, (Image.DecompressionBombError, MemoryError)):
        return ValueError(f"{path}: image has too many pixels to be read; make it smaller")
    if isinstance(error, Image.UnidentifiedImageError):
        return ValueError(
            f"{path}: image cannot be read (none of PNG, JPEG, WebP, TIFF, BMP); convert it to one; "
            "is the file complete?"
        )
    # Pillow's decoders raise nearly anything for damaged files: OSError, SyntaxError, struct.error, EOFError, ...
    reason = first_line(error).replace(str(path), "file").removeprefix("file: ")
    cure = "" if ";" in reason or "expected" in reason else "; is the file complete?"
    return ValueError(f"{path}: image cannot be read ({reason}){cure}")
