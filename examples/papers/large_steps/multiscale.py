"""Figure 3: from coarse to fine by remeshing again and again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ..records import Record, Setup
from .frame import side_by_side
from .methods import LargeStepsDescent
from .studio import smoothing, sphere


def multiscale(setup: Setup) -> Iterator[Record]:
    """From coarse to fine: edges are halved again and again (figure 3).

    The paper refines a dragon eight times in 16,000 steps. The urchin stands in, refined two times. Beside it, at equal
    steps, a sphere that is as fine from the start, and one that stays coarse.
    """
    level, steps, views, side = (2, 90, 6, 64) if setup.small else (3, 240, 9, 96)
    halvings = (steps // 3,) if setup.small else (steps // 3, steps * 2 // 3)
    first = {"coarse to fine": level, "fine from the start": level + len(halvings), "coarse": level}
    ways = {
        name: partial(LargeStepsDescent, sphere(at), lambda_=smoothing(level)) for name, at in first.items()
    }
    yield from side_by_side(
        setup, "urchin", ways, steps, views, side, left_out="|Lv|² per vertex, 1e-6",
        remesh_at={"coarse to fine": halvings}, by="seconds",
    )  # fmt: skip
