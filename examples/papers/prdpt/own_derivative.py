"""Mitsuba's own derivative of a scene: what the smoothed one is compared with."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from .descend import Descent, Task, adam
from .mitsuba_pictures import PathTraced, mitsuba

PROBE = """
import mitsuba as mi
mi.set_variant("llvm_ad_rgb")
mi.render(mi.load_dict(mi.cornell_box()), spp=1).numpy()
"""


@lru_cache(maxsize=1)
def can_differentiate() -> bool:
    """Whether Mitsuba finds an LLVM that it can use; in a process of its own, for some of them end it."""
    return subprocess.run([sys.executable, "-c", PROBE], capture_output=True).returncode == 0


def descend_own(task: Task, seed: int, steps: int) -> Descent:
    """As `descend`, with Mitsuba's derivative; a step counts as two evaluations, one of them backward."""
    assert isinstance(task.picture, PathTraced)
    before = time.perf_counter()
    target = task.target()
    mi = mitsuba("llvm_ad_rgb")
    import drjit as dr

    described: dict[str, Any] = {"type": "scene"} | task.picture.scene(mi, [0.0] * len(task.start))
    if described["integrator"]["type"] == "path":  # with the derivative of silhouettes
        # Its octree, which guides samples to shadows' edges, takes 1.40 s a step where all else takes 0.07.
        described["integrator"] = described["integrator"] | {"type": "prb_projective", "guiding": "none"}
    scene = mi.load_dict(described, optimize=False)  # else equal cubes become one mesh
    own = mi.traverse(scene)
    first = dict(own)
    wanted = mi.TensorXf(np.ascontiguousarray(target))
    seeds = iter(range(1 + (seed << 24), 2**31))

    def gradient(x: torch.Tensor) -> None:
        values = [dr.opaque(mi.Float, entry) for entry in x.tolist()]  # a literal would be compiled in
        dr.enable_grad(values)
        own.update(task.picture.moved(mi, values, first))
        image = mi.render(scene, own, seed=next(seeds), seed_grad=next(seeds), spp=task.samples)
        dr.backward(dr.mean(dr.square(image - wanted), axis=None))
        x.grad = torch.tensor([float(dr.grad(value)[0]) for value in values], dtype=x.dtype).nan_to_num_()

    path = np.array(list(adam(task, gradient, steps)))
    return Descent(path, 2 * steps, time.perf_counter() - before)
