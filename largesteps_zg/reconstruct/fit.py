"""The state of a reconstruction and its one step; `reconstruct` decides when to take which."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .._support.stopwatch import Stopwatch
from ..cameras.model import Cameras
from ..cameras.refinement import START as CAMERAS_FROM
from ..cameras.refinement import CameraCorrections
from ..estimators.evaluation.evaluate import EvaluationError
from ..geometry.normals import face_normals
from ..mesh.mesh import Mesh
from ..mesh.remeshing.remesher import remesh
from ..mesh.remeshing.sizing import curved_lengths
from ..optimize import UniformAdam
from ..parameterize import LargeSteps
from ..rasterizer.silhouette_edges import edge_table
from ..renderers.rasterized import render
from .appearance.model import Appearance
from .batch import Batch
from .difference import Difference
from .gradients.source import GradientSource
from .priors.bending import Bending
from .priors.contact import REFRESH, Contact
from .priors.pleats import Pleats
from .schedule import bending_weight, decay, refined_lambda, shortest_edge

# Colours may change from vertex to vertex, positions may not: paint has edges, surfaces have none to speak of. And the
# sooner colours are right, the less of paint is taken for relief. Of noisy estimates neighbours have to share some.
# When the shape is there colours become as sharp as triangles are; sooner, they would take noise and shading for paint.
COLOR_LAMBDA, SHARP_COLOR_LAMBDA, SHARP = 1.0, 0.1, 0.75
COLOR_STEP = 0.5  # of the step size of the positions
PUSH = 2.0  # of what parts of the surface lack to be apart, into the latent, where it is spread out
FAR = 100.0  # radii of the scene: a vertex out there has been thrown


class NonFiniteError(ArithmeticError):
    """A loss or a gradient became infinite or not a number; the message says at which step and where."""


class Fit:
    """Surface, colours, light and cameras under optimisation, in coordinates in which the scene is the unit sphere.

    Parameters
    ----------
    vertices : (V, 3) float32
    faces : (F, 3) int64
    colors : (V, 3) float32
        Albedo, linear RGB.
    appearance : Appearance
        Light, and what else makes colours from albedo.
    colors_known : bool
        The albedo stays as it is.
    lambda_, step_size : float
        Of the positions' parametrization, until it is remeshed, and of their optimiser.
    source : GradientSource
        Where gradients come from.
    backend : str
        Of the rasterizer.
    difference : Difference
        How pictures are compared.
    bending : float
        Weight of the surface's `Bending` beside the loss, at the end of the run; see `schedule.bending_weight`.
    corrections : CameraCorrections, optional
        Of the run's cameras, to be found too.

    Raises
    ------
    ValueError
        If the source's gradients don't reach what is to be found.
    """

    def __init__(
        self,
        vertices: Tensor,
        faces: Tensor,
        colors: Tensor,
        appearance: Appearance,
        *,
        colors_known: bool,
        lambda_: float,
        step_size: float,
        source: GradientSource,
        backend: str,
        stopwatch: Stopwatch,
        difference: Difference | None = None,
        bending: float = 0.0,
        corrections: CameraCorrections | None = None,
    ) -> None:
        _check_reach(source, appearance, corrections)
        self.lambda_, self.step_size, self.backend = lambda_, step_size * source.step_factor, backend
        self.source, self.stopwatch, self.colors_known = source, stopwatch, colors_known
        self.appearance, self.corrections = appearance, corrections
        self._compared = difference or Difference()
        self.bending, self.color_lambda = bending, COLOR_LAMBDA
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
            self.latent = self.shape.to_differential(vertices.detach()).requires_grad_()
        self.contact, self.pleats = Contact(faces, self.rest), Pleats(faces, self.rest)
        self.bends = Bending(faces, self.rest) if self.bending > 0 else None
        self.source.topology_changed()
        self.appearance.topology_changed()
        self.optimizer = self._optimizer(self.latent)
        self._set_colors(colors)

    def _set_colors(self, colors: Tensor) -> None:
        """Start afresh with the vertices' colours."""
        with self.stopwatch("factor"):
            self.paint = LargeSteps(self.faces, self.rest, self.color_lambda)
            self.color_latent = self.paint.to_differential(colors.detach())
            self.color_latent.requires_grad_(not self.colors_known)
        self.color_optimizer = self._optimizer(self.color_latent)
        self.before: tuple[Tensor, ...] = ()

    def _sharpen(self) -> None:
        """Let colours change from vertex to vertex; what there is to go back to stays the same."""
        paint, before = self.paint, self.before
        self.color_lambda = SHARP_COLOR_LAMBDA
        self._set_colors(self.surface()[1])
        if before:
            latent, colors, *others = before
            self.before = (latent, self.paint.to_differential(paint.from_differential(colors)), *others)

    def _optimizer(self, latent: Tensor) -> UniformAdam:
        return UniformAdam([latent], lr=self.step_size, betas=(self.source.momentum, 0.999))

    def surface(self) -> tuple[Tensor, Tensor]:
        """Positions and albedo, differentiable in the latents."""
        return self.shape.from_differential(self.latent), self.paint.from_differential(self.color_latent)

    @property
    def difference(self) -> Difference:
        """How pictures are compared at present: highlights decide what brightness counts."""
        return replace(self._compared, brightness=self.appearance.brightness(self.brightness))

    @property
    def brightness(self) -> float | None:
        """What brightness counts beside highlights that are explained."""
        return self._compared.brightness

    @property
    def light(self) -> Tensor:
        """(K, 3): coefficients of the present light."""
        return self.appearance.light

    def images(self, vertices: Tensor, albedo: Tensor, cameras: Cameras) -> Tensor:
        """(B, H, W, 4) linear, premultiplied: the surface as it looks at present, at the mean exposure."""
        colors = self.appearance.colors(vertices, self.faces, albedo, cameras)
        return render(vertices, self.faces, colors, cameras, edges=self.edges, backend=self.backend)

    def shaded(
        self, vertices: Tensor, albedo: Tensor, batch: Batch, *, light: Tensor | None = None
    ) -> Tensor:
        """(V, 3) or (B, V, 3): colours of the surface in some views; in another light where one is given."""
        return self.appearance.colors(vertices, self.faces, albedo, batch.cameras, batch.index, light=light)

    def step(self, batch: Batch, *, number: int, factor: float, progress: float) -> float:
        """One gradient step against some of the views; the loss before it, with brightness in full.

        `factor` is that of the step sizes, `progress` the share of the run that lies behind.

        Raises
        ------
        NonFiniteError
            And goes back to the surface of the step before, the last one whose loss was finite.
        """
        if progress >= SHARP and self.color_lambda > SHARP_COLOR_LAMBDA and self.source.exact_colors:
            self._sharpen()
        with self.stopwatch("solve"):
            vertices, albedo = self.surface()
        with self.stopwatch("contact"):
            if self._untangle(vertices, number):
                vertices = self.shape.from_differential(self.latent)
        moving = self.corrections if self.corrections and self.corrections.moves(progress) else None
        if moving is not None:
            batch = replace(batch, cameras=moving.apply(batch.cameras, batch.index))
        with self.stopwatch("render"):
            self._judge(vertices, albedo, batch, progress)
            loss = self._loss(vertices, albedo, batch, number=number, progress=progress)
        value = float(loss.detach())
        if self.bends is not None:
            loss = loss + bending_weight(self.bending, progress) * self.bends(vertices)
        # Triangles far away are not drawn, so the loss alone would not tell. Not a number is not near either.
        if not math.isfinite(value) or not bool((vertices.detach().abs() < FAR).all()):
            cause = self._cause(vertices, albedo, batch.targets)
            self._step_back()
            raise NonFiniteError(f"step {number}: the loss is {value}; {cause}")
        with self.stopwatch("backward"):
            self.optimizer.zero_grad()
            self.color_optimizer.zero_grad()
            self.appearance.zero_grad()
            loss.backward()
        self._check_gradients(number, value)
        with self.stopwatch("optimizer"):
            size = self.step_size * factor * self.source.shortening(progress)
            self.optimizer.param_groups[0]["lr"] = size
            self.color_optimizer.param_groups[0]["lr"] = COLOR_STEP * size
            self.before = tuple(part.detach().clone() for part in self._parts())
            self.optimizer.step()
            self.color_optimizer.step()
            self.appearance.step(batch.index, progress=progress)
            if moving is not None:
                self._follow(*moving.step(decay(progress - CAMERAS_FROM)))
        return value if self.source.shown is None else self.source.shown

    @torch.no_grad()
    def _untangle(self, vertices: Tensor, number: int) -> bool:
        """Whether the surface had to be moved, where parts of it came too close or it had been folded.

        Pushes are diffused like gradients: taken as they are they crumple sheets, which grow by a tenth in 200 steps.
        """
        if not bool((vertices.abs() < FAR).all()):
            return False  # the loss will tell; a ray among positions that are not numbers never ends
        kept = self.contact.apart(vertices, number)
        pushed = kept is not vertices
        if pushed:
            self.latent.add_(PUSH * self.shape.merged(kept - vertices))
        if number % REFRESH or not self.contact.mostly_paired:
            return pushed  # grooves of a body may be its own
        folded = self.shape.from_differential(self.latent) if pushed else vertices
        smoothed = self.pleats.smoothed(folded)
        if smoothed is not folded:
            self.latent.copy_(self.shape.to_differential(smoothed))
        return pushed or smoothed is not folded

    @torch.no_grad()
    def _judge(self, vertices: Tensor, albedo: Tensor, batch: Batch, progress: float) -> None:
        """Whether exposures and gloss are worth having, once in a run each."""
        exposure, gloss = self.appearance.exposure, self.appearance.gloss

        def images(*, mirrored: bool = True) -> Tensor:
            colors = self.appearance.colors(
                vertices, self.faces, albedo, batch.cameras, batch.index, mirrored=mirrored
            )
            return render(vertices, self.faces, colors, batch.cameras, edges=self.edges, backend=self.backend)

        if exposure is not None and exposure.undecided(progress):
            exposure.judge(images(), batch, self.difference)
        if gloss is not None and gloss.undecided(progress):
            losses = (self.difference.loss(images(mirrored=mirrored), batch) for mirrored in (True, False))
            gloss.judge(*map(float, losses))

    @torch.no_grad()
    def _follow(self, turn: Tensor, scale: float, shift: Tensor) -> None:
        """Move the surface by a similarity; its latent moves likewise, since (I + lambda L) keeps constants."""
        moved = scale * self.latent.double() @ turn.T + shift
        self.latent.copy_(moved)

    def _loss(
        self, vertices: Tensor, albedo: Tensor, batch: Batch, *, number: int, progress: float
    ) -> Tensor:
        """The source's; what a renderer that is only called finds wrong is told like a loss that is not finite."""
        try:
            return self.source.loss(self, vertices, albedo, batch, progress=progress)
        except EvaluationError as error:
            cause = self._cause(vertices, albedo, batch.targets)
            self._step_back()
            raise NonFiniteError(f"step {number}: {error}; {cause}") from error

    def _parts(self) -> tuple[Tensor, ...]:
        return self.latent, self.color_latent, *self.appearance.parameters()

    def _check_gradients(self, number: int, value: float) -> None:
        """NonFiniteError, with what it is that has no finite gradient."""
        gradients = [("positions", self.latent.grad), ("colours", self.color_latent.grad)]
        gradients += [("light", part.grad) for part in self.appearance.parameters()]
        gradients += [("cameras", grad) for grad in self.corrections.gradients()] if self.corrections else []
        for name, gradient in gradients:
            if gradient is not None and not bool(torch.isfinite(gradient).all()):
                raise NonFiniteError(
                    f"step {number}: the gradient of the {name} is not finite, the loss was {value:.4g}"
                )

    def _step_back(self) -> None:
        """Undo the last step; nothing to undo where there was none since the triangles were made."""
        with torch.no_grad():
            for part, value in zip(self._parts(), self.before, strict=False):
                part.copy_(value)

    def _cause(self, vertices: Tensor, albedo: Tensor, targets: Tensor) -> str:
        for name, value in (("positions", vertices), ("colours", albedo), ("light", self.light)):
            if not bool(torch.isfinite(value).all()):
                return f"the {name} are not finite; is the step size too large?"
        if not bool(torch.isfinite(targets).all()):
            return "the target images are not finite"
        reach = float(vertices.detach().norm(dim=1).max())
        return f"the positions are up to {reach:.2g} radii of the scene away; is the step size too large?"

    def remesh(self, edge_length: float, *, max_vertices: int, adaptive: bool = False) -> None:
        """Triangles of that edge length, or around it, longer for the bound's sake; and less smoothing."""
        with torch.no_grad(), self.stopwatch("remesh"):
            vertices = self.surface()[0]
            if adaptive:
                lengths = curved_lengths(vertices, self.faces, edge_length, max_vertices)
            else:
                area = 0.5 * float(face_normals(vertices, self.faces, normalize=False).norm(dim=1).sum())
                lengths = torch.tensor(max(edge_length, shortest_edge(area, max_vertices)))
        self.remesh_to(lengths, planned=edge_length)

    def remesh_to(self, lengths: Tensor, *, planned: float) -> None:
        """Triangles of one edge length or one at each vertex, where `planned` would have been the typical one."""
        with torch.no_grad(), self.stopwatch("remesh"):
            vertices, albedo = self.surface()
            result = remesh(vertices, self.faces, lengths, attributes={"albedo": albedo})
        actual = float(lengths.median())
        self.lambda_ = refined_lambda(self.lambda_, self.source.lambda_bound, planned=planned, actual=actual)
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
            "color_lambda": self.color_lambda,
            "rest": self.rest,
            "latent": self.latent.detach(),
            "color_latent": self.color_latent.detach(),
            "appearance": self.appearance.state_dict(),
            "corrections": self.corrections and self.corrections.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "color_optimizer": self.color_optimizer.state_dict(),
            "source": self.source.state_dict(),
            "contact": self.contact.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`, to the bit on the same machine."""
        self.lambda_, self.color_lambda = state["lambda_"], state["color_lambda"]
        self.set_topology(state["rest"], state["faces"], torch.zeros_like(state["rest"]))
        with torch.no_grad():
            self.latent.copy_(state["latent"])
            self.color_latent.copy_(state["color_latent"])
        self.appearance.load_state_dict(state["appearance"])
        if self.corrections is not None:
            self.corrections.load_state_dict(state["corrections"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.color_optimizer.load_state_dict(state["color_optimizer"])
        self.source.load_state_dict(state["source"])
        self.contact.load_state_dict(state["contact"])


def _check_reach(
    source: GradientSource, appearance: Appearance, corrections: CameraCorrections | None
) -> None:
    """ValueError for what would be asked for and never move."""
    if corrections is not None and not source.reaches_cameras:
        raise ValueError(
            "refine cameras: expected the gradients of the rasterizer, which alone reach cameras"
        )
    if len(appearance.parameters()) > 1 and not source.reaches_colors:
        raise ValueError(
            "gloss, exposure: expected gradients of the rasterizer or per-pixel, which alone reach them; leave them off"
        )
