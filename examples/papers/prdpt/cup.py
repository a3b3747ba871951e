"""The cup: an angle, found where the handle is hidden."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..records import Record, Setup
from .compare import OURS, OWN, SOFT, compare
from .descend import Surface, Task
from .mitsuba_pictures import Dictionary, PathTraced, camera, color, diffuse, path, wall
from .soft import balls

RADIUS, HALF = 0.6, 0.7  # of the body
BEAD, CLAY = 0.16, (0.75, 0.22, 0.12)
ARC = [(RADIUS + 0.42 * math.cos(turn), 0.4 * math.sin(turn)) for turn in np.linspace(-1.5, 1.5, 16)]


def scene(mi: Any, parameters: Sequence[float]) -> Dictionary:
    """A cup on a table, turned about its axis by an angle in radians; its handle is a row of balls."""
    (angle,) = parameters
    clay = diffuse(*CLAY)
    place = mi.ScalarTransform4f
    balls = {
        f"ball{i}": {
            "type": "sphere",
            "to_world": place().translate([x * math.cos(angle), y, -x * math.sin(angle)]).scale(BEAD),
            "bsdf": clay,
        }
        for i, (x, y) in enumerate(ARC)
    }
    body = {"type": "cylinder", "p0": [0, -HALF, 0], "p1": [0, HALF, 0], "radius": RADIUS, "bsdf": clay}
    return balls | {
        "integrator": path(2),
        "sensor": camera(mi, (0, 1.4, 5), (0, -0.05, 0), fov=28),
        "lamp": {"type": "point", "position": [0.3, 2, 6], "intensity": color(90, 90, 90)},
        "table": wall(mi, (0, -HALF, 0), (0, 1, 0), 20, diffuse(0.75, 0.72, 0.65)),
        "body": body,
    }


def moved(mi: Any, parameters: Sequence[Any], first: Mapping[str, Any]) -> Dictionary:
    """The same by the balls' transforms."""
    import drjit as dr

    sine, cosine = dr.sincos(parameters[0])
    return {
        f"ball{i}.to_world": mi.Transform4f().translate([x * cosine, y, -x * sine]).scale(BEAD)
        for i, (x, y) in enumerate(ARC)
    }


def surface(parameters: torch.Tensor) -> Surface:
    """The same as a mesh; the body has 32 sides."""
    x, y = torch.tensor(ARC, dtype=parameters.dtype).T
    sine, cosine = parameters[0].sin(), parameters[0].cos()
    clay = torch.tensor([CLAY], dtype=parameters.dtype)
    beads = torch.full((len(ARC),), BEAD, dtype=parameters.dtype)
    vertices, faces, colors = balls(
        torch.stack([x * cosine, y, -x * sine], 1), beads, clay.expand(len(ARC), 3)
    )
    turn = torch.arange(32, dtype=parameters.dtype) * math.tau / 32
    ring = torch.stack([RADIUS * turn.cos(), torch.full_like(turn, HALF), RADIUS * turn.sin()], 1)
    here = len(vertices) + torch.arange(32)
    after = len(vertices) + (torch.arange(32) + 1) % 32
    sides = torch.cat(
        [torch.stack([here, after, here + 32], 1), torch.stack([after, after + 32, here + 32], 1)]
    )
    body = torch.cat([ring, ring * torch.tensor([1.0, -1.0, 1.0])])
    return torch.cat([vertices, body]), torch.cat([faces, sides]), torch.cat([colors, clay.expand(64, 3)])


TASK = Task(
    PathTraced(scene, moved),
    start=(1.4,),
    truth=(0.15,),
    sigma=(0.7, 0.02),
    rate=(0.06, 0.001),
    steps=150,
    samples=2,
    published={OURS: (4.92e-6, 4.18e-7), OWN: (5.49e-3, 7.5e-2), SOFT: (3.66e-1, 2.72e-2)},
    surface=surface,
)


def cup(setup: Setup) -> Iterator[Record]:
    """A cup whose handle is hidden

    While the handle is behind the cup, turning it changes no pixel. The smoothed loss knows of the handle before it
    comes into sight.
    """
    yield from compare(setup, TASK, small_steps=150)
