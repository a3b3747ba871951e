"""The smoothed gradient with parts taken away."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from largesteps_zg.estimators import GradientEstimate
from largesteps_zg.estimators.evaluation.objective import Objective, as_objective

REACH = 4.0  # widths: how far samples go that do not follow the kernel


class Ablated:
    """As `Smoothed` with `pairs`, for one tensor, and with as many evaluations.

    ::

        g_i = w(t_i) f(x + t),     w(t) = t / sigma^2 N(t) / p(t)

    with N the Gaussian and p the density of t: proportional to |t| N(t), or, without `importance`, uniform within 4
    sigma. Without `antithetic` no sample has a mirror image.
    """

    def __init__(
        self, *, sigma: Callable[[int], float], pairs: int, importance: bool = True, antithetic: bool = True
    ) -> None:
        self.sigma, self.pairs, self.importance, self.antithetic = sigma, pairs, importance, antithetic
        self.calls = 0

    @torch.no_grad()
    def estimate(
        self,
        f: Callable[..., Any] | Objective,
        parameters: Tensor,
        *,
        generator: torch.Generator | None = None,
    ) -> GradientEstimate:
        """See `Estimator.estimate`."""
        sigma = self.sigma(self.calls)
        self.calls += 1
        count = self.pairs if self.antithetic else 2 * self.pairs
        uniform = 2 * torch.rand(count, *parameters.shape, generator=generator, dtype=torch.float64) - 1
        if self.importance:
            t = uniform.sign() * sigma * (-2 * torch.log1p(-uniform.abs())).sqrt()
            weight = uniform.sign() * math.sqrt(2 / math.pi) / sigma
        else:
            t = REACH * sigma * uniform
            weight = t / sigma**2 * torch.exp(-0.5 * (t / sigma) ** 2) * 2 * REACH / math.sqrt(2 * math.pi)
        if self.antithetic:
            t, weight = torch.cat((t, -t)), torch.cat((weight, -weight))
        losses = as_objective(f).losses([(point.to(parameters.dtype),) for point in parameters + t])
        gradient = torch.einsum("n...,n->...", weight, losses) / len(losses)
        unknown = torch.full_like(parameters, torch.nan)
        return GradientEstimate(losses.mean(), gradient.to(parameters.dtype), unknown, len(losses))

    def state_dict(self) -> dict[str, Any]:
        """The number of calls so far."""
        return {"calls": self.calls}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.calls = state["calls"]
