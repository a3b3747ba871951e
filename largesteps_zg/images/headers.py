"""What an image file says before its pixels, and pixels of more than eight bits."""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO
from zlib import crc32

import numpy as np
from PIL import Image

from .opening import holds_several, opened_image

_EXIF_ORIENTATION = 0x0112
# Of sensors. Their readings are often stored in 16 bits as they are, so that white is far below 65,535.
DEPTHS = (8, 10, 12, 14, 16)
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_METADATA = (b"IHDR", b"eXIf", b"tEXt", b"zTXt", b"iTXt")
_MOST_METADATA = 2**20  # bytes of one piece; EXIF data in a JPEG file have at most 2**16


@dataclass(frozen=True)
class Header:
    """Size as stored; EXIF orientation, 1 for upright; if a channel has more than 8 bits; if more pictures follow; the
    name of a colour profile that is not sRGB, or "".
    """

    width: int
    height: int
    orientation: int
    deep: bool
    several: bool
    profile: str


def header_of(image: Image.Image) -> Header:
    """Of an image that was opened; reads no pixels."""
    deep = is_deep(image)
    try:
        orientation = _orientation(image)
    except Exception:  # damaged EXIF data is no reason not to read the pixels
        orientation = 1
    profile = profile_name(image.info.get("icc_profile") or b"")
    other = "" if "srgb" in profile.lower() else profile
    return Header(image.width, image.height, orientation, deep, holds_several(image), other)


def profile_name(data: bytes) -> str:
    """What an ICC profile calls itself, cut to a readable length; "" where there is none or it does not say.

    After 128 bytes: count, then for each tag signature, offset and size. The text of `desc` is ASCII after 12 bytes
    (version 2), or UTF-16 at the place that its first record names (`mluc`, version 4).
    """
    try:
        (count,) = struct.unpack_from(">I", data, 128)
        for at in range(132, 132 + 12 * min(count, 100), 12):
            tag, offset, size = struct.unpack_from(">4sII", data, at)
            if tag != b"desc":
                continue
            text = data[offset : offset + size]
            if text[:4] == b"mluc":
                length, begin = struct.unpack_from(">II", text, 20)
                name = text[begin : begin + length].decode("utf-16-be", "replace")
            else:
                name = text[12 : 12 + struct.unpack_from(">I", text, 8)[0]].decode("latin-1")
            return "".join(letter for letter in name if letter.isprintable())[:40].strip()
    except (struct.error, IndexError):
        pass
    return ""


def _orientation(image: Image.Image) -> int:
    """By the file's EXIF data, 1 for upright."""
    # Not PNG's own `getexif`: it decodes all pixels, for EXIF data may follow them, and then forgets their layout.
    found = int(Image.Image.getexif(image).get(_EXIF_ORIENTATION, 1))
    file: IO[bytes] | None = getattr(image, "fp", None)
    if found != 1 or image.format != "PNG" or file is None:
        return found
    with Image.open(BytesIO(_without_pixels(file)), formats=["PNG"]) as bare:
        return int(Image.Image.getexif(bare).get(_EXIF_ORIENTATION, 1))


def _without_pixels(file: IO[bytes]) -> bytes:
    """A PNG file's size and metadata, which may lie on both sides of its pixels, as a PNG file; `file` stays put."""
    place = file.tell()
    kept = [file.read(len(_PNG)) if file.seek(0) == 0 else b""]
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[:4], "big")
        if head[4:] in _PNG_METADATA and length <= _MOST_METADATA:
            kept.append(head + file.read(length + 4))  # and a sum
        else:
            file.seek(length + 4, os.SEEK_CUR)
    file.seek(place)
    return b"".join([*kept, b"\0\0\0\0IDAT" + crc32(b"IDAT").to_bytes(4, "big")])


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
