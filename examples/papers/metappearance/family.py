"""A family of shapes of one topology, their pictures, and the latent of Large Steps in bands of the Laplacian."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import torch
from torch import Tensor

from largesteps_zg import LargeSteps, UniformAdam, icosphere, sphere_of_cameras
from largesteps_zg.cameras import Cameras
from largesteps_zg.geometry import laplacian_uniform
from largesteps_zg.images.losses import image_loss
from largesteps_zg.learning import Task
from largesteps_zg.renderers.rasterized import render, shade
from largesteps_zg.scenes.synthetic import studio_light

LAMBDA, CLAY = 19.0, 0.7


class Shapes:
    """Superquadrics that lean and taper, as deformed balls of one topology, and their pictures."""

    def __init__(self, level: int, size: int) -> None:
        ball = icosphere(level)
        self.ball, self.faces = ball.vertices, ball.faces
        self.cameras = sphere_of_cameras(6, distance=5.0, fov_y_degrees=35.0, height=size, width=size)
        self.steps, self.light = LargeSteps(self.faces, self.ball, LAMBDA), studio_light()
        values, self.modes = torch.linalg.eigh(laplacian_uniform(self.ball, self.faces).to_dense())
        # A band has the modes of about one spherical degree, and later of twice as many.
        ends = [end for end in (1, 4, 9, 16, 25, 49, 100, 196, 400) if end < len(values)]
        self.bands = {f"band {i}": part for i, part in enumerate(pairwise([0, *ends, len(values)]))}
        self.frequencies = [float(values[low:high].mean()) for low, high in self.bands.values()]

    def draw(self, generator: torch.Generator) -> Tensor:
        """(V, 3): one shape of the family, taller than wide, its foot thicker than its head."""
        numbers = torch.rand(8, generator=generator)
        power, across = 0.35 + 0.75 * numbers[0], 0.35 + 0.75 * numbers[1]
        size = torch.stack([0.6 + 0.3 * numbers[2], 0.6 + 0.3 * numbers[3], 1.0 + 0.4 * numbers[4]])
        flat = self.ball[:, :2].norm(dim=1, keepdim=True).clamp(min=1e-6)
        turned = self.ball[:, :2] / flat
        plan = turned.sign() * turned.abs() ** across * flat**power
        z = self.ball[:, 2:].sign() * self.ball[:, 2:].abs() ** power
        plan = plan * (1 - (0.2 + 0.3 * numbers[5]) * z)
        lean = (0.1 + 0.5 * numbers[6:]) * (0.5 * (z + 1)) ** 2
        return torch.cat([plan + lean, z], 1) * size

    def images(self, vertices: Tensor, cameras: Cameras | None = None) -> Tensor:
        """(B, H, W, 4)."""
        colors = shade(vertices, self.faces, torch.full_like(vertices, CLAY), self.light)
        return render(vertices, self.faces, colors, cameras or self.cameras)

    def latent(self, vertices: Tensor) -> dict[str, Tensor]:
        """The latent u of positions, band by band."""
        return self.split(self.steps.to_differential(vertices))

    def split(self, u: Tensor) -> dict[str, Tensor]:
        """Coefficients of a latent u, band by band."""
        found = self.modes.T @ u
        return {name: found[low:high] for name, (low, high) in self.bands.items()}

    def vertices(self, latent: Mapping[str, Tensor]) -> Tensor:
        """Positions of a latent."""
        return self.steps.from_differential(self.modes @ torch.cat(list(latent.values())))

    def task(self, target: Tensor) -> Task:
        """One shape, to be found from its pictures."""
        images = self.images(target).detach()

        def loss(latent: Mapping[str, Tensor], step: int = 0) -> Tensor:
            return image_loss(self.images(self.vertices(latent)), images)

        return Task(loss, loss)


def large_steps(
    shapes: Shapes, task: Task, start: Tensor, rate: float, steps: int
) -> Iterator[dict[str, Tensor]]:
    """Latents along a run of Large Steps from some vertices: UniformAdam with one rate, half a cosine long."""
    u = shapes.steps.to_differential(start).requires_grad_()
    optimizer = UniformAdam([u], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        task.loss(shapes.split(u), 0).backward()
        optimizer.step()
        schedule.step()
        yield shapes.split(u.detach())
