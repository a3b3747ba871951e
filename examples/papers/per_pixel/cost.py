"""What a step costs, from ten thousand to four million parameters."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import torch
from matplotlib.figure import Figure

from largesteps_zg.estimators import PerPixel, PixelLosses
from largesteps_zg.renderers import HardRasterizer

from ..records import Record, Setup
from .descent import COLORS
from .soup import Soup
from .soups import EPSILON, RATES, photograph


def cost(setup: Setup) -> Iterator[Record]:
    """Milliseconds of a step, by the number of parameters

    The same image of a soup of ever more triangles. Calls of the renderer are two a step whatever the number. What is
    paid for each parameter is its sign, its two places, its geometry and Adam's pass over it. The least traffic is that
    of two moved copies and a gradient, written to memory that is there already.
    """
    size = 64 if setup.small else 256
    counts = (1_000, 10_000) if setup.small else (10_000, 40_000, 160_000, 640_000, 1_280_000, 4_000_000)
    repeats = 3 if setup.small else 7
    table: dict[str, list[float]] = {"rendering, twice": [], "the rest of the gradient": [], "Adam": []}
    for count in counts:
        setup.say(f"{count:,} parameters")
        times = _milliseconds(size, count // 12, repeats)
        for part, one in zip(table, times, strict=True):
            table[part].append(one)
            yield setup.record(f"{count:,} parameters", 0, f"ms of {part}", one, one / 1000, evaluations=2)
        least = _least(count, repeats)
        yield setup.record(f"{count:,} parameters", 0, "ms of least traffic", least, least / 1000)
        total = sum(times)
        yield setup.record(f"{count:,} parameters", 0, "ms a step", total, total / 1000, evaluations=2)
    figure = Figure(figsize=(5, 3), layout="constrained")
    panel = figure.subplots()
    for (part, values), color in zip(table.items(), COLORS, strict=False):
        panel.loglog(counts, values, "o-", color=color, label=part, lw=2)
    panel.set_xlabel("parameters")
    panel.set_ylabel("ms of a step")
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)
    figure.savefig(setup.folder / "cost.png", dpi=110)


def _milliseconds(size: int, count: int, repeats: int) -> tuple[float, float, float]:
    """Medians of rendering, of the rest of the gradient, and of Adam; the processor's."""
    generator = torch.Generator().manual_seed(0)
    soup = Soup(photograph(size), HardRasterizer())
    triangles, colors = soup.start(count, generator)
    drawing = 0.0

    def losses(*parameters: torch.Tensor) -> PixelLosses:
        nonlocal drawing
        start = time.process_time()
        made = soup.losses(*parameters)
        drawing += time.process_time() - start
        return made

    estimator = PerPixel(EPSILON)
    optimizer = torch.optim.Adam(
        [{"params": [p], "lr": r} for p, r in zip((triangles, colors), RATES, strict=True)]
    )
    parts = []
    for _ in range(repeats + 1):  # the first one compiles
        drawing = 0.0
        start = time.process_time()
        found = estimator.estimate(losses, (triangles, colors), generator=generator)
        middle = time.process_time()
        triangles.grad, colors.grad = found.gradient
        optimizer.step()
        parts.append((drawing, middle - start - drawing, time.process_time() - middle))
    return tuple(1000 * statistics.median(column) for column in zip(*parts[1:], strict=True))


def _least(count: int, repeats: int) -> float:
    """Milliseconds without which no gradient of so many parameters can be: two copies and the result are written."""
    x, offsets = torch.rand(2, count)
    plus, minus, gradient = torch.empty(3, count)
    parts = []
    for _ in range(repeats + 1):
        start = time.process_time()
        torch.add(x, offsets, out=plus)
        torch.sub(x, offsets, out=minus)
        torch.mul(offsets, 0.5, out=gradient)
        parts.append(time.process_time() - start)
    return 1000 * statistics.median(parts[1:])
