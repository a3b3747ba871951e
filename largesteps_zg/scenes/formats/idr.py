"""Scenes of IDR, VolSDF and NeuS (DTU and BlendedMVS as they give them): `cameras*.npz` beside images and masks.

    scene/
      cameras_sphere.npz or cameras.npz     world_mat_0, scale_mat_0, world_mat_1, ...
      image/000000.png ...                  or images/, rgb/
      mask/000.png ...                      or masks/; without, alpha or the background's colour

`world_mat_i` is K [R t] with OpenCV's axes, up to a factor. Coordinates are those of `world_mat`. `scale_mat` takes the
unit sphere to the ball that holds the object, which bounds what is cut off by the border of photographs; the identity
says nothing. These programs cast their rays through whole-numbered pixels, so half a pixel is added to the principal
point.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import torch

from ..._support.errors import first_line
from ..._support.regular_files import check_regular
from ...cameras.conventions import from_idr
from ..carving.bounds import first_half_size, meeting_point
from ..photographs.assemble import assemble
from ..photographs.mask_files import MaskFile, MaskFinder, mask_of
from ..provenance import UNUSED, Record, some
from ..reading import Reading
from ..sanity import check_shots, check_sphere_fits
from ..shots import Shot
from ..views import Ball, Scene, Views
from .files_beside import first_with_images, last_number
from .text_files import LARGEST

LOOKS_FOR = "cameras*.npz beside image/ and mask/"

_IMAGES = ("image", "images", "rgb")
_MASKS = ("mask", "masks")
_PREFERRED = ("cameras_sphere.npz", "cameras.npz")  # NeuS, IDR; the world_mats of both are the same


def recognises(path: Path) -> bool:
    """Whether the path is such a file, or a folder with one."""
    return path.suffix == ".npz" if path.is_file() else any(path.glob("cameras*.npz"))


def load(path: Path, reading: Reading = Reading()) -> Scene:  # noqa: B008
    """Read the scene in a folder, or the one that an .npz file describes; see `scenes.load_scene` for errors."""
    file = path if path.is_file() else _cameras_file(path)
    images = first_with_images(file.parent, _IMAGES)
    if not images:
        raise FileNotFoundError(f"{file.parent}: no images; looked in the folders {', '.join(_IMAGES)}")
    arrays = _read_arrays(file)
    keys = _keys(file, arrays, images)
    record = Record(file.parent)
    masks = MaskFinder(file.parent).of_format(images, _MASKS)
    shots = [
        _shot(file, arrays, key, image, mask) for key, image, mask in zip(keys, images, masks, strict=True)
    ]
    check_shots(shots, constants=reading.advanced.checks)
    record.add("model", file.name)
    for other in sorted(file.parent.glob("cameras*.npz")):
        if other.name != file.name:
            record.add(UNUSED, f"{other.name}, because {file.name} goes before")
    _tell_left_out(file, arrays, keys, record)
    views = assemble(shots, reading, record)
    ball = _ball(file, arrays, keys, views)
    if ball is not None:
        views = replace(views, ball=ball)
        record.add("bounds", f"scale_mat_{keys[0]}, a ball of radius {ball.radius:.4g} that holds the object")
    return Scene(path=path, format="idr", train=views, provenance=tuple(record.notes))


def _cameras_file(folder: Path) -> Path:
    """The file of cameras in a folder."""
    found = sorted(folder.glob("cameras*.npz"))
    for name in _PREFERRED:
        if folder / name in found:
            return folder / name
    if not found:
        raise FileNotFoundError(f"{folder}: expected {LOOKS_FOR}, found no such file")
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise ValueError(f"{folder}: expected one cameras.npz, got {names}; give the path of the right one")
    return found[0]


class _NoMatrix(ValueError):
    """A whole array of another kind, in a file that is not damaged."""


def _read_arrays(file: Path) -> dict[str, np.ndarray]:
    """The matrices of a file as float64, those of cameras only; nothing else in it is unpacked."""
    check_regular(file)
    try:
        with ZipFile(file) as content:
            all_names = [name.removesuffix(".npy") for name in content.namelist()]
            names = [name for name in all_names if re.fullmatch(r"(world|scale)_mat_[0-9]{1,9}", name)]
            arrays = {name: _matrix(content, f"{name}.npy") for name in names}
            others = sorted(set(all_names) - set(names))
    except _NoMatrix as error:
        raise ValueError(f"{file}: {error}") from None
    except Exception as error:  # a damaged archive leads to nearly any of them
        reason = first_line(error, 120)
        raise ValueError(f"{file}: not a readable .npz file ({reason}); is it complete?") from error
    if not any(name.startswith("world_mat_") for name in arrays):
        raise ValueError(f"{file}: expected arrays world_mat_0, ..., got {', '.join(others[:6]) or 'none'}")
    for name, array in arrays.items():
        if not (np.abs(array) <= LARGEST).all():
            raise ValueError(f"{file}: {name}: expected a 4x4 matrix of finite numbers, got others")
    return arrays


def _matrix(archive: ZipFile, member: str) -> np.ndarray:
    """A matrix as float64, whose shape is looked at before it is read: zeros by the gigabyte take few bytes."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, by_columns, dtype = read(file)
        if shape not in ((4, 4), (3, 4)) or dtype.kind not in "fiu":
            name = member.removesuffix(".npy")
            raise _NoMatrix(f"{name}: expected a 4x4 matrix of numbers, got {dtype} of shape {shape}")
        values = np.frombuffer(file.read(int(np.prod(shape)) * dtype.itemsize), dtype)
        return values.reshape(shape, order="F" if by_columns else "C").astype(np.float64)


