"""Sparse points of a COLMAP model, for looking at."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_PLACES = (
    "",
    "sparse/0",
    "sparse",
    "colmap/sparse/0",
    "dense/sparse",
    "dense/0/sparse",
    "distorted/sparse/0",
)
_HEAD = struct.Struct("<Q3d3BdQ")  # number, place, colour, error, length of the track
_ROW = 8  # bytes, of an image's and a feature's number


def sparse_points(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.uint8]] | None:
    """Places (N, 3) and sRGB colours (N, 3) of the points in ``points3D.bin`` or ``.txt``; None where there are none.

    Parameters
    ----------
    folder : Path
        The scene's, or the model's.

    Raises
    ------
    ValueError
        If the file ends within a point, or a line of it is none.
    """
    for place in _PLACES:
        for name, read in (("points3D.bin", _binary), ("points3D.txt", _text)):
            file = folder / place / name
            if file.is_file():
                try:
                    rows = np.array(read(file.read_bytes()), dtype=np.float64).reshape(-1, 6)
                except (struct.error, ValueError) as error:
                    raise ValueError(f"{file}: not readable as points of COLMAP; is it complete?") from error
                rows = rows[np.isfinite(rows).all(axis=1)]
                return (rows[:, :3], rows[:, 3:].clip(0, 255).astype(np.uint8)) if len(rows) else None
    return None


def _binary(content: bytes) -> list[tuple[float, ...]]:
    (count,) = struct.unpack_from("<Q", content)
    at, rows = 8, []
    for _ in range(count):
        _, *numbers, _, track = _HEAD.unpack_from(content, at)
        rows.append(tuple(numbers))
        at += _HEAD.size + _ROW * track
    return rows


def _text(content: bytes) -> list[list[float]]:
    lines = (line.split() for line in content.decode("utf-8", "replace").splitlines())
    return [[float(word) for word in line[1:7]] for line in lines if line and not line[0].startswith("#")]
