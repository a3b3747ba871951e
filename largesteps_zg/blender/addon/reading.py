"""Cameras of runs and scenes from their JSON files."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

OF_SCENES = ("transforms_train.json", "transforms.json")
LENS_TERMS = ("k1", "k2", "k3", "k4", "p1", "p2")


@dataclass(frozen=True)
class Seen:
    """A camera of a file.

    Attributes
    ----------
    name : str
    picture : Path or None
        Where there is one, and Blender can show it: its cameras have no lens that bends lines.
    pose : (4, 4) float64
        Camera to world, y up and z backward, as Blender's.
    focal, middle : (2,) float64
        Focal lengths and principal point in pixels, y down.
    size : (2,) float64
        Width and height of the picture that these are pixels of.
    """

    name: str
    picture: Path | None
    pose: np.ndarray
    focal: np.ndarray
    middle: np.ndarray
    size: np.ndarray

    def shares(self) -> np.ndarray:
        """Focal lengths and principal point in widths and heights of the picture, whatever its size."""
        return np.concatenate([self.focal / self.size, self.middle / self.size])


def read_json(file: Path) -> dict[str, Any]:
    """ValueError, which names the file, for what is not an object in JSON."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: expected an object in JSON, got {type(content).__name__}")
    return content


def read_cameras(file: Path) -> list[Seen]:
    """Cameras of ``cameras.json`` or ``transforms*.json``, each with its picture where that is there.

    Raises
    ------
    ValueError
        The file cannot be read, or holds no cameras; it names the frame that is wrong.
    """
    content = read_json(file)
    frames = content.get("frames")
    if not isinstance(frames, list) or not frames:
        raise ValueError(f"{file}: expected a list 'frames' with cameras")
    made = []
    for index, frame in enumerate(frames):
        try:
            made.append(_camera(file.parent, {**content, **frame}))
        except (KeyError, TypeError, ValueError) as error:
            cause = f"{error} is missing" if isinstance(error, KeyError) else error
            raise ValueError(f"{file}: frame {index}: {cause}") from error
    return made


def _camera(folder: Path, frame: dict[str, Any]) -> Seen:
    """A frame, with what all frames share."""
    given = folder / str(frame["file_path"])
    places = (given, *(Path(f"{given}{end}") for end in (".png", ".jpg", ".jpeg")))
    picture = next((place for place in places if place.is_file()), None)
    pose = np.array(frame["transform_matrix"], dtype=np.float64)
    if pose.shape != (4, 4) or not np.isfinite(pose).all():
        raise ValueError("expected a transform_matrix of 4 x 4 numbers")
    if frame.get("w") and frame.get("h"):
        width, height = float(frame["w"]), float(frame["h"])
    elif picture is not None:
        width, height = _image_size(picture)
    else:
        raise ValueError(f"expected w and h, or a picture {given}")
    if frame.get("fl_x"):
        across = float(frame["fl_x"])
    else:
        across = 0.5 * width / np.tan(0.5 * float(frame["camera_angle_x"]))
    numbers = (
        across,
        frame.get("fl_y") or across,
        frame.get("cx", 0.5 * width),
        frame.get("cy", 0.5 * height),
    )
    lens = np.array([float(number) for number in numbers])
    if not np.isfinite(lens).all() or min(lens[:2]) <= 0:
        raise ValueError(f"expected focal lengths > 0 and a principal point, got {lens.tolist()}")
    if any(float(frame.get(term) or 0) for term in LENS_TERMS):
        picture = None
    name = Path(str(frame["file_path"]).removeprefix("./")).with_suffix("").as_posix()
    return Seen(name, picture, pose, lens[:2], lens[2:], np.array([width, height]))


def _image_size(file: Path) -> tuple[float, float]:
    """Width and height in pixels."""
    import bpy

    image = bpy.data.images.load(str(file))
    width, height = image.size
    bpy.data.images.remove(image)
    return float(width), float(height)


def cameras_of(folder: Path) -> tuple[list[Seen], np.ndarray, float, bool]:
    """Cameras of a folder, scaled as mesh.glb is; the turn (3, 3) that sets its coordinates upright, z up; the scale.

    Last, whether the folder is a run's.

    Raises
    ------
    ValueError
        It is the folder of no run and of no scene in transforms form, or see `read_cameras`.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder")
    is_run = (folder / "run.json").is_file()
    names = ("cameras.json",) if is_run else OF_SCENES
    file = next((folder / name for name in names if (folder / name).is_file()), None)
    if file is None:
        raise ValueError(
            f"{folder}: the run has no cameras.json; repeat it with largesteps_zg 0.2 or newer"
            if is_run
            else f"{folder}: expected the folder of a run (run.json) or of a scene ({' or '.join(OF_SCENES)})"
        )
    upright = np.array(read_json(file).get("upright", np.eye(3)), dtype=np.float64)
    if upright.shape != (3, 3) or np.abs(upright @ upright.T - np.eye(3)).max() > 1e-3:
        raise ValueError(f"{file}: expected 'upright' to be a rotation of 3 x 3 numbers")
    scale = float(read_json(file).get("scale", 1.0))
    if not 0 < scale < np.inf:
        raise ValueError(f"{file}: expected 'scale' > 0, got {scale}")
    cameras = read_cameras(file)
    for camera in cameras:
        camera.pose[:3, 3] *= scale
    return (_with_pictures(cameras, folder) if is_run else cameras), upright, scale, is_run


def _with_pictures(cameras: list[Seen], run: Path) -> list[Seen]:
    """A run's cameras with the photographs of its scene, where these are the same pictures at some size."""
    scene = read_json(run / "run.json").get("scene")
    path = scene.get("path") if isinstance(scene, dict) else None
    # A relative one began at a folder that is not known any more.
    places = [above / path for above in (run, *run.absolute().parents)] if path else []
    files = [place / name for place in places for name in OF_SCENES if (place / name).is_file()]
    taken = read_cameras(files[0]) if files else []
    made = []
    for camera in cameras:
        name = camera.name.removeprefix("photographs/")
        same = [each for each in taken if each.name == name or each.name.endswith(f"/{name}")]
        # Not where a photograph was cut or lost a lens on its way into the run. A size is rounded to whole pixels.
        fits = len(same) == 1 and np.abs(same[0].shares() - camera.shares()).max() < 1.0 / camera.size.min()
        made.append(replace(camera, picture=same[0].picture) if camera.picture is None and fits else camera)
    return made
