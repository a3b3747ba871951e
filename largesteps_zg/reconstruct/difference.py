"""How renderings are compared with photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..images.losses import SCALE, losses_of_images, pixel_losses
from .batch import Batch


@dataclass(frozen=True)
class Difference:
    """How renderings are compared with photographs.

    Attributes
    ----------
    kind : {"l1", "l2", "robust"}
        See `images.losses.image_loss`.
    scale : float
        Of the robust kind, for colours, > 0; coverage is compared by l1 then, since surface that is missing has to be
        felt in full.
    brightness : float or None
        What brightness counts beside hue, see `image_loss` and `hue.brightness_weight`; None compares
        red, green and blue one by one.
    cut : bool
        A photograph's white says "at least so bright": what is brighter there is right. Otherwise a clipped highlight
        is taken for a flat one, and the lobe that makes it for a wide one.
    """

    kind: str = "l1"
    scale: float = SCALE
    brightness: float | None = None
    cut: bool = False

    @property
    def scales(self) -> tuple[float, float, float, float]:
        """Of red, green, blue and the coverage."""
        return self.scale, self.scale, self.scale, float("inf")

    def loss(self, images: Tensor, batch: Batch) -> Tensor:
        """Mean over all pixels; differentiable in the images."""
        return self.losses(images, batch)[0]

    def losses(self, images: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """`loss`, and what it would be with brightness in full, without derivatives."""
        how = self._how(batch)
        if batch.trust is None or self.brightness is None:
            return losses_of_images(*self._trusted(images, batch), **how)
        return losses_of_images(self._seen(images, batch), batch.targets, trust=batch.trust, **how)

    def of_pixels(self, images: Tensor, batch: Batch) -> Tensor:
        """(B, H, W): what each pixel adds to `loss`."""
        return pixel_losses(*self._trusted(images, batch), **self._how(batch))

    def _seen(self, images: Tensor, batch: Batch) -> Tensor:
        """Images as a photograph would show them."""
        return torch.where((batch.targets >= 1) & (images > 1), batch.targets, images) if self.cut else images

    def _trusted(self, images: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images and targets whose colours are scaled, and so their differences."""
        images = self._seen(images, batch)
        if batch.trust is None:
            return images, batch.targets
        trust = batch.trust[..., None]
        factors = torch.cat([trust, trust, trust, torch.ones_like(trust)], dim=-1)
        return images * factors, batch.targets * factors

    def _how(self, batch: Batch) -> dict[str, Any]:
        """Arguments that both losses take."""
        return {
            "kind": self.kind, "scales": self.scales, "pixel_weights": batch.weights, "brightness": self.brightness,
        }  # fmt: skip

    def of_channels(self, images: Tensor, batch: Batch) -> Tensor:
        """(B, H, W, 3): differences of red, green and blue one by one, over the number of pixels."""
        values = (self._seen(images, batch)[..., :3] - batch.targets[..., :3]).abs_()
        if self.kind == "l2":
            values.square_()
        elif self.kind == "robust":
            values.div_(1.0 + values / self.scale)
        for weights in (batch.weights, batch.trust):
            if weights is not None:
                values.mul_(weights[..., None])
        return values.div_(batch.targets[..., 0].numel())
