"""Shadows: a sphere beside the view, found by its shadow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from ..records import Record, Setup
from .compare import OURS, OWN, SOFT, compare
from .descend import Surface, Task
from .mitsuba_pictures import Dictionary, PathTraced, camera, color, diffuse, path, wall
from .soft import balls

AT, RADIUS = (16.0, 9.4, -1.2), 0.45


def scene(mi: Any, parameters: Sequence[float]) -> Dictionary:
    """A wall that the camera sees, and a sphere above the view between it and a lamp, moved up and aside."""
    up, aside = parameters
    return {
        "integrator": path(3),
        "sensor": camera(mi, (17.66, 0, 0), (0, 0, 0), fov=85),
        "lamp": {"type": "point", "position": [26, 13.78, 0], "intensity": color(1715, 1715, 1715)},
        "wall": wall(mi, (0, 0, 0), (1, 0, 0), 40, diffuse(0.6, 0.6, 0.6)),
        "sphere": {
            "type": "sphere",
            "to_world": mi.ScalarTransform4f().translate([AT[0], AT[1] + up, AT[2] + aside]).scale(RADIUS),
            "bsdf": diffuse(0.8, 0.26, 0.04),
        },
    }


def moved(mi: Any, parameters: Sequence[Any], first: Mapping[str, Any]) -> Dictionary:
    """The same by the sphere's transform."""
    up, aside = parameters
    return {"sphere.to_world": mi.Transform4f().translate([AT[0], AT[1] + up, AT[2] + aside]).scale(RADIUS)}


def surface(parameters: torch.Tensor) -> Surface:
    """The sphere, which the camera does not see."""
    still = torch.zeros_like(parameters[:1])
    center = torch.cat([still, parameters]) + torch.tensor(AT, dtype=parameters.dtype)
    return balls(center[None], torch.tensor([RADIUS]).to(center), torch.tensor([[0.8, 0.26, 0.04]]))


TASK = Task(
    PathTraced(scene, moved),
    start=(-0.5, 2.5),
    truth=(-1.5, 1.0),
    sigma=(0.7, 0.02),
    rate=(0.04, 0.004),
    steps=200,
    pairs=4,
    samples=2,
    published={OURS: (1.74e-5, 1.81e-3), OWN: (1.64e-3, 5.06), SOFT: (1.64e-3, 1.42e-1)},
    surface=surface,
)


def shadows(setup: Setup) -> Iterator[Record]:
    """A shadow that does not touch its target

    The camera sees a wall and, on it, the shadow of a sphere outside the view. Two shadows that do not overlap say
    nothing of where to go.
    """
    yield from compare(setup, TASK, small_steps=200)
