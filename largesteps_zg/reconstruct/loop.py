"""The loop: from views to a mesh, as a generator of small records."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor

from .._support.errors import one_line
from .._support.nested import moved
from .._support.stopwatch import Stopwatch
from ..cameras.model import Cameras
from ..cameras.refinement import corrections_of
from ..geometry.connectivity import check_start_mesh
from ..geometry.half_edges import mean_edge_length
from ..mesh.mesh import Mesh
from ..mesh.remeshing.remesher import RemeshError
from ..mesh.repair import Untangled, untangled
from ..rasterizer.registry import load_backend
from ..renderers.light import SphericalHarmonicsLight
from ..renderers.registry import load_renderer
from ..scenes.carving.bounds import bounding_sphere
from ..scenes.photographs.matting import softened
from ..scenes.views import Views
from .appearance.hue import brightness_weight
from .appearance.model import appearance_of
from .camera_bundle import Bundled
from .camera_trial import CameraTrial
from .devices import resolve_device
from .difference import Difference
from .fit import Fit
from .fit_options import FitOptions
from .found_cameras import found_cameras
from .frame import Frame
from .gradients.registry import make_source
from .gradients.source import GradientSource
from .last_steps import LastSteps
from .pace import Pace
from .photo_consistency.term import PhotoConsistency
from .rendering import Rendering
from .result import TOPOLOGY, Event, Result
from .resume import check_same, go_on
from .schedule import Remeshing, decay, image_level, remeshings, starting_lambda, views_of_step
from .settings import Settings
from .starts.overlap import silhouette_overlap
from .starts.sphere import placed_start, starting_sphere
from .targets import Targets
from .topology.attend import retopologized


@dataclass(frozen=True)
class State:
    """Where a run stands after a step.

    Attributes
    ----------
    step : int
        Steps taken, 1 to `steps`.
    steps : int
        Of the whole run, as far as is known; see `Pace`.
    loss : float
        Of this step's views, before it, with brightness in full.
    vertices : int
        How many.
    event : str
        "", or what happened last before the step: "remeshed", or "not remeshed: " and why, as where the surface was too
        tangled for it.
    run : Reconstruction
        To ask for the mesh, images or a checkpoint; of this moment, so ask before the next state.
    """

    step: int
    steps: int
    loss: float
    vertices: int
    event: str
    run: Reconstruction


class Reconstruction:
    """One run: a scene, a fit, and what is needed to go on or to stop at any step.

    Takes what `reconstruct` takes, and raises ValueError for an argument that cannot work, saying which.
    """

    def __init__(
        self,
        views: Views,
        settings: Settings,
        *,
        start: Mesh | None = None,
        light: SphericalHarmonicsLight | None = None,
        colors_known: bool = False,
        refining: bool = False,
        source: GradientSource | None = None,
        bundle: Bundled | None = None,
    ) -> None:
        self.device = resolve_device(settings.device)
        self.backend = "warp" if settings.backend == "auto" else settings.backend
        load_backend(self.backend)
        if source is None:
            renderer, estimates = load_renderer(settings.renderer), settings.advanced.estimates
            source = make_source(settings.gradients, renderer, settings.seed, estimates)
        lambda_ = source.traits.lambda_ if settings.lambda_ is None else settings.lambda_
        self.max_vertices = (
            source.traits.max_vertices if settings.max_vertices is None else settings.max_vertices
        )
        self.settings = replace(settings, lambda_=lambda_, max_vertices=self.max_vertices)
        self.refining, constants = refining, settings.advanced
        self.bundle, self.given = bundle, views.cameras
        if bundle is not None:
            views = replace(views, cameras=bundle.cameras.to(views.cameras.world_to_camera.device))
        self.stopwatch = Stopwatch()
        if start is not None:
            check_start_mesh(start.vertices, start.faces)
        with self.stopwatch("setup"):
            center, radius = bounding_sphere(views)
            self.frame = Frame(center.double().cpu(), radius, self.device)
            self.views = softened(views, constants.photographs)
            self.targets = Targets(self.views, self.frame.normalized(views.cameras), settings.seed)
            chosen = settings.steps is None and not isinstance(settings.remesh, str)
            self.pace = Pace(constants.schedule.steps if chosen else settings.steps, constants.schedule)
            self.losses: list[float] = []
            self.events: list[Event] = []
            if start is None:
                start = starting_sphere(self.views, self.frame.center, radius, constants=constants.carving)
            begin = placed_start(start, self.frame, nearby=constants.schedule.start_nearby)
            # Estimates of colours come a channel at a time.
            brightness = brightness_weight(views, constants.hue) if source.traits.exact_colors else None
            self.fit = self._fit(begin, source, light, brightness, colors_known)
            self.rendering = Rendering(self.fit, self.frame)
            edge_length = float(mean_edge_length(begin.vertices, begin.faces))
            self.remeshings = remeshings(
                settings.remesh, steps=self.pace.steps, pixel=self.targets.pixel, edge_length=edge_length,
                longest=edge_length if refining else math.inf, constants=constants.schedule,
            )  # fmt: skip
            self.remeshed = 0  # so many of these were tried
            # A start with detail would lose it in coarse images, and estimates count in pixels.
            planned = settings.remesh in ("auto", "adaptive")
            self.coarse_first = planned and source.traits.exact_colors and not refining
            self.camera_trial = CameraTrial(self.fit, self.targets, self.views)
            self.last_steps = LastSteps(constants.schedule.averaged)

    def _fit(
        self, begin: Mesh, source: GradientSource, light: SphericalHarmonicsLight | None,
        brightness: float | None, colors_known: bool,
    ) -> Fit:  # fmt: skip
        """What is to be found, and how."""
        settings, traits, constants = self.settings, source.traits, self.settings.advanced
        assert settings.lambda_ is not None
        options = FitOptions(
            lambda_=starting_lambda(settings.lambda_, len(begin.vertices), constants.schedule),
            step_size=settings.step_size,
            backend=self.backend,
            colors_known=colors_known,
            difference=Difference(
                settings.loss, scale=constants.schedule.robust_scale, brightness=brightness
            ),
            bending=traits.bending_share * self.targets.bending(settings.bending, constants.schedule),
            constants=constants,
        )
        appearance = appearance_of(
            light, settings.gloss, settings.exposure, views=len(self.views), exact=traits.exact_colors,
            device=self.device, constants=constants,
        )  # fmt: skip
        corrections = corrections_of(
            self.targets.cameras, settings.refine_cameras, reached=traits.reaches_cameras,
            constants=constants.correcting,
        )  # fmt: skip
        patches = None
        if settings.patches != "off" and traits.exact_colors:
            surface = Mesh(self.frame.outside(begin.vertices), begin.faces)
            patches = PhotoConsistency(
                self.views, self.targets.cameras, seed=settings.seed, constants=constants.patches, backend=self.backend,
                most_pixels=constants.schedule.step_pixels,
                near=silhouette_overlap(surface, self.views) > constants.patches.near,
            )  # fmt: skip
        return Fit(begin, options, source, appearance, corrections, self.stopwatch, patches)

    @property
    def source(self) -> GradientSource:
        """Where gradients come from."""
        return self.fit.source

    @property
    def step(self) -> int:
        """Steps taken."""
        return self.pace.step

    @property
    def steps(self) -> int:
        """Of the whole run, as far as is known."""
        return self.pace.steps

    def advance(self, progress: float | None = None) -> State:
        """Take one step; `progress`, the share of the run that lies behind, is that of its `Pace` by default."""
        schedule = self.settings.advanced.schedule
        due = [plan for plan in self.remeshings[self.remeshed :] if plan.progress <= self.pace.progress]
        self.remeshed += len(due)
        found = [event for plan in due for event in (*self._change(), self._remesh(plan))]
        self.events += found
        progress = self.pace.progress if progress is None else progress
        with self.stopwatch("cameras"):
            self.camera_trial.attend(progress)
        with self.stopwatch("targets"):
            level, (side, longer) = 0, sorted(self.views.images.shape[1:3])
            if self.coarse_first:
                edge = self.fit.short_edge / self.targets.pixel
                level = image_level(progress, edge, side, constants=schedule)
            count = self.settings.views_per_step or views_of_step(side, longer, level, constants=schedule)
            batch = self.targets.batch(self.targets.draw(count), level)
        factor = decay(progress, late=self.source.traits.exact_colors, constants=schedule)
        loss = self.fit.step(batch, number=self.step + 1, factor=factor, progress=progress)
        witness = self.fit.witness
        self.pace.take(agreeing=witness is not None and witness.term.agreeing)
        self.last_steps.take(self.fit.parts(), progress, last=self.step == self.steps)
        self.losses.append(loss)
        return self.state(found[-1] if found else None)

    def state(self, event: Event | None = None) -> State:
        """Where it stands, after one step or more; before the last of them the event happened."""
        said = "" if event is None else f"{event.name}: {event.reason}" if event.reason else event.name
        vertices = len(self.fit.shape.latent)
        return State(self.step, self.steps, self.losses[-1], vertices, said, self)

    def _change(self) -> list[Event]:
        """Another topology, or none; new triangles have to follow. Asked again only after it was changed."""
        changes = sum(event.name in TOPOLOGY for event in self.events)
        if not self.coarse_first or changes < len(self.events) - changes:
            return []
        with self.stopwatch("topology"):
            change = retopologized(self.fit, self.targets, len(self.views))
        return [] if change is None else [Event(self.step, change.name, change.reason)]

    def _remesh(self, plan: Remeshing) -> Event:
        """Better triangles; a surface that is too tangled for it goes on with those that it has."""
        adaptive, cameras = self.settings.remesh == "adaptive", self.camera_trial.cameras()
        try:
            self.fit.remesh(plan, max_vertices=self.max_vertices, adaptive=adaptive, cameras=cameras)
        except (RemeshError, ValueError) as error:
            return Event(self.step, "not remeshed", one_line(error))
        return Event(self.step, "remeshed")

    def mesh(self) -> Mesh:
        """The mesh in the scene's coordinates, on the CPU, with its albedo as colours, untangled."""
        return self._untangled()[0]

    def _untangled(self) -> tuple[Mesh, Untangled]:
        """The mesh, and what became of the fit's surface; without remeshing it keeps its faces."""
        mesh, rules = self.fit.mesh(), self.settings.advanced.mending
        keep = self.settings.remesh == "off"
        found = untangled(mesh.vertices.double().cpu(), mesh.faces.cpu(), keep_faces=keep, constants=rules)
        colors = None if mesh.colors is None else mesh.colors.cpu()[found.kept]
        return Mesh(self.frame.outside(found.vertices), found.faces, colors), found

    def images(self, cameras: Cameras) -> Tensor:
        """(B, H, W, 4) float32 on the CPU: the present state seen by cameras of the scene, a view at a time."""
        return self.rendering.images(cameras)

    def result(self) -> Result:
        """What has been found so far."""
        fit, views, heard = self.fit, replace(self.views, cameras=self.given), self.camera_trial.evidence()
        cameras = found_cameras(views, self.frame, fit.corrections, heard, self.bundle)
        mesh, found = self._untangled()
        return Result(
            settings=self.settings,
            steps=self.step,
            planned=self.steps,
            mesh=mesh,
            mended=found.report(),
            views=views,
            **vars(cameras),
            gains=fit.appearance.gains(),
            gloss=fit.appearance.gloss_report(),
            patches=fit.patch_report(),
            brightness=fit.options.difference.brightness,
            light=fit.light.detach().clone(),
            averaged=self.last_steps.count,
            losses=tuple(self.losses),
            events=tuple(self.events),
            renders=self.source.renders,
            seconds=dict(self.stopwatch.seconds),
            frame=self.frame,
            backend=self.backend,
        )

    def identity(self) -> dict[str, Any]:
        """What tells runs apart; see `resume.check_same`."""
        given = {
            "a known light": not self.fit.light.requires_grad,
            "known colours": self.fit.options.colors_known,
            "a start to refine": self.refining,
        }
        ball = {"center": self.frame.center, "radius": self.frame.radius}
        return {"settings": asdict(self.settings), "given": given, **ball}

    def state_dict(self) -> dict[str, Any]:
        """A checkpoint, of tensors and plain values, that later steps don't change."""
        state = {
            **self.identity(),
            **self.targets.state_dict(),
            "step": self.step,
            "pace": self.pace.state_dict(),
            "remeshed": self.remeshed,
            "losses": self.losses,
            "events": [asdict(event) for event in self.events],
            "seconds": dict(self.stopwatch.seconds),
            "fit": self.fit.state_dict(),
            "last_steps": self.last_steps.state_dict(),
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint of the same scene and settings; `resume.go_on` takes one from a file.

        Raises
        ------
        ValueError
            If a setting that decides the result differs; says which.
        """
        check_same(self.identity(), state)
        state = copy.deepcopy(state)  # optimisers would go on in the caller's tensors
        state["fit"] = moved(state["fit"], self.device)
        self.pace.load_state_dict(state["step"], state["pace"])
        self.remeshed = state["remeshed"]
        self.losses, self.events = state["losses"], [Event(**event) for event in state["events"]]
        self.targets.load_state_dict(state)
        self.stopwatch.seconds = dict(state["seconds"])
        self.fit.stopwatch = self.stopwatch
        self.fit.load_state_dict(state["fit"])
        self.last_steps.load_state_dict(self.fit.parts(), state["last_steps"])


def reconstruct(
    views: Views,
    settings: Settings | None = None,
    *,
    start: Mesh | None = None,
    light: SphericalHarmonicsLight | None = None,
    colors_known: bool = False,
    refining: bool = False,
    source: GradientSource | None = None,
    bundle: Bundled | None = None,
    checkpoint: dict[str, Any] | None = None,
) -> Iterator[State]:
    """From multi-view images with masks and cameras to a mesh, step by step.

    Positions are the diffusion of a latent (Large Steps), colours likewise; both and the light follow the gradient
    of the L1 difference of a few rendered views to the images, colour and coverage.

    Parameters
    ----------
    views : Views
    settings : Settings, optional
    start : Mesh, optional
        In the scene's coordinates; by default the largest sphere inside all masks, a little smaller.
    light : SphericalHarmonicsLight, optional
        Known light; estimated by default. Only the product of light and albedo is known where it is.
    colors_known : bool
        Keep the start's colours, or its grey.
    refining : bool
        The start has detail to be kept: never remesh to longer edges than it has.
    source : GradientSource, optional
        Where gradients come from, in place of the settings' `gradients`.
    bundle : Bundled, optional
        ``bundled(views)``: cameras to begin with, where the given ones are off.
    checkpoint : dict, optional
        ``state.run.state_dict()`` of an earlier run, to go on from; ends where that run would have ended.

    Yields
    ------
    State
        After each step. Printing, saving and stopping are the caller's.

    Raises
    ------
    ValueError
        For input that cannot work, before the first step.
    NonFiniteError
        If the loss or a gradient becomes non-finite; the mesh of the last state stays good.

    Examples
    --------
    >>> for state in reconstruct(scene.train, Settings(steps=300)):  # doctest: +SKIP
    ...     print(state.step, state.loss)
    >>> save_mesh("result.ply", state.run.mesh())  # doctest: +SKIP
    """
    run = Reconstruction(
        views, settings or Settings(), start=start, light=light, colors_known=colors_known, refining=refining,
        source=source, bundle=bundle,
    )  # fmt: skip
    if checkpoint is not None:
        go_on(run, checkpoint)
    while run.step < run.steps:
        yield run.advance()
