"""Simultaneous perturbation: all parameters moved at once, at random signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .antithetic import check_pairs, estimate_from_pairs, random_signs
from .estimate import GradientEstimate, Parameters
from .evaluation.objective import Objective, as_objective
from .packing import Packing
from .schedules import Width, Widths


class SPSA:
    """Simultaneous perturbation stochastic approximation: two evaluations, whatever the number of parameters.

    ::

        g_i = s_i (f(x + e s) - f(x - e s)) / (2 e_i),     s_i = +1 or -1 with equal chances

    averaged over pairs.

    Parameters
    ----------
    epsilon : float, callable, or tuple of these
        Size e of the perturbation, in the parameters' unit; > 0. One for all tensors or one for each; a callable
        gets the number of calls so far (`schedules.geometric`).
    pairs : int
        Pairs that are averaged, at least 1.

    Raises
    ------
    ValueError
        A number out of its range.

    Notes
    -----
    Mean: entry i of the mean gradient is a central difference of width e_i along i, averaged over all other entries
    at +e and -e. On quadratics that is the gradient. Elsewhere the bias is
    ``e^2 / 6 (f_iii + 3 sum_{j != i} f_ijj)`` and higher orders: O(e^2), and growing with the number of parameters.
    Across a step it is the step's height over 2 e_i if both sides are reached, and 0 if not: a plateau that is wider
    than e stays one.

    Variance of one pair: ``sum_{j != i} (df/dx_j)^2`` for each entry i where f is nearly linear (with one e for all;
    in general with factors ``(e_j / e_i)^2``), so it grows with the number of parameters and does not fall with e.
    Averaging n pairs divides it by n. Noise of variance v in f adds ``v / (2 e_i^2)`` per pair.

    Cost: 2 `pairs` evaluations, and 64 signs from every random word: with 10^6 parameters a pair takes 8 ms beside its
    evaluations, on one core.

    Random numbers: for each pair ceil(P / 64) words.

    References
    ----------
    Spall. Multivariate Stochastic Approximation Using a Simultaneous Perturbation Gradient Approximation. IEEE
    Transactions on Automatic Control 37(3), 1992.

    Examples
    --------
    >>> estimate = SPSA(epsilon=0.1, pairs=4).estimate(lambda x: 3 * x, torch.tensor(2.0))
    >>> estimate.gradient, estimate.evaluations  # one parameter, linear: nothing is left to chance
    (tensor(3.0000), 8)
    """

    def __init__(self, *, epsilon: Width = 0.01, pairs: int = 1) -> None:
        self._widths = Widths("epsilon", epsilon)
        self.pairs = check_pairs(pairs)

    @torch.no_grad()
    def estimate(
        self,
        f: Callable[..., Any] | Objective,
        parameters: Parameters,
        *,
        generator: torch.Generator | None = None,
        width: Width | None = None,
    ) -> GradientEstimate:
        """See `Estimator.estimate`; `width` replaces the size of this one call's perturbations."""
        packing = Packing(parameters)
        epsilon = packing.widths("epsilon", self._widths.now(packing.tensors, width))

        def draw(pairs: int) -> tuple[Tensor, Tensor]:
            signs = random_signs(pairs, len(packing.flat), generator).to(epsilon.device)
            return signs, epsilon * signs

        result = estimate_from_pairs(as_objective(f), packing, draw, 1 / epsilon, pairs=self.pairs)
        self._widths.advance()
        return result

    def state_dict(self) -> dict[str, Any]:
        """The number of calls so far, which schedules depend on."""
        return self._widths.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the estimator was whose state this is."""
        self._widths.load_state_dict(state)
