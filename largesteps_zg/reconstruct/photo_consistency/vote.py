"""Which foretells a photograph better: a neighbouring photograph, carried over the surface, or a rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ...constants import Patches
from .agreement import Agreement, Photograph, agreement


@dataclass(frozen=True)
class WindowLosses:
    """What each window of a photograph loses; zero where it has nothing to say.

    Attributes
    ----------
    weight : (H, W) tensor
        The window's share.
    others, rendered : (H, W) tensor
        ``1 - ZNCC`` with what other photographs show of the same surface, their mean, and with a rendering.
    """

    weight: Tensor
    others: Tensor
    rendered: Tensor

    def votes(self) -> tuple[float, float]:
        """In how many windows others lose less than the rendering does; and how many there are."""
        return float((self.weight * (self.others < self.rendered)).sum()), float(self.weight.sum())

    def trust(self, cell: int) -> Tensor:
        """(H // cell, W // cell): what differences of the rendering's colours should count, from 0 to 1.

        The weight of a measurement is the inverse of its variance, which is what ``1 - ZNCC`` is but for a factor. So
        colours count in full where the rendering loses no more than other photographs do, half where twice as much.
        """
        others, rendered = (
            avg_pool2d((self.weight * part)[None, None], cell)[0, 0] for part in (self.others, self.rendered)
        )
        return torch.where(rendered > others, others / rendered.clamp_min(1e-12), 1.0)


def compared(
    here: Photograph, others: Sequence[Agreement], rendered: Tensor, constants: Patches
) -> WindowLosses:
    """The windows of a photograph that can be compared with both.

    Parameters
    ----------
    here : Photograph
    others : sequence of Agreement
        Of other photographs with this one, with their images.
    rendered : (H, W) tensor
        The photograph's brightness as it was rendered, of the photograph's own type.
    constants : Patches
        By which the others were compared.
    """
    height, width = here.gray.shape
    rows, columns = (torch.arange(n, device=rendered.device) for n in (height, width))
    pixels = (rows[:, None] * width + columns).reshape(-1)
    ones = rendered.new_ones(len(pixels))
    points = torch.stack([pixels % width + 0.5, pixels // width + 0.5, ones], dim=1).to(rendered)
    shown = Photograph(rendered.contiguous(), here.weight, here.noise)
    own = agreement(
        points, pixels.int(), here, shown, torch.ones_like(rendered),
        pixel=0.0, radius=constants.radius, cap=constants.cap, images=True,
    )  # fmt: skip
    scores, shares = (
        torch.stack([getattr(part, name) for part in others]).sum(0) for name in ("scores", "shares")
    )
    assert own.scores is not None and own.shares is not None
    both = (shares > 0) & (own.shares > 0)
    # Scores and shares are sums over the others: what counts is the score of a share.
    lost, own_lost = (
        torch.where(both, 1.0 - score / share.clamp_min(1e-12), 0.0)
        for score, share in ((scores, shares), (own.scores, own.shares))
    )
    return WindowLosses(torch.where(both, own.shares, 0.0), lost, own_lost)
