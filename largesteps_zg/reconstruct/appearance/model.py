"""What makes the colours of a view from albedo: light, gloss, and the exposure of each photograph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...cameras.model import Cameras
from ...constants import DEFAULTS, Constants, Schedule
from ...geometry.normals import vertex_normals
from ...optimize import PlainAdam
from ...renderers.light import SphericalHarmonicsLight
from ..batch import Batch
from ..difference import Difference
from .exposure import Exposure
from .gloss import Gloss
from .reflectance import least_reflectance

LIGHT_ORDER = 2


class Appearance:
    """Light, gloss and exposure under optimisation: all of a picture that is neither shape nor albedo.

    ::

        colour of a vertex in view b = gain_b (albedo * shading(normal) + gloss(normal, direction to the camera))

    Parameters
    ----------
    light : SphericalHarmonicsLight
        Known, or where to start from.
    light_known : bool
        Keep it as it is.
    gloss : Gloss, optional
        What surfaces mirror, to be found too.
    exposure : Exposure, optional
        Of the run's views, to be found too; otherwise they are all the same.
    constants : Schedule, optional
    """

    def __init__(
        self,
        light: SphericalHarmonicsLight,
        *,
        light_known: bool = False,
        gloss: Gloss | None = None,
        exposure: Exposure | None = None,
        constants: Schedule = DEFAULTS.schedule,
    ) -> None:
        self._constants = constants
        self.light = light.coefficients.detach().clone().requires_grad_(not light_known)
        self.light_optimizer = PlainAdam([self.light], lr=constants.light_step)
        self.gloss, self.exposure = gloss, exposure

    def colors(
        self,
        vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        albedo: Float[Tensor, "V 3"],
        cameras: Cameras,
        index: Int[Tensor, " B"] | None = None,
        *,
        light: Tensor | None = None,
        mirrored: bool = True,
        normals: Float[Tensor, "V 3"] | None = None,
    ) -> Tensor:
        """Colours of the vertices: (V, 3) where all views see the same, else (B, V, 3).

        Parameters
        ----------
        vertices, faces, albedo
        cameras : Cameras
            That look.
        index : (B,) int, optional
            Which of the run's views they are; none of them by default, then the exposure is the mean one.
        light : (K, 3), optional
            In place of the present one.
        mirrored : bool
            With gloss, where there is some.
        normals : (V, 3), optional
            ``vertex_normals(vertices, faces)``, where these are at hand.
        """
        normals = vertex_normals(vertices, faces) if normals is None else normals
        shading = SphericalHarmonicsLight(self.light if light is None else light)
        colors = albedo * shading(normals)
        if mirrored and self.mirror is not None:
            colors = colors + self.mirror(vertices, faces, normals, cameras, index)
        if self.exposure is not None and not self.exposure.trial.dropped and index is not None:
            colors = self.exposure(colors, index)
        return colors

    def asked(
        self,
        vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        albedo: Float[Tensor, "V 3"],
        cameras: Cameras,
        index: Int[Tensor, " B"],
    ) -> Tensor:
        """As `colors` of views of the run, but nothing remembers that they were asked for."""
        colors = self.colors(vertices, faces, albedo, cameras)
        if self.exposure is not None and not self.exposure.trial.dropped:
            colors = self.exposure(colors, index)
        return colors

    @property
    def mirror(self) -> Gloss | None:
        """The gloss, where the surface mirrors something at present."""
        return self.gloss if self.gloss is not None and self.gloss.trial.running else None

    @property
    def explained(self) -> bool:
        """Whether highlights were decided to be mirrored lamps.

        Until then shape and albedo would have to explain what a photograph cuts off.
        """
        return self.mirror is not None and self.mirror.trial.kept

    def brightness(self, weight: float | None) -> float | None:
        """What brightness counts at present, from what it counts beside highlights that are explained.

        A power of it before there is gloss to explain them; 1 on a surface that turned out matt.
        """
        if weight is None or self.gloss is None:
            return weight
        if self.gloss.trial.dropped:
            return 1.0
        return weight if self.gloss.trial.running else weight**self._constants.unexplained

    def topology_changed(self) -> None:
        """Vertices are others."""
        if self.gloss is not None:
            self.gloss.topology_changed()

    def parameters(self) -> list[Tensor]:
        """Everything that may change, the light first."""
        found = [self.light]
        found += [] if self.exposure is None else [self.exposure.log_gains]
        return found + ([] if self.gloss is None else self.gloss.parameters())

    def judge(
        self, images: Callable[[bool], Tensor], batch: Batch, difference: Difference, *, progress: float
    ) -> None:
        """Decide, when it is time, whether exposures and gloss are worth having.

        Parameters
        ----------
        images : callable
            The pictures of the batch at present, with gloss or without.
        batch, difference
        progress : float
            Share of the run that lies behind.
        """
        if self.exposure is not None and self.exposure.trial.due(progress):
            self.exposure.judge(images(True), batch, difference)
        if self.gloss is not None and self.gloss.trial.due(progress):
            self.gloss.judge(*(float(difference.loss(images(mirrored), batch)) for mirrored in (True, False)))

    def step(self, index: Int[Tensor, " B"], *, progress: float) -> None:
        """Follow the gradients of a step that saw some of the run's views."""
        if self.light.requires_grad:
            self.light_optimizer.step()
        if self.gloss is not None:
            self.gloss.step()
            self.gloss.trial.reach(progress)  # from the next step on
        if self.exposure is not None:
            self.exposure.trial.reach(progress)
            self.exposure.step(index, progress)

    def gains(self) -> Float[Tensor, "N 3"] | None:
        """The exposure of each view, linear RGB, 1 in the mean; None where it was found to be the same for all."""
        if self.exposure is None or self.exposure.trial.dropped:
            return None
        return self.exposure.log_gains.detach().exp()

    @torch.no_grad()
    def gloss_report(self) -> dict[str, Any] | None:
        """`Gloss.report` and ``reflectance``, see `least_reflectance`; None where the surface was found to be matt."""
        if self.gloss is None or self.gloss.trial.dropped:
            return None
        mirrored = self.gloss.strength * self.gloss.picture()[0]
        return {**self.gloss.report(), "reflectance": least_reflectance(mirrored, self.light).tolist()}

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on."""
        return {
            "light": self.light.detach(),
            "light_optimizer": self.light_optimizer.state_dict(),
            "gloss": self.gloss and self.gloss.state_dict(),
            "exposure": self.exposure and self.exposure.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        with torch.no_grad():
            self.light.copy_(state["light"])
        self.light_optimizer.load_state_dict(state["light_optimizer"])
        if self.gloss is not None:
            self.gloss.load_state_dict(state["gloss"])
        if self.exposure is not None:
            self.exposure.load_state_dict(state["exposure"])


def appearance_of(
    light: SphericalHarmonicsLight | None,
    gloss: str,
    exposure: str,
    *,
    views: int,
    exact: bool,
    device: torch.device,
    constants: Constants = DEFAULTS,
) -> Appearance:
    """What is to be found besides shape and albedo: "auto" is left off where gradients are not exact.

    Parameters
    ----------
    light : SphericalHarmonicsLight or None
        Known; None to find it too.
    gloss, exposure : {"auto", "on", "off"}
    views : int
        Of the run.
    exact : bool
        Gradients of colours are no estimates.
    device : torch.device
    constants : Constants, optional
    """

    def wanted(choice: str) -> bool:
        return choice == "on" or (choice == "auto" and exact)

    start = (light or SphericalHarmonicsLight.ambient(LIGHT_ORDER)).coefficients
    return Appearance(
        SphericalHarmonicsLight(start.to(device, torch.float32)),
        light_known=light is not None,
        gloss=Gloss(always=gloss == "on", device=device, constants=constants.highlights)
        if wanted(gloss)
        else None,
        exposure=Exposure(views, always=exposure == "on", device=device, constants=constants.gains)
        if wanted(exposure)
        else None,
        constants=constants.schedule,
    )
