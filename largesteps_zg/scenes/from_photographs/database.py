"""COLMAP's database of photographs: lenses, features and matches, so that work which was interrupted goes on there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..._support.atomic import atomic_path
from ...constants import Structure
from .collection import Photograph

DATABASE, KEY, SPARSE = "database.db", "photographs.json", "sparse"
STILL = "still.json"  # the share of the features that were dropped because they stand still
_USUAL = 1.2  # times the longer side: the focal length to start from where EXIF has none, as in COLMAP
_LENS = "SIMPLE_RADIAL"  # a second coefficient makes models of few photographs fall apart


def key_of(photographs: Sequence[Photograph], constants: Structure) -> str:
    """What the database was made from, as text: other photographs or other numbers need another one."""
    told = {"photographs": {p.name: p.digest for p in photographs}, "constants": vars(constants)}
    return json.dumps(told, indent=1)


def prepared(folder: Path, photographs: Sequence[Photograph], constants: Structure, pycolmap: Any) -> Path:
    """The database with a row for each photograph, numbered from 1; emptied where it was made from others."""
    file, key, text = folder / DATABASE, folder / KEY, key_of(photographs, constants)
    if file.is_file() and key.is_file() and key.read_text(encoding="utf-8") == text:
        return file
    for old in (key, folder / STILL, *folder.glob(f"{DATABASE}*"), *_files_of_models(folder / SPARSE)):
        old.unlink(missing_ok=True)
    database = pycolmap.Database.open(file)
    try:
        _write(database, photographs, pycolmap)
    finally:
        database.close()
    with atomic_path(key) as part:  # last: a database without it is made anew
        part.write_text(text, encoding="utf-8")
    return file


def names_in(photographs: Sequence[Photograph]) -> list[str]:
    """What photographs are called in the database: without white space, at which COLMAP's lists of pairs end a name."""
    return [
        f"{index}-{''.join(photograph.name.split())}" if len(photograph.name.split()) > 1 else photograph.name
        for index, photograph in enumerate(photographs, 1)
    ]


def _files_of_models(sparse: Path) -> list[Path]:
    """What this program has written of models, and nothing else."""
    names = ("cameras", "images", "points3D", "rigs", "frames")
    return [file for name in names for file in sparse.glob(f"*/{name}.bin")]


def _write(database: Any, photographs: Sequence[Photograph], pycolmap: Any) -> None:
    numbers: dict[tuple[int, int, str], tuple[int, int]] = {}
    for index, (photograph, name) in enumerate(zip(photographs, names_in(photographs), strict=True), 1):
        if photograph.camera not in numbers:
            focal = photograph.focal or _USUAL * max(photograph.width, photograph.height)
            camera = pycolmap.Camera.create_from_model_name(
                len(numbers) + 1, _LENS, focal, photograph.width, photograph.height
            )
            camera.has_prior_focal_length = photograph.focal is not None
            rig = pycolmap.Rig(rig_id=database.write_camera(camera, use_camera_id=True))
            rig.add_ref_sensor(camera.sensor_id)
            numbers[photograph.camera] = camera.camera_id, database.write_rig(rig, use_rig_id=True)
        camera_id, rig_id = numbers[photograph.camera]
        image = pycolmap.Image(name=name, camera_id=camera_id, image_id=index)
        database.write_image(image, use_image_id=True)
        frame = pycolmap.Frame(frame_id=index, rig_id=rig_id)
        frame.add_data_id(image.data_id)
        database.write_frame(frame, use_frame_id=True)


def verified_pairs(file: Path) -> int:
    """How many pairs of photographs were looked at, those of a block that is being written aside."""
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=0.1) as database:
            return int(database.execute("SELECT COUNT(*) FROM two_view_geometries").fetchone()[0])
    except sqlite3.Error:  # locked: the next look will tell
        return 0
