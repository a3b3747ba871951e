"""Ways down: Large Steps, and Adam on the vertices with a penalty; both can go on with other triangles."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from largesteps_zg import LargeSteps, Mesh, UniformAdam
from largesteps_zg.geometry import bilaplacian_loss, laplacian_loss, laplacian_uniform, mean_edge_length
from largesteps_zg.mesh.remeshing import remesh
from largesteps_zg.rasterizer import edge_table

from .studio import Studio, energy

PENALTIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Laplacian": laplacian_loss,
    "bi-Laplacian": bilaplacian_loss,
}


class LargeStepsDescent:
    """Uniform Adam on the latent u = (I + lambda L) v."""

    def __init__(self, mesh: Mesh, *, lambda_: float = 19.0, rate: float = 0.1) -> None:
        self.faces, self.rate, self.lambda_ = mesh.faces, rate, lambda_
        self.shape = LargeSteps(mesh.faces, mesh.vertices, lambda_=lambda_)
        self.parameter = self.shape.to_differential(mesh.vertices).detach().clone().requires_grad_()
        self.optimizer: torch.optim.Optimizer = UniformAdam([self.parameter], lr=rate)

    def vertices(self) -> Tensor:
        """At present, differentiable in the parameter."""
        return self.shape.from_differential(self.parameter)

    def penalty(self, vertices: Tensor) -> Tensor | float:
        """None: the parametrization smooths the way and not the result."""
        return 0.0

    def again(self, mesh: Mesh) -> LargeStepsDescent:
        """The same on other triangles, with steps that are shorter by half."""
        return LargeStepsDescent(mesh, lambda_=self.lambda_, rate=0.5 * self.rate)


class PenaltyDescent:
    """Adam on the vertices, with a weight times an energy of the Laplacian beside the loss."""

    def __init__(
        self, mesh: Mesh, *, kind: str = "Laplacian", weight: float = 0.0, rate: float = 0.01
    ) -> None:
        self.faces, self.energy, self.weight = mesh.faces, PENALTIES[kind], weight
        self.laplacian = laplacian_uniform(mesh.vertices, mesh.faces)
        self.parameter = mesh.vertices.clone().requires_grad_()
        self.optimizer = torch.optim.Adam([self.parameter], lr=rate)

    def vertices(self) -> Tensor:
        """The parameter itself."""
        return self.parameter

    def penalty(self, vertices: Tensor) -> Tensor | float:
        """Nothing where the weight is 0."""
        return self.weight * self.energy(vertices, self.laplacian) if self.weight else 0.0


Descent = LargeStepsDescent | PenaltyDescent


@dataclass
class Curve:
    """A run: after so many steps and so much processor time, distance and energy."""

    steps: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    hausdorff: list[float] = field(default_factory=list)
    energy: list[float] = field(default_factory=list)

    def add(self, studio: Studio, mesh: Mesh, steps: int, seconds: float) -> None:
        """A point of the curve; the Hausdorff distance in thousandths of the target's diagonal."""
        found = studio.distances(mesh, 1_000)
        self.steps.append(steps)
        self.seconds.append(seconds)
        self.hausdorff.append(1000 * found.hausdorff / found.diagonal)
        self.energy.append(energy(mesh))


def run(
    studio: Studio,
    descent: Descent,
    steps: int,
    *,
    seconds: float = float("inf"),
    points: int = 12,
    remesh_at: tuple[int, ...] = (),
) -> tuple[Mesh, Curve]:
    """Take steps until their number or the processor time is used up; what is measured does not count.

    At the steps `remesh_at` edges become half as long, in Large Steps alone.
    """
    edges, curve, spent, step = edge_table(descent.faces), Curve(), 0.0, 0
    while step < steps and spent < seconds:
        if step % max(1, steps // points) == 0:
            curve.add(studio, Mesh(descent.vertices().detach(), descent.faces), step, spent)
        before = time.process_time()
        if step in remesh_at and isinstance(descent, LargeStepsDescent):
            descent = descent.again(halved(Mesh(descent.vertices().detach(), descent.faces)))
            edges = edge_table(descent.faces)
        vertices = descent.vertices()
        loss = studio.loss(vertices, descent.faces, edges) + descent.penalty(vertices)
        descent.optimizer.zero_grad()
        loss.backward()
        descent.optimizer.step()
        spent += time.process_time() - before
        step += 1
    mesh = Mesh(descent.vertices().detach(), descent.faces)
    curve.add(studio, mesh, step, spent)
    return mesh, curve


def halved(mesh: Mesh) -> Mesh:
    """The surface in equilateral triangles of half the edge length."""
    made = remesh(mesh.vertices, mesh.faces, 0.5 * float(mean_edge_length(mesh.vertices, mesh.faces)))
    return Mesh(made.vertices, made.faces)
