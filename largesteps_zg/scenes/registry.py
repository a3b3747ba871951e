"""The formats, and how the right one is found."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from .._support.regular_files import check_regular, irregular
from .foreign import told
from .formats import colmap, idr, middlebury, mitsuba, mvsnet, photographs, transforms
from .from_photographs.object import object_ball
from .photographs.network import model_of
from .provenance import UNUSED, Note
from .reading import NETWORK, NO_MASKS, Reading
from .sanity import check_scene
from .shots import held_out
from .views import Scene, Views

# A format is a module with `LOOKS_FOR` (words for messages), `recognises(path) -> bool` and `load(path, reading)
# -> Scene`; of those that recognise a path the first is taken.
FORMATS: dict[str, ModuleType] = {
    "transforms": transforms,
    "colmap": colmap,
    "idr": idr,
    "mvsnet": mvsnet,
    "middlebury": middlebury,
    "mitsuba": mitsuba,
    "photographs": photographs,
}
_WITH_CAMERAS = [module for module in FORMATS.values() if module is not photographs]


def load_scene(
    path: str | os.PathLike[str], *, format: str = "auto", reading: Reading | None = None
) -> Scene:
    """Read images, masks and cameras.

    Parameters
    ----------
    path
        The folder, or the file where the format is a single one (Mitsuba's XML).
    format : str
        A name in `FORMATS`, or "auto" for the first that recognises the path.
    reading : Reading, optional
        Masks, background, largest size, held-out views.

    Returns
    -------
    Scene
        Cameras as float64, images as uint8, all on the CPU.

    Raises
    ------
    ValueError, OSError
        One line that names the file and the remedy: no folder, no known format, and whatever the format finds wrong
        (files that are missing or damaged, cameras that are none, masks that are empty).
    """
    place, reading = Path(path), reading or Reading()
    if reading.masks == NETWORK:
        model_of(reading)  # what is missing is told before minutes are spent on cameras
    scene = replace(_module(place, format).load(place, reading), constants=reading.advanced)
    check_scene(scene, reading.advanced.checks)
    if reading.masks == NO_MASKS or not scene.masked:
        scene = _without_masks(scene)
    if scene.test is None:
        train, test = held_out(scene.train, reading.hold_out)
        scene = replace(scene, train=train, test=test, provenance=(*scene.provenance, _split(reading, test)))
    others = [Note(UNUSED, f"{name}: {kind}, which is not read") for name, kind in irregular(place).items()]
    scene = replace(scene, provenance=(*scene.provenance, *others))
    # What was not used comes last, where it is seen.
    return replace(scene, provenance=tuple(sorted(scene.provenance, key=lambda note: note.about == UNUSED)))


def _without_masks(scene: Scene) -> Scene:
    """The scene with the ball that its cameras look at, where it has none of its own."""
    ball = scene.train.ball or object_ball(scene.train, scene.points, scene.constants.structure)
    test = None if scene.test is None else replace(scene.test, ball=ball)
    return replace(scene, train=replace(scene.train, ball=ball), test=test, masked=False)


def _split(reading: Reading, test: Views | None) -> Note:
    """What was made of a scene without views to test with."""
    if test is None:
        return Note("split", f"none, and none held out{'' if reading.hold_out else ' (--hold-out 0)'}")
    return Note("split", f"none in the scene; one view in {reading.hold_out} is held out ({len(test)})")


def _module(place: Path, format: str) -> ModuleType:
    """The format of that name, or the one that recognises the path."""
    if not place.exists():
        raise FileNotFoundError(
            f"{place}: no such file or folder; a scene is a folder of images with their cameras"
        )
    if format != "auto":
        if format not in FORMATS:
            raise ValueError(f"format: expected auto, {', '.join(FORMATS)}, got {format!r}")
        return FORMATS[format]
    for module in _WITH_CAMERAS:
        if module.recognises(place):
            return module
    if not place.is_dir():
        check_regular(place)
    hints = told(place, lambda folder: any(module.recognises(folder) for module in _WITH_CAMERAS))
    if photographs.recognises(place):
        if not hints:
            return photographs
        hints += "; or find the cameras anew with --format photographs"
    known = "; ".join(f"{module.LOOKS_FOR} ({name})" for name, module in FORMATS.items())
    raise ValueError(f"{place}: not a scene in a known format{hints}; looked for {known}")
