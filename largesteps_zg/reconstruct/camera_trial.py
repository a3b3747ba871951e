"""Whether a run's cameras move: given ones are believed until photographs that are held out say otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import torch

from ..cameras.evidence import Evidence
from ..cameras.model import Cameras
from ..cameras.refinement import CameraCorrections
from ..scenes.photographs.matching import halvings
from ..scenes.views import Views
from .batch import Batch
from .camera_halves import halves_compared
from .camera_matches import CameraMatches
from .fit import Fit
from .targets import Targets


class CameraTrial:
    """Hears the evidence for corrections of cameras: before they move, and when it is decided whether they stay.

    Until cameras move, the surface is that of the given ones. If the evidence is against corrections, the run goes on
    as if nobody had asked.

    Parameters
    ----------
    fit : Fit
        With its corrections, if there are any.
    targets : Targets
    views : Views
        The photographs of the targets. Large ones are halved before they are compared, once at least.
    """

    def __init__(self, fit: Fit, targets: Targets, views: Views) -> None:
        self._fit, self._targets, self._views = fit, targets, views
        constants = fit.constants.correcting
        large = min(views.images.shape[1:3]) >= fit.constants.schedule.coarse_smallest
        self._level = max(int(large), halvings(views, constants.asked_pixels))
        most = min(len(views), max(constants.asked_views, constants.least_views))
        self._asked = torch.linspace(0, len(views) - 1, most).round().long()

    def attend(self, progress: float) -> None:
        """Decide what is due before a step at such a share of the run."""
        corrections = self._fit.corrections
        if corrections is None or corrections.trial.dropped:
            return
        trial = corrections.trial
        if trial.due(progress):
            if trial.started:
                corrections.evidence = self._with_matches(corrections)
                corrections.judge()
            else:
                corrections.drop()
        elif not trial.started and progress >= trial.start:
            asked = CameraCorrections(self._some(corrections.given), constants=corrections.constants)
            pixels, proposed = halves_compared(self._fit, asked, self.photographs)
            matches = self._matches.compared(asked.given, proposed)
            corrections.evidence = Evidence(pixels, matches)
            if corrections.wanted:
                trial.reach(progress)
            else:
                corrections.drop()

    def cameras(self) -> Cameras:
        """The run's cameras at present, in its coordinates."""
        corrections = self._fit.corrections
        if corrections is None or not corrections.trial.running:
            return self._targets.cameras
        return corrections.cameras()

    def evidence(self) -> Evidence | None:
        """What is known, of the present cameras where they were kept; None where nothing was looked for."""
        corrections = self._fit.corrections
        if corrections is None:
            return None
        return self._with_matches(corrections) if corrections.trial.kept else corrections.evidence

    def _with_matches(self, corrections: CameraCorrections) -> Evidence:
        """What pixels said before cameras moved, and what matches say of the present ones."""
        cameras = self._some(corrections.given), self._some(corrections.cameras())
        matches = self._matches.compared(*cameras)
        return replace(corrections.evidence, matches=matches)

    @cached_property
    def _matches(self) -> CameraMatches:
        constants = self._fit.constants
        level = halvings(self._views, constants.correcting.asked_pixels)
        fewer = min(constants.matching.features, constants.correcting.asked_features)
        return CameraMatches.of(
            self._views, replace(constants.matching, features=fewer), level=level, asked=self._asked
        )

    def _some(self, cameras: Cameras) -> Cameras:
        """Those of the views that are asked."""
        return cameras[self._asked.to(cameras.world_to_camera.device)]

    def photographs(self) -> Iterator[Batch]:
        """The views that are asked, in order, one at a time."""
        for i in self._asked:
            yield self._targets.batch(i[None], self._level)
