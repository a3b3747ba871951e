"""Rates of `reconstruct`, one for each group of unknowns, learned on scenes for runs of half the steps."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from largesteps_zg import load_mesh, meshes
from largesteps_zg.constants import DEFAULTS
from largesteps_zg.estimators import SPSA
from largesteps_zg.mesh import surface_distances
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.reconstruct.gradients.traits import EXACT
from largesteps_zg.scenes.synthetic import scene_from_mesh
from largesteps_zg.scenes.views import Scene

from ..records import Record, Setup, clock

IMAGE, SHAPE = "held-out L1 over that of today's run", "Chamfer distance over that of today's run"
GROUPS = ("step of u", "step of albedo", "step of light", "lambda")
LEARNED_FROM, HELD_OUT = ("pebble", "mug", "gear"), ("fennec", "urchin", "knot")
WIDTH, STEP = 0.3, 0.2  # of the perturbations and of Adam, in logarithms of factors


@dataclass(frozen=True)
class Size:
    """Of the experiment: pixels and views of a scene, steps of today's run, steps of the learning, held-out scenes."""

    pixels: int
    views: int
    steps: int
    learning: int
    held_out: int


def settings(logs: Tensor, steps: int, seed: int) -> Settings:
    """Today's, with steps and lambda times the exponentials of some numbers."""
    u, albedo, light, smoothing = logs.exp().tolist()
    schedule = DEFAULTS.schedule
    schedule = replace(
        schedule, color_step=schedule.color_step * albedo / u, light_step=schedule.light_step * light
    )
    today = Settings()
    return Settings(
        steps=steps, seed=seed, views_per_step=4, step_size=today.step_size * u, lambda_=EXACT.lambda_ * smoothing,
        advanced=replace(DEFAULTS, schedule=schedule),
    )  # fmt: skip


@torch.enable_grad()  # searches call it without
def quality(scene: Scene, given: Settings) -> tuple[float, float, float]:
    """Mean L1 of held-out views, Chamfer distance in permille of the diagonal, and seconds of the run."""
    before = time.perf_counter()
    for state in reconstruct(scene.train, given):
        last = state
    seconds = time.perf_counter() - before
    image = float((last.run.images(scene.test.cameras) - scene.test.linear()).abs().mean())
    return image, surface_distances(last.run.mesh(), scene.mesh, samples=5000).chamfer_permille, seconds


def scene(setup: Setup) -> Iterator[Record]:
    """Metappearance on whole scenes: rates of reconstruct for half the steps

    Four factors, on the step sizes of positions, albedo and light and on lambda, are learned by SPSA through whole runs
    of half today's steps over three scenes. Scenes that were not learned from then get today's steps and half of them,
    each with today's rates and with the learned ones.
    """
    size = Size(32, 6, 12, 2, 1) if setup.small else Size(64, 12, 200, 12, 3)

    def made(name: str) -> Scene:
        mesh = load_mesh(meshes.path(name))
        return scene_from_mesh(mesh, views=size.views, test_views=3, height=size.pixels, width=size.pixels)

    training = [made(name) for name in LEARNED_FROM[: size.learning]]
    tests = {name: made(name) for name in HELD_OUT[: size.held_out]}
    for seed in setup.seeds:
        with clock() as seconds:
            logs = learn(setup, training, size, seed)
            learning = seconds()
        for name, group in zip(GROUPS, logs.exp().tolist(), strict=True):
            yield setup.record(f"learned factor: {name}", seed, "factor", group, learning)
        runs = {
            f"today's, {size.steps} steps": settings(torch.zeros(4), size.steps, seed),
            f"today's rates, {size.steps // 2} steps": settings(torch.zeros(4), size.steps // 2, seed),
            f"learned rates, {size.steps // 2} steps": settings(logs, size.steps // 2, seed),
            f"learned rates, {size.steps} steps": settings(logs, size.steps, seed),
        }
        for name, held_out in tests.items():
            setup.say(f"held-out {name}")
            found = {label: quality(held_out, given) for label, given in runs.items()}
            image, shape, _ = next(iter(found.values()))
            for label, (own_image, own_shape, spent) in found.items():
                count = runs[label].steps * runs[label].views_per_step
                given = {"seconds": spent, "evaluations": count}
                yield setup.record(f"{name}: {label}", seed, IMAGE, own_image / image, **given)
                yield setup.record(f"{name}: {label}", seed, SHAPE, own_shape / shape, **given)


def learn(setup: Setup, training: list[Scene], size: Size, seed: int) -> Tensor:
    """(4,): logarithms of factors under which short runs come to least, by SPSA and Adam."""
    generator, spsa = torch.Generator().manual_seed(seed), SPSA(epsilon=WIDTH)
    logs = torch.zeros(len(GROUPS), requires_grad=True)
    optimizer = torch.optim.Adam([logs], lr=STEP, betas=(0.8, 0.95))
    for step in range(size.learning):
        one = training[step % len(training)]

        def loss(point: Tensor, one: Scene = one, step: int = step) -> float:
            image, shape, _ = quality(one, settings(point, size.steps // 2, seed=1000 * seed + step))
            return 0.5 * math.log(image) + 0.5 * math.log(shape)  # both count in per cent

        estimate = spsa.estimate(loss, logs.detach(), generator=generator)
        logs.grad = estimate.gradient
        optimizer.step()
        setup.say(f"learning: step {step + 1}, {float(estimate.loss):.3f}")
    return logs.detach()
