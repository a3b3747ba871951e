"""The derivative of a sphere's covered area by its radius, against the exact one, by tessellation and resolution.

Claim: within 3 % at 1,280, 5,120 and 20,480 triangles and 64² to 512², for every one of several turns and offsets.

    python benchmarks/silhouettes.py           # half a minute
"""

from __future__ import annotations

import argparse
import math
import shlex
import sys

import torch
from torch import Tensor

from largesteps_zg.mesh import icosphere
from largesteps_zg.rasterizer import antialias, edge_table, rasterize

TRIALS = 8
FOCAL, DISTANCE = 1.25, 3.5  # in widths of the image, in radii


def ratios(subdivisions: int, size: int) -> Tensor:
    """(TRIALS,) of the derivative found over the exact one, for random turns and offsets below a pixel."""
    generator = torch.Generator().manual_seed(subdivisions * size)
    ball = icosphere(subdivisions, dtype=torch.float64)
    turns = torch.linalg.qr(torch.randn(TRIALS, 3, 3, generator=generator, dtype=torch.float64)).Q
    turns = turns * torch.linalg.det(turns)[:, None, None]
    shift = torch.rand(TRIALS, 1, 2, generator=generator, dtype=torch.float64) - 0.5
    radius = torch.ones(TRIALS, 1, 1, dtype=torch.float64, requires_grad=True)
    x = radius * ball.vertices @ turns.mT
    depth = x[..., 2:] + DISTANCE
    points = torch.cat([FOCAL * size * x[..., :2] + (size / 2 + shift) * depth, depth], dim=-1)
    fragments = rasterize(points, ball.faces, (size, size), edges=edge_table(ball.faces))
    alpha = antialias(torch.ones(len(fragments.pixels), 1, dtype=torch.float64), fragments)[..., -1]
    (found,) = torch.autograd.grad(alpha.sum(), radius)
    # A sphere of radius r is seen as a disc of radius f r / sqrt(d² - r²); its area's derivative by r at r = 1:
    exact = 2 * math.pi * (FOCAL * size) ** 2 * DISTANCE**2 / (DISTANCE**2 - 1) ** 2
    return found.flatten() / exact


def main() -> None:
    """Measure, print the table, check the claim."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    sizes, levels = (64, 128, 256, 512), (3, 4, 5)
    print(f"$ {shlex.join(['python', *sys.argv])}")
    print("Mean and worst deviation of the area's derivative from the exact one, in per cent\n")
    print("| triangles | " + " | ".join(f"{size}²" for size in sizes) + " |")
    print("|---" * (len(sizes) + 1) + "|")
    worst = 0.0
    for level in levels:
        deviations = [100 * (ratios(level, size) - 1) for size in sizes]
        worst = max(worst, *(d.abs().max().item() for d in deviations))
        cells = [f"{d.mean():+.2f}, {d[d.abs().argmax()]:+.2f}" for d in deviations]
        print(f"| {20 * 4**level:,} | " + " | ".join(cells) + " |")
    assert worst < 3, worst


if __name__ == "__main__":
    main()
