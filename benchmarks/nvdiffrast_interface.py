"""What nvdiffrast's interface costs: the step of `rasterizer.py` through it, and through the native functions.

Claim: on one core a step through `largesteps_zg.nvdiffrast.torch` takes less than 3 times the native CPU time.

    python benchmarks/nvdiffrast_interface.py    # half a minute

The two take turns in one process, with one thread, so that other work on the machine slows both alike. The interface
hands whole images from one operation to the next; the native functions hand on lists of the covered pixels, which are a
quarter of them here.
"""

from __future__ import annotations

import statistics
import time

import torch
from rasterizer_peers import Problem, Step, colors_of, ours, problem
from torch.nn.functional import pad

import largesteps_zg.nvdiffrast.torch as dr
from largesteps_zg.images.losses import image_loss

MOST = 3.0
STEPS = 15


def through_the_interface(p: Problem) -> Step:
    """The same step, as a program for nvdiffrast would take it: coverage is one more channel."""
    context, tri = dr.RasterizeGLContext(output_db=False), p.faces.int()
    topology = dr.antialias_construct_topology_hash(tri)
    matrices, size = p.cameras.clip_from_world(1.0, 10.0), (p.cameras.height, p.cameras.width)
    vertices = p.vertices.clone().requires_grad_()

    def step() -> float:
        vertices.grad = None
        pos = pad(vertices, (0, 1), value=1.0) @ matrices.mT
        rast, _ = dr.rasterize(context, pos, tri, size)
        colors, _ = dr.interpolate(pad(colors_of(vertices, p.faces), (0, 1), value=1.0), rast, tri)
        loss = image_loss(dr.antialias(colors, rast, pos, tri, topology), p.targets)
        loss.backward()
        return loss.item()

    return step


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'vertices':>8} {'native ms':>10} {'interface ms':>13} {'ratio':>6}")
    ratios = []
    for level in (4, 5, 6):
        p = problem(level)
        steps = {"native": ours(p), "interface": through_the_interface(p)}
        losses = [step() for step in steps.values()]
        assert abs(losses[0] - losses[1]) < 1e-4 * losses[0], losses
        times: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(STEPS):
            for name, step in steps.items():
                start = time.process_time()
                step()
                times[name].append(1e3 * (time.process_time() - start))
        native, interface = (statistics.median(found) for found in times.values())
        ratios.append(interface / native)
        print(f"{len(p.vertices):8,} {native:10.1f} {interface:13.1f} {ratios[-1]:6.2f}")
    assert max(ratios) < MOST, ratios


if __name__ == "__main__":
    main()
