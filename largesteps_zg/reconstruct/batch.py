"""The views of a step, and images at half their size."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from ..cameras.model import Cameras


def halved(batch: Batch) -> Batch:
    """The same views at half their size, at a quarter of the cost; see `means`."""
    weights, trust = (None if part is None else means(part) for part in (batch.weights, batch.trust))
    return replace(
        batch, cameras=batch.cameras.halved(), targets=means(batch.targets), weights=weights, trust=trust
    )


def means(values: Float[Tensor, "B H W *C"]) -> Float[Tensor, "B h w *C"]:
    """Means of 2 x 2 pixels, without the last row or column of an odd number.

    Exact for linear light that is premultiplied by alpha.
    """
    height, width = (n // 2 * 2 for n in values.shape[1:3])
    rows = values[:, 0:height:2] + values[:, 1:height:2]
    return (rows[:, :, 0:width:2] + rows[:, :, 1:width:2]).mul_(0.25)


@dataclass(frozen=True)
class Batch:
    """The views of a step.

    Attributes
    ----------
    cameras : Cameras
    targets : (B, H, W, 4) float32
        Linear, premultiplied.
    index : (B,) int64
        Which of the run's views they are.
    weights : (B, H, W) float32, or None
        What a pixel counts: 0 where it belongs to no photograph. None for 1 everywhere.
    trust : (B, H, W) float32, or None
        What its colour counts beside that, from 0 to 1: less where other photographs foretell it better than a
        rendering does. None for 1 everywhere.
    """

    cameras: Cameras
    targets: Tensor
    index: Tensor
    weights: Tensor | None = None
    trust: Tensor | None = None

    def __len__(self) -> int:
        return len(self.cameras)

    def __getitem__(self, where: Tensor) -> Batch:
        weights, trust = (None if part is None else part[where] for part in (self.weights, self.trust))
        return Batch(self.cameras[where], self.targets[where], self.index[where], weights, trust)
