"""The exposure of each photograph: cameras that choose it for themselves, and white balance."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
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
        """Keep the gains, or drop them for good, from pictures that have them.

        Held-out pixels decide: gains are kept where `crossed` pictures differ less from the photographs than pictures
        without gains.
        """
        without = images.clone()
        without[..., :3] *= (-self.log_gains[batch.index]).exp()[:, None, None]
        small = float(self.log_gains.square().mean().sqrt()) < self.constants.least
        losses = (difference.loss(pictures, batch) for pictures in (crossed(without, batch.targets), without))
        with_gains, without_gains = map(float, losses)
        self.trial.settle(keep=not small and with_gains < without_gains)
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


def crossed(
    images: Float[Tensor, "B H W 4"], photographs: Float[Tensor, "B H W 4"]
) -> Float[Tensor, "B H W 4"]:
    """Images, each half with the gain that the other half of the photograph asks for, over those of all views.

    A camera exposes all of a photograph alike. Highlights, shadows and uneven light do not keep to that: the gain that
    one half asks for makes the other half worse. What all views ask for is the light's.
    """
    found = [asked(*pair) for pair in zip(images, photographs, strict=True)]
    left, gains = (torch.stack(parts) for parts in zip(*found, strict=True))
    logs = gains.clamp(min=1e-6).log()
    if len(logs) > 1:
        logs = logs - logs.mean(dim=0)
    result = images.clone()
    first, second = logs.exp()[:, :, None, None].unbind(dim=1)
    result[..., :3] *= torch.where(left[..., None], second, first)
    return result


def exposed(image: Float[Tensor, "H W 4"], photograph: Float[Tensor, "H W 4"]) -> Float[Tensor, "H W 4"]:
    """An image of a result, its left half as the right half of the photograph was exposed, and the other way round.

    Only the photograph itself tells how it was exposed. No pixel has a say in the gain by which it is judged (as in the
    evaluation of NeRF in the Wild, Martin-Brualla et al., CVPR 2021). Linear colours, premultiplied.
    """
    left, gains = asked(image, photograph)
    result = image.clone()
    result[..., :3] *= torch.where(left[..., None], gains[1], gains[0])
    return result


def asked(
    image: Float[Tensor, "H W 4"], photograph: Float[Tensor, "H W 4"]
) -> tuple[Bool[Tensor, "H W"], Float[Tensor, "2 3"]]:
    """Which pixels are in the left half, and the gains that each half asks for.

    Each channel gets one gain, the best by least squares where both see the object, of which each half has as much.
    """
    both = (image[..., 3] > 0.5) & (photograph[..., 3] > 0.5)
    columns = both.sum(dim=0)
    before = columns.cumsum(0) - columns  # in the columns to the left
    left = (before < before[-1].add(columns[-1]) / 2).expand_as(both)
    gains = []
    for half in (left, ~left):
        made, taken = image[both & half][:, :3], photograph[both & half][:, :3]
        light = made.square().sum(0)
        gains.append(torch.where(light > 0, (made * taken).sum(0) / light, torch.ones_like(light)))
    return left, torch.stack(gains)
