"""Figure 7: against the Laplacian and the bi-Laplacian as penalties, at equal time."""

from __future__ import annotations

from collections.abc import Iterator

from ..records import Record, Setup
from .methods import Descent, LargeStepsDescent, PenaltyDescent, run
from .pictures import curves, strip
from .studio import Studio, energy, flips, smoothing, sphere, target_mesh

TARGETS = "fennec", "gear", "urchin"
PENALIZED = {
    "Adam on vertices": {"weight": 0.0},
    "Laplacian, weight 10": {"weight": 10.0},
    "bi-Laplacian, weight 100": {"kind": "bi-Laplacian", "weight": 100.0},
}


def comparison(setup: Setup) -> Iterator[Record]:
    """Against (bi-)Laplacian penalties at equal time (figure 7).

    Large Steps takes its steps, and the others as many as fit into its processor time: a few more, since they solve
    nothing. Curves show the Hausdorff distance and the energy |Lv|² along the way.
    """
    level, steps, views, side = (3, 90, 6, 64) if setup.small else (4, 240, 9, 96)
    for seed in setup.seeds:
        for name in TARGETS[:1] if setup.small else TARGETS:
            studio, ways, surfaces = Studio(target_mesh(name), views, side, seed), {}, {}
            budget = float("inf")
            for method in ("Large Steps", *PENALIZED):
                setup.say(f"seed {seed}, {name}: {method}")
                ours = method == "Large Steps"
                descent: Descent = (
                    LargeStepsDescent(sphere(level), lambda_=smoothing(level))
                    if ours
                    else PenaltyDescent(sphere(level), **PENALIZED[method])
                )
                mesh, way = run(studio, descent, steps if ours else 3 * steps, seconds=budget, points=10)
                budget = way.seconds[-1] if ours else budget
                ways[method], surfaces[method] = way, mesh
                found = studio.distances(mesh)
                for measure, value in (
                    (f"{name}: Chamfer distance, ‰", found.chamfer_permille),
                    (f"{name}: Hausdorff distance, ‰", 1000 * found.hausdorff / found.diagonal),
                    (f"{name}: |Lv|², 1e-6", 1e6 * energy(mesh)),
                    (f"{name}: flipped faces, %", flips(mesh)),
                ):
                    count = way.steps[-1] * studio.views
                    yield setup.record(method, seed, measure, value, way.seconds[-1], evaluations=count)
            if seed == setup.seeds[0]:
                strip(setup.folder / f"{name}.png", studio, surfaces)
                curves(setup.folder / f"{name}-curves.png", ways, by="seconds")
