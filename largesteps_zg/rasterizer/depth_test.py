"""How two depths compare, and what may be drawn at all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .fragments import Fragments

# Kernels on the CPU handle eight pixels at a time, and so reach up to seven past the last one.
PADDING = 7


@dataclass(frozen=True)
class DepthTest:
    """What is nearest: the least w, or in the general forms of the kernels (see `coverage`) the largest N/w.

    `near` draws what has ``N / w <= 1 / near``; `closeness` (B, V) are the N, and `ceilings` (B H W + PADDING,) float32
    the N/w below which a pixel draws.
    """

    near: float
    closeness: Tensor | None = None
    ceilings: Tensor | None = None


def in_clip_space(points: Tensor) -> DepthTest:
    """For points (B, V, 4) = (u w, v w, z, w): N/w = 1 - z/w, which is in [0, 2]."""
    return DepthTest(0.5, (points[..., 3] - points[..., 2]).contiguous())


def ceilings_behind(f: Fragments) -> Tensor:
    """(B H W + PADDING,) float32 that lets through what lies behind fragments of a general form.

    What is less than four millionths of N/w behind counts as seen: two triangles that share an edge are one surface
    there, and each rounds its depth differently.
    """
    assert f.reached is not None
    ceilings = torch.full((len(f.slots) + PADDING,), -1.0, device=f.slots.device)
    ceilings[f.pixels.long()] = f.reached * (1 - 2.0**-18)
    return ceilings
