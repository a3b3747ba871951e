"""How a run went, as pictures: from the first shape to the last."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..images.masks import on_object
from ..reconstruct.loop import State
from ..reconstruct.rendering import Rendering
from ..scenes.views import Views
from .pictures import figures
from .pictures.bare import bare_images
from .pictures.reduced import reduced_cameras

FRAMES = 24  # of the animation
STILLS = 6  # of the strip


class Film:
    """Takes a picture of some of a run's states, from the view that shows most of the object.

    Parameters
    ----------
    views : Views
        The run's.
    """

    def __init__(self, views: Views) -> None:
        self.shown = max(
            range(len(views)), key=lambda i: int(on_object(views.images[i, ..., 3]).count_nonzero())
        )
        self.viewpoint = reduced_cameras(views.cameras[self.shown])
        self.frames: list[Tensor] = []
        self.surfaces: list[Tensor] = []
        self.steps: list[int] = []

    def watch(self, state: State) -> None:
        """Take a picture, now and then."""
        if state.step in frame_steps(state.steps):
            with state.run.stopwatch("pictures"):
                self.take(state.run.rendering, state.step)

    def take(self, rendering: Rendering, step: int) -> None:
        """Take a picture."""
        self.frames.append(to_bytes(rendering.images(self.viewpoint)[0]))
        self.surfaces.append(to_bytes(bare_images(*rendering.shape(), self.viewpoint)[0]))
        self.steps.append(step)

    def until(self, rendering: Rendering, step: int) -> Film:
        """With a picture of the last step, if that has none yet; the run may go on, and this film with it."""
        film = copy.copy(self)
        film.load_state_dict(self.state_dict())
        if not film.steps or film.steps[-1] != step:
            film.take(rendering, step)
        return film

    def save_animation(self, path: Path, target: Tensor) -> None:
        """Write all pictures as an animation, the bare surface and the photograph beside them."""
        pictures, labels = self._developed(range(len(self.frames)))
        surfaces = _Developed(self.surfaces)
        figures.save_progression(path, pictures, surfaces=surfaces, target=target.numpy(), labels=labels)

    def save_strip(self, path: Path, target: Tensor) -> None:
        """Write a few of the pictures side by side, and the photograph."""
        last = len(self.frames) - 1
        few = sorted({round(i * last / (STILLS - 1)) for i in range(STILLS)})
        pictures, labels = self._developed(few)
        figures.save_filmstrip(path, pictures, target=target.numpy(), labels=labels)

    def _developed(self, chosen: Iterable[int]) -> tuple[_Developed, list[str]]:
        """Some of the pictures as linear arrays, and their titles."""
        chosen = list(chosen)
        return _Developed([self.frames[i] for i in chosen]), [f"step {self.steps[i]}" for i in chosen]

    def state_dict(self) -> dict[str, Any]:
        """The pictures."""
        return {"frames": self.frames, "surfaces": self.surfaces, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after them."""
        self.frames, self.steps = list(state["frames"]), list(state["steps"])
        self.surfaces = list(state["surfaces"])


def frame_steps(steps: int) -> set[int]:
    """Steps of the animation's frames: close together first, when most happens."""
    return {max(1, round(steps * (i / (FRAMES - 1)) ** 2)) for i in range(FRAMES)}


class _Developed(Sequence[NDArray[np.float32]]):
    """Pictures as linear arrays, each made when it is asked for."""

    def __init__(self, pictures: Sequence[Tensor]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: Any) -> Any:
        return self._pictures[index].float().div(255).square().numpy()


def to_bytes(image: Tensor) -> Tensor:
    """8 bits a channel by a square root, which keeps the dark steps apart; `Film` squares when it shows them."""
    return (255 * image.clamp(0.0, 1.0).sqrt()).round().to(torch.uint8)
