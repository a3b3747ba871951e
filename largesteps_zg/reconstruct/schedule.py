"""What changes along a run: step sizes, smoothing, and when to remesh to which edge length."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..constants import DEFAULTS, Schedule


@dataclass(frozen=True)
class Remeshing:
    """At the start of `step`, remesh to `edge_length` (in units of the normalised scene)."""

    step: int
    edge_length: float


def bending_weight(weight: float, progress: float, constants: Schedule = DEFAULTS.schedule) -> float:
    """Weight of `Bending` at a fraction of the run, from its weight at the end: coarse shapes come first."""
    return weight * constants.bending_factor ** (1.0 - progress)


def decay(progress: float, *, late: bool = False, constants: Schedule = DEFAULTS.schedule) -> float:
    """Factor of the step sizes at a fraction of the run, from 1 down to `Schedule.decay`.

    A constant size would keep the noise of the few views in each step. By default it falls exponentially, which suits
    noisy gradients. With `late` it falls more slowly at first: the finest triangles come when half of the run is over,
    and then still have long steps before them. If steps fall later still, narrow places tangle.
    """
    return constants.decay ** (progress**constants.decay_power if late else progress)


def starting_lambda(lambda_: float, vertices: int, constants: Schedule = DEFAULTS.schedule) -> float:
    """Smoothing of a start mesh: it reaches as far over the surface as `lambda_` does on a mesh of 2,562 vertices.

    (I + lambda L)^-1 with unit weights reaches over sqrt(lambda) edges. The length of an edge grows with the square
    root of the area for each vertex.
    """
    return lambda_ * vertices / constants.reference_vertices


def refined_lambda(
    lambda_: float,
    bound: float,
    *,
    planned: float = 1.0,
    actual: float = 1.0,
    constants: Schedule = DEFAULTS.schedule,
) -> float:
    """Smoothing after a remeshing; one that is already below the bound stays.

    Strong smoothing keeps coarse triangles untangled while they move far; later it would slow down detail. A bound on
    vertices can make edges longer than planned. Then the smoothing falls further, so that it reaches as far
    as on the planned edges.
    """
    return max(lambda_ * constants.lambda_factor * (planned / actual) ** 2, min(lambda_, bound))


def remeshings(
    choice: str | tuple[int, ...],
    *,
    steps: int,
    pixel: float,
    edge_length: float,
    longest: float = math.inf,
    constants: Schedule = DEFAULTS.schedule,
) -> tuple[Remeshing, ...]:
    """The remeshings of a run.

    Parameters
    ----------
    choice : "auto", "adaptive", "off" or steps
        As `Settings` has it. Explicit steps get edge lengths that fall by equal ratios from `edge_length` to the
        finest.
    steps : int
        Length of the run.
    pixel : float
        Size of a pixel on the surface, in the scene's units.
    edge_length : float
        Mean edge length of the start mesh.
    longest : float
        No remeshing makes edges longer than this.
    constants : Schedule, optional
        Coarse triangles come first: they move far and stay untangled. The last ones are as fine as the images can tell
        apart.
    """
    if choice == "off":
        return ()
    if choice in ("auto", "adaptive"):
        plan = zip(constants.remesh_at, constants.remesh_pixels, strict=True)
        return tuple(
            Remeshing(int(at * steps), min(pixels * pixel, longest))
            for at, pixels in plan
            if int(at * steps) > 0
        )
    assert not isinstance(choice, str)
    ordered = sorted(set(choice))
    ratio = constants.remesh_pixels[-1] * pixel / edge_length
    return tuple(
        Remeshing(step, min(edge_length * ratio ** ((i + 1) / len(ordered)), longest))
        for i, step in enumerate(ordered)
    )


def shortest_edge(area: float, max_vertices: int) -> float:
    """Edge length of equilateral triangles that cover an area with `max_vertices` vertices.

    V vertices have about 2V triangles, of sqrt(3)/4 l² each.
    """
    return math.sqrt(2.0 * area / (math.sqrt(3.0) * max_vertices))
