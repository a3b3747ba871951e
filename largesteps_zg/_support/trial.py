"""Parts of a run on approval."""

from __future__ import annotations

import math
from typing import Any


class Trial:
    """A part of a run that starts at one share of it, and at another is kept or dropped, for good.

    Parameters
    ----------
    start, decide : float
        Shares of the run; by default nothing but the run itself says when to decide.
    decided : bool
        It is kept from the beginning, and nobody has to decide.
    """

    def __init__(self, start: float, decide: float = math.inf, *, decided: bool = False) -> None:
        self.start, self.decide = start, decide
        self.started, self.decided, self.dropped = False, decided, False

    @property
    def running(self) -> bool:
        """Whether it has started and was not dropped."""
        return self.started and not self.dropped

    @property
    def kept(self) -> bool:
        """Whether it was decided to keep it."""
        return self.decided and not self.dropped

    def reach(self, progress: float) -> None:
        """Start if so large a share of the run lies behind."""
        self.started = self.started or progress >= self.start

    def due(self, progress: float) -> bool:
        """Whether it is time to decide."""
        return progress >= self.decide and not self.decided

    def settle(self, *, keep: bool) -> None:
        """Decide."""
        self.decided, self.dropped = True, not keep

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        return {"started": self.started, "decided": self.decided, "dropped": self.dropped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.started, self.decided, self.dropped = state["started"], state["decided"], state["dropped"]
