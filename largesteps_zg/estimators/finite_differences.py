"""Central differences, one parameter at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .estimate import GradientEstimate, Parameters
from .evaluation.objective import Objective, as_objective
from .packing import Packing
from .schedules import Width, Widths


class CentralDifferences:
    """Two evaluations for each parameter, nothing random: the honest oracle for small problems.

    ::

        g_i = (f(x + e a_i) - f(x - e a_i)) / (2 e),     a_i the unit vector along i

    Parameters
    ----------
    epsilon : float, callable, or tuple of these
        Size e of the perturbation, in the parameters' unit; > 0. One for all tensors or one for each; a callable
        gets the number of calls so far (`schedules.geometric`).

    Raises
    ------
    ValueError
        A number out of its range.

    Notes
    -----
    Bias: ``e^2 / 6 d^3f/dx_i^3`` and higher orders; none on quadratics. Rounding adds up to about ``u |f| / e``,
    u = 6e-8 for an f that computes in float32 and 1e-16 in float64, so that the best e lies near ``(3 u)^(1/3)``
    times the scale on which f changes: 6e-3 or 7e-6. The divisor is the difference of the two numbers that were used,
    after their own rounding. Variance: none, and `standard_error` is 0; where f itself is noisy it is not told.

    Cost: 2 P evaluations for P parameters, some hundreds at a time, so that memory stays bounded.
    The generator is not used.

    Examples
    --------
    >>> x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    >>> estimate = CentralDifferences().estimate(lambda x: x[0] * x[1] ** 2, x)
    >>> estimate.gradient, estimate.evaluations
    (tensor([4., 4.], dtype=torch.float64), 4)
    """

    def __init__(self, *, epsilon: Width = 1e-3) -> None:
        self._widths = Widths("epsilon", epsilon)

    @torch.no_grad()
    def estimate(
        self,
        f: Callable[..., Any] | Objective,
        parameters: Parameters,
        *,
        generator: torch.Generator | None = None,
    ) -> GradientEstimate:
        """See `Estimator.estimate`."""
        packing, objective = Packing(parameters), as_objective(f)
        flat = packing.flat
        epsilon = packing.widths("epsilon", self._widths.now(packing.tensors))
        sides = flat + epsilon, flat - epsilon
        differences = torch.empty_like(flat, dtype=torch.float64)
        total = 0.0
        for first in range(0, len(flat), packing.pairs_at_once):
            last = min(first + packing.pairs_at_once, len(flat))
            entries = torch.arange(first, last, device=flat.device)
            moved = flat.repeat(last - first, 2, 1)
            for side, values in enumerate(sides):
                moved[entries - first, side, entries] = values[entries]
            losses = objective.losses(packing.points(moved.flatten(0, 1))).to(flat.device).view(-1, 2)
            differences[first:last] = losses[:, 0] - losses[:, 1]
            total += losses.sum().item()
        self._widths.advance()
        return GradientEstimate(
            loss=torch.tensor(total / (2 * len(flat)), dtype=flat.dtype, device=flat.device),
            gradient=packing.restore((differences / (sides[0] - sides[1])).to(flat.dtype)),
            standard_error=packing.restore(torch.zeros_like(flat)),
            evaluations=2 * len(flat),
        )

    def state_dict(self) -> dict[str, Any]:
        """The number of calls so far, which schedules depend on."""
        return self._widths.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the estimator was whose state this is."""
        self._widths.load_state_dict(state)
