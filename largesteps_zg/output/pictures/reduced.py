"""Large photographs made as small as figures show them."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ...cameras.model import Cameras
from ...reconstruct.batch import means
from .drawing import PANEL

LARGEST = 5 * PANEL  # pixels of the longer side: figures show a part of that, cut to the object


def reduced(images: Float[Tensor, "B H W C"]) -> Float[Tensor, "B h w C"]:
    """Linear, premultiplied images, halved until none has a side of more than `LARGEST` pixels."""
    while max(images.shape[1:3]) > LARGEST:
        images = means(images)
    return images


def reduced_cameras(cameras: Cameras) -> Cameras:
    """Cameras of `reduced` images."""
    while max(cameras.height, cameras.width) > LARGEST:
        cameras = cameras.halved()
    return cameras
