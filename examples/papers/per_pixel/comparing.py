"""The two estimators side by side: records, curves, pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from largesteps_zg.estimators import SPSA, Estimator, PerPixel

from ..records import Record, Setup
from .descent import Course, save_curves, save_strip

Run = Callable[[Estimator, int], tuple[Course, Tensor]]


def compare(
    setup: Setup, run: Run, epsilon: tuple[float, ...], target: Tensor, measure: str, **options: object
) -> Iterator[Record]:
    """Records of both, at equal calls of the renderer; `options` are those of `PerPixel`."""
    for seed in setup.seeds:
        courses, pictures = {}, {"wanted": target}
        for name, estimator in {
            "per pixel": PerPixel(epsilon, **options),
            "full image (SPSA)": SPSA(epsilon=epsilon),
        }.items():
            course, pictures[name] = run(estimator, seed)
            courses[name] = course
            yield setup.record(
                name, seed, measure, course.errors[-1], course.seconds[-1], evaluations=course.evaluations[-1]
            )
        yield setup.record("start", seed, measure, course.errors[0], 0.0, evaluations=0)
        save_curves(setup.folder / f"curves-{seed}.png", courses, measure)
        save_strip(setup.folder / f"images-{seed}.png", pictures)
