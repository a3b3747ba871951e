"""Curves of a finished run and of a comparison, as one picture each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._support.atomic import atomic_path
from ..report.curves import short
from . import drawing
from .drawing import ACCENT, GREY, PALE

# Okabe and Ito's colours, which all eyes tell apart, and two greys.
COLORS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#8c6bb1", "#a6761d")
_REST = "#b8b8bd"
_PHASES = 7  # with a colour of their own


def save_run_curves(path: str | os.PathLike[str], run: dict[str, Any]) -> None:
    """Draw a run's loss, what its time went into, and its memory.

    Parameters
    ----------
    path
        PNG file to write; whole or absent.
    run : dict
        As in ``run.json``. One of before there were timelines gets its phases as bars and the peaks of its memory.

    Raises
    ------
    ValueError
        It is not what a run writes.
    """
    try:
        losses = np.array([np.nan if value is None else value for value in run["loss"]], dtype=np.float64)
        line = run.get("timeline") or {}
        parts = [_phases_over_time, _memory] if len(line.get("seconds", ())) > 1 else [_phase_bars]
        figure = _figure(1 + len(parts), 2.9)
        rows = figure.subplots(1 + len(parts), 1)
        _loss(rows[0], losses, run.get("remeshed", []))
        for axes, part in zip(rows[1:], parts, strict=True):
            part(axes, run)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"run.json: not what a run writes: {type(error).__name__} {error}") from error
    _save(path, figure)


def save_comparison_curves(path: str | os.PathLike[str], rows: Sequence[dict[str, Any]]) -> None:
    """Draw the runs of a comparison: image loss against renders and seconds, and the distance against renders.

    Parameters
    ----------
    path
        PNG file to write; whole or absent.
    rows : sequence of dict
        As in ``results.json``.

    Raises
    ------
    ValueError
        No run has curves, or it is not what a comparison writes.
    """
    try:
        rows = [row for row in rows if row["curves"]["renders"]]
        names = list(dict.fromkeys(row["gradient"] for row in rows))
        colors = dict(zip(names, COLORS * len(names), strict=False))
        if not rows:
            raise ValueError("results.json: no run has curves; did any take a step?")
        kinds = [("renders", "image_loss", "image loss"), ("seconds", "image_loss", "image loss")]
        if any(value is not None for row in rows for value in row["curves"]["chamfer"]):
            kinds += [("renders", "chamfer", "Chamfer, ‰ of the diagonal")]
        figure = _figure(len(kinds), 2.9)
        panels = figure.subplots(len(kinds), 1)
        for axes, (x, y, label) in zip(panels, kinds, strict=True):
            for row in rows:
                _line(axes, row["curves"][x], row["curves"][y], colors[row["gradient"]])
            axes.set(xscale="log", yscale="log", xlabel=x, ylabel=label)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"results.json: not what compare writes: {type(error).__name__} {error}") from error
    handles = [panels[0].plot([], [], color=colors[name], label=name)[0] for name in names]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    _save(path, figure)


def _figure(rows: int, height: float) -> Any:
    """A page of panels, one above the other."""
    drawing.plotting()
    from matplotlib.figure import Figure

    return Figure(figsize=(8.0, height * rows), layout="constrained")


def _save(path: str | os.PathLike[str], figure: Any) -> None:
    """In the style of a run's other pictures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    FigureCanvasAgg(figure)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter(FuncFormatter(lambda value, _: short(float(f"{value:.6g}"))))
                axis.set_minor_formatter(NullFormatter())
        axes.grid(True, which="major", color="#e4e4e8", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(which="both", length=0, colors="#48484a")
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set(color="#8a8a8e", linewidth=0.6)
    with atomic_path(path) as part:
        figure.savefig(part, format="png", dpi=144, facecolor="white")


def _loss(axes: Any, losses: NDArray[np.float64], remeshed: Sequence[int]) -> None:
    """Of every step, and its running mean."""
    losses = np.where(losses > 0, losses, np.nan)
    steps = np.arange(1, len(losses) + 1)
    axes.plot(steps, losses, color=PALE, linewidth=0.7)
    axes.plot(steps, drawing.running_mean(losses), color=ACCENT, linewidth=1.8)
    for index, step in enumerate(remeshed):
        label = "remeshed" if index == 0 else None
        axes.axvline(step, color=GREY, linewidth=0.7, linestyle=(0, (3, 3)), label=label)
    if len(remeshed):
        axes.legend(frameon=False, loc="upper right")
    axes.set(yscale="log", xlabel="step", ylabel="loss", xlim=(0, max(len(losses), 1)))


def _largest(phases: dict[str, float]) -> list[str]:
    """Phases from the longest on, as many as get a colour."""
    return sorted(phases, key=lambda name: -phases[name])[:_PHASES]


def _phases_over_time(axes: Any, run: dict[str, Any]) -> None:
    """What each stretch of the run's time went into: shares that add up to 1."""
    line = run["timeline"]
    time = np.array([0.0, *line["seconds"]], dtype=np.float64)
    keep = np.concatenate([[True], np.diff(time) > 0])
    spent = {
        key.removeprefix("seconds: "): np.array([0.0, *values])[keep]
        for key, values in line.items()
        if key.startswith("seconds: ")
    }
    time = time[keep]
    shown = _largest({name: float(values[-1]) for name, values in spent.items()})
    stack = [np.clip(np.diff(spent[name]) / np.diff(time), 0, 1) for name in shown]
    stack.append(np.clip(1.0 - np.sum(stack, axis=0), 0, 1))
    # `step` as a stack: each stretch is as wide as it took.
    edges = np.repeat(time, 2)[1:-1]
    axes.stackplot(edges, [np.repeat(values, 2) for values in stack], colors=[*COLORS[: len(shown)], _REST],
                   labels=[*shown, "others"], linewidth=0)  # fmt: skip
    axes.set(xlabel="seconds", ylabel="share of the time", xlim=(0, time[-1]), ylim=(0, 1))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, reverse=True)


