"""What decides along a run: when it remeshes, how steps and smoothing fall, how cameras move, sizes of estimates."""

from __future__ import annotations

from dataclasses import dataclass

from .group import SHARP, TINY, TRIED, UNASKED, Group, constant

TABLES = "benchmarks/measurements/choosing.md"
PAGE = "benchmarks/measurements/path_traced.md"
HOUSE = "benchmarks/measurements/house.md"
PHOTOGRAPHS = "benchmarks/measurements/photographs.md"
ESTIMATES = "benchmarks/measurements/gradients.md; bunny and cow"


@dataclass(frozen=True)
class Schedule(Group):
    """What changes along a run, in `reconstruct.schedule` and `reconstruct.fit`."""

    steps: int = constant(
        1500, "steps", "Of a run by light and colour.",
        f"measured: {HOUSE}, The length of a run; gear, leaves, glossy fennec", least=1,
    )  # fmt: skip
    patch_steps: int = constant(
        500,
        "steps",
        "Of a run by patches.",
        f"measured: {PHOTOGRAPHS}, The length of a run; dtu65, dtu24",
        least=1,
    )
    remesh_at: tuple[float, ...] = constant(
        (0.15, 0.35, 0.55), "share", "Of the run, when it remeshes by itself.",
        f"chosen; with and without measured: {TABLES}, Remeshing; fennec",
    )  # fmt: skip
    remesh_pixels: tuple[float, ...] = constant(
        (5.0, 3.0, 2.0), "pixels", "Edges after each of these remeshings.", SHARP
    )
    coarse_until: float = constant(
        0.3,
        "share",
        "So much of the run sees images of half their size.",
        f"measured: {PAGE}, Image size; bunny, cow",
    )
    coarse_smallest: int = constant(
        256, "pixels", "Images of a shorter side are not halved; thin parts would vanish.", UNASKED
    )
    lambda_factor: float = constant(
        0.25,
        "times",
        "Smoothing falls by this at each remeshing.",
        "derived: it then reaches over half as many edges",
    )
    reference_vertices: int = constant(
        2562, "vertices", "The start for which the settings have lambda.", "derived: the default start"
    )
    decay: float = constant(
        0.03,
        "times",
        "Step sizes fall by this over a run.",
        f"measured: {TABLES}, How the step size falls; six scenes",
    )
    decay_power: float = constant(
        1.5, "power", "Of time, where gradients are exact: steps fall later.",
        f"measured: {TABLES}, How the step size falls; six scenes",
    )  # fmt: skip
    bending_factor: float = constant(
        4.0, "times", "The weight of bending at the start of a run, over that at its end.", TRIED, least=TINY
    )
    bending_by_colors: float = constant(
        4.0, "times", "The weight of bending where masks were found by colours, over that where they are given.",
        "chosen on two objects: benchmarks/measurements/photographs_alone.md, Pixels in place of outlines",
    )  # fmt: skip
    step_views: int = constant(
        8, "images", "Compared in a step.", f"measured: {TABLES}, Views per step", least=1
    )
    step_pixels: int = constant(
        8 * 800**2,
        "pixels",
        "Compared in a step, where it may choose.",
        "chosen: a bound of the work",
        least=1,
    )
    averaged: float = constant(
        0.1, "share", "Of the run, at its end: the result is the mean of these steps.",
        "measured: benchmarks/measurements/first_step.md, Less work for the same result; fennec; 0.02 to 0.2 alike",
    )  # fmt: skip
    color_lambda: float = constant(1.0, "lambda", "Smoothing of colours at first.", TRIED)
    sharp_lambda: float = constant(
        0.1, "lambda", "Smoothing of colours once the shape is there.",
        f"measured: {PAGE}, Number of vertices; temple, fennec",
    )  # fmt: skip
    sharp_from: float = constant(
        0.75, "share", "From so much of the run on, colours are sharp.",
        f"measured: {PAGE}, Number of vertices; temple, fennec",
    )  # fmt: skip
    color_step: float = constant(0.5, "times", "The step size of colours over that of positions.", TRIED)
    light_step: float = constant(0.02, "white", "The step size of the light.", TRIED)
    unexplained: int = constant(
        2, "power", "Of the weight of brightness before there is gloss.",
        f"measured: {PAGE}, How much brightness counts; the glossy fennec",
    )  # fmt: skip
    robust_scale: float = constant(
        0.2,
        "white",
        "Where the robust loss bends: a quarter of the influence is left there, a ninth at twice.",
        UNASKED,
        least=TINY,
    )
    thrown: float = constant(
        100.0, "radii", "A vertex farther out has been thrown, and the run stops.",
        "derived: a thousand steps of the first size in one direction",
    )  # fmt: skip
    start_nearby: float = constant(
        2.0, "radii", "A start mesh no vertex of which is nearer to the object is refused.",
        "derived: the object ends at 1",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.remesh_at) != len(self.remesh_pixels):
            raise ValueError(
                f"constants: Schedule: expected as many remesh_pixels as remesh_at, got {len(self.remesh_pixels)} and "
                f"{len(self.remesh_at)}"
            )


