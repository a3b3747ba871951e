"""The ablation: what each part of the smoothed gradient is worth."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator

from largesteps_zg.estimators import Estimator

from ..records import Record, Setup
from . import box, occlusion, shadows
from .ablated import Ablated
from .descend import Task, descend, image_error, parameter_error

PARTS: dict[str, Callable[[Task, int], Estimator]] = {
    "all": Task.smoothed,
    "no importance sampling": lambda task, steps: Ablated(
        sigma=task.widths(steps), pairs=task.pairs, importance=False
    ),
    "no antithetic pairs": lambda task, steps: Ablated(
        sigma=task.widths(steps), pairs=task.pairs, antithetic=False
    ),
    "no annealing": lambda task, steps: Ablated(sigma=lambda calls: task.sigma[0], pairs=task.pairs),
}
ROUNDING = 1e-8  # squared errors below are none; the box finds its target to the last pixel
# Mean logarithms of how many times larger the image and the parameter error are.
PUBLISHED = {
    "no importance sampling": (4.8, 5.9),
    "no annealing": (4.5, 5.8),
    "no antithetic pairs": (4.8, 7.1),
}


def ablation(setup: Setup) -> Iterator[Record]:
    """The ablation

    Importance sampling, antithetic pairs and annealing are taken away in turn. A number is the mean over tasks (box,
    shadows, occlusion; in the small form the box) of the natural logarithm of how many times larger an error becomes.
    """
    tasks = [box.TASK] if setup.small else [box.TASK, shadows.TASK, occlusion.TASK]
    for seed in setup.seeds:
        whole: list[tuple[float, float]] = []
        for name, estimator in PARTS.items():
            setup.say(f"{name}, seed {seed}")
            before, evaluations = time.perf_counter(), 0
            errors = []
            for task in tasks:
                steps = 100 if setup.small else task.steps
                descent = descend(task, estimator(task, steps), seed, steps)
                found = descent.path[-1].tolist()
                errors.append((image_error(task, found), parameter_error(task, found)))
                evaluations += descent.evaluations
            seconds = time.perf_counter() - before
            if not whole:
                whole = errors
                continue
            for kind, measure in enumerate(("image error", "parameter error")):
                ratios = [
                    math.log((error[kind] + ROUNDING) / (full[kind] + ROUNDING))
                    for error, full in zip(errors, whole, strict=True)
                ]
                yield setup.record(
                    name,
                    seed,
                    f"log-ratio of the {measure}",
                    statistics.mean(ratios),
                    seconds,
                    published=PUBLISHED[name][kind],
                    evaluations=evaluations,
                )
