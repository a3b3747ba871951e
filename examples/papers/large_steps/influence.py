"""Figure 9: how lambda changes the way and the result."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ..records import Record, Setup
from .frame import side_by_side
from .methods import LargeStepsDescent
from .studio import sphere


def influence(setup: Setup) -> Iterator[Record]:
    """The influence of lambda (figure 9).

    The paper's alpha is lambda / (1 + lambda), from 0, which is Adam's uniform kind on the vertices, to 0.999. Small
    ones tear the surface, large ones are slow to form what is thin; there is much room between.
    """
    level, steps, views, side = (3, 90, 6, 64) if setup.small else (4, 240, 9, 96)
    values = (0.0, 19.0, 999.0) if setup.small else (0.0, 1.0, 5.0, 19.0, 99.0, 999.0)
    ways = {}
    for lambda_ in values:
        rate = 0.1 if lambda_ else 0.01  # steps of vertices themselves are shorter
        method = f"lambda {lambda_:g}, alpha {lambda_ / (1 + lambda_):.3g}"
        ways[method] = partial(LargeStepsDescent, sphere(level), lambda_=lambda_, rate=rate)
    yield from side_by_side(setup, "fennec", ways, steps, views, side, left_out="vertices")
