"""A photograph on its way from a file to a view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ...cameras.model import Cameras
from ...images.resampling import covered, shrunk
from ..shots import Shot
from ..views import Views


@dataclass(frozen=True)
class Photo:
    """A shot on its way: its pixels, the camera for them, where they are known, and what made the mask."""

    shot: Shot
    pixels: np.ndarray  # (H, W, 4) uint8
    intrinsics: np.ndarray  # (3, 3)
    source: str  # "alpha", "file", "background", "network", "none" or, where there is no mask yet, "bare" and "opaque"
    known: np.ndarray | None = None  # (H, W) bool
    mask: Path | None = None  # the file that it was found in
    rule: str = ""  # how the mask was found, in words

    @property
    def guessed(self) -> bool:
        """Whether the mask was made from the pixels, so that other views may correct it."""
        return self.source in ("background", "network")

    def cut(self, x0: int, y0: int, x1: int, y1: int) -> Photo:
        """The part from columns x0 to x1 and rows y0 to y1."""
        shift = np.array([[0.0, 0.0, x0], [0.0, 0.0, y0], [0.0, 0.0, 0.0]])
        known = None if self.known is None else self.known[y0:y1, x0:x1]
        return replace(
            self, pixels=self.pixels[y0:y1, x0:x1], intrinsics=self.intrinsics - shift, known=known
        )

    def at_most(self, size: int) -> Photo:
        """Made smaller where its longest side is more than `size` pixels."""
        height, width = self.pixels.shape[:2]
        factor = size / max(width, height)
        if factor >= 1:
            return self
        new = max(1, round(factor * width)), max(1, round(factor * height))
        scale = np.array([new[0] / width, new[1] / height, 1.0])
        known = None if self.known is None else covered(self.known, new)
        return replace(
            self, pixels=shrunk(self.pixels, new), intrinsics=scale[:, None] * self.intrinsics, known=known
        )


def views_of(photos: Sequence[Photo]) -> Views:
    """All on a canvas that holds the largest."""
    height, width = (max(photo.pixels.shape[axis] for photo in photos) for axis in (0, 1))
    images = np.zeros((len(photos), height, width, 4), dtype=np.uint8)
    known = np.zeros((len(photos), height, width), dtype=bool)
    for image, seen, photo in zip(images, known, photos, strict=True):
        h, w = photo.pixels.shape[:2]
        image[:h, :w] = photo.pixels
        seen[:h, :w] = True if photo.known is None else photo.known
    matrices = np.stack([photo.shot.world_to_camera for photo in photos])
    intrinsics = np.stack([photo.intrinsics for photo in photos])
    cameras = Cameras(torch.from_numpy(matrices), torch.from_numpy(intrinsics), height, width)
    names = tuple(photo.shot.name for photo in photos)
    return Views(torch.from_numpy(images), cameras, names, None if known.all() else torch.from_numpy(known))
