"""Checks of plain values: counts, numbers, names. They need neither torch nor NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from numbers import Integral, Real
from typing import Any


def check_count(name: str, value: Any, *, least: int = 1, most: int | None = None, cure: str = "") -> int:
    """The integer, of Python or NumPy, or ValueError."""
    fits = not isinstance(value, bool) and isinstance(value, Integral)
    if not fits or value < least or (most is not None and value > most):
        wanted = f">= {least}" if most is None else f"in [{least}, {most}]"
        raise ValueError(f"{name}: expected an integer {wanted}, got {shown(value)}{_added(cure)}")
    return int(value)


def check_number(
    name: str, value: Any, wanted: str, fits: Callable[[float], bool], *, cure: str = ""
) -> float:
    """The number, of Python or NumPy, or ValueError."""
    if isinstance(value, Real) and not isinstance(value, bool):
        with suppress(OverflowError):  # an integer of Python can be larger than all floats
            number = float(value)
            if math.isfinite(number) and fits(number):
                return number
    raise ValueError(f"{name}: expected a number {wanted}, got {shown(value)}{_added(cure)}")


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """The name, where it is one of the choices, or ValueError."""
    known = tuple(choices)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(known)}, got {shown(value)}")
    return str(value)


def shown(value: Any) -> str:
    """A value in a message: as Python writes it, or its type where that takes more than some words."""
    if isinstance(value, Real) and not isinstance(value, (bool, int, float)):
        value = float(value)  # NumPy's: without the name of the type
        value = int(value) if value.is_integer() else value
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a value of type {type(value).__name__}"


def _added(cure: str) -> str:
    return f"; {cure}" if cure else ""
