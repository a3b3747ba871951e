"""Figure 9: how lambda changes the way and the result."""

from __future__ import annotations

from collections.abc import Iterator

from ..records import Record, Setup
from .methods import LargeStepsDescent, run
from .pictures import curves, strip
from .studio import Studio, energy, flips, sphere, target_mesh


def influence(setup: Setup) -> Iterator[Record]:
    """The influence of lambda (figure 9).

    The paper's alpha is lambda / (1 + lambda), from 0, which is Adam's uniform kind on the vertices, to 0.999. Small
    ones tear the surface, large ones are slow to form what is thin; there is much room between.
    """
    level, steps, views, side = (3, 90, 6, 64) if setup.small else (4, 240, 9, 96)
    values = (0.0, 19.0, 999.0) if setup.small else (0.0, 1.0, 5.0, 19.0, 99.0, 999.0)
    for seed in setup.seeds:
        studio, ways, surfaces = Studio(target_mesh("fennec"), views, side, seed), {}, {}
        for lambda_ in values:
            method = f"lambda {lambda_:g}, alpha {lambda_ / (1 + lambda_):.3g}"
            setup.say(f"seed {seed}: {method}")
            rate = 0.1 if lambda_ else 0.01  # steps of vertices themselves are shorter
            mesh, way = run(
                studio, LargeStepsDescent(sphere(level), lambda_=lambda_, rate=rate), steps, points=10
            )
            ways[method], surfaces[f"{lambda_:g}"] = way, mesh
            found = studio.distances(mesh)
            for measure, value in (
                ("Chamfer distance, ‰ of the diagonal", found.chamfer_permille),
                ("Hausdorff distance, ‰", 1000 * found.hausdorff / found.diagonal),
                ("|Lv|² per vertex, 1e-6", 1e6 * energy(mesh)),
                ("flipped faces, %", flips(mesh)),
            ):
                yield setup.record(
                    method, seed, measure, value, way.seconds[-1], evaluations=steps * studio.views
                )
        if seed == setup.seeds[0]:
            strip(setup.folder / "surfaces.png", studio, surfaces)
            curves(setup.folder / "curves.png", ways)
