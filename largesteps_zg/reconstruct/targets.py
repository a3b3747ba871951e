"""The photographs of a run as its steps compare them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..cameras.model import Cameras
from ..constants import DEFAULTS, Schedule
from ..scenes.views import Views
from .batch import Batch, halved
from .turns import spread_order

# Floats of all target images are kept when they fit in this many bytes; else views are converted as they are needed.
TARGET_BYTES = 2**30


class Targets:
    """Views with the run's cameras; steps draw from them without replacement until all have been seen.

    Parameters
    ----------
    views : Views
        Where they have evidence, a pixel is the object by its sign, and counts by its size: what it says for sure moves
        an outline, and what it cannot tell leaves it where other photographs have it.
    cameras : Cameras
        Of the views, in the coordinates of the run, on its device.
    seed : int
        Fixes the order.
    """

    def __init__(self, views: Views, cameras: Cameras, seed: int) -> None:
        self.cameras, self._views = cameras, views
        self._device = cameras.world_to_camera.device
        self._kept: tuple[int, Batch] | None = None  # a level and its images as floats
        self._order = torch.empty(0, dtype=torch.long)
        self._generator = torch.Generator().manual_seed(seed)

    @property
    def pixel(self) -> float:
        """The size of a pixel on the object: depth over focal length."""
        depth = self.cameras.world_to_camera[:, 2, 3]
        return float((depth / self.cameras.intrinsics[:, 0, 0]).median())

    def bending(self, weight: float, constants: Schedule = DEFAULTS.schedule) -> float:
        """Weight of `Bending` beside the loss, which is a mean over pixels.

        What pixels say by themselves is noisier than masks, so more of it is left to the smooth shape.
        """
        factor = 1.0 if self._views.evidence is None else constants.bending_by_colors
        return factor * weight / math.sqrt(self._views.images[..., 0].numel())

    def draw(self, count: int) -> Tensor:
        """Indices of the next views, at most as many as there are."""
        count = min(count, len(self._views))
        if len(self._order) < count:
            drawn = spread_order(self.cameras.centers, self._generator)
            left = torch.isin(drawn, self._order)  # no step sees a view twice
            self._order = torch.cat([self._order, drawn[~left], drawn[left]])
        chosen, self._order = self._order[:count], self._order[count:]
        return chosen

    @property
    def linear(self) -> Tensor | None:
        """(N, H, W, 4): the images as floats, where they all fit."""
        return self._whole(0).targets if self._fits(0) else None

    def batch(self, chosen: Tensor, level: int = 0) -> Batch:
        """Some of the views, as a step takes them, at their size or halved `level` times."""
        return self._whole(level)[chosen.to(self._device)] if self._fits(level) else self._made(chosen, level)

    def _fits(self, level: int) -> bool:
        height, width = (n >> level for n in self._views.images.shape[1:3])
        return len(self._views) * height * width * 16 <= TARGET_BYTES

    def _whole(self, level: int) -> Batch:
        """All views at that level; only the last one that was asked for is kept."""
        if self._kept is None or self._kept[0] != level:
            self._kept = None  # makes room first
            parts = [self._made(view[None], level) for view in torch.arange(len(self._views))]
            cameras, weights = self.cameras, [part.weights for part in parts if part.weights is not None]
            for _ in range(level):
                cameras = cameras.halved()
            targets, index = (
                torch.cat([getattr(part, name) for part in parts]) for name in ("targets", "index")
            )
            self._kept = level, Batch(cameras, targets, index, torch.cat(weights) if weights else None)
        return self._kept[1]

    def _made(self, chosen: Tensor, level: int) -> Batch:
        """Some views, from their bytes."""
        where, views = chosen.to(self._device), self._views[chosen]
        weights = None if views.known is None else views.known.to(self._device, torch.float32)
        if views.evidence is not None:
            counts = views.evidence.to(self._device, torch.float32).abs() / 127
            weights = counts if weights is None else weights * counts
            images = torch.cat([views.images[..., :3], 255 * (views.evidence > 0)[..., None].byte()], dim=-1)
            views = replace(views, images=images)
        batch = Batch(self.cameras[where], views.linear(device=self._device), where, weights)
        for _ in range(level):
            batch = halved(batch)
        return batch

    def state_dict(self) -> dict[str, Any]:
        """What decides whose turn comes next."""
        return {"order": self._order, "generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._order = state["order"]
        self._generator.set_state(state["generator"])
