"""A copy of COLMAP's cameras and images, checked where its reader takes damaged ones as they are."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..._support.regular_files import LARGEST_TEXT, LONGEST_PATH, read_regular
from .colmap_text import check_camera_lines, image_lines
from .text_files import read_text


@contextmanager
def essentials(model: Path, suffix: str, pycolmap: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """A copy of cameras and images alone; and of a text model the names, which stand there without their spaces.

    Points may be missing or millions. Rigs and frames are in the poses of the images already, and a damaged file of
    them keeps the reader busy for ever.
    """
    names: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        if suffix == ".bin":
            cameras = read_regular(model / "cameras.bin", largest=LARGEST_TEXT)
            Path(folder, "cameras.bin").write_bytes(cameras)
            _copy_without_points(model / "images.bin", os.path.join(folder, "images.bin"))
        else:
            content = read_text(model / "cameras.txt")
            check_camera_lines(content, model / "cameras.txt", _models_known(pycolmap))
            Path(folder, "cameras.txt").write_text(content, encoding="utf-8")
            lines = image_lines(model / "images.txt")
            for index, line in enumerate(lines):
                names[f"{index}"] = line.name
            text = "".join(f"{line.numbers} {index}\n\n" for index, line in enumerate(lines))
            Path(folder, "images.txt").write_text(text, encoding="utf-8")
        Path(folder, f"points3D{suffix}").write_bytes(bytes(8) if suffix == ".bin" else b"")
        yield folder, names


def _copy_without_points(file: Path, target: str) -> None:
    """A copy of images.bin that says of no image which points it shows, as these may be gigabytes.

    count, then for each image: number (4 bytes), pose (56), camera (4), name and a 0, count of points, 24 for each.
    ValueError where it announces more than it holds, for which a reader would set memory aside.
    """
    size = file.stat().st_size
    try:
        with file.open("rb") as given, open(target, "wb") as made:
            start = given.read(8)
            made.write(start)
            for _ in range(struct.unpack("<Q", start)[0]):
                image = given.read(64 + LONGEST_PATH + 1)
                end = image.index(b"\0", 64) + 1
                given.seek(end - len(image), os.SEEK_CUR)
                past = given.tell() + 8 + 24 * struct.unpack("<Q", given.read(8))[0]
                if past > size or end == 65:  # without a name
                    raise ValueError
                given.seek(past)
                made.write(image[:end] + bytes(8))
            more = size - given.tell()
    except (struct.error, ValueError):
        raise ValueError(f"{file}: ends in the middle of an image; is the file complete?") from None
    if more:
        raise ValueError(_goes_on(file, more, "image"))


def _parameters(model: Any, pycolmap: Any) -> int:
    """How many numbers belong to a camera model."""
    return len(pycolmap.Camera.create_from_model_id(1, model, 1.0, 1, 1).params)


def _models_known(pycolmap: Any) -> dict[str, int]:
    """Camera models by name, and how many numbers each has."""
    found = {
        str(name): model for name, model in pycolmap.CameraModelId.__members__.items() if int(model) >= 0
    }
    return {name: _parameters(model, pycolmap) for name, model in found.items()}


def _goes_on(file: Path, count: int, what: str) -> str:
    return f"{file}: expected its end behind the last {what}, got {count:,} bytes more; is it damaged?"


def check_cameras(copy: Path, file: Path, pycolmap: Any) -> None:
    """ValueError where cameras.bin ends too early, which a reader takes for zeros.

    count, then for each camera: number and model (4 bytes each), width and height (8 each), 8 for each parameter.
    """
    data = copy.read_bytes()
    position = 8
    try:
        for _ in range(struct.unpack_from("<Q", data)[0]):
            (model,) = struct.unpack_from("<i", data, position + 4)
            if model not in {int(known) for known in pycolmap.CameraModelId.__members__.values()} - {-1}:
                raise ValueError(f"{file}: camera model number {model} is not known; is the file damaged?")
            named = pycolmap.CameraModelId(model)
            position += 24 + 8 * _parameters(named, pycolmap)
            if position > len(data):
                raise struct.error
        if position < len(data):
            raise ValueError(_goes_on(file, len(data) - position, "camera"))
    except struct.error:
        raise ValueError(f"{file}: ends in the middle of a camera; is the file complete?") from None
