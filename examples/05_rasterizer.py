"""5. The rasterizer alone: the derivative of a covered area, against the formula.

A ball of radius r at distance d covers pi f^2 r^2 / (d^2 - r^2) pixels, f being the focal length in pixels. The
gradient of the coverage comes from the silhouette only, and must be right for triangles of any size.

    python examples/05_rasterizer.py

You should see ratios to the exact derivative within 3 % of 1, for triangles of 12 pixels and of a quarter of a pixel;
out/examples/05_rasterizer.png shows a piece of each outline.
"""

import argparse
import math
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from largesteps_zg import icosphere, look_at
from largesteps_zg.rasterizer import antialias, interpolate, rasterize
from largesteps_zg.renderers import homogeneous_pixels

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

distance, size = 3.0, 128
camera = look_at(torch.tensor([[distance, 0.0, 0.0]]), fov_y_degrees=50, height=size, width=size)
focal = camera.intrinsics[0, 0, 0].item()
exact = 2 * math.pi * focal**2 * distance**2 / (distance**2 - 1) ** 2  # at r = 1

ratios = []
_, panels = plt.subplots(1, 4, figsize=(9, 3), layout="constrained")
for level, panel in zip((3, 4, 5, 6), panels, strict=True):
    ball = icosphere(level)
    radius = torch.tensor(1.0, requires_grad=True)
    points = homogeneous_pixels(radius * ball.vertices, camera)  # (u z, v z, z), in pixels
    fragments = rasterize(points, ball.faces, (size, size))
    values = interpolate(ball.vertices, fragments)  # anything per vertex; here it does not matter
    coverage = antialias(values, fragments)[..., -1]
    coverage.sum().backward()
    ratios.append(radius.grad.item() / exact)
    panel.imshow(coverage[0, 8:40, 16:48].detach(), cmap="gray")
    panel.set_title(f"{len(ball.faces):,} triangles\nratio {ratios[-1]:.4f}")
    panel.axis("off")
    per_triangle = 2 * coverage.sum().item() / len(ball.faces)  # half of them are seen
    print(
        f"{len(ball.faces):6,} triangles of {per_triangle:5.2f} pixels: d area / d r = {radius.grad.item():6.0f}, "
        f"exact {exact:.0f}, ratio {ratios[-1]:.4f}"
    )
plt.savefig(output / "05_rasterizer.png")
worst = max(abs(ratio - 1) for ratio in ratios)
print(f"largest deviation {100 * worst:.2f} %")
assert worst < 0.03
