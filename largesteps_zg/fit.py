"""The state of a reconstruction and its one step; `reconstruct` decides when to take which."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .cameras import Cameras
from .estimators import EvaluationError
from .geometry import face_normals
from .gradients import GradientSource
from .lighting import SphericalHarmonicsLight
from .mesh import Mesh
from .optimize import UniformAdam
from .parameterize import LargeSteps
from .rasterizer import edge_table
from .remesh import remesh
from .renderers import render, shade
from .schedule import refined_lambda, shortest_edge
from .stopwatch import Stopwatch

# Colours may change from vertex to vertex, positions may not: paint has edges, surfaces have none to speak of.
COLOR_LAMBDA = 1.0
COLOR_STEP = 0.5  # of the step size of the positions
LIGHT_STEP = 0.02
FAR = 100.0  # radii of the scene: a vertex out there has been thrown


class NonFiniteError(ArithmeticError):
    """A loss or a gradient became infinite or not a number; the message says at which step and where."""


class Fit:
    """Surface, colours and light under optimisation, in coordinates in which the scene is the unit sphere.

    Parameters
    ----------
    vertices : (V, 3) float32
    faces : (F, 3) int64
    colors : (V, 3) float32
        Albedo, linear RGB.
    light : SphericalHarmonicsLight
        Known, or where to start from.
    light_known, colors_known : bool
        What is known stays as it is.
    lambda_, step_size : float
        Of the positions' parametrization, until it is remeshed, and of their optimiser.
    source : GradientSource
        Where gradients come from.
    backend : str
        Of the rasterizer.
    """

    def __init__(
        self,
        vertices: Tensor,
        faces: Tensor,
        colors: Tensor,
        light: SphericalHarmonicsLight,
        *,
        light_known: bool,
        colors_known: bool,
        lambda_: float,
        step_size: float,
        source: GradientSource,
        backend: str,
        stopwatch: Stopwatch,
    ) -> None:
        self.lambda_, self.step_size, self.backend = lambda_, step_size * source.step_factor, backend
        self.source, self.stopwatch, self.colors_known = source, stopwatch, colors_known
        self.light = light.coefficients.to(vertices).clone().requires_grad_(not light_known)
        self.light_optimizer = torch.optim.Adam([self.light], lr=LIGHT_STEP)
        self.set_topology(vertices, faces, colors)

    def set_topology(self, vertices: Tensor, faces: Tensor, colors: Tensor) -> None:
        """Take over a mesh: factor its matrices, and start the optimiser afresh.

        The optimiser's state is not carried over: the size of a vertex's gradient follows the area around
        it, and moments from coarser triangles would hold the steps on finer ones back for a long time.
        """
        with self.stopwatch("factor"):
            self.faces, self.rest = faces, vertices.detach().clone()
            self.edges = edge_table(faces, self.rest)
            self.shape = LargeSteps(faces, self.rest, self.lambda_)
            self.paint = LargeSteps(faces, self.rest, COLOR_LAMBDA)
            self.latent = self.shape.to_differential(vertices.detach()).requires_grad_()
            self.color_latent = self.paint.to_differential(colors.detach())
            self.color_latent.requires_grad_(not self.colors_known)
        self.source.topology_changed()
        groups = [
            {"params": [self.latent], "lr": self.step_size},
            {"params": [self.color_latent], "lr": COLOR_STEP * self.step_size},
        ]
        self.optimizer = UniformAdam(groups, lr=self.step_size, betas=(self.source.momentum, 0.999))
        self.before: tuple[Tensor, ...] = ()

    def surface(self) -> tuple[Tensor, Tensor]:
        """Positions and albedo, differentiable in the latents."""
        return self.shape.from_differential(self.latent), self.paint.from_differential(self.color_latent)

    def images(self, vertices: Tensor, albedo: Tensor, cameras: Cameras) -> Tensor:
        """(B, H, W, 4) linear, premultiplied: the surface in the present light."""
        colors = shade(vertices, self.faces, albedo, SphericalHarmonicsLight(self.light))
        return render(vertices, self.faces, colors, cameras, edges=self.edges, backend=self.backend)

    def step(
        self, cameras: Cameras, targets: Tensor, *, number: int, factor: float, progress: float
    ) -> float:
        """One gradient step against some of the views; the loss before it.

        `factor` is that of the step sizes, `progress` the share of the run that lies behind.

        Raises
        ------
        NonFiniteError
            And goes back to the surface of the step before, the last one whose loss was finite.
        """
        groups = self.optimizer.param_groups
        groups[0]["lr"], groups[1]["lr"] = self.step_size * factor, COLOR_STEP * self.step_size * factor
        with self.stopwatch("solve"):
            vertices, albedo = self.surface()
        with self.stopwatch("render"):
            loss = self._loss(vertices, albedo, cameras, targets, number=number, progress=progress)
        value = float(loss.detach())
        # Triangles far away are not drawn, so the loss alone would not tell. Not a number is not near either.
        if not math.isfinite(value) or not bool((vertices.detach().abs() < FAR).all()):
            cause = self._cause(vertices, albedo, targets)
            self._step_back()
            raise NonFiniteError(f"step {number}: the loss is {value}; {cause}")
        with self.stopwatch("backward"):
            self.optimizer.zero_grad()
            self.light_optimizer.zero_grad()
            loss.backward()
        for name, parameter in (
            ("positions", self.latent),
            ("colours", self.color_latent),
            ("light", self.light),
        ):
            if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all()):
                raise NonFiniteError(
                    f"step {number}: the gradient of the {name} is not finite, the loss was {value:.4g}"
                )
        with self.stopwatch("optimizer"):
            self.before = tuple(
                part.detach().clone() for part in (self.latent, self.color_latent, self.light)
            )
            self.optimizer.step()
            if self.light.requires_grad:
                self.light_optimizer.step()
        return value

    def _loss(
        self,
        vertices: Tensor,
        albedo: Tensor,
        cameras: Cameras,
        targets: Tensor,
        *,
        number: int,
        progress: float,
    ) -> Tensor:
        """The source's; what a renderer that is only called finds wrong is told like a loss that is not finite."""
        try:
            return self.source.loss(self, vertices, albedo, cameras, targets, progress=progress)
        except EvaluationError as error:
            cause = self._cause(vertices, albedo, targets)
            self._step_back()
            raise NonFiniteError(f"step {number}: {error}; {cause}") from error

    def _step_back(self) -> None:
        """Undo the last step; nothing to undo where there was none since the triangles were made."""
        with torch.no_grad():
            for part, value in zip((self.latent, self.color_latent, self.light), self.before, strict=False):
                part.copy_(value)

    def _cause(self, vertices: Tensor, albedo: Tensor, targets: Tensor) -> str:
        for name, value in (("positions", vertices), ("colours", albedo), ("light", self.light)):
            if not bool(torch.isfinite(value).all()):
                return f"the {name} are not finite; is the step size too large?"
        if not bool(torch.isfinite(targets).all()):
            return "the target images are not finite"
        reach = float(vertices.detach().norm(dim=1).max())
        return f"the positions are up to {reach:.2g} radii of the scene away; is the step size too large?"

    def remesh(self, edge_length: float, *, max_vertices: int) -> None:
        """Isotropic triangles of that edge length, or longer ones for the bound's sake, and less smoothing."""
        with torch.no_grad(), self.stopwatch("remesh"):
            vertices, albedo = self.surface()
            area = 0.5 * float(face_normals(vertices, self.faces, normalize=False).norm(dim=1).sum())
            edge_length = max(edge_length, shortest_edge(area, max_vertices))
            result = remesh(vertices, self.faces, edge_length, attributes={"albedo": albedo})
        self.lambda_ = refined_lambda(self.lambda_, self.source.lambda_bound)
        self.set_topology(result.vertices, result.faces, result.attributes["albedo"])

    def mesh(self) -> Mesh:
        """The surface as it is, its albedo as colours, on its device, detached."""
        with torch.no_grad():
            vertices, albedo = self.surface()
        return Mesh(vertices, self.faces, albedo.clamp(0.0, 1.0))

    def state_dict(self) -> dict[str, Any]:
        """Everything that the coming steps depend on."""
        return {
            "faces": self.faces,
            "lambda_": self.lambda_,
            "rest": self.rest,
            "latent": self.latent.detach(),
            "color_latent": self.color_latent.detach(),
            "light": self.light.detach(),
            "optimizer": self.optimizer.state_dict(),
            "light_optimizer": self.light_optimizer.state_dict(),
            "source": self.source.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`, to the bit on the same machine."""
        self.lambda_ = state["lambda_"]
        self.set_topology(state["rest"], state["faces"], torch.zeros_like(state["rest"]))
        with torch.no_grad():
            self.latent.copy_(state["latent"])
            self.color_latent.copy_(state["color_latent"])
            self.light.copy_(state["light"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.light_optimizer.load_state_dict(state["light_optimizer"])
        self.source.load_state_dict(state["source"])
