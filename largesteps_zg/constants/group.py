"""A group of numbers that decide about a user's data, each with what it decides and where it comes from."""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, field, fields
from typing import Any

CHOSEN = "chosen, not measured"
TRIED = "measured: benchmarks/constants.py; half and twice are as good, as far as seeds can tell"
SHARP = "measured: benchmarks/constants.py; half or twice is worse"
UNASKED = "chosen; half and twice change nothing to the bit where they were tried: benchmarks/constants.py"
TINY = 1e-9  # a bound of what must not be 0


def constant(
    default: Any,
    unit: str,
    decides: str,
    basis: str = CHOSEN,
    *,
    least: float | None = None,
    length: int | None = None,
) -> Any:
    """A field of a group.

    Parameters
    ----------
    default : int, float or tuple of these
    unit : str
        A "share" lies in [0, 1] and a "cosine" in [-1, 1]; all others are at least 0, and whole numbers at least 1.
    decides : str
        What it decides, a sentence.
    basis : str
        "derived: ", "measured: " with the command or the page that says so, "vote: " for a majority that needs no
        measuring, or one of the constants above.
    least : float, optional
        In place of those lower bounds.
    length : int, optional
        Of a tuple; any by default, but not 0.
    """
    whole = isinstance(default[0] if isinstance(default, tuple) else default, int)
    low, high = {"share": (0.0, 1.0), "cosine": (-1.0, 1.0)}.get(unit, (float(whole), math.inf))
    low = low if least is None else least
    metadata = {"unit": unit, "decides": decides, "basis": basis, "low": low, "high": high, "length": length}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Group:
    """Checks the numbers of its subclasses.

    Raises
    ------
    ValueError
        For a number that is none, or out of its range; says which.
    """

    def __post_init__(self) -> None:
        for part in fields(self):
            _check(type(self).__name__, part, getattr(self, part.name))
        for smaller, larger in self.ascending():
            if not getattr(self, smaller) < getattr(self, larger):
                raise ValueError(
                    f"constants: {type(self).__name__}: expected {smaller} < {larger}, got {getattr(self, smaller)} "
                    f"and {getattr(self, larger)}"
                )

    def ascending(self) -> tuple[tuple[str, str], ...]:
        """Pairs of fields of which the first has to be smaller."""
        return ()


def _check(group: str, part: Field[Any], value: Any) -> None:
    """ValueError unless a value is of the default's kind, and all its numbers lie in the field's range."""
    low, high, default = part.metadata["low"], part.metadata["high"], part.default
    name = f"constants: {group}.{part.name}"
    if not _shaped_like(value, default, part.metadata["length"]):
        raise ValueError(f"{name}: expected a tuple such as {default}, got {value!r}")
    whole = isinstance(_numbers(default)[0], int)
    kinds, kind = (int if whole else (int, float)), ("a whole number" if whole else "a number")
    for number in _numbers(value):
        right = isinstance(number, kinds) and not isinstance(number, bool) and math.isfinite(number)
        if not right or not low <= number <= high:
            bound = f">= {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
            raise ValueError(f"{name}: expected {kind} {bound}, got {number!r}; the default is {default}")


def _shaped_like(value: Any, default: Any, length: int | None = None) -> bool:
    """Whether both are numbers; or both tuples, that one of some length, of parts that are like the default's first."""
    if not isinstance(default, tuple):
        return not isinstance(value, tuple)
    if not isinstance(value, tuple) or not value or length not in (None, len(value)):
        return False
    inner = len(default[0]) if isinstance(default[0], tuple) else None
    return all(_shaped_like(part, default[0], inner) for part in value)


def _numbers(value: Any) -> list[Any]:
    """All numbers of a tuple, however deep, or the one that it is."""
    return [number for part in value for number in _numbers(part)] if isinstance(value, tuple) else [value]
