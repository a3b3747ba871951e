"""Photographs that lie turned by 90 degrees against their cameras, as programs leave them that obey EXIF or drop it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ...constants import Constants
from ...images.files import image_size
from ...images.masks import on_object
from ..carving.bounds import CELLS, bounding_sphere, first_half_size, meeting_point
from ..carving.carve import carve, coverage
from ..carving.cones import COARSE
from ..provenance import Record, share, some
from .agreement import consistent
from .photo import Photo, views_of

# Quarter turns counter-clockwise, as NumPy counts them.
_TURNS = {"clockwise": -1, "counter-clockwise": 1}
_GRID = 32  # points along each side of a cube around the object


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
        ways = [] if given >= constants.checks.turned else _ways(photos, found)
        right = [
            _turned(photo, turns) for photo, turns in zip(photos, ways or [0] * len(photos), strict=True)
        ]
        explained = _explained(right, found, constants) if any(ways) else 0.0
        if any(ways) and explained >= constants.checks.turned:
            record.add(
                "images",
                f"{_told(photos, ways)} with their masks: their principal points are the middle of {height}x{width} "
                f"pixels ({place}, got {width}x{height}), and masks agree on {explained:.0%} of the object so, on "
                f"{given:.0%} as they are",
            )
            return right
    record.add(
        "images",
        f"principal points of {whose} ({some(names)}) are nearer to the middle of the "
        f"photograph turned by 90 degrees ({place} of {width}x{height} pixels); if the photographs were turned or cut "
        "after their cameras were calibrated, undo that",
    )
    return photos


def _told(photos: Sequence[Photo], ways: Sequence[int]) -> str:
    """Which photographs were turned, and how."""
    phrases = []
    for name, turns in _TURNS.items():
        names = [photo.shot.name for photo, way in zip(photos, ways, strict=True) if way == turns]
        if names:
            phrases.append(f"{share(len(names), len(photos))} ({some(names)}), turned by 90 degrees {name}")
    return " and ".join(phrases)


def _ways(photos: Sequence[Photo], found: Sequence[int]) -> list[int]:
    """Quarter turns that put each photograph right: those of which masks agree best.

    Points around the object are inside a mask, +1, or outside, -1. What all masks say of them is summed, and the sum of
    its squares is the largest where they agree. From all photographs turned one way, each one takes the turn that suits
    the others until none changes; a program may have turned some of them upside down, to show objects upright.
    """
    views = views_of([photo.at_most(COARSE // 2) for photo in photos])
    center = meeting_point(views)
    if center is None:
        return [0] * len(photos)
    side = np.linspace(-1.0, 1.0, _GRID)
    points = center + first_half_size(views, center) * np.stack(np.meshgrid(side, side, side), -1).reshape(
        -1, 3
    )
    turns = [tuple(_TURNS.values()) if index in found else (0,) for index in range(len(photos))]
    said = [
        np.stack([_said(_turned(photo.at_most(COARSE // 2), way), points) for way in some])
        for photo, some in zip(photos, turns, strict=True)
    ]
    best, most = [0] * len(photos), -1.0
    for first in range(len(_TURNS)):
        chosen = [min(first, len(some) - 1) for some in turns]
        total = np.sum([each[way] for each, way in zip(said, chosen, strict=True)], axis=0)
        changed = True
        while changed:
            changed = False
            for index, each in enumerate(said):
                others = total - each[chosen[index]]
                way = int(np.argmax(each @ others))
                if (each[way] - each[chosen[index]]) @ others > 0:
                    chosen[index], total, changed = way, others + each[way], True
        if total @ total > most:
            best, most = [some[way] for some, way in zip(turns, chosen, strict=True)], float(total @ total)
    return best


def _said(photo: Photo, points: np.ndarray) -> np.ndarray:
    """(P,) whether a photograph's mask has points inside it, 1, or not, -1."""
    height, width = photo.pixels.shape[:2]
    pixels, depth = views_of([photo]).cameras.project(torch.from_numpy(points))
    at = pixels[0].floor().nan_to_num(nan=-1.0).clamp(-1, max(height, width)).long().numpy()
    shown = (depth[0].numpy() > 0) & (at >= 0).all(axis=1) & (at[:, 0] < width) & (at[:, 1] < height)
    inside = np.full(len(points), -1.0, dtype=np.float32)
    x, y = at[shown].T
    inside[shown] = np.where(on_object(photo.pixels[y, x, 3]), 1.0, -1.0)
    return inside


def _seems_turned(photo: Photo) -> bool:
    """Whether the principal point is nearer to the middle of the photograph turned by 90 degrees."""
    middle = np.array(photo.pixels.shape[1::-1]) / 2
    point = photo.intrinsics[:2, 2]
    return float(np.linalg.norm(point - middle[::-1])) < float(np.linalg.norm(point - middle))


def _turned(photo: Photo, turns: int) -> Photo:
    if turns == 0:
        return photo
    known = None if photo.known is None else np.ascontiguousarray(np.rot90(photo.known, turns))
    return replace(photo, pixels=np.ascontiguousarray(np.rot90(photo.pixels, turns)), known=known)


def _explained(photos: Sequence[Photo], found: Sequence[int], constants: Constants) -> float:
    """The share of some masks that the space which all masks leave covers; 0 where they leave none."""
    views = views_of([photo.at_most(COARSE // 2) for photo in photos])
    if any(photo.guessed for photo in photos):
        views = consistent(views, constants.photographs)
    try:
        sphere = bounding_sphere(views)
    except ValueError:
        return 0.0
    grid, field, cones = carve(views, *sphere, 2 * CELLS, constants.carving)
    return coverage(grid, field, [cones[index] for index in found])
