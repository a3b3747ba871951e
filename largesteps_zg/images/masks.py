"""Which pixels a mask gives to the object."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from torch import Tensor

Pixels = TypeVar("Pixels", Tensor, np.ndarray)


def on_object(alpha: Pixels) -> Pixels:
    """Where a mask's bytes, or means of them, are nearer to 255 than to 0.

    Parameters
    ----------
    alpha : tensor or array
        0 to 255, of any shape.

    Returns
    -------
    bool tensor or array of the same shape

    Examples
    --------
    >>> on_object(np.array([0, 127, 128, 255], dtype=np.uint8))
    array([False, False,  True,  True])
    """
    return alpha >= 127.5
