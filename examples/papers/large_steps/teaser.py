"""Figure 1: a sphere becomes an animal, with finer triangles half-way."""

from __future__ import annotations

from collections.abc import Iterator

from ..records import Record, Setup
from .methods import Descent, LargeStepsDescent, PenaltyDescent, run
from .pictures import curves, strip
from .studio import Studio, flips, smoothing, sphere, target_mesh


def teaser(setup: Setup) -> Iterator[Record]:
    """From a sphere to an animal, with finer triangles half-way (figure 1).

    The paper reconstructs Nefertiti's bust from a sphere with one remeshing. The fennec takes her place here, from
    photographs of a clay model in a known light. Adam on the vertices takes the same steps and tears the surface.
    """
    level, steps, views, side = (3, 90, 6, 64) if setup.small else (4, 240, 9, 96)
    rows = {
        "Large Steps, remeshed": (LargeStepsDescent, (steps * 2 // 3,)),
        "Large Steps": (LargeStepsDescent, ()),
        "Adam on vertices": (PenaltyDescent, ()),
    }
    for seed in setup.seeds:
        studio, ways, surfaces = (
            Studio(target_mesh("fennec"), views, side, seed),
            {},
            {"start": sphere(level)},
        )
        for method, (kind, remesh_at) in rows.items():
            setup.say(f"seed {seed}: {method}")
            options = {"lambda_": smoothing(level)} if kind is LargeStepsDescent else {}
            descent: Descent = kind(sphere(level), **options)
            mesh, way = run(studio, descent, steps, remesh_at=remesh_at, points=10)
            ways[method], surfaces[method] = way, mesh
            found = studio.distances(mesh)
            for measure, value in (
                ("Chamfer distance, ‰ of the diagonal", found.chamfer_permille),
                ("Hausdorff distance, ‰", 1000 * found.hausdorff / found.diagonal),
                ("flipped faces, %", flips(mesh)),
                ("vertices", len(mesh.vertices)),
            ):
                yield setup.record(
                    method, seed, measure, value, way.seconds[-1], evaluations=steps * studio.views
                )
        if seed == setup.seeds[0]:
            strip(setup.folder / "surfaces.png", studio, surfaces)
            curves(setup.folder / "curves.png", ways)
