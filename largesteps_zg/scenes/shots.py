"""What a format tells of each photograph, and which views are kept to test with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .views import Views

# From ideal points of the image plane (x / z, y / z), (N, 2) float64, to pixels of the photograph, (N, 2).
Lens = Callable[[np.ndarray], np.ndarray]


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
