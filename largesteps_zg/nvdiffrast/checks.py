"""ValueError, in one line, for tensors that the operations cannot take."""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry.connectivity import check_faces

FLOATS = (torch.float32, torch.float64)
# The id of a triangle, which is its number plus one, is a float32.
MOST_TRIANGLES = 2**24 - 1


def check_triangles(tri: Tensor, vertices: int, device: torch.device) -> Tensor:
    """The triangles, contiguous, or ValueError."""
    if tri.dim() != 2 or tri.shape[1] != 3 or tri.dtype != torch.int32:
        raise ValueError(f"tri: expected shape (T, 3) int32, got {tuple(tri.shape)} {tri.dtype}")
    if not 0 < len(tri) <= MOST_TRIANGLES:
        raise ValueError(f"tri: expected 1 to {MOST_TRIANGLES} triangles, got {len(tri)}")
    check_device("tri", tri, device)
    check_faces(tri, vertices)
    return tri.contiguous()


def check_device(name: str, tensor: Tensor, device: torch.device) -> None:
    """ValueError unless it is on the device of the others."""
    if tensor.device != device:
        raise ValueError(
            f"{name}: expected on {device} as the other tensors, got {tensor.device}; move it there"
        )


def check_image(name: str, image: Tensor, channels: int | None = None) -> None:
    """ValueError unless it is (B, H, W, C) of floats."""
    if image.dim() != 4 or channels not in (None, image.shape[-1]) or image.dtype not in FLOATS:
        width = "C" if channels is None else channels
        raise ValueError(
            f"{name}: expected shape (B, H, W, {width}) float32, got {tuple(image.shape)} {image.dtype}"
        )


def check_like(name: str, image: Tensor, rast: Tensor) -> None:
    """ValueError unless it is an image of rast's size, type and device."""
    check_image(name, image)
    if image.shape[:3] != rast.shape[:3] or image.dtype != rast.dtype:
        raise ValueError(
            f"{name}: expected {tuple(rast.shape[:3])} {rast.dtype} as rast, "
            f"got {tuple(image.shape[:3])} {image.dtype}"
        )
    check_device(name, image, rast.device)


def check_positions(pos: Tensor, views: int | None = None) -> None:
    """ValueError unless it is (V, 4) or (B, V, 4) of floats; B is 1 or `views` if these are known."""
    if pos.dim() not in (2, 3) or pos.shape[-1] != 4 or pos.dtype not in FLOATS or 0 in pos.shape:
        raise ValueError(
            f"pos: expected shape (B, V, 4), or (V, 4) in range mode, float32, got {tuple(pos.shape)} {pos.dtype}"
        )
    if views is not None and pos.dim() == 3 and len(pos) not in (1, views):
        raise ValueError(f"pos: expected {views} views as rast, or 1, got {len(pos)}")
