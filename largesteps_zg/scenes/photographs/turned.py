"""Photographs that lie turned by 90 degrees against their cameras, as programs leave them that obey EXIF or drop it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...constants import Constants
from ...images.files import image_size
from ..carving.bounds import CELLS, bounding_sphere
from ..carving.carve import carve, coverage
from ..carving.cones import COARSE
from ..provenance import Record, share, some
from .agreement import consistent
from .photo import Photo, views_of

# Quarter turns counter-clockwise, as NumPy counts them.
_TURNS = {"clockwise": -1, "counter-clockwise": 1}


def put_right(record: Record, photos: list[Photo], constants: Constants) -> list[Photo]:
    """Photographs, with those turned back whose principal points fit them better so, and whose masks do as well.

    The masks witness it if the space that all of them leave covers less than the constant `turned` of those
    photographs' own as they are, and more with them turned. Either way a note says so.
    """
    found = [index for index, photo in enumerate(photos) if _seems_turned(photo)]
    if not found:
        return photos
    names, shot = [photos[index].shot.name for index in found], photos[found[0]].shot
    (width, height), point = image_size(shot.image), shot.intrinsics[:2, 2]
    place, whose = f"({point[0]:.0f}, {point[1]:.0f})", share(len(found), len(photos))
    if all(photo.shot.lens is None for photo in photos):
        given = _explained(photos, found, constants)
        ways = {} if given >= constants.checks.turned else _ways(photos, found)
        shares = {way: _explained(turned, found, constants) for way, turned in ways.items()}
        way = max(shares, key=shares.__getitem__, default=None)
        if way is not None and shares[way] >= constants.checks.turned:
            record.add(
                "images",
                f"{whose} ({some(names)}), turned by 90 degrees {way} with their masks: their principal points are the "
                f"middle of {height}x{width} pixels ({place}, got {width}x{height}), and masks agree on "
                f"{shares[way]:.0%} of the object so, on {given:.0%} as they are",
            )
            return ways[way]
    record.add(
        "images",
        f"principal points of {whose} ({some(names)}) are nearer to the middle of the "
        f"photograph turned by 90 degrees ({place} of {width}x{height} pixels); if the photographs were turned or cut "
        "after their cameras were calibrated, undo that",
    )
    return photos


def _ways(photos: Sequence[Photo], found: Sequence[int]) -> dict[str, list[Photo]]:
    """The photographs with those put right, either way."""
    return {
        way: [_turned(photo, turns) if index in found else photo for index, photo in enumerate(photos)]
        for way, turns in _TURNS.items()
    }


def _seems_turned(photo: Photo) -> bool:
    """Whether the principal point is nearer to the middle of the photograph turned by 90 degrees."""
    middle = np.array(photo.pixels.shape[1::-1]) / 2
    point = photo.intrinsics[:2, 2]
    return float(np.linalg.norm(point - middle[::-1])) < float(np.linalg.norm(point - middle))


def _turned(photo: Photo, turns: int) -> Photo:
    known = None if photo.known is None else np.ascontiguousarray(np.rot90(photo.known, turns))
    return replace(photo, pixels=np.ascontiguousarray(np.rot90(photo.pixels, turns)), known=known)


def _explained(photos: Sequence[Photo], found: Sequence[int], constants: Constants) -> float:
    """The share of some masks that the space which all masks leave covers; 0 where they leave none."""
    views = views_of([photo.at_most(COARSE // 2) for photo in photos])
    if any(photo.source == "background" for photo in photos):
        views = consistent(views, constants.photographs)
    try:
        sphere = bounding_sphere(views)
    except ValueError:
        return 0.0
    grid, field, cones = carve(views, *sphere, 2 * CELLS, constants.carving)
    return coverage(grid, field, [cones[index] for index in found])
