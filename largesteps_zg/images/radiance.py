"""Environment maps from files, as linear radiance: Radiance's .hdr, OpenEXR, .npy, and 8-bit images."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from .._support.regular_files import check_regular
from .environment_maps import check_map_size, read_array_map, read_image_map


def read_radiance(path: Path) -> np.ndarray:
    """(H, W, 3) float32 linear RGB of a latitude-longitude map, row 0 on top.

    Parameters
    ----------
    path : Path
        ``.hdr`` or ``.pic`` (RGBE), ``.exr`` (needs the package OpenEXR), ``.npy`` (linear float), or an 8-bit image
        (sRGB).

    Raises
    ------
    ValueError, OSError
        The file is missing, damaged or of another shape; OpenEXR is needed and missing.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: environment map not found")
    check_regular(path)
    suffix = path.suffix.lower()
    if suffix in (".hdr", ".pic", ".rgbe"):
        radiance = _read_rgbe(path)
    elif suffix == ".exr":
        radiance = _read_exr(path)
    elif suffix == ".npy":
        radiance = read_array_map(path)
    else:
        radiance = read_image_map(path)
    if not np.isfinite(radiance).all():
        raise ValueError(f"{path}: expected finite numbers, got some that are not")
    return radiance


def _read_exr(path: Path) -> np.ndarray:
    try:
        openexr = importlib.import_module("OpenEXR")  # optional, and without types
    except ImportError as error:
        raise ValueError(
            f"{path}: OpenEXR is needed to read it; pip install OpenEXR, or convert it to .hdr"
        ) from error
    try:
        with openexr.File(str(path)) as file:
            channels: Any = file.channels()
            pixels = [channels[name].pixels for name in channels if name in ("RGB", "RGBA")]
            array = pixels[0] if pixels else np.stack([channels[name].pixels for name in "RGB"], axis=-1)
    except Exception as error:  # damaged files, and channels of other names
        raise ValueError(f"{path}: no readable RGB channels; is the file complete?") from error
    return np.asarray(array[..., :3], dtype=np.float32)


def _read_rgbe(path: Path) -> np.ndarray:
    """Radiance's format: a header of lines, then rows of red, green, blue and a common exponent."""
    data = path.read_bytes()
    try:
        head, _, rest = data.partition(b"\n\n")
        size, _, body = rest.partition(b"\n")
        words = size.split()
        if (
            not head.startswith((b"#?RADIANCE", b"#?RGBE"))
            or words[0::2] != [b"-Y", b"+X"]
            or b"xyze" in head
        ):
            raise ValueError("expected RGB rows from the top (-Y +X)")
        height, width = int(words[1]), int(words[3])
        check_map_size(width, height)
        rgbe = _rows(np.frombuffer(body, dtype=np.uint8), height, width)
    except (ValueError, IndexError) as error:
        reason = str(error).splitlines()[0][:80]
        raise ValueError(f"{path}: not a readable .hdr file ({reason}); is it complete?") from None
    # Mantissas are in 1/256; an exponent of 0 means black.
    scales = np.where(np.arange(256) > 0, np.exp2(np.arange(256) - 136.0), 0.0).astype(np.float32)
    return rgbe[..., :3] * scales[rgbe[..., 3:]]


def _rows(body: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, 4) uint8, from plain pixels or rows whose four channels are run-length encoded one after the other."""
    if not (8 <= width < 32768 and body[:4].tolist() == [2, 2, width >> 8, width & 255]):
        if len(body) < 4 * height * width:
            raise ValueError("too few pixels")
        return body[: 4 * height * width].reshape(height, width, 4)
    if len(body) < height * (4 + 8 * -(-width // 127)):  # a run of 127 pixels takes two bytes
        raise ValueError("too few pixels")
    rows = np.empty((height, 4, width), dtype=np.uint8)
    place = 0
    for row in rows:
        if body[place : place + 4].tolist() != [2, 2, width >> 8, width & 255]:
            raise ValueError("a row without its beginning")
        place = _runs(body, place + 4, row.reshape(-1))
    return rows.transpose(0, 2, 1)


def _runs(body: np.ndarray, place: int, row: np.ndarray) -> int:
    """Fills a row; returns the place after it. A count above 128 repeats one byte, others copy so many."""
    filled = 0
    while filled < len(row):
        count = int(body[place])
        repeated = count > 128
        count = count - 128 if repeated else count
        values = body[place + 1 : place + 2] if repeated else body[place + 1 : place + 1 + count]
        if count == 0 or filled + count > len(row) or len(values) < (1 if repeated else count):
            raise ValueError("a run that does not fit")
        row[filled : filled + count] = values
        filled += count
        place += 2 if repeated else 1 + count
    return place
