"""Scenes of MVSNet and BlendedMVS: a text file for each camera, `cams/00000007_cam.txt`.

    scene/
      cams/00000000_cam.txt ...             or cams_1/
      images/00000000.jpg ...               or blended_images/ (also 00000000_masked.jpg), image/
      masks/00000000.png ...                or mask/; without, alpha or the background's colour

A file holds the word `extrinsic` and a 4x4 matrix from world to camera with OpenCV's axes, the word `intrinsic` and a
3x3 matrix in pixels of the images beside it, and a line with the range of depths, which is not needed. The first
pixel's centre is at (0.5, 0.5), as in COLMAP, from which such files are usually made, and in MVSNet's own sampling.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..photographs.assemble import assemble
from ..photographs.mask_files import MaskFinder, mask_of
from ..provenance import Record, counted
from ..reading import Reading
from ..sanity import check_shots
from ..shots import Shot
from ..views import Scene
from .files_beside import by_stem, first_with_images
from .text_files import numbers, read_text

LOOKS_FOR = "cams/*_cam.txt beside images/ or blended_images/"

_CAMERAS = ("cams", "cams_1")
_IMAGES = ("images", "blended_images", "image")
_MASKS = ("masks", "mask")
_ENDING = "_cam.txt"
_MASKED = "_masked"


def recognises(path: Path) -> bool:
    """Whether the folder has files of cameras in its `cams`."""
    return any(any((path / name).glob(f"[!.]*{_ENDING}")) for name in _CAMERAS)


def load(path: Path, reading: Reading = Reading()) -> Scene:  # noqa: B008
    """Read the scene in a folder; see `scenes.load_scene` for what is raised."""
    files = next(
        (found for found in (sorted((path / name).glob(f"[!.]*{_ENDING}")) for name in _CAMERAS) if found), []
    )
    if not files:
        raise FileNotFoundError(f"{path}: expected {LOOKS_FOR}, found no such file")
    masks = first_with_images(path, _MASKS)
    images = by_stem(first_with_images(path, _IMAGES))
    chosen = [_image(path, file, images, masked=not masks) for file in files]
    shots = []
    for file, image, mask in zip(files, chosen, MaskFinder(path).of_format(chosen, _MASKS), strict=True):
        world_to_camera, intrinsics = _camera(file)
        name = file.name[: -len(_ENDING)]
        shots.append(Shot(image, name, world_to_camera, intrinsics, str(file), **mask_of(mask)))
    check_shots(shots, constants=reading.advanced.checks)
    record = Record(path)
    record.add("model", f"{record.short(files[0].parent)}/, {counted(len(files), 'camera')}")
    views = assemble(shots, reading, record)
    return Scene(path=path, format="mvsnet", train=views, provenance=tuple(record.notes))


def _image(folder: Path, file: Path, images: dict[str, Path], *, masked: bool) -> Path:
    """The image of a camera; BlendedMVS's with a black background where there are no masks."""
    stem = file.name[: -len(_ENDING)]
    found = (images.get(stem + _MASKED) if masked else None) or images.get(stem)
    if found is None:
        places = ", ".join(_IMAGES)
        raise FileNotFoundError(
            f"{file}: image not found; looked for {stem}.jpg, .png and others in {places} of {folder}; put it there or "
            "remove the camera"
        )
    return found


def _camera(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """World to camera (4, 4) and intrinsics (3, 3) of a file."""
    words = read_text(file).split()
    lower = [word.lower() for word in words]
    for word in ("extrinsic", "intrinsic"):
        if lower.count(word) != 1:
            raise ValueError(
                f"{file}: expected the word {word!r} once, got it {lower.count(word)} times; is it complete?"
            )
    start, middle = lower.index("extrinsic") + 1, lower.index("intrinsic") + 1
    extrinsic = numbers(words[start : start + 16], 16, str(file), "extrinsic").reshape(4, 4)
    intrinsic = numbers(words[middle : middle + 9], 9, str(file), "intrinsic").reshape(3, 3)
    if np.abs(extrinsic[3] - [0, 0, 0, 1]).max() > 1e-6:
        last = " ".join(f"{x:g}" for x in extrinsic[3])
        raise ValueError(
            f"{file}: expected 0 0 0 1 as the last row of extrinsic, got {last}; is it transposed?"
        )
    return extrinsic, intrinsic
