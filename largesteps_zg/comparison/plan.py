"""What is compared with what: options of a comparison, checked. Needs no torch before a plan of one's own is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any

from .._support.options import NO_OPTION, option
from .._support.values import check_count, shown
from ..reconstruct.gradients.registry import GRADIENTS, check_source
from ..reconstruct.settings import ESTIMATED, RENDERER, Settings
from .budget import Budget

if TYPE_CHECKING:
    from ..renderers.black_box import BlackBox

VIEWS, SIDE = 16, 256  # of a mesh, which has no views of its own, and their pixels
VIEWS_PER_STEP = 16
BUDGET = Budget(48_000)


def gradients_of(text: str) -> tuple[str, ...]:
    """Names from a text such as spsa,zerograds; all from an empty one."""
    return tuple(name.strip() for name in text.split(",")) if text else tuple(GRADIENTS)


@dataclass(frozen=True)
class Plan:
    """Which runs a comparison takes, and how.

    Attributes
    ----------
    gradients : sequence of str
        Names in `gradients.GRADIENTS`; all by default.
    seeds : sequence of int, or int
        Of the perturbations, and of the order of the views where not all are used in each step. A number N is 0 to
        N - 1.
    budget : Budget
        Of every run. With renders or steps it is not exceeded, with seconds by less than a step; one step is always
        taken.
    renderer : str or BlackBox
        What is called where gradients are estimates; see `renderers.load_renderer`.
    lambda_ : float
        Smoothing of the parametrization. By default that of estimates, which need it most: the same for all.
    device : str
    diagnostics : bool
        Measure variance and cosine of the gradients along the runs, which takes up to 4 more estimates at each of 12
        points; renders and seconds don't count them, and the result is the same to the bit.
    """

    gradients: Sequence[str] = field(
        default=tuple(GRADIENTS),
        metadata=option(f"which of {', '.join(GRADIENTS)}", "A,B,...", gradients_of, default="all"),
    )
    seeds: Sequence[int] | int = field(
        default=1, metadata=option("runs of each gradient, with seeds 0 to N - 1", "N", int)
    )
    budget: Budget = field(default=BUDGET, metadata=NO_OPTION)  # which has one for each unit
    renderer: str | BlackBox = field(
        default=RENDERER,
        metadata=option("what is called for estimates: rasterizer, opengl or FILE.py:FUNCTION", "NAME"),
    )
    lambda_: float = field(default=ESTIMATED.lambda_, metadata=option("smoothing", "L", float))
    device: str = field(default="auto", metadata=NO_OPTION)
    diagnostics: bool = field(
        default=True,
        metadata=option(
            "skip variance and cosine along the runs, which take more renders",
            flags={"no-diagnostics": False},
        ),
    )

    def __post_init__(self) -> None:
        if not isinstance(self.budget, Budget):
            raise ValueError(f"budget: expected a Budget, got {shown(self.budget)}; Budget(100, 'steps')")
        if not isinstance(self.diagnostics, bool):
            raise ValueError(f"diagnostics: expected True or False, got {shown(self.diagnostics)}")
        _check_renderer(self.renderer)
        gradients, seeds = check_gradients(self.gradients), self.seeds
        if isinstance(seeds, Integral):
            seeds = range(check_count("seeds", seeds))
        seeds = _each("seeds", seeds)
        settings = [self.settings(gradients[0], seed) for seed in seeds]  # which checks the rest
        checked = {
            "gradients": gradients, "seeds": _once("seeds", [each.seed for each in settings]),
            "lambda_": settings[0].lambda_, "device": settings[0].device,
        }  # fmt: skip
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Gradients and seeds, in the order in which they are taken."""
        assert not isinstance(self.seeds, int)
        return [(gradient, seed) for seed in self.seeds for gradient in self.gradients]

    def settings(self, gradient: str, seed: int) -> Settings:
        """Of one run: the same unknowns for all of them."""
        steps = max(1, int(self.budget.amount)) if self.budget.unit == "steps" else 1
        return Settings(
            steps=steps, lambda_=self.lambda_, remesh="off", views_per_step=VIEWS_PER_STEP, device=self.device,
            seed=seed, gradients=gradient, gloss="off", exposure="off", patches="off",
            refine_cameras="off",
        )  # fmt: skip


def check_gradients(gradients: Sequence[str]) -> tuple[str, ...]:
    """The names, or ValueError where there are none, one is unknown, or one is there twice."""
    return _once("gradients", [check_source(name) for name in _each("gradients", gradients)])


def _each(name: str, given: Any) -> Sequence[Any]:
    """A sequence of at least one, or ValueError."""
    given = given.tolist() if hasattr(given, "tolist") else given  # an array
    if not isinstance(given, (list, tuple, range)) or not given:
        raise ValueError(f"{name}: expected at least one and each once, got {shown(given)}")
    return given


def _once(name: str, given: Sequence[Any]) -> tuple[Any, ...]:
    """The same without one that is there twice, or ValueError."""
    if len(set(given)) < len(given):
        raise ValueError(f"{name}: expected at least one and each once, got {', '.join(map(str, given))}")
    return tuple(given)


def _check_renderer(renderer: Any) -> None:
    if isinstance(renderer, str) and renderer == RENDERER:
        return
    from ..renderers.black_box import BlackBox  # loads torch, which the default does without
    from ..renderers.registry import check_name

    if not isinstance(renderer, BlackBox):
        check_name(renderer)
