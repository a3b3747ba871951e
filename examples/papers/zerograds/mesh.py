"""A sphere that becomes a fox, through a renderer without a derivative."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from largesteps_zg import LargeSteps, load_mesh, meshes, sphere_of_cameras
from largesteps_zg.geometry import vertex_normals
from largesteps_zg.mesh import icosphere
from largesteps_zg.rasterizer import edge_table
from largesteps_zg.renderers import HardRasterizer, render

from ..records import Record, Setup, clock
from .curves import draw_curves, draw_images
from .rivals import Curve, Task, race, records


class Shape:
    """A sphere's latent, and what its views differ from the target's."""

    def __init__(self, level: int, views: int, pixels: int) -> None:
        self.sphere, goal = icosphere(level), load_mesh(meshes.path("fennec"))
        self.steps = LargeSteps(self.sphere.faces, self.sphere.vertices, lambda_=19.0)
        self.start = self.steps.to_differential(0.7 * self.sphere.vertices)
        self._cameras = sphere_of_cameras(
            views, distance=3.2, fov_y_degrees=40.0, height=pixels, width=pixels
        )
        self._edges, self._renderer = edge_table(self.sphere.faces, self.sphere.vertices), HardRasterizer()
        middle = (goal.vertices.amax(0) + goal.vertices.amin(0)) / 2
        placed = (goal.vertices - middle) / (goal.vertices - middle).norm(dim=1).max()
        self.target = self._drawn(placed, goal.faces)

    def pictures(self, latent: Tensor) -> Tensor:
        """Hard pictures (views, H, W, 4) of one latent."""
        return self._drawn(self.steps.from_differential(latent), self.sphere.faces)

    def losses(self, latents: Tensor) -> Tensor:
        """Of latents (N, V, 3)."""
        return torch.stack([(self.pictures(one) - self.target).square().mean() for one in latents])

    def derivative(self, latent: Tensor) -> Tensor:
        """The same loss through the differentiable rasterizer."""
        vertices = self.steps.from_differential(latent)
        colors = 0.5 + 0.5 * vertex_normals(vertices, self.sphere.faces)
        images = render(vertices, self.sphere.faces, colors, self._cameras, edges=self._edges)
        return (images - self.target).square().mean()

    def _drawn(self, vertices: Tensor, faces: Tensor) -> Tensor:
        """Coloured by their normals."""
        return self._renderer(
            vertices, faces, 0.5 + 0.5 * vertex_normals(vertices, faces), self._cameras
        ).images


def mesh(setup: Setup) -> Iterator[Record]:
    """ZeroGrads: a sphere that becomes a fox

    All methods move the latent of Large Steps (642 vertices, 1,926 numbers) and only call a renderer; an evaluation is
    a set of views. Large Steps itself, with the rasterizer's derivative, is the bar that the paper sets beside them.
    """
    shape = Shape(2, 4, 32) if setup.small else Shape(3, 8, 64)
    task = Task(
        loss=shape.losses,
        start=lambda generator: shape.start.clone(),
        evaluations=400 if setup.small else 4_000,
        sigma=0.5,
        rates={"ZeroGrads": 0.3, "SPSA": 0.4, "PRDPT": 0.4},
        spread=0.5,
        pairs=2,
        search_options={"CMA-ES": {"covariance": "diagonal"}},
    )
    curves = race(setup, task)
    curves.append(_large_steps(shape, setup.seeds[0], 30 if setup.small else 150))
    yield from records(setup, curves, "image MSE")
    draw_curves(
        setup.folder / "curves.png", curves, f"Sphere to fox, {shape.start.numel():,} numbers", "image MSE"
    )
    shown = {"target": shape.target, "start": shape.pictures(shape.start)}
    shown |= {c.method: shape.pictures(c.best) for c in curves if c.seed == setup.seeds[0]}
    draw_images(setup.folder / "meshes.png", {name: images[1, ..., :3] for name, images in shown.items()})


def _large_steps(shape: Shape, seed: int, steps: int) -> Curve:
    """Adam along the exact derivative: a forward and a backward pass count as two evaluations."""
    with clock() as seconds:
        x = shape.start.clone().requires_grad_()
        optimizer = torch.optim.Adam([x], lr=0.1, betas=(0.9, 0.99))
        losses, best = [], x.detach().clone()
        for _ in range(steps):
            optimizer.zero_grad()
            shape.derivative(x).backward()
            optimizer.step()
            losses.append(float(shape.losses(x.detach()[None])))
            if losses[-1] == min(losses):
                best = x.detach().clone()
        return Curve("Large Steps", seed, tuple(range(2, 2 * steps + 1, 2)), tuple(losses), best, seconds())
