"""Figure 6: outlines alone, by Large Steps and with a penalty."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ..records import Record, Setup
from .frame import side_by_side
from .methods import LargeStepsDescent, PenaltyDescent
from .studio import smoothing, sphere


def silhouettes(setup: Setup) -> Iterator[Record]:
    """Outlines alone, by Large Steps and with penalties from weak to strong (figure 6).

    Pixels are compared by coverage, squared. Only vertices at an outline have a gradient. A weak penalty leaves them
    torn from the rest, and a strong one keeps spikes short; Large Steps moves their neighbourhood with them.
    """
    level, steps, views, side = (3, 90, 6, 64) if setup.small else (4, 240, 12, 96)
    ways = {"Large Steps": partial(LargeStepsDescent, sphere(level), lambda_=smoothing(level))}
    for weight in (0.1, 1.0, 10.0):
        ways[f"Laplacian, weight {weight:g}"] = partial(PenaltyDescent, sphere(level), weight=weight)
    yield from side_by_side(setup, "urchin", ways, steps, views, side, left_out="vertices", silhouettes=True)
