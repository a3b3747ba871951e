"""Where a run's photographs were taken, and what speaks for it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

from ..cameras.evidence import Evidence
from ..cameras.model import Cameras
from ..cameras.refinement import CameraCorrections
from ..scenes.views import Views
from .camera_bundle import Bundled
from .frame import Frame


@dataclass(frozen=True)
class FoundCameras:
    """See `Result`, whose attributes these are."""

    cameras: Cameras
    corrected: dict[str, dict[str, float]]
    cameras_off: float | None
    camera_evidence: Evidence | None
    corrections: CameraCorrections | None


def found_cameras(
    views: Views,
    frame: Frame,
    corrections: CameraCorrections | None,
    evidence: Evidence | None,
    bundle: Bundled | None,
) -> FoundCameras:
    """Where cameras are now: corrected by a run, moved before it, both or neither.

    Parameters
    ----------
    views : Views
        With cameras as given.
    frame : Frame
    corrections : CameraCorrections or None
        Of the run, from where its cameras began.
    evidence : Evidence or None
        What the run heard.
    bundle : Bundled or None
        Where they began, if not as given.
    """
    running = corrections is not None and corrections.trial.running
    kept = corrections if corrections is not None and corrections.trial.kept else None
    off = None if corrections is None else corrections.found
    cameras = views.cameras if bundle is None else bundle.cameras
    if running:
        assert corrections is not None
        cameras = frame.restored(corrections.cameras())
    if bundle is not None:
        both = frame.normalized(views.cameras), frame.normalized(cameras)
        corrections = kept = CameraCorrections.between(*both)
        off, running = corrections.found, True
        evidence = replace(evidence or Evidence(), matches=bundle.evidence)
    corrected = {}
    if running:
        assert corrections is not None
        corrected = dict(zip(views.names, corrections.report(), strict=True))
    return FoundCameras(cameras, corrected, off, evidence, copy.deepcopy(kept))
