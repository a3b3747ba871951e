"""One picture of a task: target, start and ends; the plateau and its smoothed form; the descents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from largesteps_zg.images.color import linear_to_srgb
from largesteps_zg.output.pictures.drawing import ACCENT, GREY, PALE, PLOT_STYLE, plotting

from .descend import WATCHED, Descent, Task, parameter_error

SCALE = 3  # of the pictures that are shown, against those of the descent
COLORS = (ACCENT, "#c2703d", "#5c8a3a")


def draw(path: Path, task: Task, descents: dict[str, Descent], *, points: int) -> None:
    """Write it; the plateau is drawn along the line through start and truth, from `points` pictures."""
    matplotlib = plotting()
    from matplotlib.figure import Figure

    shown = {"start": task.start, "target": task.truth} | {
        name: run.path[-1] for name, run in descents.items()
    }
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(11, 6.4), layout="constrained")
        top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.35])
        for axes, (name, parameters) in zip(
            np.ravel(top.subplots(1, len(shown))), shown.items(), strict=True
        ):
            picture = task.picture(list(map(float, parameters)), WATCHED, 4 * task.samples, scale=SCALE)
            axes.imshow(_displayed(picture))
            axes.set_title(name, fontsize=12)
            axes.axis("off")
        left, right = bottom.subplots(1, 2)
        _plateau(left, task, points)
        for color, (name, run) in zip(COLORS, descents.items(), strict=False):
            errors = [parameter_error(task, parameters) for parameters in run.path]
            right.semilogy(np.linspace(0, run.evaluations, len(errors)), errors, color=color, label=name)
        right.set(xlabel="pictures rendered", ylabel="parameter error (mean square)")
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False, fontsize=11)
        figure.savefig(path, dpi=90)


def _displayed(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """As the eye sees it."""
    return np.asarray(linear_to_srgb(torch.from_numpy(np.clip(picture, 0, 1))))


def profile(task: Task, points: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The loss along the line through start (0) and truth (1), and beyond both by the width of the first blur."""
    start, truth = np.array(task.start), np.array(task.truth)
    beyond = min(1.0, task.sigma[0] / np.linalg.norm(truth - start))
    places = np.linspace(-beyond, 1 + beyond, points)
    target = task.target()
    pictures = (
        task.picture((start + t * (truth - start)).tolist(), 1 + i, task.samples)
        for i, t in enumerate(places)
    )
    return places, np.array([np.square(picture - target).mean() for picture in pictures], dtype=np.float64)


def blurred(places: NDArray[np.float64], losses: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Losses convolved with a Gaussian; beyond the ends they stay what they are there."""
    fine = np.linspace(-4, 4, 161)
    weights = np.exp(-0.5 * fine**2)
    around = np.interp(places[:, None] + sigma * fine, places, losses)
    return np.asarray(around @ weights / weights.sum())


def _plateau(axes: object, task: Task, points: int) -> None:
    """The loss, and what the descent sees of it at first and on the way."""
    places, losses = profile(task, points)
    length = float(np.linalg.norm(np.subtract(task.truth, task.start)))
    axes.plot(places, losses, color=GREY, lw=1, label="loss")
    for color, share in ((PALE, 0.4), (ACCENT, 1.0)):
        sigma = share * task.sigma[0]
        axes.plot(
            places,
            blurred(places, losses, sigma / length),
            color=color,
            label=rf"smoothed, $\sigma$ = {sigma:.2g}",
        )
    for place, name in ((0, "start"), (1, "truth")):
        axes.axvline(place, color=GREY, lw=0.6, ls=":")
        axes.annotate(name, (place, 0.02), xycoords=("data", "axes fraction"), fontsize=11, ha="center")
    axes.set(xlabel="from start to truth", ylabel="loss (mean square of colours)")
