"""Figure 1: a sphere becomes an animal, with finer triangles half-way."""

from __future__ import annotations

from collections.abc import Iterator

from ..records import Record, Setup
from .frame import side_by_side
from .methods import LargeStepsDescent, PenaltyDescent
from .studio import smoothing, sphere


def teaser(setup: Setup) -> Iterator[Record]:
    """From a sphere to an animal, with finer triangles half-way (figure 1).

    The paper reconstructs Nefertiti's bust from a sphere with one remeshing. The fennec takes her place here, from
    photographs of a clay model in a known light. Adam on the vertices takes the same steps and tears the surface.
    """
    level, steps, views, side = (3, 90, 6, 64) if setup.small else (4, 240, 9, 96)
    start = sphere(level)
    ways = {
        "Large Steps, remeshed": lambda: LargeStepsDescent(start, lambda_=smoothing(level)),
        "Large Steps": lambda: LargeStepsDescent(start, lambda_=smoothing(level)),
        "Adam on vertices": lambda: PenaltyDescent(start),
    }
    yield from side_by_side(
        setup, "fennec", ways, steps, views, side, left_out="|Lv|² per vertex, 1e-6",
        remesh_at={"Large Steps, remeshed": (steps * 2 // 3,)}, first={"start": start},
    )  # fmt: skip
