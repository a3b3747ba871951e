"""What a run's folder keeps so that the run can go on, and what it has to be given again."""

from __future__ import annotations

import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from .._support.errors import one_line
from ..scenes.views import Scene
from . import checkpoint
from .timeline import SAMPLE

LAYOUT = 8  # counted up where an older checkpoint could not be gone on from


class RunCheckpoint:
    """Writes and reads ``checkpoint.pt``, and refuses one of other photographs or other files.

    Parameters
    ----------
    folder : Path
    scene : Scene
    options : dict
        What was asked for; "init" and "light" name files that decide the result beside the scene.
    """

    def __init__(self, folder: Path, scene: Scene, options: dict[str, Any]) -> None:
        self.file, self._scene = folder / "checkpoint.pt", scene
        given = {name: options.get(name) for name in ("init", "light")}
        # Without folders: those may have been moved.
        self._inputs = {name: None if file is None else Path(file).name for name, file in given.items()}

    def save(self, run: dict[str, Any], folder: dict[str, Any]) -> None:
        """Write the states of a run and of what watches it."""
        self.file.parent.mkdir(parents=True, exist_ok=True)  # somebody may have cleared it away
        content = {"run": run, "folder": folder, "inputs": self._inputs}
        checkpoint.save(self.file, {"layout": LAYOUT, "images": self._fingerprint, **content})

    def load(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What `save` was given.

        Raises
        ------
        ValueError
            If there is no file, it is damaged, or the run was started on something else.
        """
        file = self.file
        if not file.is_file():
            raise ValueError(f"resume: there is no checkpoint in {file.parent}; run without --resume first")
        try:
            state = checkpoint.load(file)
            if not _sound(state):
                raise ValueError(f"{file} is not a readable checkpoint of this version")
        except ValueError as error:
            raise ValueError(f"resume: {one_line(error)}; run without --resume") from error
        for name, value in self._inputs.items():
            if state["inputs"].get(name) != value:
                raise ValueError(
                    f"resume: the run was started with --{name} {state['inputs'].get(name)}, now it is {value}; "
                    "give the same options, or another output folder"
                )
        if state["images"] != self._fingerprint:
            named = "the built-in scene" if self._scene.path is None else str(self._scene.path)
            raise ValueError(
                f"resume: the run in {file.parent} was started on other images or masks than {named} has; "
                "give the same scene, or another output folder"
            )
        return state["run"], state["folder"]

    @cached_property
    def _fingerprint(self) -> int:
        """Of the photographs with their masks, wherever they lie."""
        return zlib.crc32(self._scene.train.images.cpu().contiguous().numpy().data)


def _sound(state: dict[str, Any]) -> bool:
    """Whether a checkpoint has a place for what this version looks for; the run itself looks at "run"."""
    try:
        film, step, line = state["folder"]["film"], state["run"]["step"], state["folder"]["timeline"]
        return bool(
            state["layout"] == LAYOUT
            and isinstance(state["images"], int)
            and isinstance(state["inputs"], dict)
            and len(film["frames"]) == len(film["steps"])
            and all(frame.dtype == torch.uint8 and frame.dim() == 3 for frame in film["frames"])
            and all(isinstance(at, int) and 0 < at <= step for at in film["steps"])
            and state["folder"]["seconds"] >= 0
            and line["every"] > 0
            and all({*sample} == SAMPLE and isinstance(sample["phases"], dict) for sample in line["samples"])
        )
    except (LookupError, TypeError, AttributeError):
        return False
