"""Figure 3: from coarse to fine by remeshing again and again."""

from __future__ import annotations

from collections.abc import Iterator

from ..records import Record, Setup
from .methods import LargeStepsDescent, run
from .pictures import curves, strip
from .studio import Studio, flips, smoothing, sphere, target_mesh


def multiscale(setup: Setup) -> Iterator[Record]:
    """From coarse to fine: edges are halved again and again (figure 3).

    The paper refines a dragon eight times in 16,000 steps. The urchin stands in, refined two times. Beside it, at equal
    steps, a sphere that is as fine from the start, and one that stays coarse.
    """
    level, steps, views, side = (2, 90, 6, 64) if setup.small else (3, 240, 9, 96)
    halvings = (steps // 3,) if setup.small else (steps // 3, steps * 2 // 3)
    rows = {
        "coarse to fine": (level, halvings),
        "fine from the start": (level + len(halvings), ()),
        "coarse": (level, ()),
    }
    for seed in setup.seeds:
        studio, ways, surfaces = Studio(target_mesh("urchin"), views, side, seed), {}, {}
        for method, (first, remesh_at) in rows.items():
            setup.say(f"seed {seed}: {method}")
            descent = LargeStepsDescent(sphere(first), lambda_=smoothing(level))
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
            curves(setup.folder / "curves.png", ways, by="seconds")
