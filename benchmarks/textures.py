"""A texture of 1024² sampled by 16 views of 256², forward and backward: ours, and torch's grid_sample.

Claim: without mipmaps ours takes at most the time of grid_sample, which has none; with them at most twice that time.

    python benchmarks/textures.py            # a quarter of a minute

Texels and coordinates get gradients, with mipmaps footprints too. A view shows a quarter of the texture's width and
up to all of it, turned, in perspective, so that a pixel is one to a few texels wide. grid_sample gets all views as one
tall image: with a batch of views it would have a texture's gradient for each of them. Rounds take turns; the median of
each counts.
"""

from __future__ import annotations

import argparse
import math
import shlex
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from largesteps_zg.rasterizer import sample_texture

VIEWS, PIXELS, SIDE, CHANNELS, ROUNDS = 16, 256, 1024, 3, 15
CLAIMS = {"linear": 1.0, "mipmaps": 2.0}


def seen(views: int, pixels: int) -> tuple[Tensor, Tensor]:
    """Coordinates (B, H, W, 2) of a floor in perspective, and their derivatives by the pixel (B, H, W, 4)."""
    axis = (torch.arange(pixels) + 0.5) / pixels - 0.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    depth = 1 / (1 - y)
    coordinates, footprints = [], []
    for view in range(views):
        angle, scale = 2 * math.pi * view / views, 0.25 + 0.75 * view / views
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        # On the floor p = x d, q = y d with d = 1 / (1 - y).
        p, q, px, py, qy = x * depth, y * depth, depth, x * depth**2, depth**2
        coordinates.append(torch.stack([0.5 + c * p - s * q, 0.5 + s * p + c * q], -1))
        footprints.append(torch.stack([c * px, c * py - s * qy, s * px, s * py + c * qy], -1) / pixels)
    return torch.stack(coordinates), torch.stack(footprints)


def steps() -> dict[str, Callable[[], Tensor]]:
    """One forward and backward pass of each; the texture's gradient (H, W, C)."""
    generator = torch.Generator().manual_seed(0)
    uv, footprints = seen(VIEWS, PIXELS)
    texture = torch.rand(SIDE, SIDE, CHANNELS, generator=generator).requires_grad_()
    planes = texture.detach().permute(2, 0, 1)[None].contiguous().requires_grad_()
    grid = (2 * uv - 1).view(1, VIEWS * PIXELS, PIXELS, 2).requires_grad_()
    uv, footprints = uv.requires_grad_(), footprints.requires_grad_()
    gradient = torch.randn(VIEWS, PIXELS, PIXELS, CHANNELS, generator=generator)
    wide = gradient.view(1, VIEWS * PIXELS, PIXELS, CHANNELS).permute(0, 3, 1, 2).contiguous()

    def ours(**options: Tensor) -> Tensor:
        texture.grad = uv.grad = footprints.grad = None
        sample_texture(texture, uv, boundary="zero", **options).backward(gradient)
        assert texture.grad is not None
        return texture.grad

    def theirs() -> Tensor:
        planes.grad = grid.grad = None
        torch.nn.functional.grid_sample(planes, grid, align_corners=False).backward(wide)
        assert planes.grad is not None
        return planes.grad[0].permute(1, 2, 0)

    return {"grid_sample": theirs, "linear": ours, "mipmaps": lambda: ours(footprints=footprints)}


def measure(threads: int) -> dict[str, tuple[float, float]]:
    """Milliseconds a pass and milliseconds of CPU time: medians of rounds in which all take turns."""
    torch.set_num_threads(threads)
    passes = steps()
    first = {name: step() for name, step in passes.items()}  # compiles
    difference = (first["linear"] - first["grid_sample"]).abs().max()
    assert difference < 1e-4 * first["grid_sample"].abs().max(), difference
    walls: dict[str, list[float]] = {name: [] for name in passes}
    cpus: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(ROUNDS):
        for name, step in passes.items():
            wall, cpu = time.perf_counter(), time.process_time()
            step()
            walls[name].append(1e3 * (time.perf_counter() - wall))
            cpus[name].append(1e3 * (time.process_time() - cpu))
    return {name: (statistics.median(walls[name]), statistics.median(cpus[name])) for name in passes}


def main() -> None:
    """Measure, print the table, check the claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, torch.get_num_threads()}))
    options = parser.parse_args()
    print(f"$ {shlex.join(['python', *sys.argv])}")
    print(
        f"{VIEWS} views of {PIXELS}², a texture of {SIDE}² x {CHANNELS}; ms forward and backward (CPU ms)\n"
    )
    found = {threads: measure(threads) for threads in options.threads}
    names = list(next(iter(found.values())))
    print("| threads | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for threads, row in found.items():
        print(
            f"| {threads} | "
            + " | ".join(f"{row[name][0]:.0f} ({row[name][1]:.0f})" for name in names)
            + " |"
        )
    for threads, row in found.items():
        for name, most in CLAIMS.items():
            assert row[name][0] <= most * row["grid_sample"][0], (threads, name, row)


if __name__ == "__main__":
    main()
