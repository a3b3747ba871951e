"""10. SPSA: two evaluations for a gradient, however many parameters there are.

A wall of 400 lamps lights a picture that a camera stores in 16 grey levels. Rounding has no slope, so autograd's
gradient is zero everywhere. SPSA moves all lamps at once, at random signs, and looks which of the two pictures is
better. Central differences would take 800 pictures for every step.

    python examples/10_spsa.py

You should see the error of the picture fall to a fifth, and the standard error of the gradient fall by half with four
times the pairs; out/examples/10_spsa.png shows the wall before and after, and the picture wanted.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from largesteps_zg.estimators import SPSA, differentiable

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

generator = torch.Generator().manual_seed(1)
lamps = torch.linspace(0.025, 0.975, 20)
pixels = torch.linspace(0, 1, 48)
# (48, 20): how a lamp lights a row of pixels
spread = torch.exp(-0.5 * ((pixels[:, None] - lamps) / 0.05) ** 2)
spread = spread / spread.sum(dim=1, keepdim=True)


def photograph(power: torch.Tensor) -> torch.Tensor:
    light = spread @ power.view(20, 20) @ spread.T
    return (16 * light.clamp(0, 0.999)).floor() / 15


v, u = torch.meshgrid(lamps, lamps, indexing="ij")
ring = ((u - 0.5).hypot(v - 0.5) - 0.3).abs() < 0.1
target = photograph(0.15 + 0.7 * ring.float())


def error(power: torch.Tensor) -> torch.Tensor:
    return (photograph(power) - target).square().mean()


power = torch.full((400,), 0.5, requires_grad=True)
error(power).backward()
print(f"autograd's gradient: {power.grad.abs().max():.0f} in all {len(power)} entries")

few, many = (
    SPSA(epsilon=0.05, pairs=pairs).estimate(error, power, generator=generator).standard_error.mean()
    for pairs in (100, 400)
)
print(f"standard error {few:.2e} with 100 pairs, {many:.2e} with 400: {few / many:.2f} to 1")

loss = differentiable(error, SPSA(epsilon=0.05, pairs=4), generator=generator)
optimizer = torch.optim.Adam([power], lr=0.01)
start = photograph(power.detach())
before = error(power.detach()).item()
for _ in range(1500):
    optimizer.zero_grad()
    loss(power).backward()
    optimizer.step()
after = error(power.detach()).item()
print(f"error {before:.4f} -> {after:.4f}: {before / after:.1f} times less, for {loss.evaluations} pictures")
_, panels = plt.subplots(1, 3, figsize=(7.5, 2.8), layout="constrained")
shown = {"before": start, "after 1,500 steps": photograph(power.detach()), "wanted": target}
for panel, (title, image) in zip(panels, shown.items(), strict=True):
    panel.imshow(image, cmap="gray", vmin=0, vmax=1)
    panel.set_title(title)
    panel.axis("off")
plt.savefig(output / "10_spsa.png")
assert after < before / 5 and 1.8 < few / many < 2.2
