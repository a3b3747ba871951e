"""12. Gradients of a plain Python function that nobody could differentiate.

Three articles stand side by side on a page of 240 characters. How wide should each column be so that all end on the
same line? Lines are broken by Python's `textwrap`: strings, branches and counts, no tensor anywhere. Three parameters
are few, so central differences will do; their width must be that of the function's own steps.

    python examples/12_finite_differences.py

You should see columns of very different lengths end within one line of each other.
"""

import random
import textwrap

import torch

from largesteps_zg.estimators import CentralDifferences, differentiable, geometric

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
best, best_lines = float("inf"), before
loss = differentiable(unevenness, CentralDifferences(epsilon=geometric(0.2, 0.04, 60)))
optimizer = torch.optim.Adam([logarithms], lr=0.05)
for _ in range(80):
    optimizer.zero_grad()
    loss(logarithms).backward()
    optimizer.step()
    with torch.no_grad():
        value = loss(logarithms).item()  # no gradient asked for: one plain evaluation
    if value < best:
        best, best_lines, best_columns = (
            value,
            lines(logarithms.exp().tolist()),
            columns(logarithms.exp().tolist()),
        )

print(f"lines of the three columns: {before} before, {best_lines} with {best_columns} characters")
spread = max(best_lines) - min(best_lines)
print(f"they end within {spread} lines of each other, after {loss.evaluations} evaluations")
assert spread <= 1
