"""What most figures do: several ways to one target, measured and drawn side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from largesteps_zg import Mesh
from largesteps_zg.mesh import SurfaceDistances

from ..records import Record, Setup
from .methods import Descent, run
from .pictures import curves, strip
from .studio import Studio, energy, flips, target_mesh

MEASURES: dict[str, Callable[[Mesh, SurfaceDistances], float]] = {
    "Chamfer distance, ‰ of the diagonal": lambda mesh, found: found.chamfer_permille,
    "Hausdorff distance, ‰": lambda mesh, found: 1000 * found.hausdorff / found.diagonal,
    "|Lv|² per vertex, 1e-6": lambda mesh, found: 1e6 * energy(mesh),
    "flipped faces, %": lambda mesh, found: flips(mesh),
    "vertices": lambda mesh, found: len(mesh.vertices),
}


def side_by_side(
    setup: Setup,
    target: str,
    ways: Mapping[str, Callable[[], Descent]],
    steps: int,
    views: int,
    side: int,
    *,
    left_out: str,
    remesh_at: Mapping[str, tuple[int, ...]] | None = None,
    by: str = "steps",
    silhouettes: bool = False,
    first: Mapping[str, Mesh] | None = None,
) -> Iterator[Record]:
    """Take each way to a target with every seed; surfaces and curves of the first seed are drawn.

    All of `MEASURES` but `left_out` are recorded. `remesh_at` holds steps of some ways, see `methods.run`; `by` is what
    curves go along, and `first` what stands at the left of the row of surfaces.
    """
    for seed in setup.seeds:
        studio = Studio(target_mesh(target), views, side, seed, silhouettes=silhouettes)
        found, surfaces = {}, dict(first or {})
        for method, descent in ways.items():
            setup.say(f"seed {seed}: {method}")
            mesh, way = run(studio, descent(), steps, remesh_at=(remesh_at or {}).get(method, ()), points=10)
            found[method], surfaces[method] = way, mesh
            distances, renders = studio.distances(mesh), steps * studio.views
            for measure, of in MEASURES.items():
                if measure != left_out:
                    value = of(mesh, distances)
                    yield setup.record(method, seed, measure, value, way.seconds[-1], evaluations=renders)
        if seed == setup.seeds[0]:
            strip(setup.folder / "surfaces.png", studio, surfaces)
            curves(setup.folder / "curves.png", found, by=by)
