"""Figure 5: equilateral triangles before the first step, or between two steps."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from largesteps_zg import Mesh
from largesteps_zg.geometry import mean_edge_length
from largesteps_zg.mesh.remeshing import remesh

from ..records import Record, Setup
from .methods import LargeStepsDescent, run
from .pictures import strip
from .studio import Studio, flips, smoothing, sphere, target_mesh


def uneven(level: int) -> Mesh:
    """A sphere whose vertices crowd at one side, ten times as densely as at the other."""
    ball = sphere(level)
    direction = torch.nn.functional.normalize(ball.vertices, dim=1)
    pulled = direction + torch.tensor([0.75, 0.0, 0.0])  # straight lines through an inner point stay in order
    return Mesh(0.6 * torch.nn.functional.normalize(pulled, dim=1), ball.faces)


def equilateral(mesh: Mesh) -> Mesh:
    """The same surface and the same number of triangles, more or less."""
    areas = torch.linalg.cross(
        *(mesh.vertices[mesh.faces[:, k]] - mesh.vertices[mesh.faces[:, 0]] for k in (1, 2))
    ).norm(dim=1)
    length = float((areas.mean() * 2 / 3**0.5).sqrt())
    made = remesh(
        mesh.vertices, mesh.faces, min(length, float(2 * mean_edge_length(mesh.vertices, mesh.faces)))
    )
    return Mesh(made.vertices, made.faces)


def remeshing(setup: Setup) -> Iterator[Record]:
    """Remeshing before the first step, and during the run (figure 5).

    The start is a sphere whose vertices crowd at one side. As it is, some faces flip. Remeshed before, triangles are
    even at the start; remeshed during, also where the surface has been stretched.
    """
    level, steps, views, side = (3, 90, 6, 64) if setup.small else (4, 240, 9, 96)
    for seed in setup.seeds:
        studio, surfaces = Studio(target_mesh("fennec"), views, side, seed), {}
        crowded = uneven(level)
        even = equilateral(crowded)
        for method, start, during in (
            ("never", crowded, False),
            ("before", even, False),
            ("before and during", even, True),
        ):
            setup.say(f"seed {seed}: remeshed {method}")
            first = steps // 2 if during else steps
            mesh, way = run(studio, LargeStepsDescent(start, lambda_=smoothing(level)), first, points=2)
            seconds = way.seconds[-1]
            if during:
                mesh, way = run(
                    studio,
                    LargeStepsDescent(equilateral(mesh), lambda_=smoothing(level), rate=0.05),
                    steps - first,
                    points=2,
                )
                seconds += way.seconds[-1]
            surfaces[method] = mesh
            found = studio.distances(mesh)
            for measure, value in (
                ("Chamfer distance, ‰ of the diagonal", found.chamfer_permille),
                ("Hausdorff distance, ‰", 1000 * found.hausdorff / found.diagonal),
                ("flipped faces, %", flips(mesh)),
                ("vertices", len(mesh.vertices)),
            ):
                yield setup.record(method, seed, measure, value, seconds, evaluations=steps * studio.views)
        if seed == setup.seeds[0]:
            strip(setup.folder / "surfaces.png", studio, {"start": crowded, **surfaces})
