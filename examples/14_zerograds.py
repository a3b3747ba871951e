"""14. ZeroGrads: three words find their places on a page, through a program that prints characters.

The page is a grid of letters, and so its difference from another page changes in leaps. A small network learns, from
sampled pages around the present one, what the difference would be nearby, and its derivative leads on. It goes on from
step to step, so that a step gets along with few pages, and every second step with none at all.

    python examples/14_zerograds.py

You should see the words arrive within half a character of where they belong, the page that was printed, and their ways
in out/examples/14_zerograds.png.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from largesteps_zg.estimators import ZeroGrads, differentiable, geometric

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

WIDTH, HEIGHT = 44, 14
WORDS = ("perturb", "render", "learn")


def page(places: torch.Tensor) -> list[str]:
    """The words on an empty page, each with its first letter at a (row, column); no word leaves the page."""
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    for word, (row, column) in zip(WORDS, places.round().int().tolist(), strict=True):
        y, x = min(max(row, 0), HEIGHT - 1), min(max(column, 0), WIDTH - len(word))
        grid[y][x : x + len(word)] = word
    return ["".join(line) for line in grid]


def ink(places: torch.Tensor) -> torch.Tensor:
    """The page as numbers: where there is a letter, and which."""
    codes = torch.tensor([[ord(letter) for letter in line] for line in page(places)])
    return (codes[..., None] == torch.arange(97, 123)).float()  # (HEIGHT, WIDTH, 26)


goal = torch.tensor([[2.0, 5.0], [6.0, 30.0], [11.0, 14.0]])
target = ink(goal)


def difference(places: torch.Tensor) -> torch.Tensor:
    """Share of the letters that are missing where they belong."""
    return 1 - (ink(places) * target).sum() / target.sum()


places = torch.tensor([[4.0, 12.0], [8.0, 24.0], [9.0, 18.0]], requires_grad=True)
start = places.detach().clone()
estimator = ZeroGrads(sigma=geometric(3.0, 0.5, 500, start=200), pairs=10, k_theta=2)
loss = differentiable(difference, estimator, generator=torch.Generator().manual_seed(0))
optimizer = torch.optim.Adam([places], lr=0.1)
slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.997)
ways = [start]
for _ in range(800):
    optimizer.zero_grad()
    loss(places).backward()
    optimizer.step()
    slower.step()
    ways.append(places.detach().clone())

found = places.detach()
print("\n".join(f"|{line}|" for line in page(found)))
print(f"difference {difference(start):.2f} -> {difference(found):.2f}, for {loss.evaluations} pages")
print(f"farthest word {(found - goal).abs().max():.2f} characters from its place")
plt.figure(figsize=(7, 3), layout="constrained")
for word, way, (row, column) in zip(WORDS, torch.stack(ways, dim=1), goal, strict=True):
    (line,) = plt.plot(way[:, 1], way[:, 0], linewidth=1, alpha=0.5)
    plt.plot(*way[0].flip(0), "o", color=line.get_color())
    plt.text(column, row, word, family="monospace", weight="bold", va="center")
plt.axis((0, WIDTH, HEIGHT, 0))
plt.savefig(output / "14_zerograds.png")
assert difference(found) == 0
