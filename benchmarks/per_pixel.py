"""What a per-pixel step costs: by the number of parameters, and against the differentiable rasterizer's step.

Claims:

* Texels as parameters, on a fixed mesh: from 7 thousand to 1 million, 140 times as many, the step takes at most 4 times
  as long. The work for each pixel takes at most 3 times as long, because its sums no longer fit into a core's cache.
  The rest draws signs and adds vectors.
* Vertices and colours: an estimate takes at most 2.2 times as long as the two plain hard renderings in it. The more
  vertices, the nearer to 1 time.
* A whole step, with solves, shading and optimiser, takes less time than with the rasterizer at 2,562 vertices, and at
  most a fifth more at 10,242.

    python benchmarks/per_pixel.py                 # about two minutes
    python benchmarks/per_pixel.py --part step     # or texture, mesh

All use 16 views at 256². Times are medians of steps that take turns, so other work on the machine slows all alike.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import shlex
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from largesteps_zg.cameras import sphere_of_cameras
from largesteps_zg.estimators import PerPixel, PixelLosses, differentiable, per_pixel
from largesteps_zg.images.losses import image_loss, pixel_losses
from largesteps_zg.mesh import icosphere
from largesteps_zg.optimize import UniformAdam
from largesteps_zg.parameterize import LargeSteps
from largesteps_zg.rasterizer import edge_table
from largesteps_zg.reconstruct.gradients import pixel_size
from largesteps_zg.renderers import HardRasterizer, render, shade
from largesteps_zg.scenes.synthetic import studio_light

VIEWS = sphere_of_cameras(16, distance=3.5, fov_y_degrees=35.0, height=256, width=256)
PARTS = ("texture", "mesh", "step")
TEXELS = (2_500, 24_000, 100_000, 340_000)
LEVELS = {4: 2_562, 5: 10_242, 6: 40_962, 7: 163_842}


class Clock:
    """Milliseconds by name, for each step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []

    def of(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted."""

        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **options)
            self.steps[-1][name] += 1e3 * (time.perf_counter() - start)
            return result

        return timed

    def step(self, function: Callable[[], Any]) -> None:
        """One step, its whole time under 'step'."""
        self.steps.append(defaultdict(float))
        self.of("step", function)()

    def median(self, name: str) -> float:
        """Without the first two steps, which compile and fetch memory."""
        return statistics.median(step[name] for step in self.steps[2:])


def texture(steps: int) -> None:
    """The cost of a step by the number of texels."""
    ball = icosphere(5)
    directions = HardRasterizer()(ball.vertices, ball.faces, 0.5 + 0.5 * ball.vertices, VIEWS)
    normal = 2 * directions.images[..., :3] - 1
    seen = directions.images[..., 3] > 0
    u = torch.atan2(normal[..., 1], normal[..., 0]) / (2 * math.pi) + 0.5
    v = torch.acos(normal[..., 2].clamp(-1, 1)) / math.pi
    clocks = {}
    for texels in TEXELS:
        width = math.isqrt(2 * texels)
        height = texels // width
        at = (v * height).long().clamp(max=height - 1) * width + (u * width).long().clamp(max=width - 1)
        clocks[width * height] = Clock(), lookup_step(torch.where(seen, at, -1), width * height)
    for _ in range(steps):
        for clock, step in clocks.values():
            step(clock)
    print("\nTexels, ms (2 pictures of 16 views by looking up texels, on a fixed mesh)\n")
    names = ("render", "losses", "sums", "signs")
    print("| parameters | step | " + " | ".join(names) + " | other |")
    print("|---:" * 7 + "|")
    whole, pixels = [], []
    for texels, (clock, _) in clocks.items():
        parts = [clock.median(name) for name in names]
        whole.append(clock.median("step"))
        pixels.append(sum(parts[1:3]))
        print(f"| {3 * texels:,} | {whole[-1]:.1f} | " + " | ".join(f"{p:.1f}" for p in parts), end="")
        print(f" | {whole[-1] - sum(parts):.1f} |")
    assert whole[-1] < 4 * whole[0] and pixels[-1] < 3 * pixels[0], (whole, pixels)


def lookup_step(at: Tensor, texels: int) -> Callable[[Clock], None]:
    """A step on `texels` colours, through pictures that look them up."""
    colors, ids = torch.full((texels, 3), 0.5), at.to(torch.int32)
    targets, index = torch.rand(*at.shape, 3), at.clamp(min=0).view(-1)

    def step(clock: Clock) -> None:
        draw = clock.of("render", lambda x: x.index_select(0, index).view(*at.shape, 3))
        compare = clock.of("losses", pixel_losses)
        estimator = PerPixel(0.05)
        with Patched(clock):
            clock.step(
                lambda: estimator.estimate(lambda x: PixelLosses(compare(draw(x), targets), ids), colors)
            )

    return step


class Patched:
    """The estimator with a clock around its sums and its signs."""

    def __init__(self, clock: Clock) -> None:
        self.before = per_pixel.scatter, per_pixel.random_signs
        self.timed = clock.of("sums", per_pixel.scatter), clock.of("signs", per_pixel.random_signs)

    def __enter__(self) -> None:
        per_pixel.scatter, per_pixel.random_signs = self.timed

    def __exit__(self, *exception: object) -> None:
        per_pixel.scatter, per_pixel.random_signs = self.before


def mesh(steps: int) -> None:
    """The cost of an estimate for vertices and colours, against two hard renderings alone."""
    clocks: dict[tuple[int, str], tuple[Clock, Callable[[], Any]]] = {}
    for level in LEVELS:
        ball = icosphere(level)
        vertices, faces, colors = ball.vertices, ball.faces.int(), (0.5 + 0.5 * ball.vertices).clamp(0, 1)
        draw = HardRasterizer()
        targets = draw(1.05 * vertices, faces, 0.9 * colors, VIEWS).images

        def f(x: Tensor, c: Tensor, faces: Tensor = faces, targets: Tensor = targets) -> PixelLosses:
            made = HardRasterizer()(x, faces, c, VIEWS)
            assert made.triangles is not None
            return PixelLosses(pixel_losses(made.images, targets), made.triangles)

        def plain(x: Tensor = vertices, faces: Tensor = faces, c: Tensor = colors) -> None:
            for _ in range(2):
                HardRasterizer()(x, faces, c, VIEWS)

        # Half a pixel at this distance; for fine meshes no more than half an edge.
        width = min(0.5 * 3.5 / 406, 0.5 / 2**level)
        clocks[level, "plain"] = Clock(), plain
        for name, views in (("together", None), ("each view", 16)):
            estimator = PerPixel((width, 0.05), primitives=faces, views=views)
            clocks[level, name] = (
                Clock(),
                lambda estimator=estimator, f=f, x=(vertices, colors): estimator.estimate(f, x),
            )
    for _ in range(steps):
        for clock, function in clocks.values():
            clock.step(function)
    print("\nVertices and colours, ms (losses and sums included)\n")
    print(
        "| parameters | 2 hard renderings | estimate, one perturbation | ratio | one for each view | ratio |"
    )
    print("|---:" * 6 + "|")
    for level, vertices_ in LEVELS.items():
        bare, together, each = (
            clocks[level, n][0].median("step") for n in ("plain", "together", "each view")
        )
        row = [f"{together:.0f}", f"{together / bare:.2f}", f"{each:.0f}", f"{each / bare:.2f}"]
        print(f"| {6 * vertices_:,} | {bare:.0f} | " + " | ".join(row) + " |")
        assert together < 2.2 * bare, (level, together, bare)  # leaves room for a busy machine


def step(steps: int) -> None:
    """A whole step of either gradient, in turns."""
    print("\nA whole step, of positions in known light, ms of the clock (of the processor)\n")
    print("| vertices | threads | rasterizer | per-pixel | ratio |")
    print("|---:" * 5 + "|")
    ratios: dict[int, list[float]] = {4: [], 5: []}
    for threads in sorted({1, cores()}):
        torch.set_num_threads(threads)
        for level in (4, 5):
            found = {name: ([], []) for name in ("rasterizer", "per-pixel")}
            makers = {name: whole_step(level, name) for name in found}
            for i in range(steps + 2):
                for name, (walls, cpus) in found.items():
                    wall, cpu = time.perf_counter(), time.process_time()
                    makers[name]()
                    if i > 1:
                        walls.append(1e3 * (time.perf_counter() - wall))
                        cpus.append(1e3 * (time.process_time() - cpu))
            cells = [f"{statistics.median(w):.1f} ({statistics.median(c):.1f})" for w, c in found.values()]
            walls = [statistics.median(w) for w, _ in found.values()]
            cpus = [statistics.median(c) for _, c in found.values()]
            # Other work on the machine can spoil one of the two medians, but hardly both.
            ratios[level].append(min(walls[1] / walls[0], cpus[1] / cpus[0]))
            print(f"| {LEVELS[level]:,} | {threads} | {cells[0]} | {cells[1]} | {walls[1] / walls[0]:.2f} |")
    assert max(ratios[4]) < 1 and max(ratios[5]) < 1.2, ratios


def whole_step(level: int, name: str) -> Callable[[], None]:
    """Latent to vertices, shading, gradient, optimiser."""
    ball, light = icosphere(level), studio_light()
    faces, edges, albedo = ball.faces, edge_table(ball.faces), torch.full_like(ball.vertices, 0.7)
    shape = LargeSteps(faces, ball.vertices)
    latent = shape.to_differential(ball.vertices).requires_grad_()
    optimizer = UniformAdam([latent], lr=0.003)
    hard = HardRasterizer()
    with torch.no_grad():
        bent = ball.vertices * torch.tensor([1.1, 0.9, 1.0])
        targets = render(bent, faces, shade(bent, faces, albedo, light), VIEWS, edges=edges)

    def f(vertices: Tensor, colors: Tensor) -> PixelLosses:
        made = hard(vertices, faces, colors, VIEWS)
        assert made.triangles is not None
        return PixelLosses(pixel_losses(made.images, targets), made.triangles)

    sampled = differentiable(
        f,
        PerPixel((0.5, 0.05), primitives=faces, views=16, units=lambda x, _: (pixel_size(x, VIEWS), 1.0)),
        generator=torch.Generator().manual_seed(0),
    )

    def run() -> None:
        optimizer.zero_grad()
        vertices = shape.from_differential(latent)
        colors = shade(vertices, faces, albedo, light)
        if name == "rasterizer":
            loss = image_loss(render(vertices, faces, colors, VIEWS, edges=edges), targets)
        else:
            loss = sampled(vertices, colors)
        loss.backward()
        optimizer.step()

    return run


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    """Measure, print the tables, check the claims."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one")
    parser.add_argument("--steps", type=int, default=15, help="timed steps of each")
    options = parser.parse_args()
    print(f"$ {shlex.join(['python', *sys.argv])}")
    print(f"{platform.machine()}, {cores()} cores; one thread where none is said")
    for part in options.part or PARTS:
        torch.set_num_threads(1)
        {"texture": texture, "mesh": mesh, "step": step}[part](options.steps)


if __name__ == "__main__":
    main()
