"""The formats, and how the right one is found."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

from . import transforms
from .views import Scene

# A format is a module with `LOOKS_FOR` (words for messages), `recognises(path) -> bool` and `load(path) -> Scene`.
FORMATS: dict[str, ModuleType] = {"transforms": transforms}


def load_scene(path: str | os.PathLike[str], *, format: str = "auto") -> Scene:
    """Read images, masks and cameras from a folder.

    Parameters
    ----------
    path
        The folder.
    format : str
        A name in `FORMATS`, or "auto" for the first that recognises the folder.

    Returns
    -------
    Scene
        Cameras as float64, images as uint8, all on the CPU.

    Raises
    ------
    ValueError, OSError
        One line that names the file and the remedy: no folder, no known format, and whatever the format finds wrong
        (files that are missing or damaged, cameras that are none, masks that are empty, sizes that differ).
    """
    folder = Path(path)
    if not folder.exists():
        raise FileNotFoundError(f"{folder}: no such folder; a scene is a folder of images with their cameras")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is a file, expected the folder that holds the scene")
    if format != "auto":
        if format not in FORMATS:
            raise ValueError(f"format: expected auto, {', '.join(FORMATS)}, got {format!r}")
        return FORMATS[format].load(folder)
    for module in FORMATS.values():
        if module.recognises(folder):
            return module.load(folder)
    known = "; ".join(f"{module.LOOKS_FOR} ({name})" for name, module in FORMATS.items())
    raise ValueError(f"{folder}: not a scene in a known format; looked for {known}")
