"""What all experiments of this paper do: descend, watch the error, draw curves and pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from largesteps_zg.estimators import Estimator, PixelLosses, differentiable

COLORS = ("#1f5fbf", "#c4512d", "#3a8f4d", "#7a5195")


@dataclass
class Course:
    """The error along a run, with the processor's seconds and the calls of the renderer until then."""

    seconds: list[float] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    def seconds_to(self, error: float) -> float | None:
        """Until the error was first as low as this; None where it never was."""
        return next((s for s, e in zip(self.seconds, self.errors, strict=True) if e <= error), None)


def descend(
    losses: Callable[..., PixelLosses],
    parameters: Sequence[Tensor],
    rates: Sequence[float],
    estimator: Estimator,
    error: Callable[..., float],
    *,
    steps: int,
    generator: torch.Generator,
    after: Callable[[int, torch.optim.Optimizer], object] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Course:
    """Adam at rates that fall to a tenth; the parameters are changed in place.

    `error` is measured some thirty times, without gradients, while the clock stands.
    """
    moving = [p.requires_grad_() for p in parameters]
    loss = differentiable(losses, estimator, generator=generator)
    optimizer = torch.optim.Adam([{"params": [p], "lr": r} for p, r in zip(moving, rates, strict=True)])
    slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.1 ** (1 / steps))
    course = Course()

    def watch(spent: float) -> None:
        course.seconds.append(spent)
        course.evaluations.append(loss.evaluations)
        with torch.no_grad():
            course.errors.append(error(*moving))

    watch(0.0)
    watched = {round(steps ** (k / 30)) for k in range(31)}
    spent = 0.0
    for step in range(1, steps + 1):
        start = time.process_time()
        optimizer.zero_grad()
        loss(*moving).backward()
        optimizer.step()
        slower.step()
        if after is not None:
            after(step, optimizer)
        spent += time.process_time() - start
        if step in watched:
            watch(spent)
            say(f"step {step} of {steps}, error {course.errors[-1]:.3g}")
    return course


def inherit(optimizer: torch.optim.Optimizer, rows: Tensor, parents: Tensor) -> None:
    """Adam's scales of rows that are from now on parts of others; neither has a direction yet.

    With scales of nothing the first step would be three times as long as any other.
    """
    for state in optimizer.state.values():
        state["exp_avg_sq"][rows] = state["exp_avg_sq"][parents]
        state["exp_avg"][rows] = state["exp_avg"][parents] = 0


def save_curves(path: Path, courses: dict[str, Course], label: str) -> None:
    """Errors against calls of the renderer and against seconds."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, axis in zip(panels, ("evaluations", "seconds"), strict=True):
        for (name, course), color in zip(courses.items(), COLORS, strict=False):
            panel.loglog(getattr(course, axis)[1:], course.errors[1:], color=color, label=name, lw=2)
        panel.set_xlabel(
            {"evaluations": "calls of the renderer", "seconds": "seconds of the processor"}[axis]
        )
        panel.grid(alpha=0.3, which="both")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(label)
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


def save_strip(path: Path, pictures: dict[str, Tensor]) -> None:
    """Pictures (H, W, 3 or 4) side by side, premultiplied ones over white."""
    figure = Figure(figsize=(2.6 * len(pictures), 2.8), layout="constrained")
    panels = figure.subplots(1, len(pictures))
    for panel, (name, picture) in zip(panels, pictures.items(), strict=True):
        shown = picture[..., :3] + (1 - picture[..., 3:]) if picture.shape[-1] == 4 else picture
        panel.imshow(shown.detach().clamp(0, 1).numpy(), interpolation="nearest")
        panel.set_title(name, fontsize=10)
        panel.axis("off")
    figure.savefig(path, dpi=110)
