"""A mesh from photographs, with blur and without: distance and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from largesteps_zg import LargeSteps, Mesh, UniformAdam
from largesteps_zg.mesh import flipped_faces
from largesteps_zg.output.pictures import save_filmstrip
from largesteps_zg.rasterizer import edge_table
from largesteps_zg.renderers import render, render_soft, shade

from ..large_steps.studio import Studio, smoothing, sphere, target_mesh
from ..records import Record, Setup, clock


def mesh(setup: Setup) -> Iterator[Record]:
    """A fennec from photographs, with blur and without.

    Large Steps from a sphere, the same number of steps. Photographs are not blurred, so blur keeps its bias in the
    result, and each rendering goes through every pixel near each triangle.
    """
    level, steps, views, side = (2, 60, 4, 48) if setup.small else (3, 150, 8, 96)
    widths = (0.0, 1.0) if setup.small else (0.0, 0.5, 1.0, 2.0)
    start = sphere(level)
    edges, clay = edge_table(start.faces), torch.full_like(start.vertices, 0.5)
    for seed in setup.seeds:
        studio, surfaces = Studio(target_mesh("fennec"), views, side, seed), {}
        for sigma in widths:
            method = f"blur of {sigma:g} px" if sigma else "no blur"
            setup.say(f"seed {seed}: {method}")

            def picture(vertices: Tensor, sigma: float = sigma, studio: Studio = studio) -> Tensor:
                colors = shade(vertices, start.faces, clay, studio.light)
                if sigma:
                    return render_soft(vertices, start.faces, colors, studio.cameras, sigma=sigma)
                return render(vertices, start.faces, colors, studio.cameras, edges=edges)

            with clock() as seconds:
                result = fitted(
                    start, picture, studio.images, steps, 2.0 if setup.small else smoothing(level)
                )
                took = seconds()
            surfaces[method] = result
            found = studio.distances(result)
            for measure, value in (
                ("Chamfer distance, ‰ of the diagonal", found.chamfer_permille),
                ("flipped faces, %", 100 * flipped_faces(result.vertices, result.faces) / len(result.faces)),
                ("ms a step", 1000 * took / steps),
            ):
                yield setup.record(method, seed, measure, value, took, evaluations=steps * views)
        if seed == setup.seeds[0]:
            frames = [studio.bare(each) for each in surfaces.values()]
            target = studio.bare(studio.target)
            save_filmstrip(setup.folder / "surfaces.png", frames, target=target, labels=[*surfaces])


def fitted(
    start: Mesh, picture: Callable[[Tensor], Tensor], images: Tensor, steps: int, lambda_: float
) -> Mesh:
    """The mesh after so many steps of Large Steps towards images."""
    shape = LargeSteps(start.faces, start.vertices, lambda_=lambda_)
    latent = shape.to_differential(start.vertices).requires_grad_()
    optimizer = UniformAdam([latent], lr=0.1)
    for _ in range(steps):
        loss = (picture(shape.from_differential(latent)) - images).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Mesh(shape.from_differential(latent).detach(), start.faces)
