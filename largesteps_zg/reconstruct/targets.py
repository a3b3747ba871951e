"""The photographs of a run as its steps compare them, and whose turn it is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..cameras.model import Cameras
from ..scenes.views import Views
from .batch import Batch

# Floats of all target images are kept when they fit in this many bytes; else views are converted as they are needed.
TARGET_BYTES = 2**30


class Targets:
    """Views with the run's cameras; steps draw from them without replacement until all have been seen.

    Parameters
    ----------
    views : Views
    cameras : Cameras
        Of the views, in the coordinates of the run, on its device.
    seed : int
        Fixes the order.

    Attributes
    ----------
    linear : (N, H, W, 4) tensor or None
        The images as floats, where they all fit.
    """

    def __init__(self, views: Views, cameras: Cameras, seed: int) -> None:
        self.cameras, self._views = cameras, views
        self._device = cameras.world_to_camera.device
        height, width = views.images.shape[1:3]
        fits = len(views) * height * width * 16 <= TARGET_BYTES
        self.linear = views.linear(device=self._device) if fits else None
        self._known = None if views.known is None else views.known.to(self._device, torch.float32)
        self._order = torch.empty(0, dtype=torch.long)
        self._generator = torch.Generator().manual_seed(seed)

    @property
    def pixel(self) -> float:
        """The size of a pixel on the object: depth over focal length."""
        depth = self.cameras.world_to_camera[:, 2, 3]
        return float((depth / self.cameras.intrinsics[:, 0, 0]).median())

    def draw(self, count: int) -> Tensor:
        """Indices of the next views, at most as many as there are."""
        count = min(count, len(self._views))
        if len(self._order) < count:
            drawn = torch.randperm(len(self._views), generator=self._generator)
            left = torch.isin(drawn, self._order)  # no step sees a view twice
            self._order = torch.cat([self._order, drawn[~left], drawn[left]])
        chosen, self._order = self._order[:count], self._order[count:]
        return chosen

    def batch(self, chosen: Tensor) -> Batch:
        """Some of the views, as a step takes them."""
        where = chosen.to(self._device)
        if self.linear is None:
            linear = self._views.linear(chosen, device=self._device)
        else:
            linear = self.linear[where]
        return Batch(self.cameras[where], linear, where, None if self._known is None else self._known[where])

    def state_dict(self) -> dict[str, Any]:
        """What decides whose turn comes next."""
        return {"order": self._order, "generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._order = state["order"]
        self._generator.set_state(state["generator"])
