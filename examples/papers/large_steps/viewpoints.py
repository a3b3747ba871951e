"""Figure 8: how many viewpoints it takes."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from ..records import Record, Setup
from .methods import LargeStepsDescent, run
from .pictures import COLORS, strip
from .studio import Studio, smoothing, sphere, target_mesh


def viewpoints(setup: Setup) -> Iterator[Record]:
    """How many viewpoints it takes (figure 8).

    The same number of renderings, so fewer steps where more cameras look. Shading tells of the surface between
    outlines, and few views are enough; what none sees is smooth and invented.
    """
    counts, renders, level, side = (1, 4, 9), 540, 3, 64
    if not setup.small:
        counts, renders, level, side = (1, 2, 4, 9, 16, 25, 49), 2_400, 4, 96
    figure = Figure(figsize=(4.6, 3.1), layout="constrained")
    axis = figure.subplots()
    for seed in setup.seeds:
        studio, surfaces, found = Studio(target_mesh("fennec"), 1, side, seed), {}, []
        for views in counts:
            setup.say(f"seed {seed}: {views} views")
            seen = studio.of_views(views)
            steps = min(renders // views, 400)
            mesh, way = run(seen, LargeStepsDescent(sphere(level), lambda_=smoothing(level)), steps, points=1)
            surfaces[f"{views}"] = mesh
            found.append(studio.distances(mesh))
            method, last = f"{views} views", found[-1]
            for measure, value in (
                ("Chamfer distance, ‰ of the diagonal", last.chamfer_permille),
                ("Hausdorff distance, ‰", 1000 * last.hausdorff / last.diagonal),
            ):
                yield setup.record(method, seed, measure, value, way.seconds[-1], evaluations=steps * views)
        axis.loglog(counts, [each.chamfer_permille for each in found], "o-", color=COLORS[seed % 7])
        if seed == setup.seeds[0]:
            strip(setup.folder / "surfaces.png", studio, surfaces)
    axis.set_xlabel("viewpoints")
    axis.set_title("Chamfer distance, ‰", loc="left", fontsize=9)
    axis.set_xticks(counts, [f"{count}" for count in counts], minor=False)
    axis.minorticks_off()
    axis.grid(alpha=0.25)
    figure.savefig(setup.folder / "viewpoints.png", dpi=110)
