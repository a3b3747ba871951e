"""Occlusion: a sphere behind another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from ..records import Record, Setup
from .compare import OURS, OWN, SOFT, compare
from .descend import Surface, Task
from .mitsuba_pictures import Dictionary, PathTraced, camera, color, diffuse, path, sky, wall
from .soft import balls

EYE, RADIUS, BIG = (0.0, 0.6, 5.0), 0.35, 0.6
BLUE, RED = (0.1, 0.2, 0.7), (0.8, 0.1, 0.05)


def scene(mi: Any, parameters: Sequence[float]) -> Dictionary:
    """A blue sphere over a polished floor, and a red one on the viewing axis, so far in front of its centre."""
    (forward,) = parameters
    at = [EYE[1] / EYE[2] * forward, forward]
    polished = {"type": "plastic", "diffuse_reflectance": color(0.3, 0.3, 0.3)}
    return {
        "integrator": path(4),
        "sensor": camera(mi, EYE, (0, 0, 0), fov=32),
        "sky": sky(0.6, 0.6, 0.6),
        "floor": wall(mi, (0, -1, 0), (0, 1, 0), 6, polished),
        "back": wall(mi, (0, 0, -4), (0, 0, 1), 6, diffuse(0.7, 0.7, 0.65)),
        "blue": {"type": "sphere", "radius": BIG, "bsdf": diffuse(*BLUE)},
        "red": {
            "type": "sphere",
            "to_world": mi.ScalarTransform4f().translate([0, *at]).scale(RADIUS),
            "bsdf": diffuse(*RED),
        },
    }


def moved(mi: Any, parameters: Sequence[Any], first: Mapping[str, Any]) -> Dictionary:
    """The same by the sphere's transform."""
    forward = parameters[0]
    return {"red.to_world": mi.Transform4f().translate([0, EYE[1] / EYE[2] * forward, forward]).scale(RADIUS)}


def surface(parameters: torch.Tensor) -> Surface:
    """The two spheres."""
    zero = torch.zeros_like(parameters[0])
    red = torch.stack([zero, EYE[1] / EYE[2] * parameters[0], parameters[0]])
    return balls(
        torch.stack([torch.zeros_like(red), red]),
        torch.tensor([BIG, RADIUS]).to(red),
        torch.tensor([BLUE, RED]),
    )


TASK = Task(
    PathTraced(scene, moved),
    start=(-1.5,),
    truth=(1.0,),
    sigma=(1.0, 0.03),
    rate=(0.08, 0.003),
    steps=150,
    samples=2,
    published={OURS: (2.34e-4, 3.29e-3), OWN: (5.85e-2, 52.3), SOFT: (5.33e-2, 7.18e-3)},
    surface=surface,
)


def occlusion(setup: Setup) -> Iterator[Record]:
    """A sphere that another hides

    The red sphere belongs in front of the blue one and starts behind it, where only the floor's reflection knows of
    it.
    """
    yield from compare(setup, TASK, small_steps=150)
