"""Features that stand still in the photographs: a room behind a turntable, a watermark, dust on the sensor.

Where the object turns before a camera that stands still, most of what the photographs share is the room, and says that
the camera never moved. Nothing at rest in the photographs tells where a camera that moves round the object is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import bdtrc

from ..._support.atomic import atomic_path
from ...constants import Structure
from .collection import Photograph
from .database import STILL
from .mapping import SEED

_TABLES = "keypoints", "descriptors"  # of COLMAP's database: rows, columns and bytes
_REACH = 2  # cells of half a pixel
_DISC = [
    (right, down)
    for right in range(-_REACH, _REACH + 1)
    for down in range(-_REACH, _REACH + 1)
    if right**2 + down**2 <= _REACH**2
]


def drop_still(file: Path, photographs: Sequence[Photograph], constants: Structure) -> float:
    """The share of the features that stand still in the photographs; they leave the database, all at once.

    Photographs of one size and lens are compared. It is done once, before anything is matched, and what came of it is
    kept beside the database.
    """
    kept = file.parent / STILL
    if kept.is_file():
        return float(json.loads(kept.read_text(encoding="utf-8"))["share"])
    groups: dict[tuple[int, int, str], list[int]] = {}  # photographs of one lens
    for index, photograph in enumerate(photographs):
        groups.setdefault(photograph.camera, []).append(index)
    dropped = total = 0
    with closing(sqlite3.connect(file)) as database, database:
        for members in groups.values():
            factor = _factor(photographs[members[0]], constants)
            places = [factor * _places(database, index + 1) for index in members]
            for index, still in zip(members, stand_still(places), strict=True):
                total, dropped = total + len(still), dropped + int(still.sum())
                if still.any():
                    _keep(database, index + 1, ~still)
    share = dropped / max(total, 1)
    with atomic_path(kept) as part:
        part.write_text(json.dumps({"share": share}) + "\n", encoding="utf-8")
    return share


def still_by_matches(
    file: Path, photographs: Sequence[Photograph], constants: Structure, pycolmap: Any
) -> list[np.ndarray]:
    """(N,) bool for each photograph: its features that are where they were in most of their matches.

    A camera that stands still for a part of the photographs, and is moved then, has a room at rest in each part. That
    room is the same, but not what turns in it, so matches from part to part tell wrongly how the photographs lie.
    """
    database = pycolmap.Database.open(file)
    try:
        places = [database.read_keypoints(index + 1)[:, :2] for index in range(len(photographs))]
        numbers, matched = database.read_all_matches()
    finally:
        database.close()
    votes = [np.zeros(len(part), dtype=np.int64) for part in places]
    for number, matches in zip(numbers, matched, strict=True):
        i, j = (image - 1 for image in pycolmap.pair_id_to_image_pair(number))
        if photographs[i].camera == photographs[j].camera:
            still = 1 - 2 * _moved(places[i], places[j], matches, photographs[i], constants).astype(np.int64)
            for index, features in ((i, matches[:, 0]), (j, matches[:, 1])):
                np.add.at(votes[index], features, still)
    return [part > 0 for part in votes]


def forget_still_matches(
    file: Path,
    photographs: Sequence[Photograph],
    pairs: Sequence[tuple[int, int]],
    constants: Structure,
    pycolmap: Any,
) -> None:
    """Pairs of photographs, most of whose matches are of what stands still, are asked again what moved between them.

    What few photographs have of a room is matched, too: features that are too faint to be found in most of them, or
    those of a camera that was moved. They tell nothing of where the cameras are, and may be more than the object's.
    """
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = SEED
    rests = still_by_matches(file, photographs, constants, pycolmap)
    database = pycolmap.Database.open(file)
    try:
        places = [database.read_keypoints(index + 1)[:, :2] for index in range(len(photographs))]
        lenses = [
            database.read_camera(database.read_image(index + 1).camera_id)
            for index in range(len(photographs))
        ]
        for i, j in pairs:
            one, other = photographs[i], photographs[j]
            if one.camera != other.camera or not database.exists_two_view_geometry(i + 1, j + 1):
                continue

            def moves(matches: np.ndarray, i: int = i, j: int = j) -> np.ndarray:
                rest = rests[i][matches[:, 0]] | rests[j][matches[:, 1]]
                return _moved(places[i], places[j], matches, photographs[i], constants) & ~rest

            agreed = database.read_two_view_geometry(i + 1, j + 1).inlier_matches
            if 2 * moves(agreed).sum() < len(agreed):
                matches = database.read_matches(i + 1, j + 1)
                found = pycolmap.estimate_two_view_geometry(
                    lenses[i], places[i], lenses[j], places[j], matches[moves(matches)], verification
                )
                database.update_two_view_geometry(i + 1, j + 1, found)
    finally:
        database.close()


def forget_still_points(model: Any, photographs: Sequence[Photograph], constants: Structure) -> None:
    """Points of a model that are where they were in all photographs that show them: of what stands still.

    Or nearer to one place of the photographs, at least, than to where the model has them.
    """
    for number, point in list(model.points3D.items()):
        shown = [(element.image_id, element.point2D_idx) for element in point.track.elements]
        places = np.array([model.images[image].points2D[index].xy for image, index in shown])
        away = places - places.mean(axis=0)
        factor = _factor(photographs[shown[0][0] - 1], constants)
        nearer = np.linalg.norm(away, axis=1).mean() < point.error
        if nearer or (factor * np.abs(away) < _REACH / 2).all():
            model.delete_point3D(number)


def stand_still(places: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Which features are where most of the other photographs have one, too, by more than chance.

    Parameters
    ----------
    places : sequence of (N, 2) arrays
        Of the features of each photograph, pixels.

    Returns
    -------
    list of (N,) bool arrays
        True where a feature of more than half of the other photographs is less than about a pixel away, and where
        features that are scattered at random would make less than one such case in the photograph.

    References
    ----------
    Desolneux, Moisan, Morel: Meaningful Alignments. IJCV 40(1), 2000 (less than one case by chance).
    """
    if sum(len(part) for part in places) == 0:
        return [np.zeros(len(part), dtype=bool) for part in places]
    cells = [np.floor(2 * np.asarray(part)[:, :2]).astype(np.int64) + _REACH for part in places]
    low = np.min([part.min(axis=0) for part in cells if len(part)], axis=0) - _REACH
    cells = [part - low for part in cells]
    size = np.max([part.max(axis=0) for part in cells if len(part)], axis=0) + _REACH + 1
    votes = np.zeros(size, dtype=np.int32)
    covered = np.zeros(len(cells))
    for index, part in enumerate(cells):
        near = np.zeros(size, dtype=bool)
        for right, down in _DISC:
            near[part[:, 0] + right, part[:, 1] + down] = True
        votes += near
        covered[index] = near.mean()
    others = len(cells) - 1
    by_chance = bdtrc(np.arange(-1, others), others, covered.mean())  # so many others, or more
    found = []
    for part in cells:
        agree = votes[part[:, 0], part[:, 1]] - 1
        found.append((2 * agree > others) & (len(part) * by_chance[agree] < 1))
    return found


