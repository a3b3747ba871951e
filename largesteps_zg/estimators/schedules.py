"""How large perturbations are: a number, one per tensor, or a function of the calls so far."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

Schedule = Callable[[int], float]
Width = float | Schedule | tuple[float | Schedule, ...]


@dataclass(frozen=True)
class _Change:
    """A class rather than a closure, so that it can be printed and sent to another process."""

    first: float
    last: float
    steps: int
    start: int
    by_factor: bool

    def __call__(self, calls: int) -> float:
        passed = min(max((calls - self.start) / self.steps, 0.0), 1.0)
        if self.by_factor:
            return self.first ** (1.0 - passed) * self.last**passed
        return (1.0 - passed) * self.first + passed * self.last


def geometric(first: float, last: float, steps: int, *, start: int = 0) -> Schedule:
    """A size that changes by the same factor at every call: wide perturbations first, narrow ones later.

    Parameters
    ----------
    first, last : float
        Before and after; positive.
    steps : int
        Calls from one to the other, at least 1.
    start : int
        Calls before the change begins, at least 0.

    Returns
    -------
    callable
        From the number of calls so far to the size.

    Raises
    ------
    ValueError
        A number out of its range.

    Examples
    --------
    >>> size = geometric(1.0, 0.01, 2, start=10)
    >>> [round(size(calls), 6) for calls in (0, 10, 11, 12, 1000)]
    [1.0, 1.0, 0.1, 0.01, 0.01]
    """
    _check_change(first, last, steps, start)
    return _Change(float(first), float(last), steps, start, by_factor=True)


def linear(first: float, last: float, steps: int, *, start: int = 0) -> Schedule:
    """A size that changes by the same amount at every call, as PRDPT's does: wide for longer than `geometric`.

    Parameters, returns and raises as `geometric`.

    Examples
    --------
    >>> size = linear(1.0, 0.5, 2, start=10)
    >>> [size(calls) for calls in (0, 10, 11, 12, 1000)]
    [1.0, 1.0, 0.75, 0.5, 0.5]
    """
    _check_change(first, last, steps, start)
    return _Change(float(first), float(last), steps, start, by_factor=False)


class Widths:
    """The part of an estimator that knows the size of its perturbations, and counts its calls.

    Parameters
    ----------
    name : str
        The estimator's word for it, for messages.
    value : float, callable, or tuple of these
        One for all parameter tensors, or one for each; a callable gets the number of calls so far.

    Attributes
    ----------
    calls : int
        Estimates made so far.

    Raises
    ------
    ValueError
        A size that is not positive and finite.
    """

    def __init__(self, name: str, value: Width) -> None:
        self.name = name
        self._entries = value if isinstance(value, tuple) else (value,)
        self._shared = not isinstance(value, tuple)
        self.calls = 0
        if not self._entries:
            raise ValueError(f"{name}: expected a number for each parameter tensor, got none")
        for entry in self._entries:
            if not callable(entry):
                _check_size(name, entry)

    def now(self, tensors: int, instead: Width | None = None) -> tuple[float, ...]:
        """The size for each of so many parameter tensors, at this call; `instead` replaces the usual one.

        Raises
        ------
        ValueError
            As many as there are not, or a schedule that gives no positive number.
        """
        if instead is not None:
            other = Widths(self.name, instead)
            other.calls = self.calls
            return other.now(tensors)
        if not self._shared and len(self._entries) != tensors:
            raise ValueError(
                f"{self.name}: expected one number, or one for each of the {tensors} parameter tensors that get a "
                f"gradient, got {len(self._entries)}"
            )
        sizes = tuple(float(_at(entry, self.calls)) for entry in self._entries)
        for size in sizes:
            _check_size(f"{self.name} at call {self.calls}", size)
        return sizes * tensors if self._shared else sizes

    def advance(self) -> None:
        """One more estimate was made."""
        self.calls += 1

    def state_dict(self) -> dict[str, Any]:
        """The number of calls."""
        return {"calls": self.calls}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a number of calls."""
        calls = state.get("calls")
        if not isinstance(calls, int) or calls < 0:
            raise ValueError(
                f"state: expected 'calls', a number >= 0, got {calls!r}; is it another estimator's?"
            )
        self.calls = calls


def _at(entry: float | Schedule, calls: int) -> float:
    """A size, of a number or a schedule."""
    return entry(calls) if callable(entry) else entry


def _check_change(first: float, last: float, steps: int, start: int) -> None:
    """Raise ValueError unless sizes are sizes and calls numbers of calls."""
    _check_size("first", first)
    _check_size("last", last)
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")
    if start < 0:
        raise ValueError(f"start: expected at least 0, got {start}")


def _check_size(name: str, size: Any) -> None:
    """Raise ValueError unless it is a positive finite number."""
    if not isinstance(size, Real) or not (math.isfinite(size) and float(size) > 0):
        raise ValueError(f"{name}: expected a number > 0, got {size!r}")
