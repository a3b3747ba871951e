"""Latitude-longitude maps from .npy files and 8-bit images, of a size that light can need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .._support.errors import first_line
from .._support.regular_files import check_regular
from .color import srgb_to_linear
from .headers import deep_pixels, is_deep
from .opening import file_error, opened_image

MOST_PIXELS = 2**25  # 8192 x 4096, as float32 0.4 GB; diffuse light sees nothing finer than a few degrees
_ROWS = 256  # converted at a time


def check_map_size(width: int, height: int) -> None:
    """ValueError for a map that would fill the memory, or has no pixels."""
    if not 0 < width * height <= MOST_PIXELS:
        raise ValueError(f"{width}x{height} pixels, expected at most {MOST_PIXELS:,}; make it smaller")


def read_array_map(path: Path) -> np.ndarray:
    """(H, W, 3) float32 of an .npy file, whose shape is looked at before it is read.

    Raises
    ------
    OSError, ValueError
        In one line that names the file.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, by_columns, dtype = read(file)
            held = path.stat().st_size - file.tell()
            if dtype.kind not in "fiu" or held < int(np.prod([int(side) for side in shape])) * dtype.itemsize:
                raise ValueError(f"{dtype} of shape {shape} in {held:,} bytes")
            if len(shape) != 3 or shape[2] != 3 or 0 in shape:
                raise _WrongShape(f"{path}: expected an array (H, W, 3), got {shape}")
            check_map_size(shape[1], shape[0])
            values = np.fromfile(file, dtype, int(np.prod(shape)))
    except _WrongShape:
        raise
    except Exception as error:
        reason = first_line(error, 100)
        raise ValueError(f"{path}: not a readable .npy file ({reason}); is it complete?") from error
    return values.reshape(shape, order="F" if by_columns else "C").astype(np.float32)


def _three(values: np.ndarray) -> np.ndarray:
    """(H, W, 3) of grey or coloured pixels, with alpha or without."""
    values = values.reshape(*values.shape[:2], -1)
    return values[..., :3] if values.shape[2] > 2 else values[..., [0, 0, 0]]


def read_image_map(path: Path) -> np.ndarray:
    """(H, W, 3) float32 linear RGB of an 8-bit or 16-bit sRGB image.

    Raises
    ------
    ValueError
        In one line that names the file.
    """
    check_regular(path)
    try:
        with opened_image(path) as image:
            width, height = image.size
            check_map_size(width, height)
            linear = np.empty((height, width, 3), dtype=np.float32)
            if image.mode == "F":
                raise ValueError("floating-point pixels; expected 8-bit or 16-bit sRGB, or an .npy file")
            deep = deep_pixels(path, image) if is_deep(image) else None
            for top in range(0, height, _ROWS):  # whole, the steps in between would fill the memory
                end = min(height, top + _ROWS)
                if deep is None:
                    strip = np.array(image.crop((0, top, width, end)).convert("RGB")) / np.float32(255)
                else:
                    strip = _three(deep[top:end]) / np.float32(65535)
                linear[top:end] = srgb_to_linear(torch.from_numpy(strip)).numpy()
            return linear
    except Exception as error:  # Pillow's decoders raise nearly anything for damaged files
        raise file_error(path, error) from error


class _WrongShape(ValueError):
    """Of a whole file."""
