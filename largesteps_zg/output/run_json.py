"""``run.json``: what a run was asked for, what it found, and what it took."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, replace
from typing import Any

from ..reconstruct.result import TOPOLOGY, Result
from ..scenes.views import Scene
from .provenance import device_name, peak_cuda_memory_mib, versions


def summary(result: Result, scene: Scene, *, stopped: str | None) -> dict[str, Any]:
    """Of a run as it stands, in plain values: all but how good it is and what it took.

    Parameters
    ----------
    result : Result
    scene : Scene
    stopped : str or None
        Why the run took no further steps, where that was before its end.
    """
    settings, constants = asdict(result.settings), constants_of(result, scene)
    del settings["advanced"]
    found = {"gains": result.gains if result.gains is None else result.gains.tolist(), "gloss": result.gloss}
    remeshed = [event.step for event in result.events if event.name == "remeshed"]
    reasons = {event.step: event.reason for event in result.events if event.name == "not remeshed"}
    topology = [asdict(event) for event in result.events if event.name in TOPOLOGY]
    return {
        "finished": result.steps == result.planned and stopped is None,
        "stopped": stopped,
        "steps": result.steps,
        "settings": settings,
        "constants": constants,
        "seed": result.settings.seed,
        "device": device_name(result.device),
        "backend": result.backend,
        "versions": versions(),
        "scene": {
            "path": None if scene.path is None else str(scene.path),
            "format": scene.format,
            "notes": list(scene.notes),
            "provenance": [asdict(note) for note in scene.provenance],
            "views": len(scene.train),
            "size": list(scene.train.images.shape[1:3]),
            "center": result.frame.center.tolist(),
            "radius": result.frame.radius,
        },
        "appearance": {name: value for name, value in found.items() if value is not None},
        "brightness": result.brightness,
        "patches": result.patches,
        "cameras": result.corrected,
        "cameras_off_pixels": result.cameras_off,
        "mended": result.mended,
        "averaged_steps": result.averaged,
        "camera_evidence": result.camera_evidence and result.camera_evidence.report(),
        "topology": topology,
        "remeshed": remeshed,
        "not_remeshed": sorted(reasons),
        "not_remeshed_because": {str(step): reason for step, reason in sorted(reasons.items())},
        "peak_cuda_memory_mib": peak_cuda_memory_mib(result.device),
        "loss": [float(f"{loss:.6g}") for loss in result.losses],
    }


def constants_of(result: Result, scene: Scene) -> dict[str, Any]:
    """All constants by their groups; those of reading are the scene's, which was read before there was a run."""
    reading = {name: getattr(scene.constants, name) for name in ("photographs", "checks")}
    return asdict(replace(result.settings.advanced, **reading))


def json_text(content: dict[str, Any]) -> str:
    """Standard JSON, which knows no NaN or infinity: null; a list of numbers takes one line."""
    text = json.dumps(_standard(content), indent=2, allow_nan=False, default=str)
    return re.sub(r'\[\n[^\[\]{}"]*\]', lambda found: " ".join(found[0].split()), text) + "\n"


def _standard(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _standard(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_standard(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
