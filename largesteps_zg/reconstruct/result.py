"""What a run has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..cameras.evidence import Evidence
from ..cameras.model import Cameras
from ..cameras.prediction import predicted
from ..cameras.refinement import CameraCorrections
from ..mesh.mesh import Mesh
from ..scenes.views import Views
from .frame import Frame
from .settings import Settings

TOPOLOGY = ("opened", "carved", "closed", "cut")  # see `topology.proposals`


@dataclass(frozen=True)
class Event:
    """Something that happened right before a step.

    Attributes
    ----------
    step : int
        Steps taken before it.
    name : str
        "remeshed", "not remeshed" or one of `TOPOLOGY`.
    reason : str
        Why; "" where it was remeshed.
    """

    step: int
    name: str
    reason: str = ""


@dataclass(frozen=True)
class Result:
    """What a run has found so far, in the scene's coordinates. Later steps don't change it.

    Attributes
    ----------
    settings : Settings
        As resolved: what was left open has the value that was taken.
    steps : int
        Taken.
    planned : int
        Of the whole run, as far as is known.
    mesh : Mesh
        On the CPU, its albedo as colours.
    mended : dict
        How many of its vertices were moved so that no face is folded over or passes through another, and how far; see
        `mesh.repair.untangled`.
    views : Views
        The photographs as they were compared, with their cameras as given.
    cameras : Cameras
        Of the views, as corrected.
    corrected : dict
        By how much each view's camera was corrected, see `CameraCorrections.report`; empty where they stay as given.
    cameras_off : float or None
        By how many pixels cameras turned out to be off, when it was decided about them; None where they never moved.
    camera_evidence : Evidence or None
        What photographs said about corrections of cameras, held-out halves before any camera moved, matches of the
        cameras as they are; None where no corrections were looked for.
    corrections : CameraCorrections or None
        Of the run's cameras, in its own coordinates, where it was decided to keep them.
    gains : (N, 3) tensor or None
        Exposure of each view, linear RGB, 1 in the mean, where photographs differ in it.
    gloss : dict or None
        Of a surface that is not matt; see `Appearance.gloss_report`.
    patches : dict or None
        How well photographs agree on the surface; see `PhotoConsistency.report`.
    brightness : float or None
        What brightness counts beside hue; see `Difference`.
    light : (K, 3) tensor
        Coefficients of the light, in the scene's axes.
    averaged : int
        Steps, the last ones, of whose surfaces, colours and lights it is the mean; 0 before the end of a run.
    losses : tuple of float
        Of each step, with brightness in full.
    events : tuple of Event
    renders : int
        Images made to get gradients.
    seconds : dict of str to float
        By phase.
    frame : Frame
        The ball of the scene that was the unit sphere.
    backend : str
        Of the rasterizer.
    """

    settings: Settings
    steps: int
    planned: int
    mesh: Mesh
    mended: dict[str, float]
    views: Views
    cameras: Cameras
    corrected: dict[str, dict[str, float]]
    cameras_off: float | None
    camera_evidence: Evidence | None
    corrections: CameraCorrections | None
    gains: Tensor | None
    gloss: dict[str, Any] | None
    patches: dict[str, Any] | None
    brightness: float | None
    light: Tensor
    averaged: int
    losses: tuple[float, ...]
    events: tuple[Event, ...]
    renders: int
    seconds: dict[str, float]
    frame: Frame
    backend: str

    @property
    def device(self) -> torch.device:
        """Where it was computed."""
        return self.frame.device

    def predicted(self, cameras: Cameras) -> Cameras | None:
        """Other cameras of the scene, corrected as those near them were; None where nothing foretells their errors."""
        if self.corrections is None:
            return None
        found = predicted(self.corrections, self.frame.normalized(cameras))
        return None if found is None else self.frame.restored(found)
