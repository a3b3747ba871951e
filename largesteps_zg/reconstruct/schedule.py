"""What changes along a run: step sizes, smoothing, and when to remesh to which edge length."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..constants import DEFAULTS, Schedule


@dataclass(frozen=True)
class Remeshing:
    """New triangles before a step.

    Attributes
    ----------
    progress : float
        The share of the run that lies behind then.
    edge_length : float
        Of the triangles, in units of the normalised scene.
    times : float
        How many times longer than the edges of the run's last triangles: where there may not be as many vertices as
        they ask for, all are longer.
    longest : float
        No longer than this.
    """

    progress: float
    edge_length: float
    times: float = 1.0
    longest: float = math.inf

    def length(self, shortest: float) -> float:
        """Of the edges, where the run's last ones may be no shorter than that."""
        return min(max(self.edge_length, self.times * shortest), self.longest)


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
    finest = constants.remesh_pixels[-1] * pixel
    if choice in ("auto", "adaptive"):
        plan = zip(constants.remesh_at, constants.remesh_pixels, strict=True)
        pairs = [(at, pixels * pixel) for at, pixels in plan if at * steps >= 1]
    else:
        assert not isinstance(choice, str)
        ordered, ratio = sorted(set(choice)), finest / edge_length
        pairs = [
            (step / steps, edge_length * ratio ** ((i + 1) / len(ordered))) for i, step in enumerate(ordered)
        ]
    return tuple(Remeshing(at, length, length / finest, longest) for at, length in pairs)


def image_level(progress: float, edge: float, side: int, *, constants: Schedule = DEFAULTS.schedule) -> int:
    """How often to halve the images that a step compares: to show all that the triangles can, and no more.

    Parameters
    ----------
    progress : float
        Share of the run that lies behind.
    edge : float
        Length of short edges, in pixels of the whole images.
    side : int
        The images' shorter side, in pixels.
    """
    level, finest = 0, constants.remesh_pixels[-1]
    while side >> level >= constants.coarse_smallest:
        early = level == 0 and progress < constants.coarse_until
        if not early and edge / 2 ** (level + 1) < finest:
            break
        level += 1
    return level


def views_of_step(height: int, width: int, level: int, *, constants: Schedule = DEFAULTS.schedule) -> int:
    """How many images of a size, halved `level` times, a step compares: the usual number, or as many as it may."""
    return max(min(constants.step_pixels // ((height >> level) * (width >> level)), constants.step_views), 1)


def shortest_edge(area: float, max_vertices: int) -> float:
    """Edge length of equilateral triangles that cover an area with `max_vertices` vertices.

    V vertices have about 2V triangles, of sqrt(3)/4 l² each.
    """
    return math.sqrt(2.0 * area / (math.sqrt(3.0) * max_vertices))