def _moved(
    here: np.ndarray, there: np.ndarray, matches: np.ndarray, photograph: Photograph, constants: Structure
) -> np.ndarray:
    """(M,) bool: matches (M, 2) of features that are not where they were."""
    way = np.linalg.norm(here[matches[:, 0]] - there[matches[:, 1]], axis=1)
    return np.asarray(_factor(photograph, constants) * way >= _REACH / 2)


def _factor(photograph: Photograph, constants: Structure) -> float:
    """By which a photograph is made smaller before features are looked for."""
    return min(1.0, constants.longest / max(photograph.width, photograph.height))


def _places(database: sqlite3.Connection, image: int) -> np.ndarray:
    found = database.execute("SELECT rows, cols, data FROM keypoints WHERE image_id = ?", (image,)).fetchone()
    rows, columns, data = found or (0, 2, b"")
    places: np.ndarray = np.frombuffer(data or b"", dtype=np.float32).reshape(rows, columns)[:, :2]
    return places


def _keep(database: sqlite3.Connection, image: int, kept: np.ndarray) -> None:
    for table in _TABLES:
        rows, data = database.execute(
            f"SELECT rows, data FROM {table} WHERE image_id = ?", (image,)
        ).fetchone()
        left = np.frombuffer(data, dtype=np.uint8).reshape(rows, -1)[kept]
        database.execute(
            f"UPDATE {table} SET rows = ?, data = ? WHERE image_id = ?", (len(left), left.tobytes(), image)
        )
