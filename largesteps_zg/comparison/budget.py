"""What every run of a comparison may use, and what it has used. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from .._support.values import check_choice, check_number

UNITS = {"renders": "images of one view", "seconds": "seconds", "steps": "steps"}  # and what each counts


@dataclass(frozen=True)
class Spent:
    """What a run has used so far, measurements excluded.

    Attributes
    ----------
    steps, renders : int
        A render is one image of one view; a backward pass is none.
    seconds : float
        Wall time of the steps.
    """

    steps: int = 0
    renders: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Budget:
    """What every run may use.

    Attributes
    ----------
    amount : float
        > 0.
    unit : {"renders", "seconds", "steps"}
    """

    amount: float
    unit: str = "renders"

    def __post_init__(self) -> None:
        unit = check_choice("budget", self.unit, UNITS)
        amount = check_number("budget", self.amount, f"of {unit} > 0", lambda value: value > 0)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "amount", amount)

    def __str__(self) -> str:
        unit = self.unit if self.amount != 1 else self.unit[:-1]
        return f"{self.amount:,g} {unit}" if self.unit == "seconds" else f"{int(self.amount):,} {unit}"

    def share(self, spent: Spent) -> float:
        """How much of it is used, in [0, 1]."""
        return min(getattr(spent, self.unit) / self.amount, 1.0)

    def allows(self, spent: Spent, step: Spent) -> bool:
        """Whether one more step fits that takes what the last one did; the first always does."""
        if not spent.steps:
            return True
        # Nobody knows how long the next step takes: seconds may be exceeded by less than one step.
        next_step = 0.0 if self.unit == "seconds" else getattr(step, self.unit)
        return self.share(spent) < 1.0 and getattr(spent, self.unit) + next_step <= self.amount
