"""The mean of a run's last steps, in which the noise of the few views of each step cancels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class LastSteps:
    """Adds up what a run finds in the last part of its steps, and puts their mean in its place at the end.

    Parameters
    ----------
    share : float
        Of the run, at its end.

    References
    ----------
    B. Polyak and A. Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM J. Control Optim. 1992.
    """

    def __init__(self, share: float) -> None:
        self._from = 1.0 - share
        self._of: tuple[Tensor, ...] = ()  # what is added up
        self._sums: list[Tensor] = []
        self.count = 0

    @torch.no_grad()
    def take(self, parts: Sequence[Tensor], progress: float, *, last: bool) -> None:
        """After a step, when so much of the run lay behind before it; after the last one, `parts` become their means.

        Other tensors than before belong to other triangles: the sums start anew.
        """
        if progress < self._from:
            return
        if len(parts) != len(self._of) or any(a is not b for a, b in zip(parts, self._of, strict=True)):
            self._start(parts)
        for total, part in zip(self._sums, parts, strict=True):
            total.add_(part)
        self.count += 1
        if last:
            for total, part in zip(self._sums, parts, strict=True):
                part.copy_(total / self.count)

    def _start(self, parts: Sequence[Tensor]) -> None:
        """Nothing has been added yet."""
        self._of, self.count = tuple(parts), 0
        self._sums = [torch.zeros_like(part, dtype=torch.float64) for part in parts]

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on."""
        return {"sums": self._sums, "count": self.count}

    def load_state_dict(self, parts: Sequence[Tensor], state: dict[str, Any]) -> None:
        """Go on from there with the same parts; ValueError where the sums are not theirs."""
        sums, count = state["sums"], state["count"]
        if not sums:
            return
        self._start(parts)
        found = [total.shape for total in sums]
        if found != [part.shape for part in parts] or not count >= 1:
            raise ValueError(f"last steps: expected sums of {len(parts)} parts, got {found} of {count} steps")
        for mine, total in zip(self._sums, sums, strict=True):
            mine.copy_(total)
        self.count = count
