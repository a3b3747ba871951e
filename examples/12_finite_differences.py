"""12. Gradients of a plain Python function that nobody could differentiate.

Three articles stand side by side on a page of 240 characters. How wide should each column be so that all end on the
same line? Lines are broken by Python's `textwrap`: strings, branches and counts, no tensor anywhere. Three parameters
are few, so central differences will do; their width must be that of the function's own steps.

    python examples/12_finite_differences.py

You should see columns of very different lengths end within one line of each other, and both pages in
out/examples/12_finite_differences.png.
"""

import argparse
import random
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from largesteps_zg.estimators import CentralDifferences, differentiable, geometric

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

PAGE = 240
writer = random.Random(7)


def article(words: int) -> str:
    return " ".join("x" * writer.choice((1, 2, 3, 3, 4, 5, 6, 8, 11)) for _ in range(words))


articles = [article(words) for words in (1400, 300, 700)]


def columns(shares: list[float]) -> list[int]:
    """Widths in characters: whole ones."""
    return [max(12, round(PAGE * share / sum(shares))) for share in shares]


def lines(shares: list[float]) -> list[int]:
    return [len(textwrap.wrap(text, width)) for text, width in zip(articles, columns(shares), strict=True)]


def unevenness(logarithms: torch.Tensor) -> float:
    lengths = lines(logarithms.exp().tolist())
    mean = sum(lengths) / len(lengths)
    return sum((length / mean - 1) ** 2 for length in lengths)


logarithms = torch.zeros(3, requires_grad=True)
before = lines(logarithms.detach().exp().tolist())
best = float("inf")
loss = differentiable(unevenness, CentralDifferences(epsilon=geometric(0.2, 0.04, 60)))
optimizer = torch.optim.Adam([logarithms], lr=0.05)
for _ in range(80):
    optimizer.zero_grad()
    loss(logarithms).backward()
    optimizer.step()
    with torch.no_grad():
        value = loss(logarithms).item()  # no gradient asked for: one plain evaluation
    if value < best:
        best, shares = value, logarithms.exp().tolist()
best_lines, best_columns = lines(shares), columns(shares)

print(f"lines of the three columns: {before} before, {best_lines} with {best_columns} characters")
spread = max(best_lines) - min(best_lines)
print(f"they end within {spread} lines of each other, after {loss.evaluations} evaluations")
_, panels = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True, layout="constrained")
for panel, title, widths in zip(panels, ("before", "after"), (columns([1, 1, 1]), best_columns), strict=True):
    for text, width, left in zip(articles, widths, (0, widths[0], widths[0] + widths[1]), strict=True):
        rows = textwrap.wrap(text, width)
        panel.barh(range(len(rows)), [len(row) - 4 for row in rows], 0.6, [left] * len(rows))
    panel.set(title=title, ylim=(max(before), 0), xlabel="characters", ylabel="lines")
plt.savefig(output / "12_finite_differences.png")
assert spread <= 1
