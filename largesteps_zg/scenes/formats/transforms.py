"""NeRF-synthetic, Instant-NGP and nerfstudio scenes: `transforms*.json` beside images.

    scene/                          or      scene/
      transforms_train.json                   transforms.json     may list train_filenames, test_filenames
      transforms_test.json (or _val)          images/*.jpg
      train/r_000.png ...                     masks/*.png         or mask_path in each frame
      mesh.ply or mesh.obj                    mesh.ply or mesh.obj

Poses are camera-to-world with OpenGL axes. Intrinsics and the lens's coefficients stand in the frame or, shared, at the
top.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...cameras.conventions import from_opengl, pinhole
from ...cameras.model import rotation_fault
from ...images.files import SUFFIXES, image_size
from ...mesh.files import load_mesh
from ...mesh.mesh import compact
from ..photographs.assemble import assemble
from ..photographs.lenses import fisheye_lens, opencv_lens
from ..photographs.lookup import Lookup
from ..photographs.mask_files import MaskFinder
from ..provenance import UNUSED, Record, counted, some
from ..reading import Reading
from ..sanity import check_shots
from ..shots import Lens, Shot
from ..views import Scene
from .distortion import DISTORTION, LISTS, distortion
from .fields import kind, matrix, number, read_json, text

LOOKS_FOR = "transforms_train.json or transforms.json"

# x (1 + k1 r^2 + k2 r^4 + k3 r^6 + k4 r^8) and p1, p2: nerfstudio's OPENCV; the others leave some of them 0.
_POLYNOMIAL = ("PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "PERSPECTIVE")
# An angle without coefficients, as COLMAP has it, or with those of OpenCV's fisheye.
_FISHEYES = ("SIMPLE_FISHEYE", "FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "OPENCV_FISHEYE")
_UNDERSTOOD = {
    *(
        "frames",
        "file_path",
        "transform_matrix",
        "mask_path",
        "train_filenames",
        "test_filenames",
        "val_filenames",
    ),
    *("camera_angle_x", "camera_angle_y", "fl_x", "fl_y", "cx", "cy", "w", "h", "camera_model", "is_fisheye"),
    *DISTORTION,
    *LISTS,
}


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
    """Whether the folder holds a file that `load` begins with, or is such a file."""
    path = _folder(path)
    return (path / "transforms_train.json").is_file() or (path / "transforms.json").is_file()


def load(path: Path, reading: Reading = Reading()) -> Scene:  # noqa: B008
    """Read the scene in a folder; see `scenes.load_scene` for what is raised."""
    path = _folder(path)
    record, lookup = Record(path), Lookup()
    train, test = _splits(path, lookup, record)
    finder = MaskFinder(path)
    shots = [_shots(path, frames, lookup, finder, reading) for frames in (train, test)]
    lookup.tell(record, len(train) + len(test))
    _tell_fields([*train, *test], record)
    # Together, so that all agree about the background.
    views = assemble([*shots[0], *shots[1]], reading, record)
    meshes = [path / name for name in ("mesh.ply", "mesh.obj") if (path / name).is_file()]
    for mesh in meshes[1:]:
        record.add(UNUSED, f"{mesh.name}, because {meshes[0].name} goes before")
    return Scene(
        path=path,
        format="transforms",
        train=views[: len(train)],
        test=views[len(train) :] if test else None,
        mesh=compact(load_mesh(meshes[0], dtype=torch.float64)) if meshes else None,
        provenance=tuple(record.notes),
    )


def _folder(path: Path) -> Path:
    """The scene's, also where one of its files is named."""
    named = path.is_file() and path.name.startswith("transforms") and path.suffix == ".json"
    return path.parent if named else path


