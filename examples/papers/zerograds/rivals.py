"""ZeroGrads and its rivals at equal evaluations: the paper's comparison, for any function that is only called."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from largesteps_zg.estimators import SPSA, Estimator, Objective, Smoothed, ZeroGrads
from largesteps_zg.estimators.schedules import Width
from largesteps_zg.estimators.searches import minimize

from ..records import Record, Setup

# How the page calls the searches, and their names here.
SEARCHES = {"CMA-ES": "cma-es", "GA": "genetic", "SA": "annealing"}
DESCENTS = ("ZeroGrads", "SPSA", "PRDPT")
WATCHED = 200  # points of a curve


@dataclass(frozen=True)
class Task:
    """What the methods are compared on.

    Attributes
    ----------
    loss : callable
        From parameters (N, ...) to N losses.
    start : callable
        From a generator to the first parameters.
    evaluations : int
        What each method may spend.
    sigma, pairs
        Of the three estimators alike; a sigma for each call's number is a schedule.
    rates : mapping
        Of each estimator: the step size of Adam at the first step. At the last step it is `last_rate` of that.
    spread : float
        Of the searches' first points around the start.
    goal : float
        A loss that is as good as none: a search ends there.
    options : mapping
        Of ZeroGrads.
    search_options : mapping
        Of the searches, by name.
    """

    loss: Callable[[Tensor], Tensor]
    start: Callable[[torch.Generator], Tensor]
    evaluations: int
    sigma: Width
    rates: Mapping[str, float]
    spread: float
    pairs: int = 4
    last_rate: float = 0.1
    goal: float = 0.0
    options: Mapping[str, Any] = field(default_factory=lambda: {"memory": 0.5})
    search_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Curve:
    """One run of a method: its losses along the way, and where it came to.

    `losses` are those of the parameters themselves (of a search: of the best so far), `best` the parameters of the
    least of them. `sizes` are the lengths of the gradients and `turns` what two in a row differ by, |g - h|^2 /
    (|g|^2 + |h|^2): 0 for the same, 1 for independent ones; none for a search.
    """

    method: str
    seed: int
    evaluations: tuple[int, ...]
    losses: tuple[float, ...]
    best: Tensor
    seconds: float
    sizes: tuple[float, ...] = ()
    turns: tuple[float, ...] = ()

    @property
    def best_loss(self) -> float:
        """The least."""
        return min(self.losses)


def estimator(task: Task, method: str) -> Estimator:
    """The gradient of one of `DESCENTS`."""
    if method == "ZeroGrads":
        return ZeroGrads(sigma=task.sigma, pairs=task.pairs, **task.options)
    if method == "SPSA":
        return SPSA(epsilon=task.sigma, pairs=task.pairs)
    return Smoothed(sigma=task.sigma, pairs=task.pairs)


def descend(task: Task, method: str, seed: int) -> Curve:
    """Adam along an estimate; the calls that only watch are not counted."""
    before = time.perf_counter()
    generator = torch.Generator().manual_seed(seed)
    x = task.start(generator).requires_grad_()
    source, objective = estimator(task, method), Objective(task.loss, batched=True)
    # The surrogate has a memory of its own: no momentum beside it.
    momentum = 0.0 if method == "ZeroGrads" else 0.9
    optimizer = torch.optim.Adam([x], lr=task.rates[method], betas=(momentum, 0.99))
    steps = task.evaluations // (2 * task.pairs)
    slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, task.last_rate ** (1 / steps))
    spent, losses, sizes, turns = [0], [_value(task, x)], [], []
    best, last = x.detach().clone(), None
    for step in range(steps):
        made = source.estimate(objective, x.detach(), generator=generator)
        assert isinstance(made.gradient, Tensor)
        x.grad = made.gradient
        optimizer.step()
        slower.step()
        size = float(made.gradient.norm())
        if last is not None:
            both = float(last.norm()) ** 2 + size**2
            turns.append(float((made.gradient - last).square().sum()) / both if both else 0.0)
        sizes.append(size)
        last = made.gradient
        if (step + 1) % max(1, steps // WATCHED) == 0 or step + 1 == steps:
            loss = _value(task, x)
            if loss < min(losses):
                best = x.detach().clone()
            losses.append(loss)
            spent.append((step + 1) * 2 * task.pairs)
    seconds = time.perf_counter() - before
    return Curve(method, seed, tuple(spent), tuple(losses), best, seconds, tuple(sizes), tuple(turns))


def search(task: Task, method: str, seed: int) -> Curve:
    """One of `SEARCHES`, begun again from its best while evaluations are left."""
    before = time.perf_counter()
    best = task.start(torch.Generator().manual_seed(seed))
    spent, losses = [0], [_value(task, best)]
    while spent[-1] < task.evaluations and losses[-1] > task.goal:
        found = minimize(
            Objective(task.loss, batched=True),
            best,
            search=SEARCHES[method],
            evaluations=task.evaluations - spent[-1],
            sigma=task.spread,
            seed=seed + 1000 * len(spent),
            callback=lambda searched: searched.best_loss <= task.goal,
            **task.search_options.get(method, {}),
        )
        offset = spent[-1]
        thin = max(1, len(found.history) // WATCHED)
        for count, loss in found.history[thin - 1 :: thin]:
            spent.append(offset + count)
            losses.append(min(loss, losses[-1]))
        if found.loss < losses[0]:
            best = found.parameters
        spent[-1] = offset + found.evaluations
        losses[-1] = min(found.loss, losses[-1])
    return Curve(method, seed, tuple(spent), tuple(losses), best, time.perf_counter() - before)


def race(setup: Setup, task: Task, methods: tuple[str, ...] = (*DESCENTS, *SEARCHES)) -> list[Curve]:
    """Every method with every seed."""
    curves = []
    for seed in setup.seeds:
        for method in methods:
            setup.say(f"{method}, seed {seed}")
            curves.append((descend if method in DESCENTS else search)(task, method, seed))
    return curves


def records(setup: Setup, curves: list[Curve], measure: str = "loss") -> Iterator[Record]:
    """The best value and the last; of gradients also how much two in a row differ, of the second half."""
    for curve in curves:
        spent = {"evaluations": curve.evaluations[-1]}
        yield setup.record(
            curve.method, curve.seed, f"best {measure}", curve.best_loss, curve.seconds, **spent
        )
        yield setup.record(
            curve.method, curve.seed, f"last {measure}", curve.losses[-1], curve.seconds, **spent
        )
        if curve.turns:
            late = curve.turns[len(curve.turns) // 2 :]
            turn = sum(late) / len(late)
            yield setup.record(curve.method, curve.seed, "gradients' change", turn, curve.seconds, **spent)


@torch.no_grad()
def _value(task: Task, x: Tensor) -> float:
    """The loss at parameters, to watch."""
    return float(task.loss(x.detach()[None])[0])
