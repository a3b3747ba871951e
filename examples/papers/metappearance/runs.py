"""What the experiments share: a run that is watched at some of its steps."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor

KEPT = {0, 1, 2, 3, 5, 7, 10, 20, 50, 100, 200, 300, 500, 1000}


@dataclass
class Run:
    """Errors (N,) of N held-out tasks after steps, seconds for one of the tasks, and the last parameters."""

    errors: dict[int, Tensor] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    last: dict[str, Tensor] = field(default_factory=dict)

    def mean(self, steps: int) -> float:
        """Over the tasks."""
        return float(self.errors[steps].mean())


def watched(
    start: Mapping[str, Tensor],
    path: Iterable[Mapping[str, Tensor]],
    error: Callable[[Mapping[str, Tensor]], Tensor],
) -> Run:
    """Follow parameters along a path; measuring their errors takes none of its time."""
    run, spent, before = Run(), 0.0, time.perf_counter()
    for step, parameters in enumerate(chain([start], path)):
        if step in KEPT:
            spent += time.perf_counter() - before
            found = error(parameters).detach().reshape(-1)
            run.errors[step], run.seconds[step] = found, spent / len(found)
            before = time.perf_counter()
    run.last = {name: value.detach() for name, value in parameters.items()}
    return run


def joined(runs: list[Run]) -> Run:
    """The runs of single tasks as one."""
    errors = {step: torch.cat([run.errors[step] for run in runs]) for step in runs[0].errors}
    seconds = {step: statistics.mean(run.seconds[step] for run in runs) for step in errors}
    return Run(
        errors, seconds, {name: torch.stack([run.last[name] for run in runs]) for name in runs[0].last}
    )
