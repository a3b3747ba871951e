"""Figure 6: outlines alone, by Large Steps and with a penalty."""

from __future__ import annotations

from collections.abc import Iterator

from ..records import Record, Setup
from .methods import Descent, LargeStepsDescent, PenaltyDescent, run
from .pictures import curves, strip
from .studio import Studio, energy, flips, smoothing, sphere, target_mesh


def silhouettes(setup: Setup) -> Iterator[Record]:
    """Outlines alone, by Large Steps and with penalties from weak to strong (figure 6).

    Pixels are compared by coverage, squared. Only vertices at an outline have a gradient. A weak penalty leaves them
    torn from the rest, and a strong one keeps spikes short; Large Steps moves their neighbourhood with them.
    """
    level, steps, views, side = (3, 90, 6, 64) if setup.small else (4, 240, 12, 96)
    rows: dict[str, tuple[type, dict]] = {
        "Large Steps": (LargeStepsDescent, {"lambda_": smoothing(level)}),
        "Laplacian, weight 0.1": (PenaltyDescent, {"weight": 0.1}),
        "Laplacian, weight 1": (PenaltyDescent, {"weight": 1.0}),
        "Laplacian, weight 10": (PenaltyDescent, {"weight": 10.0}),
    }
    for seed in setup.seeds:
        studio = Studio(target_mesh("urchin"), views, side, seed, silhouettes=True)
        ways, surfaces = {}, {}
        for method, (kind, options) in rows.items():
            setup.say(f"seed {seed}: {method}")
            descent: Descent = kind(sphere(level), **options)
            mesh, way = run(studio, descent, steps, points=10)
            ways[method], surfaces[method] = way, mesh
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
