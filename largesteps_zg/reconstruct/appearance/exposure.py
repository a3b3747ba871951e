"""The exposure of each photograph: cameras that choose it for themselves, and white balance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..._support.trial import Trial
from ...constants import DEFAULTS, Gains
from ...optimize import RowAdam
from ..batch import Batch
from ..difference import Difference


class Exposure:
    """A gain for each view and channel, in linear light; their logarithms are 0 on average.

    Parameters
    ----------
    views : int
        Of the run.
    always : bool
        Keep gains whatever they are. By default `judge` drops them, half-way, where they are too small to be told from
        shapes that are not quite there, or only take some of the blame for highlights.
    device : torch.device, optional
    constants : Gains, optional

    Attributes
    ----------
    trial : Trial
        Gains are there until it drops them, and change from its start on.
    """

    def __init__(
        self,
        views: int,
        *,
        always: bool = False,
        device: torch.device | str | None = None,
        constants: Gains = DEFAULTS.gains,
    ) -> None:
        self.constants = constants
        self.log_gains = torch.zeros(views, 3, device=device, requires_grad=True)
        self.trial = Trial(constants.start, constants.decide, decided=always)
        self._adam = RowAdam(views, 3, device=device)

    def __call__(self, colors: Tensor, index: Int[Tensor, " B"]) -> Float[Tensor, "B V 3"]:
        """Colours (V, 3) or (B, V, 3) as some of the run's views see them."""
        return colors * self.log_gains[index].exp()[:, None]

    @torch.no_grad()
    def judge(self, images: Float[Tensor, "B H W 4"], batch: Batch, difference: Difference) -> None:
        """Keep the gains, or drop them for good, from how well pictures that have them do without."""
        without = images.clone()
        without[..., :3] *= (-self.log_gains[batch.index]).exp()[:, None, None]
        change = difference.loss(without, replace(batch, targets=images))
        earned = difference.loss(without, batch) - difference.loss(images, batch)
        small = float(self.log_gains.square().mean().sqrt()) < self.constants.least
        self.trial.settle(keep=not small and float(earned) >= self.constants.earned * float(change))
        if self.trial.dropped:
            self.log_gains.zero_()

    @torch.no_grad()
    def step(self, index: Int[Tensor, " B"], progress: float) -> None:
        """Follow the gradients of a step that saw some of the run's views."""
        if not self.trial.running or self.log_gains.grad is None:
            return
        direction = self._adam.direction(self.log_gains.grad[index], index).to(self.log_gains)
        self.log_gains[index] -= self.constants.step * (1.0 - progress) * direction
        self.log_gains -= self.log_gains.mean(0)  # the light takes what is common to all

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on."""
        return {
            "log_gains": self.log_gains.detach(),
            "adam": self._adam.state_dict(),
            "trial": self.trial.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        with torch.no_grad():
            self.log_gains.copy_(state["log_gains"])
        self._adam.load_state_dict(state["adam"])
        self.trial.load_state_dict(state["trial"])