@dataclass(frozen=True)
class Correcting(Group):
    """Corrections of cameras, in `cameras`."""

    start: float = constant(
        0.3,
        "share",
        "At so much of the run photographs say whether cameras are off, and then these begin to move.",
        TRIED,
    )
    decide: float = constant(
        0.6, "share", "At so much of the run matches are asked again, and corrections are kept or dropped.",
        "measured: benchmarks/cameras_off.py; bunny, leaf, temple",
    )  # fmt: skip
    least: float = constant(
        0.25, "pixels", "Corrections that move the object's image by less are dropped.",
        "measured: benchmarks/cameras_off.py; exact ones 0.03 to 0.13 (bunny, leaf)",
    )  # fmt: skip
    least_views: int = constant(
        3,
        "views",
        "With fewer, cameras stay as they are.",
        "derived: two share their motions with the surface",
    )
    step: float = constant(4e-3, "radians, distances", "First step of turns and shifts.", UNASKED)
    focal_step: float = constant(2e-3, "nepers", "First step of the focal length.", TRIED)
    ball: float = constant(0.6, "radii", "Corrections are measured on a ball of this radius.", TRIED)
    widths: tuple[float, ...] = constant(
        (0.2, 0.4, 0.8, 1.6), "radians", "Widths of the weights of neighbours, of which the best foretells a camera.",
        "derived: the best of them is found on the run's own cameras, each left out in turn",
    )  # fmt: skip
    trusted: float = constant(
        0.7, "share", "Neighbours foretell cameras if they leave no more of the pixels by which the run's were off.",
        "chosen near root 1/2, which leaves half of the squares; the temple leaves 0.41, chance 1 and more",
    )  # fmt: skip
    asked_views: int = constant(
        64,
        "views",
        "At most so many photographs say whether cameras are off.",
        "chosen: a bound of the work",
        least=3,
    )
    asked_pixels: int = constant(
        800**2,
        "pixels",
        "They are halved until they have no more, for pixels as for matches.",
        "chosen: a bound of the work",
        least=1,
    )
    asked_features: int = constant(
        2048, "features", "Of a photograph that says so, at most.", "chosen: a bound of the work", least=2
    )
    asked_steps: int = constant(
        2, "steps", "Of Gauss and Newton to what a part of a photograph asks of its camera.", TRIED, least=1
    )
    asked_ridge: float = constant(
        1e-3,
        "share",
        "Of the mean curvature, added where a part of a photograph does not tell a direction.",
        UNASKED,
    )
    align_steps: int = constant(60, "steps", "Cameras of held-out views are fitted in so many.")
    align_step: float = constant(1e-3, "radians, distances", "First of these steps.")
    align_decay: float = constant(0.97, "times", "They fall by this from one to the next.")
    level: float = constant(
        0.02, "share", "What the cameras' own up counts against their horizons being level."
    )
    axis: float = constant(
        0.9994, "cosine", "Up that is nearer to an axis is that axis.", "derived: of 2 degrees"
    )


