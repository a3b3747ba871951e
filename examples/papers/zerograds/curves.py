"""Pictures of a comparison: loss against evaluations, and how much gradients change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from .rivals import Curve

COLORS = {
    "ZeroGrads": "#d1495b",
    "SPSA": "#2e86ab",
    "PRDPT": "#3a7d44",
    "CMA-ES": "#8367c7",
    "GA": "#e08e2b",
    "SA": "#7a7a85",
    "Large Steps": "#1c1c28",
}


def draw_curves(path: Path, curves: Sequence[Curve], title: str, label: str = "least loss so far") -> None:
    """The least loss so far of every run, one colour a method."""
    figure, (axes,) = sheet(1)
    floor = min((loss for curve in curves for loss in curve.losses if loss > 0), default=1e-12)
    for curve in curves:
        least = np.maximum(np.minimum.accumulate(curve.losses), floor)
        axes.plot(curve.evaluations, least, **_line(curve, curves))
    axes.set_yscale("log")
    axes.set(title=title, xlabel="evaluations", ylabel=label)
    finish(path, figure, axes)


def draw_noise(path: Path, curves: Sequence[Curve], title: str) -> None:
    """Variance of the gradient's length over a tenth of the run, and what two gradients in a row differ by."""
    figure, (left, right) = sheet(2)
    for curve in (curve for curve in curves if curve.sizes):
        line = _line(curve, curves)
        steps = np.linspace(0, curve.evaluations[-1], len(curve.sizes))
        left.plot(steps, rolling(np.square(curve.sizes)) - rolling(curve.sizes) ** 2, **line)
        right.plot(steps[1:], rolling(curve.turns), **line)
    left.set_yscale("log")
    left.set(title=title, xlabel="evaluations", ylabel="variance of the gradient's length")
    right.set(
        title="0: the same direction; 1: independent", xlabel="evaluations", ylabel="change step to step"
    )
    right.set_ylim(0, 1.3)
    finish(path, figure, left)


def draw_images(path: Path, images: Mapping[str, Tensor], columns: int = 8) -> None:
    """Pictures (H, W) or (H, W, 3) in [0, 1] side by side, each under its name."""
    rows = -(-len(images) // columns)
    across = min(columns, len(images))
    figure = Figure(figsize=(1.6 * across, 1.85 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, across, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, (name, image) in zip(panels, images.items(), strict=False):
        axes.imshow(image.clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(name, fontsize=8)
    figure.savefig(path)


def rolling(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Means over a tenth of the run, as long as the run."""
    width = max(2, len(values) // 10)
    padded = np.pad(np.asarray(values, dtype=float), (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")


def sheet(panels: int) -> tuple[Figure, list[Axes]]:
    """An empty figure without a window."""
    figure = Figure(figsize=(5.6 * panels, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def finish(path: Path, figure: Figure, named: Axes) -> None:
    """Grid, names, file."""
    for axes in figure.axes:
        axes.grid(True, color="#e4e4e8", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    named.legend(frameon=False, fontsize=8, ncols=2)
    figure.savefig(path)


def _line(curve: Curve, curves: Sequence[Curve]) -> dict[str, object]:
    """Colour, width, and a name for the first seed."""
    first = curve.seed == curves[0].seed
    return {
        "color": COLORS[curve.method],
        "linewidth": 1.8 if curve.method == "ZeroGrads" else 1.2,
        "alpha": 1.0 if first else 0.5,
        "label": curve.method if first else None,
    }
