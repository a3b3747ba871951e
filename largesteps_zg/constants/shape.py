"""What decides about surfaces: which triangles are mended, remeshed, pushed apart or smoothed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .group import TINY, TRIED, UNASKED, Group, constant

SHEETS = "benchmarks/measurements/path_traced.md, Sheets: a leaf and three leaves"


@dataclass(frozen=True)
class Mending(Group):
    """Mesh files and results, in `mesh.mending`, `mesh.repair` and `geometry.solids`."""

    most_crowded: float = constant(
        0.2,
        "share",
        "A file with so many of its edges between more than two faces is no surface, and refused.",
        UNASKED,
    )
    full: float = constant(
        0.01, "volume / area^1.5", "Above, an open surface has an inside.",
        "derived: a plate 35 times as wide as thick; a ball has 0.094",
    )  # fmt: skip
    sheet: float = constant(
        math.sqrt(8) * math.pi, "border² / area", "Above, an open part is a sheet.",
        "derived: the geometric mean of half a ball, 2 pi, and the least of any flat sheet, 4 pi",
    )  # fmt: skip
    needle: float = constant(
        1e-3, "share", "Faces of less quality have hardly an area, and count as wrong.", UNASKED
    )
    least_reach: float = constant(
        0.7, "edges", "Wrong faces are smoothed over so many edges at first,", TRIED
    )
    reach_growth: float = constant(
        math.sqrt(2), "times", "and over more by this where that does not help,", UNASKED, least=1.01
    )
    largest_reach: float = constant(3.0, "edges", "up to so many.", UNASKED)
    rings: tuple[int, ...] = constant(
        (1, 2, 3, 4, 6, 8),
        "edges",
        "Then regions of these radii are faired, the smallest that helps.",
        UNASKED,
    )
    lifts: tuple[float, ...] = constant(
        (1 / 32, 1 / 16, 1 / 8), "mean edges",
        "Faces that cross others are moved outward or inward by so much at first, the least that helps.", UNASKED,
    )  # fmt: skip
    early_rings: tuple[int, ...] = constant(
        (1, 2, 3), "edges", "The same before a body is remeshed; what is left has steps to go.", UNASKED
    )
    rounds: int = constant(4, "rounds", "So often at most, where regions disturb each other.", UNASKED)
    shortest: float = constant(0.2, "mean edges", "Shorter edges of a faired region are merged.", UNASKED)
    farthest: float = constant(
        4.0, "mean edges", "A region that moves farther and is still not mended stays as it was.",
        "measured: folds in a body gave way within 3.2; a fold at the rim of a sheet takes the rim away with it",
    )  # fmt: skip


@dataclass(frozen=True)
class Remeshing(Group):
    """What remeshing keeps of a surface, in `mesh.remeshing`."""

    rim: float = constant(
        -0.2, "cosine", "A ridge between faces of a smaller cosine is the rim of a sheet.", TRIED
    )
    rim_edges: int = constant(8, "edges", "If it is so long; folds in a noisy surface are a few.", TRIED)
    corner: float = constant(
        0.7, "cosine", "A border that turns by a smaller cosine keeps its vertex.", UNASKED
    )
    stray: float = constant(
        0.1, "target lengths", "How far a seam may move when one of its vertices goes.", TRIED
    )
    upright: float = constant(
        0.3, "cosine", "A new face may be turned so far against the surface around it.", TRIED
    )
    turned: float = constant(0.2, "cosine", "A face may turn so far where an edge is merged.", TRIED)
    merged_quality: float = constant(0.25, "share", "Merging leaves faces of at least this quality,", TRIED)
    merged_loss: float = constant(0.5, "share", "or of at least so much of what they had.", TRIED)
    flipped_quality: float = constant(
        0.4, "share", "Turning an edge leaves faces of at least this quality, or better.", TRIED
    )
    crease: float = constant(0.7, "cosine", "Turning an edge makes no sharper crease than this.", TRIED)
    poor: float = constant(0.05, "share", "Faces of less quality are relaxed afterwards.", TRIED)
    finest: float = constant(0.5, "mean edges", "Adaptive remeshing makes edges no shorter.")
    coarsest: float = constant(1.5, "mean edges", "Adaptive remeshing makes edges no longer.")
    tolerance: float = constant(
        0.01, "mean edges", "So far from the surface an adaptive edge may be in its middle."
    )

    def ascending(self) -> tuple[tuple[str, str], ...]:
        """See `Group`."""
        return (("finest", "coarsest"),)


@dataclass(frozen=True)
class Decimation(Group):
    """Which edges collapse, in `mesh.remeshing.decimation`."""

    share: float = constant(0.25, "share", "A pass tries the cheapest edges, so many of all.")
    hold: float = constant(
        1e-4, "of a plane's weight", "How much vertices stay in place where planes leave a choice.",
        "chosen between near surfaces (gear 0.11, 0.07, 0.05 permille at 1e-3, 1e-4, 1e-5) and even triangles",
        least=TINY,
    )  # fmt: skip
    border: float = constant(10.0, "of a plane's weight", "What a border counts beside faces.")


@dataclass(frozen=True)
class Priors(Group):
    """What is known of surfaces without images, in `reconstruct.priors`."""

    round_below: float = constant(
        0.02, "slope", "Below, bending counts by its square, so that steps do not jump.", TRIED, least=TINY
    )
    reach: float = constant(
        3.0, "mean edges", "So far a vertex looks for another part of the surface.", TRIED
    )
    touching: float = constant(
        1e-3, "mean edges", "Parts this close touch: rays start so far off, and nobody is pushed for it.",
        "derived: a hundredth of `apart`; above float32's rounding for edges down to 1 / 8,000 of the radius",
        least=TINY,
    )  # fmt: skip
    apart: float = constant(
        0.1, "mean edges", "The sides of a sheet stay so far apart.", f"measured: {SHEETS}"
    )
    cleft: float = constant(0.05, "mean edges", "Walls that have met stay so far apart.", TRIED)
    shallow: float = constant(
        0.1, "share", "Parts less deep in each other, of the reach, are walls of a cleft.", TRIED
    )
    parallel: float = constant(
        0.7, "cosine", "Parts face each other from this cosine on; a sharp edge is no sheet.", TRIED
    )
    bent: float = constant(
        0.98, "cosine", "Where faces meet at a larger one, edges cross only where vertices do.", TRIED
    )
    refresh: int = constant(5, "steps", "Between two searches for near parts.", TRIED)
    sweeps: int = constant(3, "times", "Parts are pushed so often in each step.", TRIED)
    push: float = constant(
        2.0, "times", "So much of what parts lack to be apart goes into the latent.", TRIED
    )
    paired: float = constant(
        0.5, "share", "A surface is a sheet if more of its vertices have another side near them.",
        "vote: each vertex has one, and half is the majority",
    )  # fmt: skip
    pleat: float = constant(
        -0.3, "cosine", "A groove of a sheet of a smaller one, 73 degrees, is a pleat and is smoothed.",
        f"chosen; with and without it measured: {SHEETS}",
    )  # fmt: skip