def _splits(path: Path, lookup: Lookup, record: Record) -> tuple[list[_Frame], list[_Frame]]:
    """Frames to reconstruct from and held-out ones, the latter possibly empty."""
    file = path / "transforms_train.json"
    if file.is_file():
        train, _ = _frames(file)
        held_out = [path / f"transforms_{name}.json" for name in ("test", "val")]
        splits = [(found.name, _frames(found)[0]) for found in held_out if found.is_file()]
        used = {file.name, *(name for name, _ in splits)}
        for other in sorted(path.glob("transforms*.json")):
            if other.name not in used:
                record.add(UNUSED, f"{other.name}, because {file.name} goes before")
    else:
        file = path / "transforms.json"
        if not file.is_file():
            raise FileNotFoundError(f"{path}: expected {LOOKS_FOR}, found neither")
        train, splits = _listed_splits(file, record)
        for other in sorted(path.glob("transforms?*.json")):
            record.add(UNUSED, f"{other.name}, because there is no transforms_train.json")
    test: list[_Frame] = []
    said = f"{file.name}, {counted(len(train), 'view')}"
    for name, frames in splits:
        if not any(lookup.find(path, frame.file_path) for frame in frames):
            # As BlenderNeRF leaves them, which renders no test views.
            record.add(
                UNUSED,
                f"{name}: {counted(len(frames), 'frame')}, of which no image is there ({frames[0].file_path})",
            )
        elif test:
            record.add(UNUSED, f"{name}: {counted(len(frames), 'frame')}, because another split is held out")
        else:
            test = frames
            said += f" to reconstruct from; {name}, {counted(len(frames), 'view')} held out"
    record.add("split", said)
    return train, test


def _listed_splits(file: Path, record: Record) -> tuple[list[_Frame], list[tuple[str, list[_Frame]]]]:
    """Frames of a single file to reconstruct from, and what its lists call other splits."""
    frames, content = _frames(file)
    train = _listed(frames, content, "train_filenames", file)
    listed = {key: _listed(frames, content, key, file) for key in ("test_filenames", "val_filenames")}
    splits = [(key, chosen) for key, chosen in listed.items() if chosen]
    if train is None:
        held_out = next((chosen for _, chosen in splits), [])
        elsewhere = {id(frame) for frame in held_out}
        train = [frame for frame in frames if id(frame) not in elsewhere]
        splits = splits[:1]
    if not train:
        cure = "shorten test_filenames" if content.get("train_filenames") is None else "fill train_filenames"
        raise ValueError(f"{file}: no frame is left for training; {cure}")
    listed_ids = {id(frame) for chosen in (train, *(chosen for _, chosen in splits)) for frame in chosen}
    rest = [frame.file_path for frame in frames if id(frame) not in listed_ids]
    if rest:
        record.add(
            UNUSED, f"{file.name}: {counted(len(rest), 'frame')} that no list of files names ({some(rest)})"
        )
    return train, splits


def _tell_fields(frames: Sequence[_Frame], record: Record) -> None:
    """A note of the fields that mean nothing here: sizes of boxes, depth files, and what no one has heard of."""
    names = {name: None for frame in frames for fields in (frame.shared, frame.fields) for name in fields}
    unknown = [name for name in names if name not in _UNDERSTOOD]
    if unknown:
        record.add(
            UNUSED, f"fields of the JSON file: {', '.join(repr(name)[1:-1][:40] for name in unknown[:20])}"
        )


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


def _shots(
    folder: Path, frames: list[_Frame], lookup: Lookup, finder: MaskFinder, reading: Reading
) -> list[Shot]:
    """Cameras and files; of the images only the headers are read."""
    if not frames:
        return []
    poses = torch.tensor(
        [matrix(frame.fields, "transform_matrix", frame.where) for frame in frames], dtype=torch.float64
    )
    fault = rotation_fault(poses[:, :3, :3])
    if fault is not None:
        raise ValueError(f"{frames[fault[0]].where}: transform_matrix {fault[1]}")
    images = [_image(folder, frame, lookup) for frame in frames]
    sizes = [image_size(image) for image in images]
    intrinsics = [_intrinsics(frame, *size) for frame, size in zip(frames, sizes, strict=True)]
    try:
        cameras = from_opengl(poses, torch.stack(intrinsics), height=1, width=1)
    except ValueError as error:
        raise ValueError(f"{frames[0].where.split(': frame')[0]}: {error}") from None
    shots = []
    for frame, image, name, world_to_camera, k, spare in zip(
        frames,
        images,
        _names(images),
        cameras.world_to_camera,
        intrinsics,
        finder.of_all(images),
        strict=True,
    ):
        mask = _mask(folder, frame, lookup)
        lens, lens_name = _lens(frame, k.numpy())
        shots.append(
            Shot(
                image,
                name,
                world_to_camera.numpy(),
                k.numpy(),
                frame.where,
                lens,
                mask=mask,
                spare_mask=None if spare is None or mask is not None else spare.file,
                mask_rule="mask_path" if mask is not None else spare.rule if spare is not None else "",
                lens_name=lens_name,
            )
        )
    sized = all(frame.get("w") is not None for frame in frames)
    check_shots(shots, sized=sized, constants=reading.advanced.checks)
    return shots


