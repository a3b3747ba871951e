"""Checks of an estimator's options."""

from __future__ import annotations

import math
from collections.abc import Callable


def check_count(name: str, value: int, *, least: int = 1) -> int:
    """The integer, or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: expected an integer >= {least}, got {value!r}")
    return value


def check_number(name: str, value: float, wanted: str, fits: Callable[[float], bool]) -> float:
    """The number, or ValueError."""
    if not isinstance(value, int | float) or not (math.isfinite(value) and fits(value)):
        raise ValueError(f"{name}: expected a number {wanted}, got {value!r}")
    return float(value)
