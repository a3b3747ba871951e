"""Checks of tensors and of numbers in them: one function an idea, one line of error each."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor


def check_tensor(name: str, value: Any) -> None:
    """Refuse what is no tensor, with the call that makes one of it.

    Raises
    ------
    ValueError
        An array, a list, or anything else.
    """
    if isinstance(value, Tensor):
        return
    own = name.rsplit(": ", 1)[-1]  # without the file or function before it
    cure = f"torch.from_numpy({own})" if isinstance(value, np.ndarray) else f"torch.as_tensor({own})"
    raise ValueError(f"{name}: expected a tensor, got {_named(value)}; use {cure}")


def as_number(name: str, value: Any, wanted: str) -> float:
    """The number as Python's own float: of Python, of NumPy, or in a tensor or array of one entry.

    Raises
    ------
    ValueError
        Several numbers, or none.
    """
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(())[()]
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value.detach())
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_):
        return float(value)
    raise ValueError(f"{name}: expected {wanted}, got {_named(value)}")


def _named(value: Any) -> str:
    """A value in a message: short ones as they are, arrays by their shape."""
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return repr(value) if isinstance(value, str | bool | type(None)) else type(value).__name__
