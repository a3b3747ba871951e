"""NeRF-synthetic, Instant-NGP and nerfstudio scenes: `transforms*.json` beside images.

    scene/                          or      scene/
      transforms_train.json                   transforms.json     may list train_filenames, test_filenames
      transforms_test.json (or _val)          images/*.jpg
      train/r_000.png ...                     masks/*.png         or mask_path in each frame
      mesh.ply or mesh.obj                    mesh.ply or mesh.obj

Poses are camera-to-world with OpenGL axes. Intrinsics stand in the frame or, shared, at the top.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..camera_model import rotation_fault
from ..cameras import Cameras, from_opengl, pinhole
from ..mesh import load_mesh
from .bounds import check_views_meet
from .fields import kind, matrix, number, read_json, text
from .images import SUFFIXES, ImageFiles, image_size, read_views
from .views import Scene, Views

LOOKS_FOR = "transforms_train.json or transforms.json"

# With all coefficients 0 these are pinhole cameras; others (fisheye, panoramas) never are.
_PINHOLE_MODELS = (
    "PINHOLE",
    "SIMPLE_PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "OPENCV",
    "FULL_OPENCV",
    "PERSPECTIVE",
)
_DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
_UNDISTORT = "undistort the images first (colmap image_undistorter, or cv2.undistort)"


@dataclass(frozen=True)
class _Frame:
    """An entry of `frames` and the place it has in messages."""

    fields: dict[str, Any]
    shared: dict[str, Any]
    file_path: str
    where: str

    def get(self, key: str, default: Any = None) -> Any:
        """The frame's own field, else the one that all frames share."""
        return self.fields.get(key, self.shared.get(key, default))


def recognises(path: Path) -> bool:
    """Whether the folder holds a file that `load` begins with."""
    return (path / "transforms_train.json").is_file() or (path / "transforms.json").is_file()


def load(path: Path) -> Scene:
    """Read the scene in a folder; see `scenes.load_scene` for what is raised."""
    train, test = _splits(path)
    views = _views(path, train)
    check_views_meet(views)
    meshes = [path / name for name in ("mesh.ply", "mesh.obj") if (path / name).is_file()]
    return Scene(
        path=path,
        format="transforms",
        train=views,
        test=_views(path, test) if test else None,
        mesh=load_mesh(meshes[0]) if meshes else None,
    )


def _splits(path: Path) -> tuple[list[_Frame], list[_Frame]]:
    """Frames to reconstruct from and held-out ones, the latter possibly empty."""
    if (path / "transforms_train.json").is_file():
        held_out = [path / f"transforms_{name}.json" for name in ("test", "val")]
        held_out = [file for file in held_out if file.is_file()]
        return _frames(path / "transforms_train.json")[0], _frames(held_out[0])[0] if held_out else []
    file = path / "transforms.json"
    if not file.is_file():
        raise FileNotFoundError(f"{path}: expected {LOOKS_FOR}, found neither")
    frames, content = _frames(file)
    train = _listed(frames, content, "train_filenames", file)
    test = _listed(frames, content, "test_filenames", file)
    test = test if test is not None else _listed(frames, content, "val_filenames", file)
    if train is None:
        held_out_ids = {id(frame) for frame in test or []}
        train = [frame for frame in frames if id(frame) not in held_out_ids]
    if not train:
        raise ValueError(f"{file}: no frame is left for training; shorten test_filenames")
    return train, test or []


def _frames(file: Path) -> tuple[list[_Frame], dict[str, Any]]:
    """The frames of one file, in its order, and the whole content."""
    content = read_json(file)
    entries = content.get("frames")
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{file}: expected a list 'frames' with at least one frame, got {kind(entries)}")
    frames = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise ValueError(f"{file}: frame {index}: expected an object, got {kind(entry)}")
        file_path = text(entry, "file_path", f"{file}: frame {index}")
        frames.append(_Frame(entry, content, file_path, f"{file}: frame {index} ({file_path})"))
    return frames, content


def _listed(frames: list[_Frame], content: dict[str, Any], key: str, file: Path) -> list[_Frame] | None:
    """The frames whose files the list `key` names, in the file's order; None where there is no such list."""
    names = content.get(key)
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{file}: expected a list of file names for {key}, got {kind(names)}")
    wanted = {os.path.normpath(name) for name in names}
    missing = wanted - {os.path.normpath(frame.file_path) for frame in frames}
    if missing:
        raise ValueError(f"{file}: {key} names {min(missing)!r}, which no frame has as its file_path")
    return [frame for frame in frames if os.path.normpath(frame.file_path) in wanted]


def _views(folder: Path, frames: list[_Frame]) -> Views:
    """Cheap checks first (cameras, headers of the images), then the pixels."""
    for frame in frames:
        _check_lens(frame)
    poses = torch.tensor(
        [matrix(frame.fields, "transform_matrix", frame.where) for frame in frames], dtype=torch.float64
    )
    fault = rotation_fault(poses[:, :3, :3])
    if fault is not None:
        raise ValueError(f"{frames[fault[0]].where}: transform_matrix {fault[1]}")
    files = [_find_files(folder, frame) for frame in frames]
    sizes = [image_size(file.image) for file in files]
    for file, size in zip(files, sizes, strict=True):
        if size != sizes[0]:
            raise ValueError(
                f"images differ in size: {files[0].image} has {sizes[0][0]}x{sizes[0][1]} pixels, "
                f"{file.image} {size[0]}x{size[1]}; resize or crop them to one size"
            )
    width, height = sizes[0]
    intrinsics = torch.stack([_intrinsics(frame, width, height) for frame in frames])
    try:
        cameras: Cameras = from_opengl(poses, intrinsics, height=height, width=width)
    except ValueError as error:
        raise ValueError(f"{frames[0].where.split(': frame')[0]}: {error}") from None
    return Views(read_views(files, (width, height)), cameras, _names([file.image for file in files]))


