"""A pen that draws a curve through points: no pixel has a derivative."""

from __future__ import annotations

import torch
from torch import Tensor

SIZE, KNOTS, BETWEEN, PEN = 16, 8, 8, 0.05  # the pen in widths of the picture


def strokes(points: Tensor, size: int = SIZE) -> Tensor:
    """Pictures (N, H, H) of curves through points (N, 8, 2): a pixel is on if the pen's disc covers its centre."""
    before, after = 2 * points[:, :1] - points[:, 1:2], 2 * points[:, -1:] - points[:, -2:-1]
    p = torch.cat((before, points, after), 1)
    t = torch.linspace(0, 1, BETWEEN)[:, None]
    a, b, c, d = (p[:, None, k : k + KNOTS - 1].movedim(1, 2) for k in range(4))  # Catmull and Rom's cubic
    path = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    axis = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    away = torch.cdist(torch.stack((x, y), -1).view(1, -1, 2), path.flatten(1, 2))
    return (away.amin(2) < PEN).float().view(-1, size, size)
