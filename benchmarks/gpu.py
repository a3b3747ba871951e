"""The rasterizer on a CUDA device: agreement with the CPU and with nvdiffrast, and the times of all three.

Claim: float32 on CUDA gives the CPU's triangles (all but 1 pixel in 10,000), images and gradients within 0.1 % of their
norm. At 10,242 vertices it takes a fifth of the CPU's time or less. Without a device the script says so and succeeds.

    python benchmarks/gpu.py                  # a minute; nvdiffrast joins in where it is installed
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import time
from dataclasses import dataclass

import torch
from rasterizer_peers import Problem, colors_of, problem
from torch import Tensor

from largesteps_zg.images.losses import image_loss
from largesteps_zg.rasterizer import edge_table, rasterize
from largesteps_zg.renderers import homogeneous_pixels, render

LEVELS = {4: 2_562, 5: 10_242, 6: 40_962}
STEPS = 20


@dataclass(frozen=True)
class Result:
    """One step on one backend."""

    name: str
    ids: Tensor
    image: Tensor
    gradient: Tensor
    milliseconds: float
    mebibytes: float


def run(p: Problem, device: str, backend: str) -> Result:
    """One step, and the median time of several."""
    faces, cameras = p.faces.to(device), p.cameras.to(device)
    targets, edges = p.targets.to(device), edge_table(p.faces).to(device)
    vertices = p.vertices.to(device).detach().requires_grad_()

    def step() -> Tensor:
        vertices.grad = None
        images = render(vertices, faces, colors_of(vertices, faces), cameras, edges=edges, backend=backend)
        image_loss(images, targets).backward()
        return images

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    image = step().detach()
    times = []
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for _ in range(STEPS):
        wait()
        start = time.perf_counter()
        step()
        wait()
        times.append(time.perf_counter() - start)
    size = (cameras.height, cameras.width)
    with torch.no_grad():
        ids = rasterize(homogeneous_pixels(vertices, cameras), faces, size, edges=edges, backend=backend)
    memory = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else float("nan")
    return Result(
        f"{backend}, {device}", ids.triangle_ids().cpu(), image.cpu(), vertices.grad.cpu(),
        1e3 * statistics.median(times), memory,
    )  # fmt: skip


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def main() -> None:
    """Measure, print the table, check the claim."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    if not torch.cuda.is_available():
        print("No CUDA device here: nothing to compare.")
        return
    print(f"$ {shlex.join(['python', *sys.argv])}")
    print(f"{torch.cuda.get_device_name()}; 16 views at 256², {torch.get_num_threads()} CPU threads\n")
    print("| vertices | backend | ms a step | MiB | pixels that differ | image | gradient |")
    print("|---|---|---|---|---|---|---|")
    for level, vertices in LEVELS.items():
        p = problem(level)
        cpu, cuda = run(p, "cpu", "warp"), run(p, "cuda", "warp")
        results = [cpu, cuda]
        try:
            results.append(run(p, "cuda", "nvdiffrast"))
        except ImportError as error:
            print(f"| {vertices:,} | nvdiffrast | {error} | | | | |")
        for r in results:
            different = float((r.ids != cpu.ids).float().mean())
            image, gradient = relative(r.image, cpu.image), relative(r.gradient, cpu.gradient)
            cells = [f"{r.milliseconds:.2f}", f"{r.mebibytes:.0f}", f"{different:.1e}", f"{image:.1e}"]
            print(f"| {vertices:,} | {r.name} | " + " | ".join([*cells, f"{gradient:.1e}"]) + " |")
        assert float((cuda.ids != cpu.ids).float().mean()) < 1e-4
        assert relative(cuda.image, cpu.image) < 1e-3 and relative(cuda.gradient, cpu.gradient) < 1e-3
        if vertices == 10_242:
            assert cuda.milliseconds < cpu.milliseconds / 5, (cuda.milliseconds, cpu.milliseconds)


if __name__ == "__main__":
    main()