@dataclass(frozen=True)
class Patches(Group):
    """Patches of photographs that are compared, in `reconstruct.photo_consistency`."""

    finest_at: float = constant(
        0.4,
        "share",
        "Of the run, from where it looks at photographs at their largest size.",
        "chosen; half and twice of an older form changed nothing: benchmarks/constants.py",
        least=TINY,
    )
    start: float = constant(
        0.3, "share", "From so much of the run on patches count, where it starts far away.", TRIED
    )
    near: float = constant(
        0.9, "share", "Outlines have to overlap the masks by more before patches count.", TRIED
    )
    smallest: int = constant(128, "pixels", "Photographs of a shorter side are not halved.", UNASKED)
    angles: tuple[float, float] = constant(
        (5.0, 45.0),
        "degrees",
        "Between two views of the object whose photographs are compared.",
        SHARP,
        length=2,
    )
    neighbors: int = constant(8, "photographs", "The nearest of them, for each photograph.", UNASKED)
    compared: int = constant(2, "photographs", "Neighbours that a step looks at.", UNASKED)
    swept: int = constant(4, "photographs", "Neighbours that a map of depths looks at.", UNASKED)
    detailed: int = constant(
        8000, "vertices", "Of a start that has the cavities of such maps.",
        "measured: benchmarks/photographs.py; 4,000 and 16,000 on gear and painted fennec",
    )  # fmt: skip
    band: float = constant(
        3.0, "cells", "So far from a confirmed depth a hull is carved or kept by it.", least=TINY
    )
    radius: int = constant(3, "pixels", "Of the patches.")
    cap: float = constant(
        0.8, "1 - ZNCC", "No patch loses more: what is hidden or mirrored looks like nothing.", least=TINY
    )


@dataclass(frozen=True)
class Estimates(Group):
    """Sizes and numbers of perturbations, and blur, in `reconstruct.gradients`."""

    epsilon: tuple[float, float] = constant(
        (0.6, 0.2),
        "pixels",
        "Perturbations of positions, first and last; outlines jump.",
        f"measured: {ESTIMATES}",
        least=TINY,
        length=2,
    )
    color_epsilon: tuple[float, float] = constant(
        (0.05, 0.01), "white", "Perturbations of colours, likewise.", TRIED, least=TINY, length=2
    )
    continuous_epsilon: tuple[float, float] = constant(
        (0.6, 0.05), "pixels", "The first, of a continuous renderer.", least=TINY, length=2
    )
    continuous_color_epsilon: tuple[float, float] = constant(
        (0.05, 0.01), "white", "The second, likewise.", least=TINY, length=2
    )
    coherence: float = constant(
        0.6, "share", "Mean product of the signs of two vertices.", f"measured: {ESTIMATES}"
    )
    edge_in_pixels: float = constant(
        5.0, "pixels", "Pairs are averaged where edges are shorter.", f"measured: {ESTIMATES}"
    )
    most_pairs: int = constant(6, "pairs", "At most so many.", f"measured: {ESTIMATES}")
    coarse_pairs: int = constant(2, "pairs", "Up to so many, triangles count as coarse.", TRIED)
    fine_from: float = constant(0.35, "share", "From so much of the run on, pairs are averaged.", TRIED)
    settling: float = constant(
        3.0, "times", "Steps on fine triangles end shorter by this.", f"measured: {ESTIMATES}", least=TINY
    )
    soft_sigma: float = constant(
        1.0, "pixels", "Blur of the soft rasterizer.",
        "measured: examples/papers/soft_rasterizer; fennec: half is nearer and feels less far, twice is farther",
        least=TINY,
    )  # fmt: skip
    soft_gamma: float = constant(1e-3, "share", "Its blur in depth.", least=TINY)
    pairs: int = constant(10, "pairs", "Of a whole-image estimate.", "derived: as published for ZeroGrads")
    latent_widths: tuple[float, float] = constant(
        (0.3, 0.1), "radii", "Its perturbations of the latent, first and last.", TRIED, least=TINY, length=2
    )
    color_share: float = constant(0.5, "times", "Its perturbations of colours over those.", TRIED)
    light_share: float = constant(0.1, "times", "Its perturbations of the light over those.", TRIED)
    surrogate_width: int = constant(32, "units", "Of ZeroGrads' surrogate.", TRIED)
    surrogate_depth: int = constant(1, "layers", "Of ZeroGrads' surrogate.", TRIED)
    surrogate_rate: float = constant(1.0, "share", "At which ZeroGrads' surrogate learns.", TRIED, least=TINY)
    surrogate_memory: float = constant(
        0.85, "share", "Of what ZeroGrads' surrogate knew, kept from step to step.", TRIED
    )
