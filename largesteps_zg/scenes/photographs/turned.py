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


def tell_turned(record: Record, photos: Sequence[Photo], constants: Constants) -> None:
    """A note of photographs whose principal points fit them better turned; ValueError where the masks do as well.

    The masks witness it if the space that all of them leave covers less than the constant `turned` of those
    photographs' own as they are, and more with them turned.
    """
    found = [index for index, photo in enumerate(photos) if _seems_turned(photo)]
    if not found:
        return
    names, shot = [photos[index].shot.name for index in found], photos[found[0]].shot
    (width, height), point = image_size(shot.image), shot.intrinsics[:2, 2]
    place, whose = f"({point[0]:.0f}, {point[1]:.0f})", share(len(found), len(photos))
    if all(photo.shot.lens is None for photo in photos):
        given = _explained(photos, found, constants)
        ways = {} if given >= constants.checks.turned else _explained_turned(photos, found, constants)
        way = max(ways, key=ways.__getitem__, default=None)
        if way is not None and ways[way] >= constants.checks.turned:
            raise ValueError(
                f"{shot.where}: expected a principal point near the middle of the {width}x{height} pixels of "
                f"{shot.image.name}, got {place}, the middle of {height}x{width}; {whose} are turned against their "
                f"cameras: masks agree on {given:.0%} of the object as they are, and on {ways[way]:.0%} turned by 90 "
                f"degrees {way}; turn images and masks so"
            )
    record.add(
        "images",
        f"principal points of {whose} ({some(names)}) are nearer to the middle of the "
        f"photograph turned by 90 degrees ({place} of {width}x{height} pixels); if the photographs were turned or cut "
        "after their cameras were calibrated, undo that",
    )


def _seems_turned(photo: Photo) -> bool:
    """Whether the principal point is nearer to the middle of the photograph turned by 90 degrees."""
    middle = np.array(photo.pixels.shape[1::-1]) / 2
    point = photo.intrinsics[:2, 2]
    return float(np.linalg.norm(point - middle[::-1])) < float(np.linalg.norm(point - middle))


def _explained_turned(
    photos: Sequence[Photo], found: Sequence[int], constants: Constants
) -> dict[str, float]:
    """`_explained` with those photographs put right, either way."""
    return {
        way: _explained(
            [_turned(photo, turns) if index in found else photo for index, photo in enumerate(photos)],
            found,
            constants,
        )
        for way, turns in _TURNS.items()
    }


def _turned(photo: Photo, turns: int) -> Photo:
    known = None if photo.known is None else np.rot90(photo.known, turns)
    return replace(photo, pixels=np.rot90(photo.pixels, turns), known=known)


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
