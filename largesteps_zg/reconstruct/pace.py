"""How long a run is, and how far it has come."""

from __future__ import annotations

import math
from typing import Any

from ..constants import DEFAULTS, Schedule


class Pace:
    """Counts steps: of a number that is given, or of one that depends on what the run goes by.

    Photographs that agree over a surface tell where it is at once; light and colour take longer. So a run that may
    choose takes `Schedule.patch_steps` where patches count, and `Schedule.steps` where colours decide in the end. Where
    that changes on the way, the share of the run that lies behind stays: patches then take their share of
    `Schedule.patch_steps` for the rest, light and colour all that is left of `Schedule.steps`.

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
        self._agreeing = False
        self._since, self._behind = 0, 0.0  # the step and the share at which that changed last
        self._left = constants.steps if steps is None else steps  # steps, from there on

    @property
    def progress(self) -> float:
        """The share of the run that lies behind."""
        return self._behind + (1.0 - self._behind) * (self.step - self._since) / self._left

    @property
    def steps(self) -> int:
        """Of the whole run, as far as is known."""
        return self._since + self._left

    def take(self, *, agreeing: bool) -> None:
        """One step, in which most photographs agreed better with each other than with their renderings, or not."""
        self.step += 1
        if self._given is None and agreeing != self._agreeing and self.step < self.steps:
            behind = self.progress
            left = (1.0 - behind) * (self._constants.patch_steps if agreeing else self._constants.steps)
            least = 1 if agreeing else self._constants.steps - self.step
            self._left = max(math.ceil(left), least)
            self._since, self._behind, self._agreeing = self.step, behind, agreeing

    def state_dict(self) -> dict[str, Any]:
        """What it depends on beside the step."""
        return {"since": self._since, "behind": self._behind, "left": self._left, "agreeing": self._agreeing}

    def load_state_dict(self, step: int, state: dict[str, Any]) -> None:
        """Go on from there; ValueError where no run can be."""
        since, behind, left = state["since"], state["behind"], state["left"]
        if not (0 <= since <= step and 0.0 <= behind < 1.0 and left >= 1):
            raise ValueError(f"pace: no run is at step {step} with {state}")
        self.step, self._since, self._behind, self._left = step, since, behind, left
        self._agreeing = state["agreeing"]
