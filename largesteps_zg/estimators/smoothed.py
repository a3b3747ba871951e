"""The gradient of a function that is blurred in its parameters: plateaus get a slope."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .antithetic import check_pairs, estimate_from_pairs
from .estimate import GradientEstimate, Parameters
from .evaluation.objective import Objective, as_objective
from .packing import Packing
from .schedules import Width, Widths


class Smoothed:
    """Derivative of f convolved with a Gaussian: the plateau-reduced gradient of PRDPT.

    ::

        t_i = s_i sigma sqrt(-2 ln(1 - U_i)),     s_i = +1 or -1 with equal chances,  U_i uniform in [0, 1)
        g_i = s_i sqrt(2 / pi) / sigma (f(x + t) - f(x - t)) / 2

    averaged over pairs. The density of t_i, ``|t| exp(-t^2 / (2 sigma^2)) / (2 sigma^2)``, is proportional to the size
    of the Gaussian's derivative, and drawn by inverting its distribution function; a sample's weight is then the same
    for all of them but for its sign.

    Parameters
    ----------
    sigma : float, callable, or tuple of these
        Width of the Gaussian, in the parameters' unit; > 0. One for all tensors or one for each; a callable gets the
        number of calls so far: start as wide as the plateau and narrow down with `schedules.geometric`.
    pairs : int
        Antithetic pairs that are averaged, at least 1.

    Raises
    ------
    ValueError
        A number out of its range.

    Notes
    -----
    Mean: with one parameter, exactly the gradient of f convolved with a Gaussian of width sigma. With several, all are
    drawn at once, and so entry i of the mean is ::

        d/dx_i of  integral f(x + t) N(t_i) prod_{j != i} r(t_j) dt

    with N the Gaussian of width sigma and r the density above, which has two humps at +-sigma and the variance
    2 sigma^2, not sigma^2. So the other entries are blurred with another kernel, and more, than entry i is; each entry
    belongs to a blurred function of its own, and together they need not be the gradient of any one function. On
    quadratics the mean is the gradient all the same; elsewhere the bias is
    ``sigma^2 (f_iii / 2 + sum_{j != i} f_ijj)`` and higher orders.

    `loss`, the mean of all evaluations, is f blurred with r in every entry.

    Variance of one pair where f is nearly linear, with one sigma for all: ``4 / pi sum_j (df/dx_j)^2 - (df/dx_i)^2``;
    some 1.3 times that of `SPSA`, growing with the number of parameters in the same way. Averaging n pairs divides it
    by n. Noise of variance v in f adds ``v / (pi sigma^2)`` per pair.

    Cost: 2 `pairs` evaluations; with 10^6 parameters a pair takes 13 ms beside them, on one core.

    Random numbers: for each pair P uniform ones V in [0, 1), with s = +1 where V >= 1/2, and U = 2 V or 2 V - 1. They
    are float32 for parameters of any type, so that no perturbation exceeds 5.7 sigma.

    References
    ----------
    Fischer, Ritschel. Plateau-Reduced Differentiable Path Tracing. CVPR 2023.
    Fischer. Advanced Optimization for Machine Learning in Computer Graphics. Eurographics 2024 Doctoral Consortium,
    section 3.2, equations 2 and 3.

    Examples
    --------
    Far from a step at 1 the function is flat, and its derivative zero; blurred it has a slope.

    >>> step = lambda x: (x > 1).double()
    >>> x = torch.tensor(0.0, dtype=torch.float64)
    >>> estimate = Smoothed(sigma=0.5, pairs=4000).estimate(step, x, generator=torch.Generator().manual_seed(1))
    >>> print(f"{estimate.gradient:.3f} +- {estimate.standard_error:.3f}")  # N(1) = 0.108
    0.111 +- 0.004
    """

    def __init__(self, *, sigma: Width = 0.1, pairs: int = 1) -> None:
        self._widths = Widths("sigma", sigma)
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
        sigma = packing.widths("sigma", self._widths.now(packing.tensors, width))

        def draw(pairs: int) -> tuple[Tensor, Tensor]:
            device = torch.device("cpu") if generator is None else generator.device
            uniform = torch.rand(pairs, len(packing.flat), generator=generator, device=device).mul_(2)
            upper = uniform >= 1  # the upper half of the distribution, with a sign of +1
            sizes = uniform.sub_(upper.float()).neg_().log1p_().mul_(-2).sqrt_()  # finite since U < 1
            signs = upper.to(torch.int8).mul_(2).sub_(1).to(sigma.device)
            return signs, sigma * sizes.to(sigma.device).mul_(signs)

        scale = math.sqrt(2 / math.pi) / sigma
        result = estimate_from_pairs(as_objective(f), packing, draw, scale, pairs=self.pairs)
        self._widths.advance()
        return result

    def state_dict(self) -> dict[str, Any]:
        """The number of calls so far, which schedules depend on."""
        return self._widths.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the estimator was whose state this is."""
        self._widths.load_state_dict(state)
