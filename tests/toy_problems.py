"""Small problems of the published experiments, in shapes of our own: all three defeat a plain derivative."""

from __future__ import annotations

from collections.abc import Callable

import torch
from scipy.interpolate import Akima1DInterpolator
from torch import Tensor

# A rugged valley. From 1.1 a slope leads into a dent near 1.8, behind it lies the minimum 0 at 4, then another dent.
SPLINE_START, SPLINE_MINIMUM = 1.1, 4.0
# Alike on both sides of the minimum, so that the spline is level there.
_ABSCISSAS = [-50.0, -1.0, 0.0, 1.0, 1.7, 2.4, 3.2, 4.0, 4.8, 5.6, 6.5, 7.5, 50.0]
_ORDINATES = [60.0, 8.0, 7.0, 6.0, 3.6, 4.0, 2.2, 0.0, 2.2, 4.0, 3.2, 6.0, 60.0]
_SPLINE = Akima1DInterpolator(_ABSCISSAS, _ORDINATES)


def spline(x: Tensor) -> float:
    """The valley's height, from SciPy, which knows nothing of autograd."""
    return float(_SPLINE(float(x)))


# The range of the published script's starts: x in [-1.5, 2], y in [-0.5, 3], uniformly.
ROSENBROCK_LOW, ROSENBROCK_HIGH = (-1.5, -0.5), (2.0, 3.0)


def rosenbrock(x: Tensor) -> Tensor:
    """(1 - x)^2 + 100 (y - x^2)^2 of (..., 2) points; 0 at (1, 1)."""
    a, b = x.unbind(-1)
    return (1 - a) ** 2 + 100 * (b - a * a) ** 2


def rosenbrock_start(generator: torch.Generator) -> Tensor:
    """A start in the published range."""
    low, high = torch.tensor(ROSENBROCK_LOW).double(), torch.tensor(ROSENBROCK_HIGH).double()
    return low + (high - low) * torch.rand(2, generator=generator, dtype=torch.float64)


# The plateau: a disc that moves by whole pixels is 0.54 away from where it belongs, and shares no pixel with its target
# until they are 0.3 apart. The image reaches so far to all sides that leaving it, which would help too, is far away.
DISC_START, DISC_TARGET, DISC_RADIUS = (0.25, 0.4), (0.75, 0.6), 0.15
_PIXELS = 24  # per unit of length
_AXIS = (torch.arange(3 * _PIXELS) + 0.5) / _PIXELS - 1
_Y, _X = torch.meshgrid(_AXIS, _AXIS, indexing="ij")


def disc(center: Tensor) -> Tensor:
    """(72, 72) image: 1 inside, 0 outside, and no grey between; of as many pixels wherever it is."""
    x, y = ((center * _PIXELS).round() / _PIXELS).tolist()
    return ((_X - x) ** 2 + (_Y - y) ** 2 < DISC_RADIUS**2).float()


_TARGET = disc(torch.tensor(DISC_TARGET))


def disc_loss(center: Tensor) -> Tensor:
    """Squared difference of the images, relative to the disc's area: 2 wherever they do not overlap."""
    return (disc(center) - _TARGET).square().sum() / _TARGET.sum()


def descend(
    sampled: Callable[[Tensor], Tensor], start: Tensor, *, steps: int, lr: float, last_lr: float
) -> Tensor:
    """Adam, with a step size that falls geometrically: what a user would write."""
    x = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([x], lr=lr, betas=(0.9, 0.99))
    fall = torch.optim.lr_scheduler.ExponentialLR(optimizer, (last_lr / lr) ** (1 / steps))
    for _ in range(steps):
        optimizer.zero_grad()
        sampled(x).backward()
        optimizer.step()
        fall.step()
    return x.detach()
