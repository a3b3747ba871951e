"""Global illumination: a room of which the camera sees an inset."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..records import Record, Setup
from .compare import OURS, OWN, compare
from .descend import Task
from .mitsuba_pictures import Dictionary, PathTraced, camera, color, diffuse, path, turned, wall

WHITE, TURN, BIG = (0.73, 0.73, 0.73), 18.25, (-0.33, -0.28)


def scene(mi: Any, parameters: Sequence[float]) -> Dictionary:
    """A Cornell box: the lamp's x and z, the left wall's colour, the big block's angle in radians."""
    x, z, red, green, blue, angle = parameters
    white = diffuse(*WHITE)
    box = mi.ScalarTransform4f()
    return {
        "integrator": path(5),
        "sensor": camera(mi, (0, 0, 3.9), (0, 0, 0), fov=39.3, size=(128, 128), crop=(38, 67, 60, 45)),
        "lamp": {
            "type": "rectangle",
            "to_world": box.translate([x, 0.99, z]).rotate([1, 0, 0], 90).scale(0.25),
            "emitter": {"type": "area", "radiance": color(17, 14, 10)},
        },
        "floor": wall(mi, (0, -1, 0), (0, 1, 0), 1, white),
        "ceiling": wall(mi, (0, 1, 0), (0, -1, 0), 1, white),
        "back": wall(mi, (0, 0, -1), (0, 0, 1), 1, white),
        "left": wall(mi, (-1, 0, 0), (1, 0, 0), 1, paint(red, green, blue)),
        "right": wall(mi, (1, 0, 0), (-1, 0, 0), 1, diffuse(0.15, 0.45, 0.1)),
        "small": _block(box.translate([0.33, -0.7, 0.37]).rotate([0, 1, 0], -17).scale(0.3), white),
        "big": _block(
            box.translate([BIG[0], -0.4, BIG[1]])
            .rotate([0, 1, 0], TURN + math.degrees(angle))
            .scale([0.3, 0.6, 0.3]),
            white,
        ),
    }


def paint(red: float, green: float, blue: float) -> Dictionary:
    """The left wall's material; a colour beyond what paint can be is the nearest that can."""
    values = [min(max(float(value), 0.0), 1.0) for value in (red, green, blue)]
    return {"type": "diffuse", "reflectance": {"type": "rgb", "value": values}}


def _block(placed: Any, material: Dictionary) -> Dictionary:
    """A cube."""
    return {"type": "cube", "to_world": placed, "bsdf": material}


def moved(mi: Any, parameters: Sequence[Any], first: Mapping[str, Any]) -> Dictionary:
    """The same by transform, reflectance and vertices."""
    import drjit as dr

    x, z, red, green, blue, angle = parameters
    lamp = mi.Transform4f().translate([x, 0.99, z]).rotate([1, 0, 0], 90).scale(0.25)
    return {
        "lamp.to_world": lamp,
        "left.bsdf.reflectance.value": mi.Color3f(*(dr.clip(value, 0, 1) for value in (red, green, blue))),
        "big.vertex_positions": turned(mi, first["big.vertex_positions"], angle, BIG),
    }


TASK = Task(
    PathTraced(scene, moved),
    start=(-0.4, 0.3, 0.2, 0.2, 0.2, 0.6),
    truth=(0.2, -0.1, 0.63, 0.06, 0.04, 0.0),
    sigma=(0.25, 0.02),
    rate=(0.05, 0.002),
    steps=300,
    samples=2,
    published={OURS: (5.07e-5, 8.71e-4), OWN: (3.78e-2, 3.87e-1)},
)


def illumination(setup: Setup) -> Iterator[Record]:
    """A room seen through an inset

    The camera sees neither the lamp nor the painted wall. The lamp's place, the wall's colour and the angle of a block
    are found from the light that they leave on what it does see.
    """
    yield from compare(setup, TASK, small_steps=15)
