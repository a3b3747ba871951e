"""The caustic: a lamp outside the view, found by its light behind a glass ball."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..records import Record, Setup
from .compare import OURS, OWN, compare
from .descend import Task
from .mitsuba_pictures import Dictionary, PathTraced, camera, color, diffuse, wall

HEIGHT, BALL = 4.0, (0.0, 1.9, 0.0)


def scene(mi: Any, parameters: Sequence[float]) -> Dictionary:
    """A lamp that shines on a glass ball from above, both outside the view, and the floor; traced from the lamp."""
    x, z = parameters
    aimed = mi.ScalarTransform4f().look_at([x, HEIGHT, z], list(BALL), [0, 0, 1])
    return {
        "integrator": {"type": "ptracer", "max_depth": 5},
        "sensor": camera(mi, (0, 2.5, 3.5), (0, 0, 0), fov=50),
        "lamp": {
            "type": "spot",
            "to_world": aimed,
            "cutoff_angle": 12.5,
            "beam_width": 11.5,
            "intensity": color(16, 14, 11),
        },
        "floor": wall(mi, (0, 0, 0), (0, 1, 0), 6, diffuse(0.7, 0.7, 0.7)),
        "ball": {"type": "sphere", "center": list(BALL), "radius": 0.5, "bsdf": {"type": "dielectric"}},
    }


def moved(mi: Any, parameters: Sequence[Any], first: Mapping[str, Any]) -> Dictionary:
    """The same by the lamp's transform."""
    origin = mi.Point3f(parameters[0], HEIGHT, parameters[1])
    return {"lamp.to_world": mi.Transform4f().look_at(origin, mi.Point3f(*BALL), mi.Vector3f(0, 0, 1))}


TASK = Task(
    PathTraced(scene, moved),
    start=(-0.8, 0.5),
    truth=(0.1, -0.05),
    sigma=(0.6, 0.01),
    rate=(0.06, 0.001),
    steps=120,
    pairs=4,
    samples=4,
    published={OURS: (1.89e-5, 9.76e-5), OWN: (3.12e-1, 8.5)},
)


def caustic(setup: Setup) -> Iterator[Record]:
    """A caustic away from its target

    Neither the lamp nor the glass ball is in view: only the light that the ball gathers on the floor says where the
    lamp is.
    """
    yield from compare(setup, replace(TASK, pairs=1) if setup.small else TASK, small_steps=100)
