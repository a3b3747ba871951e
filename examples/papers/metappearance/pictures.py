"""Error against steps, learned rates, and shapes."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import torch
from torch import Tensor

from largesteps_zg.images.color import linear_to_srgb
from largesteps_zg.learning import Learned

from .family import LAMBDA, Shapes

matplotlib.use("Agg")
from matplotlib import pyplot


def draw_curves(path: Path, curves: dict[str, dict[int, Tensor]], measure: str) -> None:
    """Mean error against steps, with the middle half of the tasks as a band."""
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for name, errors in curves.items():
        steps = sorted(errors)
        low, middle, high = zip(*(_middle(errors[step]) for step in steps), strict=True)
        place = [max(step, 0.5) for step in steps]  # the start stands at the left edge
        (line,) = axes.plot(place, middle, marker="o", markersize=3, label=name)
        axes.fill_between(place, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set(xscale="log", yscale="log", xlabel="steps (left edge: none)", ylabel=measure)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _middle(errors: Tensor) -> tuple[float, float, float]:
    """The quarter, the mean, three quarters."""
    low, high = errors.quantile(torch.tensor([0.25, 0.75]))
    return float(low), float(errors.mean()), float(high)


def draw_rates(path: Path, shapes: Shapes, learned: Learned) -> None:
    """The learned rate of each band beside Large Steps' one, both as they move positions."""
    frequencies = torch.tensor(shapes.frequencies)
    smoothed = 1 / (1 + LAMBDA * frequencies)  # from the latent to positions
    frequencies = frequencies.clamp(min=0.05)  # the first band is 0
    rates = torch.cat([rate.flatten() for rate in learned.rates.values()])
    equal = torch.full_like(rates, float(rates.log().mean().exp()))
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    axes.plot(frequencies, rates * smoothed, marker="o", label="learned, a rate for each band")
    axes.plot(frequencies, equal * smoothed, marker="o", label="one rate, as Large Steps has it")
    axes.set(
        xscale="log", yscale="log", xlabel="eigenvalue of the Laplacian (left: 0)", ylabel="step of positions"
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw_shapes(
    path: Path, shapes: Shapes, truths: list[Tensor], columns: dict[str, dict[str, Tensor]], rows: int = 4
) -> None:
    """A row for each of some shapes, a column for each method, and the truth."""
    rows, cameras = min(rows, len(truths)), shapes.cameras[1].resized(128, 128)
    figure, axes = pyplot.subplots(
        rows, len(columns) + 1, figsize=(1.5 * (len(columns) + 1), 1.5 * rows), layout="constrained", squeeze=False
    )  # fmt: skip
    for row in range(rows):
        cells = {
            name: shapes.vertices({band: part[row] for band, part in latent.items()})
            for name, latent in columns.items()
        }
        for cell, (name, vertices) in zip(axes[row], [*cells.items(), ("truth", truths[row])], strict=True):
            image = shapes.images(vertices, cameras)[0].detach()
            cell.imshow(linear_to_srgb((image[..., :3] + 1 - image[..., 3:]).clamp(0, 1)).numpy())
            cell.set_axis_off()
            if row == 0:
                cell.set_title(name, fontsize=8)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