def _phase_bars(axes: Any, run: dict[str, Any]) -> None:
    """The seconds of each phase in all, where nothing is known of when they were spent."""
    phases = dict(sorted(run["seconds_by_phase"].items(), key=lambda entry: entry[1]))
    axes.barh(list(phases), list(phases.values()), color=ACCENT, height=0.7)
    peak = run.get("peak_memory_mib")
    axes.set(xlabel="seconds" + (f"      (peak of the memory: {peak:,} MiB)" if peak else ""))


def _memory(axes: Any, run: dict[str, Any]) -> None:
    """What the process held, and the most that it had held after its parts."""
    line = run["timeline"]
    _line(axes, line["seconds"], line["memory_mib"], ACCENT)
    peak = run.get("peak_memory_mib")
    if peak:
        axes.axhline(peak, color=GREY, linewidth=0.7, linestyle=(0, (3, 3)))
        axes.annotate(f"peak {peak:,}", (0, peak), xycoords=("axes fraction", "data"), xytext=(4, -4),
                      textcoords="offset points", va="top", color=GREY)  # fmt: skip
    axes.set(xlabel="seconds", ylabel="memory, MiB", xlim=(0, line["seconds"][-1]))
    axes.set_ylim(0, 1.08 * max([peak or 0, *(value or 0 for value in line["memory_mib"]), 1]))


def _line(axes: Any, x: Sequence[Any], y: Sequence[Any], color: str) -> None:
    """Without what is not known."""
    values = np.array([[np.nan if v is None else v for v in each] for each in (x, y)], dtype=np.float64)
    known = np.isfinite(values).all(axis=0)
    axes.plot(*values[:, known], color=color, linewidth=1.4, marker="." if known.sum() < 3 else None)
