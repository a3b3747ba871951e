"""What a user asks for when a scene is read, and what a format tells of each photograph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..constants import DEFAULTS, Constants
from .views import Views

# From ideal points of the image plane (x / z, y / z), (N, 2) float64, to pixels of the photograph, (N, 2).
Lens = Callable[[np.ndarray], np.ndarray]

MAX_SIZE = 800
HOLD_OUT = 8


@dataclass(frozen=True)
class Reading:
    """How to read a scene.

    Attributes
    ----------
    masks : Path or None
        A folder of masks that go before all others, named as their images.
    background : "auto", "none" or (R, G, B)
        Where images have neither alpha nor masks: find a background of one colour by itself, refuse such images, or
        take this colour, 0 to 255.
    max_size : int
        Longest side in pixels; larger photographs are made smaller. >= 16.
    hold_out : int
        Where the scene has no views to test with, every so many-th one becomes one; 0 for none.
    advanced : Constants
        Its `photographs` and `checks`.
    """

    masks: Path | None = None
    background: str | tuple[int, int, int] = "auto"
    max_size: int = MAX_SIZE
    hold_out: int = HOLD_OUT
    advanced: Constants = DEFAULTS

    def __post_init__(self) -> None:
        if isinstance(self.background, str):
            if self.background not in ("auto", "none"):
                raise ValueError(f"background: expected auto, none or R,G,B, got {self.background!r}")
        elif len(self.background) != 3 or not all(0 <= value <= 255 for value in self.background):
            raise ValueError(f"background: expected three numbers from 0 to 255, got {self.background}")
        if self.max_size < 16:
            raise ValueError(f"max size: expected at least 16 pixels, got {self.max_size}")
        if self.hold_out < 0 or self.hold_out == 1:
            raise ValueError(f"hold out: expected 0, or 2 and more, got {self.hold_out}")
        if not isinstance(self.advanced, Constants):
            raise ValueError(f"advanced: expected Constants(...), got {self.advanced!r}")


@dataclass(frozen=True)
class Shot:
    """A photograph and its camera, as a file tells them.

    Attributes
    ----------
    image : Path
    name : str
        For messages and file names.
    world_to_camera : (4, 4) float64
        OpenCV axes.
    intrinsics : (3, 3) float64
        In pixels of the image as it is on disk.
    where : str
        What begins a message about it: the file, and the place in it.
    lens : callable, optional
        Where it distorts; `intrinsics` then are those of the ideal image to make.
    mask : Path, optional
        The mask that the scene names for it.
    spare_mask : Path, optional
        A mask that was found beside it: taken where the image has no alpha.
    mask_rule : str
        How the mask was found, for whoever asks: "masks/NAME.png", "mask_path".
    lens_name : str
        The lens's model, where there is a lens.
    """

    image: Path
    name: str
    world_to_camera: np.ndarray
    intrinsics: np.ndarray
    where: str
    lens: Lens | None = None
    mask: Path | None = None
    spare_mask: Path | None = None
    mask_rule: str = ""
    lens_name: str = ""


def held_out(views: Views, every: int) -> tuple[Views, Views | None]:
    """Views to reconstruct from, and every so many-th to test with: 7, 15, ... for 8; None where there are fewer."""
    chosen = list(range(every - 1, len(views), every)) if every else []
    if not chosen or len(views) - len(chosen) < 2:
        return views, None
    return views[[i for i in range(len(views)) if i not in chosen]], views[chosen]
