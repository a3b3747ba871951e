"""What a function returns that per-pixel gradients are to be made of: the loss of every pixel, and who made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..images.contributors import Contributors

# A wider type than the losses' own would not make their differences any better.
_TYPES = (torch.float32, torch.float64)


@dataclass(frozen=True)
class PixelLosses:
    """The loss of every pixel, and who made it. As a number (`float`) it is their sum.

    Attributes
    ----------
    values : (...) float
        The loss of every pixel; the loss is their sum. (B, H, W) for instance.
    primitives : (...) or (..., K) integers, Contributors, or a tuple of such
        What made each pixel: a triangle of the id buffer, a texel (or the K = 4 between which it was interpolated), a
        negative number for none; or a list of any length for each pixel. One for all parameter tensors or, in a tuple,
        one for each argument of the function.
    """

    values: Tensor
    primitives: Tensor | Contributors | tuple[Tensor | Contributors, ...]

    def __float__(self) -> float:
        return float(self.values.sum(dtype=torch.float64))

    def of(self, tensor: int) -> Tensor | Contributors:
        """What made each pixel, for one argument of the function."""
        return self.primitives[tensor] if isinstance(self.primitives, tuple) else self.primitives

    def on(self, device: torch.device, tensor: int) -> Tensor | Contributors:
        """Likewise, as the sums take it."""
        made = self.of(tensor)
        return (
            made.to(device) if isinstance(made, Contributors) else made.to(device, torch.int32).contiguous()
        )


def ready(value: Tensor, device: torch.device) -> Tensor:
    """Pixels' losses as the sums take them: float64 stays what it is."""
    return value.to(device, value.dtype if value.dtype in _TYPES else torch.float32).contiguous()


def check_pair(plus: Any, minus: Any, arguments: int, views: int | None) -> None:
    """Raise ValueError unless both are `PixelLosses` of the same pixels, with ids for each argument of f."""
    for made in (plus, minus):
        if not isinstance(made, PixelLosses):
            raise ValueError(
                f"f: expected PixelLosses(values, primitives), got {type(made).__name__}; a function that only gives "
                "a number has SPSA, Smoothed and ZeroGrads"
            )
        shape = tuple(made.values.shape)
        if views is not None and shape[:1] != (views,):
            raise ValueError(f"f: expected values of {views} views, leading, got shape {shape}")
        if made.values.shape != plus.values.shape or not made.values.numel():
            raise ValueError(f"f: expected values of shape {tuple(plus.values.shape)}, got {shape}")
        several = isinstance(made.primitives, tuple)
        ids = made.primitives if isinstance(made.primitives, tuple) else (made.primitives,)
        if several and len(ids) != arguments:
            raise ValueError(
                f"f: expected primitives for each of {arguments} tensors, or one for all, got {len(ids)}"
            )
        firsts = plus.primitives if isinstance(plus.primitives, tuple) else (plus.primitives,)
        if len(firsts) != len(ids) or any(
            isinstance(one, Contributors) != isinstance(first, Contributors)
            for one, first in zip(ids, firsts, strict=True)
        ):
            raise ValueError("f: expected primitives of one kind in both pictures, got lists and buffers")
        for one, first in zip(ids, firsts, strict=True):
            if isinstance(one, Contributors):
                if one.pixels != made.values.numel():
                    raise ValueError(
                        f"f: expected a list of primitives for each of {made.values.numel()} pixels, got {one.pixels}"
                    )
                continue
            assert isinstance(first, Tensor)
            whole = not (one.is_floating_point() or one.is_complex() or one.dtype == torch.bool)
            if not whole or tuple(one.shape[: len(shape)]) != shape or one.dim() > len(shape) + 1:
                raise ValueError(
                    f"f: expected whole numbers of the values' shape {shape}, or with one more axis, as primitives, "
                    f"got {one.dtype} of shape {tuple(one.shape)}"
                )
            if one.shape != first.shape:
                raise ValueError(
                    f"f: expected as many primitives a pixel in both pictures, got shapes {tuple(first.shape)} and "
                    f"{tuple(one.shape)}; fill up with -1"
                )
