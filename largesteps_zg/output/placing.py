"""The mesh as it is handed on: upright, in metres or of size 1."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist
from torch import Tensor

from ..cameras.upright import upright_rotation
from ..scenes.views import Scene

_ROWS = 1000  # of distances at a time
_UNKNOWN = ("photographs",)  # formats whose unit is any
_CURE = "give the longest distance across the object (--size METRES), or that between two cameras (--scale A,B,METRES)"


def metres(text: str, name: str = "size") -> float:
    """A length; ValueError where it is none."""
    try:
        length = float(text)
    except ValueError:
        length = math.nan
    if not (math.isfinite(length) and length > 0):
        raise ValueError(f"{name}: expected metres such as 0.23, got {text!r}; {_CURE}")
    return length


def between(text: str) -> tuple[str, str, float]:
    """Two names of photographs and a length of ``A,B,METRES``; ValueError where it is none."""
    first, _, rest = text.partition(",")
    second, _, length = rest.rpartition(",")
    if not (first and second):
        raise ValueError(
            f"scale: expected A,B,METRES with the names of two photographs, got {text!r}; {_CURE}"
        )
    return first, second, metres(length, "scale")


@dataclass(frozen=True)
class Scale:
    """What is known of the unit.

    Attributes
    ----------
    size : float, optional
        The longest distance between two points of the object, in metres.
    apart : (str, str, float), optional
        Two photographs, and the distance of the places that they were taken from, in metres.
    """

    size: float | None = None
    apart: tuple[str, str, float] | None = None

    def __post_init__(self) -> None:
        if self.size is not None and self.apart is not None:
            raise ValueError("scale: a size is given, too, and one of them tells the other; leave one away")

    def check(self, scene: Scene) -> None:
        """ValueError where the scene has no two such photographs."""
        if self.apart is not None:
            _distance(scene, *self.apart[:2])

    def of(self, scene: Scene, extent: float) -> tuple[float, str]:
        """Metres, or sizes of the object, in a unit of the scene, and where that is from; `extent` is the object's."""
        if self.size is not None:
            return self.size / extent, f"metres: the object is {self.size:g} long"
        if self.apart is not None:
            first, second, length = self.apart
            found = length / _distance(scene, first, second)
            return found, f"metres: {first} and {second} were taken {length:g} apart"
        if scene.format in _UNKNOWN:
            return 1 / extent, f"the object's size, for photographs tell none; {_CURE}"
        return 1.0, "the scene's own"


UNIT_UNKNOWN = Scale()


@dataclass(frozen=True)
class Placing:
    """From the scene's coordinates to those of ``mesh.glb``: x becomes ``scale * rotation @ x``.

    Attributes
    ----------
    rotation : (3, 3) float64 tensor
        Takes up to +y.
    scale : float
    unit : str
        What a length of 1 is then, and where that is known from.
    size : float
        The longest distance between two points of the object, in this unit.
    """

    rotation: Tensor
    scale: float
    unit: str
    size: float

    def report(self) -> dict[str, Any]:
        """For ``run.json``."""
        return {"scale": self.scale, "rotation": self.rotation.tolist(), "unit": self.unit, "size": self.size}


def placing(scene: Scene, vertices: Tensor, up: Tensor, scale: Scale) -> Placing:
    """How a mesh (V, 3) in the scene's coordinates is handed on."""
    extent = longest(vertices.detach().double().cpu().numpy())
    factor, unit = scale.of(scene, extent)
    return Placing(upright_rotation(up), factor, unit, factor * extent)


def longest(points: np.ndarray) -> float:
    """The largest distance between two of the points (N, 3), or 1 where all are one."""
    with suppress(QhullError):  # of flat ones
        points = points[ConvexHull(points).vertices]
    most = max(
        (float(cdist(points[i : i + _ROWS], points).max()) for i in range(0, len(points), _ROWS)), default=0
    )
    return most or 1.0


def _distance(scene: Scene, *names: str) -> float:
    """Between the cameras of two photographs."""
    views = [split for split in (scene.train, scene.test) if split is not None]
    known = {name: split.cameras.centers[i] for split in views for i, name in enumerate(split.names)}
    found = []
    for name in names:
        place = known.get(name, known.get(str(Path(name).with_suffix(""))))
        if place is None:
            some = ", ".join(list(known)[:3])
            raise ValueError(f"scale: no photograph {name} with a camera; the scene has {some}, ...")
        found.append(place.detach().double().cpu())
    distance = float((found[0] - found[1]).norm())
    if not distance > 0:
        raise ValueError(
            f"scale: {names[0]} and {names[1]} were taken from one place; name two that are far apart"
        )
    return distance