def _lens(frame: _Frame, intrinsics: np.ndarray) -> tuple[Lens | None, str]:
    """The lens, where it distorts, and the name of its model."""
    name = "PINHOLE" if frame.get("camera_model") is None else frame.get("camera_model")
    model = name.upper() if isinstance(name, str) else kind(name)
    if frame.get("is_fisheye") is True and model not in _FISHEYES:
        model = "OPENCV_FISHEYE"
    if model not in (*_POLYNOMIAL, "FULL_OPENCV", *_FISHEYES):
        known = ", ".join((*_POLYNOMIAL, "FULL_OPENCV", *_FISHEYES))
        raise ValueError(
            f"{frame.where}: expected camera_model to be one of {known}, got {kind(name)}; undistort the images first"
        )
    k1, k2, k3, k4, k5, k6, p1, p2 = distortion(
        frame.fields, frame.shared, frame.where, fisheye=model in _FISHEYES
    )
    if model in _FISHEYES:
        if any((k5, k6, p1, p2)):
            extra = {"k5": k5, "k6": k6, "p1": p1, "p2": p2}
            others = ", ".join(f"{key} = {value:g}" for key, value in extra.items() if value)
            raise ValueError(
                f"{frame.where}: expected k1 to k4 alone for camera_model {model}, got {others} too; correct "
                "camera_model, or undistort the images first"
            )
        return fisheye_lens(intrinsics, (k1, k2, k3, k4)), model
    if not any((k1, k2, k3, k4, k5, k6, p1, p2)):
        return None, ""
    if model == "FULL_OPENCV":
        return opencv_lens(intrinsics, (k1, k2, k3), (p1, p2), divisor=(k4, k5, k6)), model
    if k5 or k6:
        told = f"says {model}" if frame.get("camera_model") is not None else "names none"
        raise ValueError(
            f"{frame.where}: k5 = {k5:g} and k6 = {k6:g} belong to OpenCV's full model, expected camera_model "
            f'FULL_OPENCV, but the file {told}; add "camera_model": "FULL_OPENCV", or undistort the images first'
        )
    # Files of Instant-NGP name no model.
    return opencv_lens(intrinsics, (k1, k2, k3, k4), (p1, p2)), "OPENCV" if "PINHOLE" in model else model


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
        if fields.get(f"fl_{axis}") is not None:
            return number(fields, f"fl_{axis}", frame.where, positive=True)
        key = f"camera_angle_{axis}"
        if fields.get(key) is not None:
            angle = number(fields, key, frame.where, positive=True)
            if not 1e-6 < angle < math.pi:
                raise ValueError(
                    f"{frame.where}: expected an angle in (0, pi) radians for {key}, got {angle:g}"
                )
            return 0.5 * size / math.tan(angle / 2)
    return None


def _image(folder: Path, frame: _Frame, lookup: Lookup) -> Path:
    """The frame's image, whose suffix may be left out."""
    image = lookup.find(folder, frame.file_path)
    if image is None:
        raise FileNotFoundError(
            f"{frame.where}: image not found; looked for {folder / frame.file_path}, also with {', '.join(SUFFIXES)}"
            + (lookup.hint(folder, frame.file_path) or "; put it there, or take the frame out")
        )
    return image


def _mask(folder: Path, frame: _Frame, lookup: Lookup) -> Path | None:
    """The mask that the frame names."""
    if frame.fields.get("mask_path") is None:
        return None
    mask_path = text(frame.fields, "mask_path", frame.where)
    mask = lookup.find(folder, mask_path)
    if mask is None:
        raise FileNotFoundError(
            f"{frame.where}: mask not found; looked for {folder / mask_path}{lookup.hint(folder, mask_path)}"
        )
    return mask


def _names(files: Sequence[Path]) -> tuple[str, ...]:
    """What tells the files apart: their paths below the folder that all are in, without suffixes where that does."""
    files = [file.absolute() for file in files]
    common = os.path.commonpath([file.parent for file in files])
    paths = [Path(os.path.relpath(file, common)) for file in files]
    short = [path.with_suffix("").as_posix() for path in paths]
    return tuple(short if len(set(short)) == len(short) else [path.as_posix() for path in paths])
