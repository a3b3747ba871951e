"""How long a run is, and how far it has come."""

from __future__ import annotations

import math
from typing import Any

from ..constants import DEFAULTS, Schedule


class Pace:
    """Counts steps: of a number that is given, or of one that depends on what the run goes by.

    Photographs that agree over a surface tell where it is at once; light and colour take longer to. So a run that may
    choose takes `Schedule.patch_steps` where patches count and `Schedule.steps` where they don't. Where that changes on
    the way, the share of the run that lies behind stays, and what is left takes longer, or less long, from there on.

    Parameters
    ----------
    steps : int or None
        Given; None for the schedule's.
    constants : Schedule, optional

    Attributes
    ----------
    step : int
        Taken.
    """

    def __init__(self, steps: int | None, constants: Schedule = DEFAULTS.schedule) -> None:
        self._given, self._constants = steps, constants
        self.step = 0
        self._length = constants.steps if steps is None else steps
        self._since, self._behind = 0, 0.0  # the step and the share at which the length changed last

    @property
    def progress(self) -> float:
        """The share of the run that lies behind."""
        return self._behind + (self.step - self._since) / self._length

    @property
    def steps(self) -> int:
        """Of the whole run, as far as is known."""
        return self._since + math.ceil((1.0 - self._behind) * self._length)

    def take(self, *, agreeing: bool) -> None:
        """One step, in which most photographs agreed better with each other than with their renderings, or not."""
        self.step += 1
        length = self._constants.patch_steps if agreeing else self._constants.steps
        if self._given is None and length != self._length and self.step < self.steps:
            self._since, self._behind, self._length = self.step, self.progress, length

    def state_dict(self) -> dict[str, Any]:
        """What it depends on beside the step."""
        return {"since": self._since, "behind": self._behind, "length": self._length}

    def load_state_dict(self, step: int, state: dict[str, Any]) -> None:
        """Go on from there; ValueError where no run can be."""
        since, behind, length = state["since"], state["behind"], state["length"]
        if not (0 <= since <= step and 0.0 <= behind < 1.0 and length >= 1):
            raise ValueError(f"pace: no run is at step {step} with {state}")
        self.step, self._since, self._behind, self._length = step, since, behind, length
