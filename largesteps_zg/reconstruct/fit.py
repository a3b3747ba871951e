"""The state of a reconstruction and its one step; `Reconstruction` decides when to take which."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NoReturn

import torch
from torch import Tensor

from .._support.stopwatch import Stopwatch
from ..cameras.model import Cameras
from ..cameras.refinement import CameraCorrections
from ..estimators.evaluation.evaluate import EvaluationError
from ..geometry.normals import face_normals
from ..mesh.mesh import Mesh
from ..mesh.remeshing.remesher import remesh
from ..mesh.remeshing.sizing import curved_lengths
from ..mesh.repair import untangled
from ..renderers.rasterized import render
from .appearance.model import Appearance
from .batch import Batch
from .difference import Difference
from .diffused import Diffused
from .faults import NonFiniteError, cause, check_gradients
from .fit_options import FitOptions
from .gradients.source import GradientSource, LossResult
from .photo_consistency.term import Corrected, PhotoConsistency
from .photo_consistency.witness import Witness
from .schedule import Remeshing, bending_weight, decay, refined_lambda, shortest_edge
from .triangles import Triangles, near
from .visibility import seen_first, seen_vertices, shortest_seen


class Fit:
    """Surface, colours, light and cameras under optimisation, in coordinates in which the scene is the unit sphere.

    Parameters
    ----------
    start : Mesh
        float32, with colours: the albedo, linear RGB.
    options : FitOptions
    source : GradientSource
        Where gradients come from.
    appearance : Appearance
        Light, and what else makes colours from albedo.
    corrections : CameraCorrections, optional
        Of the run's cameras, to be found too.
    stopwatch : Stopwatch
    patches : PhotoConsistency, optional
        What photographs say of the shape by being alike.

    Raises
    ------
    ValueError
        If the source's gradients don't reach what is to be found.
    """

    def __init__(
        self,
        start: Mesh,
        options: FitOptions,
        source: GradientSource,
        appearance: Appearance,
        corrections: CameraCorrections | None,
        stopwatch: Stopwatch,
        patches: PhotoConsistency | None = None,
    ) -> None:
        found_colors = len(appearance.parameters()) > 1  # more than the light
        source.traits.check_reach(colors=found_colors, cameras=corrections is not None)
        assert start.colors is not None
        self.options, self.source, self.stopwatch = options, source, stopwatch
        self.appearance, self.corrections = appearance, corrections
        self.witness = None if patches is None else Witness(patches)
        self.backend, self.step_size = options.backend, options.step_size * source.traits.step_factor
        self.constants = options.constants
        self.triangles = self._triangles(start.vertices, start.faces, options.lambda_)
        # Colours may change from vertex to vertex, positions may not: paint has edges, surfaces have almost none. The
        # sooner colours are right, the less paint is taken for relief. Neighbours have to share noisy estimates.
        self.paint = self._paint(self.triangles, start.colors, self.constants.schedule.color_lambda)
        self.before: tuple[Tensor, ...] = ()  # what a step that failed goes back to

    def _triangles(self, vertices: Tensor, faces: Tensor, lambda_: float) -> Triangles:
        """A mesh to be fitted from now on.

        Nothing of the optimiser's state is carried over: the size of a vertex's gradient follows the area around it,
        and moments from coarser triangles would hold the steps on finer ones back for a long time.
        """
        self.source.topology_changed()
        self.appearance.topology_changed()
        momentum, bending = self.source.traits.momentum, self.options.bending > 0
        with self.stopwatch("factor"):
            return Triangles(
                vertices, faces, lambda_=lambda_, momentum=momentum, bending=bending, constants=self.constants
            )

    def _paint(self, triangles: Triangles, colors: Tensor, lambda_: float) -> Diffused:
        """Colours of some triangles."""
        with self.stopwatch("factor"):
            return Diffused(
                colors, triangles.faces, triangles.rest, lambda_=lambda_,
                momentum=self.source.traits.momentum, known=self.options.colors_known,
            )  # fmt: skip

    def _sharpen(self) -> None:
        """Let colours change from vertex to vertex; what there is to go back to stays the same."""
        smooth, lambda_ = self.paint, self.constants.schedule.sharp_lambda
        self.paint = self._paint(self.triangles, smooth(), lambda_)
        if self.before:
            latent, colors, *others = self.before
            self.before = latent, self.paint.to_differential(smooth.from_differential(colors)), *others

    @property
    def faces(self) -> Tensor:
        """(F, 3) int64."""
        return self.triangles.faces

    @property
    def edges(self) -> Tensor:
        """The rasterizer's table of edges."""
        return self.triangles.edges

    @property
    def short_edge(self) -> float:
        """Nine of ten edges were longer when these triangles were made."""
        return self.triangles.short_edge

    @property
    def shape(self) -> Diffused:
        """The positions."""
        return self.triangles.shape

    def surface(self) -> tuple[Tensor, Tensor]:
        """Positions and albedo, differentiable in the latents."""
        return self.shape(), self.paint()

    @property
    def difference(self) -> Difference:
        """How pictures are compared at present: highlights decide what brightness counts."""
        usual = self.options.difference
        appearance = self.appearance
        return replace(usual, brightness=appearance.brightness(usual.brightness), cut=appearance.explained)

    @property
    def light(self) -> Tensor:
        """(K, 3): coefficients of the present light."""
        return self.appearance.light

    def images(self, vertices: Tensor, albedo: Tensor, cameras: Cameras) -> Tensor:
        """(B, H, W, 4) linear, premultiplied: the surface as it looks at present, at the mean exposure."""
        return self.drawn(vertices, self.appearance.colors(vertices, self.faces, albedo, cameras), cameras)

    def drawn(self, vertices: Tensor, colors: Tensor, cameras: Cameras) -> Tensor:
        """(B, H, W, 4) linear, premultiplied: a surface with its triangles in these colours."""
        return render(vertices, self.faces, colors, cameras, edges=self.edges, backend=self.backend)

    def shaded(
        self, vertices: Tensor, albedo: Tensor, batch: Batch, *, light: Tensor | None = None
    ) -> Tensor:
        """(V, 3) or (B, V, 3): colours of the surface in some views; in another light where one is given."""
        colors, normals = self.appearance.colors, self.triangles.normals(vertices)
        return colors(vertices, self.faces, albedo, batch.cameras, batch.index, light=light, normals=normals)

    def step(self, batch: Batch, *, number: int, factor: float, progress: float) -> float:
        """One gradient step against some of the views; the loss before it, with brightness in full.

        `factor` is that of the step sizes, `progress` the share of the run that lies behind.

        Raises
        ------
        NonFiniteError
            And goes back to the surface of the step before, the last one whose loss was finite.
        """
        schedule = self.constants.schedule
        # Colours become as sharp as the triangles once the shape is there. Sooner, they would take noise and shading
        # for paint.
        sharp = progress >= schedule.sharp_from and self.source.traits.exact_colors
        if sharp and self.paint.lambda_ > schedule.sharp_lambda:
            self._sharpen()
        vertices, albedo = self._untangled(number)
        batch = self.corrected(batch)
        batch = batch if self.witness is None else self.witness.trusting(batch)
        with self.stopwatch("render"):
            self._judge(vertices, albedo, batch, progress)
            result = self._loss(vertices, albedo, batch, number=number, progress=progress)
        value = float(result.loss.detach())
        # Triangles far away are not drawn, so the loss alone would not tell. Not a number is not near either.
        if not math.isfinite(value) or not near(vertices, schedule.thrown):
            self._fail(f"step {number}: the loss is {value}", vertices, albedo, batch)
        with self.stopwatch("patches"):
            patches = self._patches(vertices, albedo, batch, result.shown, number=number, progress=progress)
        loss = result.loss + patches
        if (bent := self.triangles.bend(vertices)) is not None:
            loss = loss + bending_weight(self.options.bending, progress, schedule) * bent
        with self.stopwatch("backward"):
            for part in self.parts():
                part.grad = None
            loss.backward()
        check_gradients(self._gradients(), number, value)
        with self.stopwatch("optimizer"):
            self._follow(batch, factor, progress)
        return result.shown

    def _untangled(self, number: int) -> tuple[Tensor, Tensor]:
        """Positions and albedo, where need be of a surface that was moved a little."""
        with self.stopwatch("solve"):
            vertices, albedo = self.surface()
        with self.stopwatch("contact"):
            if self.triangles.untangle(vertices, number):
                vertices = self.shape()
        return vertices, albedo

    def corrected(self, batch: Batch) -> Batch:
        """The views with corrected cameras, while these move."""
        if self.corrections is None or not self.corrections.trial.running:
            return batch
        return replace(batch, cameras=self.corrections.apply(batch.cameras, batch.index))

    @torch.no_grad()
    def _judge(self, vertices: Tensor, albedo: Tensor, batch: Batch, progress: float) -> None:
        """Decide, once in a run each, whether exposures and gloss are worth having."""

        def images(mirrored: bool) -> Tensor:
            seen = vertices, self.faces, albedo, batch.cameras, batch.index
            colors = self.appearance.colors(*seen, mirrored=mirrored)
            return self.drawn(vertices, colors, batch.cameras)

        self.appearance.judge(images, batch, self.difference, progress=progress)

    def _loss(
        self, vertices: Tensor, albedo: Tensor, batch: Batch, *, number: int, progress: float
    ) -> LossResult:
        """The source's; what a renderer that is only called finds wrong is told like a loss that is not finite."""
        try:
            return self.source.loss(self, vertices, albedo, batch, progress=progress)
        except EvaluationError as error:
            self._fail(f"step {number}: {error}", vertices, albedo, batch, error)

    def _patches(
        self, vertices: Tensor, albedo: Tensor, batch: Batch, shown: float, *, number: int, progress: float
    ) -> Tensor | float:
        """What photographs that have to agree add to the loss; see `Witness`."""
        if (witness := self.witness) is None:
            return 0.0

        def draw(cameras: Cameras, index: Tensor) -> Tensor:
            normals = self.triangles.normals(vertices)
            colors = self.appearance.colors(vertices, self.faces, albedo, cameras, index, normals=normals)
            return self.drawn(vertices, colors, cameras)

        if not witness.called(draw, batch, progress):
            return 0.0
        surface = vertices, self.faces, self.edges
        return witness.hear(
            surface, draw, batch.index, shown, number=number, progress=progress, corrected=self._moved()
        )

    def _moved(self) -> Corrected | None:
        """What corrects cameras at present."""
        corrections = self.corrections
        return None if corrections is None or not corrections.trial.running else corrections.moved

    def patch_report(self) -> dict[str, Any] | None:
        """What the agreement of photographs says of the surface as it is; see `PhotoConsistency.report`."""
        if self.witness is None:
            return None
        return self.witness.term.report(self.shape(), self.faces, self.edges, self._moved())

    def _fail(
        self, what: str, vertices: Tensor, albedo: Tensor, batch: Batch, error: Exception | None = None
    ) -> NoReturn:
        """Undo the last step, if there was one since the triangles were made, and say why there is no other."""
        why = cause(vertices, albedo, self.light, batch.targets)
        if self.before:
            self.restore(self.before)
        raise NonFiniteError(f"{what}; {why}") from error

    def _follow(self, batch: Batch, factor: float, progress: float) -> None:
        """Follow the gradients."""
        size = self.step_size * factor * self.source.shortening(progress)
        self.before = self.snapshot()
        self.shape.step(size)
        self.paint.step(self.constants.schedule.color_step * size)
        self.appearance.step(batch.index, progress=progress)
        if self.corrections is not None and self.corrections.trial.running:
            factor = decay(progress - self.corrections.trial.start, constants=self.constants.schedule)
            self.triangles.follow(*self.corrections.step(factor))

    def snapshot(self) -> tuple[Tensor, ...]:
        """Copies of all that is optimised, but for cameras."""
        return tuple(part.detach().clone() for part in self.parts())

    @torch.no_grad()
    def restore(self, snapshot: tuple[Tensor, ...]) -> None:
        """Put back what `snapshot` gave; the triangles have to be the same."""
        for part, value in zip(self.parts(), snapshot, strict=True):
            part.copy_(value)

    def latent_gradient(self, source: GradientSource, batch: Batch, progress: float) -> Tensor:
        """(V, 3): the gradient of the positions' latent as another source sees it."""
        loss = source.loss(self, *self.surface(), batch, progress=progress).loss
        return torch.autograd.grad(loss, self.shape.latent)[0].detach()

    def parts(self) -> tuple[Tensor, ...]:
        """All that is optimised, but for cameras."""
        return self.shape.latent, self.paint.latent, *self.appearance.parameters()

    def _gradients(self) -> list[tuple[str, Tensor | None]]:
        """With the names of what they belong to."""
        found = [("positions", self.shape.latent.grad), ("colours", self.paint.latent.grad)]
        found += [("light", part.grad) for part in self.appearance.parameters()]
        cameras = [] if self.corrections is None else self.corrections.gradients()
        return found + [("cameras", grad) for grad in cameras]

    def remesh(
        self, plan: Remeshing, *, max_vertices: int, adaptive: bool = False, cameras: Cameras | None = None
    ) -> None:
        """Better triangles, with longer edges than planned for the bound's sake; and less smoothing.

        Where the bound would make edges longer, those stay long that none of the cameras sees, if these are given.
        """
        with torch.no_grad(), self.stopwatch("remesh"):
            vertices = self.surface()[0]
            area = 0.5 * float(face_normals(vertices, self.faces, normalize=False).norm(dim=1).sum())
            shortest = shortest_edge(area, max_vertices)
            planned = plan.length(shortest)
            if adaptive:
                rules, planned = self.constants.remeshing, plan.length(0.0)
                lengths = curved_lengths(vertices, self.faces, planned, max_vertices, rules)
            elif cameras is not None and plan.length(0.0) < planned:
                seen = seen_vertices(vertices, self.faces, cameras, backend=self.options.backend)
                planned = plan.length(shortest_seen(shortest, vertices, self.faces, seen, max_vertices))
                lengths = seen_first(planned, vertices, self.faces, seen)
                planned = float(lengths.median())
            else:
                lengths = torch.tensor(max(planned, shortest))
        self.remesh_to(lengths, planned=planned)

    def remesh_to(self, lengths: Tensor, *, planned: float) -> None:
        """Triangles of one edge length or one at each vertex, where `planned` would have been the typical one."""
        with torch.no_grad(), self.stopwatch("remesh"):
            vertices, faces, albedo, lengths = self._in_order(lengths)
            colors, rules = {"albedo": albedo}, self.constants.remeshing
            result = remesh(vertices, faces, lengths, attributes=colors, rules=rules)
        actual, bound = float(lengths.median()), self.source.traits.lambda_bound
        schedule, before = self.constants.schedule, self.shape.lambda_
        lambda_ = refined_lambda(before, bound, planned=planned, actual=actual, constants=schedule)
        self.put(result.vertices, result.faces, result.attributes["albedo"], lambda_)

    def put(self, vertices: Tensor, faces: Tensor, albedo: Tensor, lambda_: float) -> None:
        """Another surface with its albedo, smoothed so much; all at once, or the old one stays if that fails."""
        triangles = self._triangles(vertices, faces, lambda_)
        paint = self._paint(triangles, albedo, self.paint.lambda_)
        self.triangles, self.paint, self.before = triangles, paint, ()

    def _in_order(self, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Positions, faces, albedo and lengths of a surface whose new triangles will not be wrong because old ones are.

        New triangles lie on the old ones. A sheet stays as it is: smoothing takes its rim away.
        """
        vertices, albedo = self.surface()
        if self.triangles.contact.mostly_paired:
            return vertices, self.faces, albedo, lengths
        rules = replace(self.constants.mending, rings=self.constants.mending.early_rings)
        found = untangled(vertices, self.faces, constants=rules)
        kept = lengths[found.kept] if lengths.ndim else lengths
        return found.vertices, found.faces, albedo[found.kept], kept

    @torch.no_grad()
    def mesh(self) -> Mesh:
        """The surface as it is, its albedo as colours, on its device, detached."""
        vertices, albedo = self.surface()
        return Mesh(vertices, self.faces, albedo.clamp(0.0, 1.0))

    def state_dict(self) -> dict[str, Any]:
        """Everything that the coming steps depend on."""
        return {
            "triangles": self.triangles.state_dict(),
            "paint": self.paint.state_dict(),
            "appearance": self.appearance.state_dict(),
            "corrections": self.corrections and self.corrections.state_dict(),
            "source": self.source.state_dict(),
            "patches": self.witness and self.witness.term.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`, to the bit on the same machine."""
        triangles, paint = state["triangles"], state["paint"]
        self.triangles = self._triangles(triangles["rest"], triangles["faces"], triangles["shape"]["lambda_"])
        self.triangles.load_state_dict(triangles)
        self.paint = self._paint(self.triangles, torch.zeros_like(triangles["rest"]), paint["lambda_"])
        self.paint.load_state_dict(paint)
        self.before = ()
        self.appearance.load_state_dict(state["appearance"])
        if self.corrections is not None:
            self.corrections.load_state_dict(state["corrections"])
        self.source.load_state_dict(state["source"])
        if self.witness is not None:
            self.witness.term.load_state_dict(state["patches"])
