"""Sort: 75 cubes of three colours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..records import Record, Setup
from .compare import OURS, OWN, SOFT, compare
from .descend import Surface, Task
from .mitsuba_pictures import Dictionary, PathTraced, camera, diffuse, path, sky, wall
from .soft import joined

CUBES, HALF = 75, 0.09
COLORS = ((0.8, 0.12, 0.08), (0.1, 0.55, 0.15), (0.08, 0.22, 0.8))


def scene(mi: Any, parameters: Sequence[float]) -> Dictionary:
    """Cubes on a table seen from above: x and z of each, the first third red, then green, then blue."""
    cubes = {
        f"cube{i}": {
            "type": "cube",
            "to_world": mi.ScalarTransform4f()
            .translate([parameters[2 * i], HALF, parameters[2 * i + 1]])
            .scale(HALF),
            "bsdf": diffuse(*COLORS[3 * i // CUBES]),
        }
        for i in range(CUBES)
    }
    return cubes | {
        "integrator": path(2),
        "sensor": camera(mi, (0, 7, 0.01), (0, 0, 0), fov=34, size=(64, 64)),
        "sky": sky(1, 1, 1),
        "table": wall(mi, (0, 0, 0), (0, 1, 0), 20, diffuse(0.75, 0.75, 0.75)),
    }


def moved(mi: Any, parameters: Sequence[Any], first: Mapping[str, Any]) -> Dictionary:
    """The same by the cubes' vertices."""
    import drjit as dr

    places = {}
    for i in range(CUBES):
        name = f"cube{i}.vertex_positions"
        points = dr.unravel(mi.Point3f, first[name])
        places[name] = dr.ravel(points + mi.Vector3f(parameters[2 * i], 0, parameters[2 * i + 1]))
    return places


# Corners by the bits of their numbers, and two triangles for each side.
CORNERS = [[i & 1, i >> 1 & 1, i >> 2] for i in range(8)]
SIDES = [
    [0, 1, 3], [0, 3, 2], [4, 5, 7], [4, 7, 6], [0, 1, 5], [0, 5, 4],
    [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 3, 7], [1, 7, 5],
]  # fmt: skip


def surface(parameters: torch.Tensor) -> Surface:
    """The cubes, without the table."""
    x, z = parameters.view(CUBES, 2).T
    cube = HALF * (2 * torch.tensor(CORNERS, dtype=parameters.dtype) - 1)
    centers = torch.stack([x, torch.full_like(x, HALF), z], 1)
    return joined(
        centers[:, None] + cube, torch.tensor(SIDES), torch.tensor(COLORS).repeat_interleave(CUBES // 3, 0)
    )


def places() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """All in one heap, and each colour in a square of its own."""
    heap = np.random.default_rng(0).uniform(-0.9, 0.9, (CUBES, 2))
    square = np.stack(np.meshgrid(*[np.arange(-2, 3) * 0.23] * 2), axis=-1).reshape(-1, 2)
    groups = np.concatenate([square + center for center in ((-1.2, -0.9), (1.2, -0.9), (0.0, 1.1))])
    return tuple(heap.ravel().tolist()), tuple(groups.ravel().tolist())


START, TRUTH = places()
TASK = Task(
    PathTraced(scene, moved),
    start=START,
    truth=TRUTH,
    sigma=(0.3, 0.04),
    rate=(0.06, 0.01),
    steps=60,
    pairs=6,
    samples=1,
    published={OURS: (3.81e-3, 4.19e-1), OWN: (1.18e-2, 6.64), SOFT: (1.85e-2, 1.57)},
    surface=surface,
)


def sort(setup: Setup) -> Iterator[Record]:
    """Seventy-five cubes in three groups

    150 parameters at once, and cubes of a colour that are free to change places: the parameter error stays, and the
    picture is what counts.
    """
    yield from compare(setup, TASK, small_steps=20)
