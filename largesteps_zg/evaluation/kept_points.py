"""Triangulated points on disk: a second look at the same photographs takes them from there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

from .._support.atomic import atomic_path
from ..scenes.photographs import matching
from ..scenes.views import Views
from . import triangulation
from .triangulation import TriangulatedPoints, triangulated_points

NAME = "triangulated.npz"


def kept_points(folder: Path, views: Views) -> tuple[TriangulatedPoints, bool]:
    """The points of `triangulated_points`, from ``triangulated.npz`` in a folder where these very views made it.

    Returns
    -------
    points : TriangulatedPoints
    kept : bool
        Whether they were there. Otherwise they are found, and kept for the next time.
    """
    file, key = folder / NAME, _key(views)
    try:
        with np.load(file, allow_pickle=False) as content:
            if str(content["key"]) == key:
                return TriangulatedPoints(content["xyz"], content["error"], content["track"]), True
    except Exception:  # absent, damaged or of another making: it is made anew
        pass
    found = triangulated_points(views)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(file) as part:
        np.savez(part, xyz=found.xyz, error=found.errors, track=found.views, key=np.array(key))
    return found, False


def _key(views: Views) -> str:
    """Of all that decides the points: pixels, masks, cameras, and the numbers of the method."""
    made = hashlib.sha256()
    cameras = views.cameras.to("cpu", torch.float64)
    for part in (views.images, views.known, cameras.intrinsics, cameras.world_to_camera):
        made.update(b"-" if part is None else part.contiguous().cpu().numpy().tobytes())
    for module in (matching, triangulation):
        numbers = {name: value for name, value in vars(module).items() if name.isupper()}
        made.update(repr(sorted(numbers.items())).encode())
    return made.hexdigest()
