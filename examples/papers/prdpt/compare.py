"""The methods on one task: records in the form of the paper's second table, and a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..records import Record, Setup
from .descend import Descent, Task, descend, image_error, parameter_error
from .figure import draw
from .mitsuba_pictures import PathTraced
from .own_derivative import can_differentiate, descend_own
from .soft import descend_soft

OURS, UNSMOOTHED, OWN, SOFT = "smoothed", "not smoothed", "Mitsuba's derivative", "soft rasterizer"
Method = Callable[[Task, int, int], Descent]

# A new method is one line here: from a task, a seed and steps to a descent.
METHODS: dict[str, Method] = {
    OURS: lambda task, seed, steps: descend(task, task.smoothed(steps), seed, steps),
    UNSMOOTHED: lambda task, seed, steps: descend(task, task.unsmoothed(steps), seed, steps),
    SOFT: lambda task, seed, steps: descend_soft(task, seed, steps * task.pairs),
    OWN: lambda task, seed, steps: descend_own(task, seed, steps * task.pairs),
}


def methods_for(task: Task, setup: Setup) -> list[str]:
    """Those that can run here; the small form does without a compiler."""
    own = isinstance(task.picture, PathTraced) and not setup.small and can_differentiate()
    able = {OWN: own, SOFT: task.surface is not None}
    return [name for name in METHODS if able.get(name, True)]


def compare(setup: Setup, task: Task, *, small_steps: int) -> Iterator[Record]:
    """Each method from the same start with the same number of pictures; `picture.png` shows the first seed."""
    steps = small_steps if setup.small else task.steps
    shown: dict[str, Descent] = {}
    for method in methods_for(task, setup):
        for seed in setup.seeds[:1] if method == SOFT else setup.seeds:  # blurred pictures have no noise
            setup.say(f"{method}, seed {seed}")
            descent = METHODS[method](task, seed, steps)
            shown.setdefault(method, descent)
            image, parameter = task.published.get(method, (None, None))
            for measure, error, published in (
                ("image error", image_error, image),
                ("parameter error", parameter_error, parameter),
            ):
                yield setup.record(
                    method,
                    seed,
                    measure,
                    error(task, descent.path[-1].tolist()),
                    descent.seconds,
                    published=published,
                    evaluations=descent.evaluations,
                )
    setup.say("picture")
    draw(setup.folder / "picture.png", task, shown, points=15 if setup.small else 61)
