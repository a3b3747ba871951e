"""sRGB and linear light: files hold the first, everything that adds or averages light needs the second."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

# IEC 61966-2-1: a straight line near black, a power above. The two pieces meet at these abscissae.
_KNEE_SRGB = 0.04045
_KNEE_LINEAR = 0.0031308


def srgb_to_linear(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Linear light of sRGB values: x / 12.92 up to 0.04045, ((x + 0.055) / 1.055)^2.4 above.

    Parameters
    ----------
    x : float tensor of any shape
        sRGB in [0, 1]. Values above 1 follow the power, values below 0 the straight line.

    Returns
    -------
    Tensor
        Same shape, dtype and device. Differentiable, with a finite derivative everywhere.

    References
    ----------
    IEC 61966-2-1:1999.

    Examples
    --------
    >>> round(srgb_to_linear(torch.tensor([0.5])).item(), 4)
    0.214
    """
    # The clamp keeps the branch that is not taken away from 0 ** p, whose derivative is infinite or NaN.
    power = ((x.clamp(min=_KNEE_SRGB) + 0.055) / 1.055) ** 2.4
    return torch.where(x <= _KNEE_SRGB, x / 12.92, power)


def linear_to_srgb(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """sRGB values of linear light: 12.92 x up to 0.0031308, 1.055 x^(1 / 2.4) - 0.055 above.

    Parameters
    ----------
    x : float tensor of any shape
        Linear light in [0, 1]. Values above 1 follow the power, values below 0 the straight line.

    Returns
    -------
    Tensor
        Same shape, dtype and device. Differentiable, with a finite derivative everywhere, also at 0.

    References
    ----------
    IEC 61966-2-1:1999.

    Examples
    --------
    >>> round(linear_to_srgb(torch.tensor([0.214])).item(), 2)
    0.5
    """
    power = 1.055 * x.clamp(min=_KNEE_LINEAR) ** (1 / 2.4) - 0.055
    return torch.where(x <= _KNEE_LINEAR, 12.92 * x, power)