def _check_lens(frame: _Frame) -> None:
    """ValueError for lenses that are not pinholes."""
    model = frame.get("camera_model", "PINHOLE")
    if not isinstance(model, str) or model.upper() not in _PINHOLE_MODELS:
        raise ValueError(f"{frame.where}: camera_model {kind(model)} is not a pinhole camera; {_UNDISTORT}")
    if frame.get("is_fisheye") is True:
        raise ValueError(f"{frame.where}: a fisheye lens (is_fisheye) is not a pinhole camera; {_UNDISTORT}")
    for key in _DISTORTION:
        value = frame.get(key)
        if value is not None and number({key: value}, key, frame.where) != 0:
            raise ValueError(
                f"{frame.where}: lens distortion ({key} = {value:g}) is not supported; {_UNDISTORT}"
            )


def _intrinsics(frame: _Frame, width: int, height: int) -> torch.Tensor:
    """K for the image as it is on disk, which may be smaller than the one that was calibrated."""
    fields = {**frame.shared, **frame.fields}
    w = number(fields, "w", frame.where, positive=True) if "w" in fields else width
    h = number(fields, "h", frame.where, positive=True) if "h" in fields else height
    if abs(width * h - height * w) > max(w, h):  # more than the pixel that is lost in rounding
        raise ValueError(
            f"{frame.where}: image has {width}x{height} pixels but w and h say {w:g}x{h:g}, another shape; "
            "was it cropped or turned?"
        )
    fx, fy = _focal(frame, "x", w), _focal(frame, "y", h)
    fx, fy = fx or fy, fy or fx
    if fx is None or fy is None:
        raise ValueError(
            f"{frame.where}: no focal length; expected camera_angle_x (radians) or fl_x (pixels)"
        )
    cx = number(fields, "cx", frame.where) if "cx" in fields else w / 2
    cy = number(fields, "cy", frame.where) if "cy" in fields else h / 2
    across, down = width / w, height / h
    return pinhole(fx * across, fy * down, cx * across, cy * down, dtype=torch.float64)


def _focal(frame: _Frame, axis: str, size: float) -> float | None:
    """Focal length along an axis in pixels; what the frame says goes before what all share."""
    for fields in (frame.fields, frame.shared):
        if f"fl_{axis}" in fields:
            return number(fields, f"fl_{axis}", frame.where, positive=True)
        key = f"camera_angle_{axis}"
        if key in fields:
            angle = number(fields, key, frame.where, positive=True)
            if not 1e-6 < angle < math.pi:
                raise ValueError(
                    f"{frame.where}: expected an angle in (0, pi) radians for {key}, got {angle:g}"
                )
            return 0.5 * size / math.tan(angle / 2)
    return None


def _find_files(folder: Path, frame: _Frame) -> ImageFiles:
    """The frame's image, whose suffix may be left out, and its mask."""
    image = _existing(folder, frame.file_path)
    if image is None:
        raise FileNotFoundError(
            f"{frame.where}: image not found; looked for {folder / frame.file_path}, also with {', '.join(SUFFIXES)}"
        )
    if "mask_path" not in frame.fields:
        return ImageFiles(image, spare_mask=_sibling_mask(folder, image))
    mask_path = text(frame.fields, "mask_path", frame.where)
    mask = _existing(folder, mask_path)
    if mask is None:
        raise FileNotFoundError(f"{frame.where}: mask not found; looked for {folder / mask_path}")
    return ImageFiles(image, mask=mask)


def _existing(folder: Path, name: str) -> Path | None:
    """The file of that name, with or without its suffix."""
    name = name if os.sep == "\\" or (folder / name).is_file() else name.replace("\\", "/")
    endings = ("", *SUFFIXES, *(suffix.upper() for suffix in SUFFIXES))
    return next((folder / f"{name}{end}" for end in endings if (folder / f"{name}{end}").is_file()), None)


def _sibling_mask(folder: Path, image: Path) -> Path | None:
    """images/a.jpg -> masks/a.png, masks/a.jpg or, as COLMAP has it, masks/a.jpg.png."""
    places = [image.parent.parent / "masks", image.parent / "masks", folder / "masks"]
    if image.parent != folder and image.is_relative_to(folder):
        # images/left/a.jpg -> masks/left/a.png
        places.append(folder / "masks" / Path(*image.parent.relative_to(folder).parts[1:]))
    places = [place for place in places if place.is_dir()]  # most scenes have none; saves a hundred look-ups
    found = (_existing(place, name) for place in places for name in (image.stem, image.name))
    return next((file for file in found if file is not None and file != image), None)


def _names(files: Sequence[Path]) -> tuple[str, ...]:
    """What tells the files apart: their paths below the folder that all are in, without suffixes where that does."""
    common = os.path.commonpath([file.parent for file in files])
    paths = [Path(os.path.relpath(file, common)) for file in files]
    short = [path.with_suffix("").as_posix() for path in paths]
    return tuple(short if len(set(short)) == len(short) else [path.as_posix() for path in paths])
