"""Scenes to folders, in the form that transforms.py reads and other NeRF programs know."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from PIL import Image

from .._support.atomic import atomic_path, remove_leftovers
from .._support.regular_files import read_regular
from .._support.threads import in_threads
from ..cameras.model import Cameras
from ..mesh.files import save_mesh
from .views import Scene, Views

# Holds sums of the JSON files that are being written. What is left of them by a process that was killed is told from a
# user's own by these, which a name alone would not do.
UNFINISHED = ".unfinished.txt"
_MOST_SUMS = 2 * 65  # bytes
_OURS = (UNFINISHED, "transforms_train.json", "transforms_test.json", "mesh.ply")


def save_scene(path: str | os.PathLike[str], scene: Scene) -> None:
    """Write a scene in NeRF-synthetic form: transforms_train.json, train/NAME.png, the same for test, mesh.ply.

    Intrinsics are written twice, as `camera_angle_x` for programs that know no more and as fl_x, fl_y, cx, cy, w, h.
    `load_scene` reads back the same images and, to the last digits of float64, the same cameras. The JSON files come
    last, each whole or not at all, so a folder that was left half written is no scene; it may be written to again.

    Parameters
    ----------
    path
        The folder, made where it does not exist; a scene that was saved there before is replaced.
    scene : Scene

    Raises
    ------
    ValueError
        View names that are not distinct relative paths, intrinsics with skew (the format has no place for it), or a
        folder with a mesh.ply or mesh.obj that would be taken for this scene's.
    OSError
        The folder cannot be written.
    """
    folder = Path(path)
    splits = {"train": scene.train, "test": scene.test}
    for views in splits.values():
        if views is not None:
            _check_names(views.names)
            _check_skew(views)
    stale = [name for name in ("mesh.ply", "mesh.obj") if (folder / name).exists()]
    if stale and scene.mesh is None:
        raise ValueError(
            f"{folder / stale[0]}: would be read as the surface of this scene; choose an empty folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder, _OURS.__contains__)
    texts = {name: _text(name, views) for name, views in splits.items() if views is not None}
    for name in (*splits, "val"):
        (folder / f"transforms_{name}.json").unlink(missing_ok=True)
    with atomic_path(folder / UNFINISHED) as part:
        part.write_text("".join(f"{_sum(text.encode())}\n" for text in texts.values()), encoding="utf-8")
    if scene.mesh is not None:
        save_mesh(folder / "mesh.ply", scene.mesh)
    for name, views in splits.items():
        if views is not None:
            save_images(folder / name, views)
    for name, text in reversed(texts.items()):  # train last: with it the folder becomes a scene
        with atomic_path(folder / f"transforms_{name}.json") as part:
            part.write_text(text, encoding="utf-8")
    (folder / UNFINISHED).unlink()


def is_part_of_unfinished(file: Path) -> bool:
    """Whether `save_scene` wrote this JSON file, and was stopped before the scene was whole."""
    try:
        sums = read_regular(file.parent / UNFINISHED, largest=_MOST_SUMS).decode().split()
        return _sum(read_regular(file)) in sums
    except (OSError, ValueError):
        return False


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _text(split: str, views: Views) -> str:
    return json.dumps(transforms(split, views), indent=1) + "\n"


def _check_names(names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        pure = PurePosixPath(name)
        if not name or pure.is_absolute() or ".." in pure.parts or "\\" in name or pure.as_posix() != name:
            raise ValueError(f"names: expected relative paths such as r_000, got {name!r} for view {index}")
        if name in names[:index]:
            first = names.index(name)
            raise ValueError(f"names: expected one name per view, got {name!r} for views {first} and {index}")


def _check_skew(views: Views) -> None:
    skew = views.cameras.intrinsics[:, 0, 1].abs()
    for index in (skew > 1e-3).nonzero()[:1, 0].tolist():  # a thousandth of a pixel is rounding
        raise ValueError(
            f"view {views.names[index]}: intrinsics with skew {skew[index]:.3g} cannot be written"
        )


def save_images(folder: Path, views: Views) -> None:
    """One RGBA PNG per view, NAME.png, written by several threads."""
    files = [folder / f"{name}.png" for name in views.names]
    for parent in {file.parent for file in files}:
        parent.mkdir(parents=True, exist_ok=True)
    images = views.images.cpu().numpy()

    def save(index: int) -> None:
        # Level 6 takes three times as long for files that are a few per cent smaller.
        Image.fromarray(images[index]).save(files[index], compress_level=3)

    in_threads(save, range(len(files)))


def transforms(split: str, views: Views) -> dict[str, Any]:
    """What the JSON file of a split holds; intrinsics at the top where all cameras share them, else in each frame."""
    cameras = views.cameras.to(device="cpu", dtype=torch.float64)
    poses = _opengl_poses(cameras)
    lenses = [_lens(k, cameras) for k in cameras.intrinsics]
    shared = all(lens == lenses[0] for lens in lenses)
    frames = [
        {"file_path": f"./{split}/{name}", **({} if shared else lens), "transform_matrix": pose}
        for name, lens, pose in zip(views.names, lenses, poses, strict=True)
    ]
    # camera_angle_x stays at the top in any case: programs for NeRF-synthetic scenes look for it only there.
    top = lenses[0] if shared else {"camera_angle_x": lenses[0]["camera_angle_x"]}
    return {**top, "frames": frames}


def _lens(k: torch.Tensor, cameras: Cameras) -> dict[str, float]:
    fx, fy, cx, cy = (float(k[row, column]) for row, column in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return {
        "camera_angle_x": 2 * math.atan(0.5 * cameras.width / fx),
        "camera_angle_y": 2 * math.atan(0.5 * cameras.height / fy),
        "fl_x": fx,
        "fl_y": fy,
        "cx": cx,
        "cy": cy,
        "w": cameras.width,
        "h": cameras.height,
    }


def _opengl_poses(cameras: Cameras) -> list[list[list[float]]]:
    """Camera-to-world, y up and z backward."""
    flip = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
    poses: list[list[list[float]]] = (torch.linalg.inv(cameras.world_to_camera) * flip).tolist()
    return poses
