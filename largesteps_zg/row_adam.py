"""Adam for tables of which a step sees a few rows: what belongs to single views."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

BETAS = (
    0.9,
    0.99,
)  # a view is seen at every fifth step or so: a shorter memory than that of what every step sees


class RowAdam:
    """Moments of each row, which grow older only in steps that see the row; one step size for all entries of a row.

    ::

        m <- b1 m + (1 - b1) g        s <- b2 s + (1 - b2) |g|²        direction = M / sqrt(S)

    with M and S corrected for the row's own number of steps. Plain Adam would go on moving the rows that a step does
    not see.

    Parameters
    ----------
    rows, size : int
        Of the table.
    device : torch.device, optional
    """

    def __init__(self, rows: int, size: int, *, device: torch.device | str | None = None) -> None:
        self.first = torch.zeros(rows, size, device=device, dtype=torch.float64)
        self.second = torch.zeros(rows, device=device, dtype=torch.float64)
        self.steps = torch.zeros(rows, device=device, dtype=torch.float64)

    @torch.no_grad()
    def direction(self, gradient: Float[Tensor, "B K"], index: Int[Tensor, " B"]) -> Float[Tensor, "B K"]:
        """Where to go from some rows, each of them once; about of length 1 where gradients agree from step to step."""
        gradient = gradient.to(self.first)
        steps = self.steps[index] + 1
        first = BETAS[0] * self.first[index] + (1 - BETAS[0]) * gradient
        second = BETAS[1] * self.second[index] + (1 - BETAS[1]) * gradient.square().sum(1)
        self.steps[index], self.first[index], self.second[index] = steps, first, second
        scale = (second / (1 - BETAS[1] ** steps)).sqrt() + 1e-30
        return first / ((1 - BETAS[0] ** steps) * scale)[:, None]

    def state_dict(self) -> dict[str, Any]:
        """The moments."""
        return {"first": self.first, "second": self.second, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        for name in ("first", "second", "steps"):
            getattr(self, name).copy_(state[name])
