"""A function that is only called, as a loss like any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from .estimate import Estimator, GradientEstimate, Parameters
from .evaluation.objective import Objective, as_objective
from .packing import Packing
from .schedules import Width


def differentiable(
    f: Callable[..., Any] | Objective,
    estimator: Estimator,
    *,
    generator: torch.Generator | None = None,
    width: Width | None = None,
) -> SampledLoss:
    """A loss whose ``backward()`` deposits an estimate of the gradient of f, chain rule included.

    ::

        loss = differentiable(f, SPSA())(parameters)
        loss.backward()
        optimizer.step()

    Parameters
    ----------
    f : callable or Objective
        From as many tensors as the loss is called with to a number. Its own derivative is never asked for.
    estimator : Estimator
        Makes the gradient.
    generator : torch.Generator, optional
        Where random numbers come from; torch's own for the CPU if None.
    width : float, callable, or tuple of these, optional
        Size of the perturbations in place of the estimator's own, for estimators whose ``estimate`` takes one.

    Returns
    -------
    SampledLoss
        Keep it for the whole run: schedules count its calls.
    """
    return SampledLoss(f, estimator, generator=generator, width=width)


class SampledLoss:
    """What `differentiable` gives: call it with the parameters.

    Attributes
    ----------
    last : GradientEstimate or None
        Of the latest call that asked for a gradient; shaped like those parameters that did.
    evaluations : int
        Calls of f in all so far, those without a gradient included.

    Notes
    -----
    The estimate is made when the loss is computed, not in ``backward()``, which only scales it. Parameters that do not
    require a gradient are held fixed and get no perturbation. Where none does, or within ``torch.no_grad()``, f is
    evaluated once, at the parameters themselves, and the estimator is left alone; note that its loss is the unperturbed
    one, and that of an estimate the mean over the perturbed.
    A second derivative is refused. Cost, bias and variance are those of the estimator.

    Examples
    --------
    >>> from largesteps_zg.estimators import CentralDifferences
    >>> digits = lambda x: sum(int(digit) for digit in f"{x.item():.0f}")  # nobody's derivative
    >>> x = torch.tensor(17.0, requires_grad=True)
    >>> loss = differentiable(digits, CentralDifferences(epsilon=1.0))(x)
    >>> loss.backward()
    >>> x.grad  # (9 - 7) / 2
    tensor(1.)
    """

    def __init__(
        self,
        f: Callable[..., Any] | Objective,
        estimator: Estimator,
        *,
        generator: torch.Generator | None = None,
        width: Width | None = None,
    ) -> None:
        self.objective = as_objective(f)
        self.estimator = estimator
        self._options: dict[str, Any] = {} if width is None else {"width": width}
        self.generator = generator
        self.last: GradientEstimate | None = None
        self.evaluations = 0

    def __call__(self, *parameters: Tensor) -> Float[Tensor, ""]:
        """The loss at the parameters, one tensor for each argument of f.

        Raises
        ------
        ValueError
            No parameters, or others than finite float32 or float64 tensors on one device.
        EvaluationError
            f raised, or gave no finite number.
        """
        packing = Packing(parameters)
        if torch.is_grad_enabled() and any(p.requires_grad for p in parameters):
            return _Sampled.apply(self, *parameters)
        losses = self.objective.losses(packing.points(packing.flat[None]))
        self.evaluations += 1
        return losses[0].to(packing.flat.device, packing.flat.dtype)

    def _estimate(self, parameters: Sequence[Tensor]) -> tuple[Tensor, list[Tensor | None]]:
        """The loss, and a gradient for each parameter that asks for one."""
        wanted = [p.requires_grad for p in parameters]
        objective = self.objective if all(wanted) else _WithFixed(self.objective, parameters)
        moving = tuple(p for p in parameters if p.requires_grad)
        asked: Parameters = moving if len(moving) > 1 else moving[0]
        self.last = self.estimator.estimate(objective, asked, generator=self.generator, **self._options)
        self.evaluations += self.last.evaluations
        made = self.last.gradient
        gradients = iter(made if isinstance(made, tuple) else (made,))
        return self.last.loss, [next(gradients) if wants else None for wants in wanted]


class _Sampled(torch.autograd.Function):
    """The estimate as a node of autograd's graph."""

    @staticmethod
    def forward(ctx: Any, sampled: SampledLoss, *parameters: Tensor) -> Tensor:
        loss, gradients = sampled._estimate(parameters)
        ctx.save_for_backward(*gradients)
        return loss.clone()  # autograd marks what is returned, and `last` keeps the other

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return None, *(None if g is None else upstream.to(g.dtype) * g for g in ctx.saved_tensors)


class _WithFixed(Objective):
    """An objective of the parameters that ask for a gradient, with the others put back where they belong.

    `moving` says which those are, for estimators that are told something of every argument.
    """

    def __init__(self, objective: Objective, parameters: Sequence[Tensor]) -> None:
        self._objective = objective
        self.moving = [p.requires_grad for p in parameters]
        self._fixed = [None if p.requires_grad else p.detach() for p in parameters]

    def losses(self, points: Sequence[tuple[Tensor, ...]]) -> Tensor:
        return self._objective.losses([self._complete(point) for point in points])

    def results(self, points: Sequence[tuple[Tensor, ...]]) -> list[Any]:
        return self._objective.results([self._complete(point) for point in points])

    def _complete(self, moving: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The whole argument list of f."""
        rest = iter(moving)
        return tuple(next(rest) if fixed is None else fixed for fixed in self._fixed)
