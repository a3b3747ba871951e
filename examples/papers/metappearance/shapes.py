"""A start and a rate for each band of the Laplacian, for a family of shapes that are seen through a renderer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from largesteps_zg.learning import Learned, Task, adapt, meta_learn

from ..records import Record, Setup, clock
from .family import Shapes, large_steps
from .pictures import draw_curves, draw_rates, draw_shapes
from .runs import Run, joined, watched

MEASURE = "image error of held-out shapes, mean L1"
RATIO, LEARNING = "error over overfitted's", "seconds of learning"
RATES = (0.03, 0.1, 0.3)  # of UniformAdam


def shape(setup: Setup) -> Iterator[Record]:
    """Metappearance on shapes, through the rasterizer: ten steps against three hundred

    Shapes of one family are found from six pictures each: from a ball by Large Steps (overfitted), as the mean of the
    family (general), from that mean by Large Steps (fine-tuned), or from a learned start with a learned rate for each
    band of the Laplacian (meta; not learned: the mean, and one rate). The learning is of first order: no second
    derivative passes the rasterizer.
    """
    shapes = Shapes(2 if setup.small else 3, 32 if setup.small else 64)
    longest, quick, held = (20, 5, 2) if setup.small else (300, 10, 8)
    tests = [shapes.draw(torch.Generator().manual_seed(1000 + i)) for i in range(held)]
    for seed in setup.seeds:
        generator = torch.Generator().manual_seed(seed)
        mean = torch.stack([shapes.draw(generator) for _ in range(100)]).mean(0)
        with clock() as seconds:
            begin = unlearned(shapes, mean)
            learned = learn(setup, shapes, begin, quick, generator)
            learning = seconds()
        tasks, training = ([shapes.task(one) for one in some] for some in (tests, [shapes.draw(generator)]))

        def best(
            start: Tensor, steps: int, tasks: list[Task] = tasks, training: list[Task] = training
        ) -> Run:
            """Large Steps, at the best rate for a shape that is not held out."""
            rate = min(RATES, key=lambda rate: _followed(shapes, training, start, rate, steps).mean(steps))
            return _followed(shapes, tasks, start, rate, steps)

        setup.say("held-out shapes")
        runs = {"overfitted": best(shapes.ball, longest), "overfitted, short": best(shapes.ball, quick)}
        runs |= {"fine-tuned": best(mean, quick), "meta": _adapted(tasks, learned, quick)}
        runs["bands, not learned"] = _adapted(tasks, begin, quick)
        runs["general"] = Run({0: runs["fine-tuned"].errors[0]}, {0: 0.0})
        least = runs["overfitted"].mean(longest)
        for name, run in runs.items():
            steps = max(run.errors)
            label = f"{name.removesuffix(', short')}, {steps} steps"
            given = {"seconds": run.seconds[steps], "evaluations": steps}
            yield setup.record(label, seed, MEASURE, run.mean(steps), **given)
            yield setup.record(label, seed, RATIO, run.mean(steps) / least, **given)
        yield setup.record(f"meta, {quick} steps", seed, LEARNING, learning, **given)
    draw_curves(setup.folder / "curves.png", {name: run.errors for name, run in runs.items()}, MEASURE)
    draw_rates(setup.folder / "rates.png", shapes, learned)
    draw_shapes(
        setup.folder / "shapes.png", shapes, tests, {name: run.last for name, run in runs.items() if run.last}
    )


def unlearned(shapes: Shapes, mean: Tensor) -> Learned:
    """Where the learning begins: the family's mean, and one rate for all bands."""
    start = shapes.latent(mean)
    rate = torch.full((1, 1), 0.1 * len(mean) ** 0.5)  # a mode has length 1, whatever the number of vertices
    return Learned(start, dict.fromkeys(start, rate), "uniform-adam", ())


def learn(setup: Setup, shapes: Shapes, begin: Learned, quick: int, generator: torch.Generator) -> Learned:
    """A start and rates for the family."""
    return meta_learn(
        iter(lambda: shapes.task(shapes.draw(generator)), None), begin.start, rates=begin.rates, rule=begin.rule,
        steps=12 if setup.small else 300, inner_steps=quick, order=1, start_step=3e-3, rate_step=5e-2,
        watch=lambda step, loss: setup.say(f"meta: step {step}, {loss:.4f}"),
    )  # fmt: skip


def _adapted(tasks: list[Task], learned: Learned, steps: int) -> Run:
    """From the learned start, with the learned rates."""
    path = {"steps": steps, "rule": learned.rule}
    return joined(
        [
            watched(learned.start, adapt(task, learned.start, learned.rates, **path), task.score)
            for task in tasks
        ]
    )


def _followed(shapes: Shapes, tasks: list[Task], start: Tensor, rate: float, steps: int) -> Run:
    """Large Steps, one task after the other."""
    latent = shapes.latent(start)
    return joined(
        [watched(latent, large_steps(shapes, task, start, rate, steps), task.score) for task in tasks]
    )
