"""What a result is compared with: a surface, a scan of points, or points triangulated from photographs."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from .._support.errors import first_line
from .._support.regular_files import check_regular, read_regular
from ..mesh.file_parts import MESH_KINDS
from ..mesh.files import load_mesh
from ..mesh.mesh import Mesh
from ..mesh.sources.ply import ply_points
from ..scenes.formats.text_files import is_number
from ..scenes.registry import FORMATS

Found = TypeVar("Found")
_TEXTS = (".xyz", ".txt", ".csv", ".pts", ".asc")
_ARRAYS = (".npz", ".npy")


@dataclass(frozen=True)
class Reference:
    """The truth, or what is known of it.

    Attributes
    ----------
    name : str
        For tables.
    mesh : Mesh or None
        A surface.
    points : (N, 3) float64 array or None
        Points on the surface, where there is no mesh.
    sparse : bool
        Points here and there, as features are: from them to the result is a distance, the other way round is none.
    """

    name: str
    mesh: Mesh | None = None
    points: np.ndarray | None = None
    sparse: bool = False


def is_scene(path: str | os.PathLike[str]) -> bool:
    """Whether a reference is a scene, whose photographs points are to be triangulated from.

    A folder is; so is a file that one of the formats of scenes recognises, such as ``cameras.npz``. COLMAP's
    ``points3D`` is points, and so is an ``.npz`` without cameras.
    """
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"{place}: no such file or folder; a reference is points, a mesh or a scene")
    if place.is_dir():
        return True
    if place.stem == "points3D":
        return False
    if place.suffix.lower() == ".npz":
        return any(name.startswith("world_mat") for name in _names(place))
    return place.suffix.lower().lstrip(".") not in MESH_KINDS and any(
        module.recognises(place) for module in FORMATS.values()
    )


def read_reference(path: str | os.PathLike[str]) -> Reference:
    """Read a file of points or a mesh.

    Parameters
    ----------
    path
        A mesh (PLY with faces, OBJ, STL, OFF, GLB); or points: PLY without faces, ``.npz`` with ``xyz`` (sparse where
        it also has ``track``, the lengths of tracks), ``.npy`` of (N, 3), text with x y z first in each line (``.xyz``,
        ``.txt``, ``.csv``, ``.pts``, ``.asc``), COLMAP's ``points3D.bin`` or ``.txt`` (sparse).

    Returns
    -------
    Reference

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It can't be read, has no points, or numbers that are not finite.
    """
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"{place}: no such file; a reference is points, a mesh or a scene")
    suffix, sparse = place.suffix.lower(), False
    if place.stem == "points3D" and suffix in (".bin", ".txt", ".ply"):
        sparse = True
    if suffix == ".ply":
        points, faces = _guarded(place, lambda: ply_points(read_regular(place)))
        if faces:
            return Reference(place.name, mesh=load_mesh(place))
    elif place.stem == "points3D" and suffix in (".bin", ".txt"):
        points = _guarded(place, lambda: _colmap_points(read_regular(place), text=suffix == ".txt"))
    elif suffix in _ARRAYS:
        points = _array(place)
        sparse = suffix == ".npz" and "track" in _names(place)
    elif suffix in _TEXTS:
        points = _guarded(place, lambda: _text_points(place))
    elif suffix.lstrip(".") in MESH_KINDS:
        return Reference(place.name, mesh=load_mesh(place))
    else:
        known = ", ".join([*(f".{kind}" for kind in MESH_KINDS), *_ARRAYS, *_TEXTS])
        raise ValueError(
            f"{place}: expected a scene, COLMAP's points3D or one of {known}, got suffix {place.suffix!r}; "
            "convert it to .ply"
        )
    return Reference(place.name, points=_checked(place, points), sparse=sparse)


def _checked(place: Path, points: np.ndarray) -> np.ndarray:
    """(N, 3) float64, at least one, all finite."""
    if len(points) == 0:
        raise ValueError(f"{place}: expected at least one point, got none")
    wrong = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(wrong):
        raise ValueError(
            f"{place}: expected finite coordinates, got {points[wrong[0]].tolist()} at point {wrong[0]}; "
            "leave such points out"
        )
    return np.ascontiguousarray(points, dtype=np.float64)


def _guarded(place: Path, read: Callable[[], Found]) -> Found:
    """What a reader finds; its errors with the file's name."""
    try:
        return read()
    except (ValueError, struct.error, IndexError, UnicodeDecodeError) as error:
        reason = first_line(error).removeprefix(f"{place}: ")[:160]
        raise ValueError(f"{place}: not readable as points: {reason}; is it complete?") from error


