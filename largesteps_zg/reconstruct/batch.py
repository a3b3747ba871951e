"""Images at half their size: all that coarse triangles can show, at a quarter of the cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from ..cameras.model import Cameras


def halved(batch: Batch) -> Batch:
    """The same views at half their size; the last row or column of an odd number is left out."""
    weights = None if batch.weights is None else _means(batch.weights)
    return replace(
        batch, cameras=_halved_cameras(batch.cameras), targets=_means(batch.targets), weights=weights
    )


def _means(values: Float[Tensor, "B H W *C"]) -> Float[Tensor, "B h w *C"]:
    """Of 2 x 2 pixels; exact for linear light that is premultiplied by alpha."""
    height, width = (n // 2 * 2 for n in values.shape[1:3])
    rows = values[:, 0:height:2] + values[:, 1:height:2]
    return (rows[:, :, 0:width:2] + rows[:, :, 1:width:2]).mul_(0.25)


def _halved_cameras(cameras: Cameras) -> Cameras:
    # Pixels are counted from the corner of the image, so this is a plain scaling, whatever was left out at the end.
    factors = cameras.intrinsics.new_tensor([0.5, 0.5, 1.0])
    size = cameras.height // 2, cameras.width // 2
    return cameras.unchecked(cameras.world_to_camera, factors[:, None] * cameras.intrinsics, *size)


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
    """

    cameras: Cameras
    targets: Tensor
    index: Tensor
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.cameras)

    def __getitem__(self, where: Tensor) -> Batch:
        weights = None if self.weights is None else self.weights[where]
        return Batch(self.cameras[where], self.targets[where], self.index[where], weights)
