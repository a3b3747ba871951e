"""The Soft Rasterizer on a task's mesh: the baseline of the paper's second table."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from largesteps_zg import icosphere
from largesteps_zg.cameras import Cameras, from_mitsuba
from largesteps_zg.estimators import geometric
from largesteps_zg.renderers import render_soft

from .descend import Descent, Surface, Task, adam
from .mitsuba_pictures import PathTraced, mitsuba

BLURS = (4.0, 0.5), (0.1, 0.001)  # pixels, and shares of the depth: the first and the last
GREY = 0.5  # behind the mesh


def view(task: Task) -> Cameras:
    """The camera of the path-traced scene."""
    assert isinstance(task.picture, PathTraced)
    sensor = task.picture.scene(mitsuba(), task.start)["sensor"]
    return from_mitsuba(
        torch.tensor(np.array(sensor["to_world"].matrix), dtype=torch.float64)[None],
        fov_degrees=sensor["fov"],
        height=sensor["film"]["height"],
        width=sensor["film"]["width"],
    )


def balls(centers: Tensor, radii: Tensor, colors: Tensor) -> Surface:
    """Spheres of 80 triangles: centres (N, 3), radii (N,), colours (N, 3)."""
    unit = icosphere(1, dtype=torch.float64)
    vertices = centers[:, None] + radii[:, None, None] * unit.vertices
    return joined(vertices, unit.faces, colors)


def joined(vertices: Tensor, faces: Tensor, colors: Tensor) -> Surface:
    """N bodies (N, V, 3) of the same faces as one, each of one colour (N, 3)."""
    count, size = vertices.shape[:2]
    shifted = faces + size * torch.arange(count)[:, None, None]
    return vertices.flatten(0, 1), shifted.flatten(0, 1), colors.to(vertices).repeat_interleave(size, 0)


def descend_soft(task: Task, seed: int, steps: int) -> Descent:
    """As `descend`, by the derivative of blurred pictures; a step counts as two evaluations, one of them backward.

    Both blurs shrink along the run. The target is as blurred as the picture, and both are without light, so that
    nothing but the place of things tells them apart.
    """
    assert task.surface is not None
    surface, camera, before = task.surface, view(task), time.perf_counter()
    truth = torch.tensor(task.truth, dtype=torch.float64)
    sigmas, gammas = (geometric(*ends, steps) for ends in BLURS)
    step = iter(range(steps))

    def gradient(x: Tensor) -> None:
        now = next(step)
        shown, target = (
            render_soft(*surface(place), camera, sigma=sigmas(now), gamma=gammas(now)) for place in (x, truth)
        )
        (
            (shown - target.detach())[..., :3] + GREY * (target.detach() - shown)[..., 3:]
        ).square().mean().backward()

    path = np.array(list(adam(task, gradient, steps)))
    return Descent(path, 2 * steps, time.perf_counter() - before)