def _names(place: Path) -> list[str]:
    """Of the arrays in an .npz; none where it is damaged, which is said when it is read."""
    try:
        check_regular(place)
        with np.load(place, allow_pickle=False) as content:
            return list(content)
    except Exception:  # a damaged archive leads to nearly any of them
        return []


def _array(place: Path) -> np.ndarray:
    """The points in an .npy, or in an .npz under ``xyz``."""
    check_regular(place)
    try:
        content = np.load(place, allow_pickle=False)
        if place.suffix.lower() == ".npz":
            with content:
                names = list(content)
                array = content["xyz"] if "xyz" in names else None
        else:
            array = content
    except Exception as error:  # as in `_names`
        reason = first_line(error, 120)
        raise ValueError(f"{place}: not readable as NumPy's arrays ({reason}); is it complete?") from error
    if array is None:
        raise ValueError(f"{place}: expected an array xyz (N, 3), got {', '.join(names)[:80] or 'none'}")
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "fiu":
        raise ValueError(f"{place}: expected points (N, 3), got {array.dtype} of shape {array.shape}")
    return np.asarray(array, dtype=np.float64)


def _text_points(place: Path) -> np.ndarray:
    """x, y, z of each line; what follows (colours, normals) is not looked at, nor are comments and a count."""
    check_regular(place)
    with place.open(encoding="utf-8-sig") as lines:
        rows = [
            words
            for line in lines
            if (words := line.split("#")[0].replace(",", " ").replace(";", " ").split())
        ]
    if rows and len(rows[0]) == 1 and rows[0][0].isdecimal():  # .pts begins with how many there are
        rows = rows[1:]
    if rows and not is_number(rows[0][0]):  # a line of names
        rows = rows[1:]
    for number, words in enumerate(rows):
        if len(words) < 3:
            raise ValueError(f"expected x y z in each line, got {' '.join(words)[:40]!r} as point {number}")
    return np.array([words[:3] for words in rows], dtype=np.float64).reshape(-1, 3)


def _colmap_points(data: bytes, *, text: bool) -> np.ndarray:
    """(N, 3) of COLMAP's points3D.

    Binary: a count; for each point a number (8 bytes), x, y, z (8 each), a colour (3), an error (8), the length of its
    track (8), and 8 for each of the track. Text: number, x, y, z, ... in each line.
    """
    if text:
        lines = (line.split() for line in data.decode("utf-8-sig").splitlines())
        rows = [words[1:4] for words in lines if words and not words[0].startswith("#")]
        if any(len(row) < 3 for row in rows):
            raise ValueError("expected a number, x, y and z in each line")
        return np.array(rows, dtype=np.float64).reshape(-1, 3)
    (count,) = struct.unpack_from("<Q", data)
    if count * 51 > len(data):
        raise ValueError(f"it announces {count:,} points and has {len(data):,} bytes")
    points, place = np.empty((count, 3)), 8
    for index in range(count):
        points[index] = struct.unpack_from("<3d", data, place + 8)
        place += 51 + 8 * struct.unpack_from("<Q", data, place + 43)[0]
    if place != len(data):
        raise ValueError(f"expected {place:,} bytes, got {len(data):,}")
    return points
