"""What changes along a run: step sizes, smoothing, and when to remesh to which edge length."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Fractions of the run, and edge lengths in pixels: coarse triangles first, which move far and stay untangled,
# then as fine as the images can tell apart.
REMESH_AT = (0.15, 0.35, 0.55)
REMESH_PIXELS = (5.0, 3.0, 2.0)

# So much of the run sees images of half their size: until edges become shorter than 2.5 pixels of those. Cameras that
# are refined start moving then.
COARSE_UNTIL = 0.3

# With every remeshing the smoothing falls by this factor, down to a bound: strong smoothing keeps coarse triangles
# untangled while they move far, and then makes detail slow to come.
LAMBDA_FACTOR = 0.25

# Vertices of the default start, at which lambda is what it says.
REFERENCE_VERTICES = 2562

# Step sizes fall by this factor over the run: a constant one keeps the noise of the few views of a step.
DECAY = 0.03


@dataclass(frozen=True)
class Remeshing:
    """At the start of `step`, remesh to `edge_length` (in units of the normalised scene)."""

    step: int
    edge_length: float


# Bending is held back so many times more at the start of a run than at its end: coarse shapes first.
BENDING_FACTOR = 4.0


def bending_weight(weight: float, progress: float) -> float:
    """Weight of `Bending` when so much of the run lies behind, from its weight at the end."""
    return weight * BENDING_FACTOR ** (1.0 - progress)


def decay(progress: float, *, late: bool = False) -> float:
    """Factor of the step sizes, from 1 down to `DECAY`, when so much of the run lies behind.

    It falls exponentially, or `late`: slower at first, so that the finest triangles, which come when half of the run is
    over, have longer steps before them. Noise wants the former; later still, narrow places become tangled.
    """
    return DECAY ** (progress**1.5 if late else progress)


def starting_lambda(lambda_: float, vertices: int) -> float:
    """Smoothing of a start mesh: as far over the surface as the given one reaches on a mesh of 2,562 vertices.

    (I + lambda L)^-1 with unit weights reaches over sqrt(lambda) edges, and edges are as long as the square root of the
    area that a vertex has to itself.
    """
    return lambda_ * vertices / REFERENCE_VERTICES


def refined_lambda(lambda_: float, bound: float, *, planned: float = 1.0, actual: float = 1.0) -> float:
    """Smoothing after a remeshing; one that is below the bound already stays.

    Where edges became longer than planned, for the sake of a bound on vertices, it falls by as much more as makes it
    reach as far as on the planned ones.
    """
    return max(lambda_ * LAMBDA_FACTOR * (planned / actual) ** 2, min(lambda_, bound))


def remeshings(
    choice: str | tuple[int, ...], *, steps: int, pixel: float, edge_length: float, longest: float = math.inf
) -> tuple[Remeshing, ...]:
    """The remeshings of a run.

    Parameters
    ----------
    choice : "auto", "adaptive", "off" or steps
        Explicit steps get edge lengths that fall evenly (as a ratio) from `edge_length` to the finest.
    steps : int
        Length of the run.
    pixel : float
        Size of a pixel on the surface, in the scene's units.
    edge_length : float
        Mean edge length of the start mesh.
    longest : float
        No remeshing makes edges longer than this.

    Raises
    ------
    ValueError
        If a step lies outside the run.
    """
    if choice == "off":
        return ()
    if choice in ("auto", "adaptive"):
        plan = zip(REMESH_AT, REMESH_PIXELS, strict=True)
        return tuple(
            Remeshing(int(at * steps), min(pixels * pixel, longest))
            for at, pixels in plan
            if int(at * steps) > 0
        )
    if isinstance(choice, str):
        raise ValueError(f"remesh: expected auto, adaptive, off or steps such as 100,300, got {choice!r}")
    for step in choice:
        if not 0 <= step < steps:
            raise ValueError(f"remesh: expected steps in [0, {steps}), got {step}")
    ordered = sorted(set(choice))
    ratio = REMESH_PIXELS[-1] * pixel / edge_length
    return tuple(
        Remeshing(step, min(edge_length * ratio ** ((i + 1) / len(ordered)), longest))
        for i, step in enumerate(ordered)
    )


def shortest_edge(area: float, max_vertices: int) -> float:
    """Edge length of equilateral triangles that cover an area with so many vertices.

    V vertices have about 2V triangles, of sqrt(3)/4 l² each.
    """
    return math.sqrt(2.0 * area / (math.sqrt(3.0) * max_vertices))