def _keys(file: Path, arrays: Mapping[str, np.ndarray], images: list[Path]) -> list[int]:
    """The number of the camera of each image: the one in its name, else its place in the order of names."""
    known = _numbers(arrays)
    own = [last_number(image.stem) for image in images]
    numbered = [number for number in own if number is not None and number in known]
    if len(set(numbered)) == len(images):
        return numbered
    if len(known) == len(images):
        return known
    raise ValueError(
        f"{file}: {len(known)} cameras for {len(images)} images in {images[0].parent}, and the images' numbers do not "
        "tell which is whose; expected one image per camera"
    )


def _numbers(arrays: Mapping[str, np.ndarray]) -> list[int]:
    """Of the cameras."""
    return sorted(int(name.rsplit("_", 1)[1]) for name in arrays if name.startswith("world_mat_"))


def _tell_left_out(file: Path, arrays: Mapping[str, np.ndarray], keys: list[int], record: Record) -> None:
    """Notes of other arrays, and of cameras without an image: photographs taken out, or numbered from 1."""
    with ZipFile(file) as content:
        names = [name.removesuffix(".npy") for name in content.namelist()]
    # Inverses and camera_mat say again what the others say.
    known = r"(world|scale|camera)_mat(_inv)?_[0-9]{1,9}"
    others = [name[:40] for name in names if not re.fullmatch(known, name)]
    if others:
        record.add(UNUSED, f"{file.name}: arrays {some(others)}")
    lost = [number for number in _numbers(arrays) if number not in keys]
    if lost:
        plural = "s" * (len(lost) > 1)
        record.add(
            UNUSED,
            f"{file.name}: no image is numbered as world_mat{plural} {some([str(number) for number in lost], 4)}; "
            "do all of them count from 0?",
        )


def _shot(file: Path, arrays: Mapping[str, np.ndarray], key: int, image: Path, mask: MaskFile | None) -> Shot:
    where = f"{file}: world_mat_{key} ({image.name})"
    world_mat = arrays[f"world_mat_{key}"]
    scale = np.abs(world_mat[:3, :3]).max()
    if not np.linalg.cond(world_mat[:3, :3] / max(scale, 1e-300)) < 1e12:
        raise ValueError(f"{where}: expected a camera with a centre, got a singular matrix")
    try:
        # Size does not matter here: the principal point is not compared with it.
        camera = from_idr(torch.from_numpy(world_mat / scale), height=1, width=1)
    except ValueError as error:
        raise ValueError(f"{where}: {str(error).removeprefix('cameras[0]: ')}") from None
    intrinsics = camera.intrinsics[0].numpy()
    matrix = camera.world_to_camera[0].numpy()
    return Shot(image, image.stem, matrix, intrinsics, where, **mask_of(mask))


def _ball(file: Path, arrays: Mapping[str, np.ndarray], keys: list[int], views: Views) -> Ball | None:
    """The ball that a scale_mat says holds the object; None for the identity. ValueError if it is nowhere near."""
    name = f"scale_mat_{keys[0]}"
    if name not in arrays or np.array_equal(arrays[name][:3], np.eye(4)[:3]):
        return None
    matrix, point = arrays[name], meeting_point(views)
    radius = float(np.linalg.norm(matrix[:3, 0]))
    if point is not None:
        check_sphere_fits(matrix[:3, 3], radius, point, first_half_size(views, point), f"{file}: {name}")
    return Ball(torch.from_numpy(matrix[:3, 3].copy()), radius)
