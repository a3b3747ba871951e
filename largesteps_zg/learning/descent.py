"""Which way a step goes: the rules that rates are learned for, and gradient descent with a rate for every entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor

# The defaults of `optimize.UniformAdam`.
BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Rule(Protocol):
    """The directions of one run: what a rate is multiplied with, from the gradients so far."""

    def __call__(self, name: str, gradient: Tensor) -> Tensor: ...


class Gradient:
    """The gradient itself: gradient descent."""

    def __init__(self, together: int = 0) -> None:
        del together

    def __call__(self, name: str, gradient: Tensor) -> Tensor:
        """As it came."""
        return gradient


class Uniform:
    """`optimize.UniformAdam` as a function, so that derivatives pass through it.

    Parameters
    ----------
    together : int
        Tasks along the first axis of each tensor, each with a scale of its own; 0 for one task without that axis.
    """

    def __init__(self, together: int = 0) -> None:
        self.first_axis = 1 if together else 0
        self.moments: dict[str, tuple[Tensor, Tensor, int]] = {}

    def __call__(self, name: str, gradient: Tensor) -> Tensor:
        """The first moment over the root of the largest second moment, both corrected for their start at zero."""
        zero = torch.zeros_like(gradient)
        first, second, step = self.moments.get(name, (zero, zero, 0))
        first = BETAS[0] * first + (1 - BETAS[0]) * gradient
        second = BETAS[1] * second + (1 - BETAS[1]) * gradient.square()
        self.moments[name] = first, second, step + 1
        axes = tuple(range(self.first_axis, gradient.ndim))
        largest = second.amax(dim=axes, keepdim=True) if axes else second
        scale = (largest / (1 - BETAS[1] ** (step + 1))).sqrt() + EPSILON
        return first / ((1 - BETAS[0] ** (step + 1)) * scale)


RULES: dict[str, Callable[[int], Rule]] = {"gradient": Gradient, "uniform-adam": Uniform}


class Descent(torch.optim.Optimizer):
    """Gradient descent, ``p <- p - lr g``, where `lr` is a number or a tensor that broadcasts to the parameter.

    `torch.optim.SGD` takes numbers alone.

    Parameters
    ----------
    params : iterable of tensors or of parameter groups
    lr : float or tensor
        Of the groups that bring none.
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 1e-3) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of all parameters that have a gradient; the closure computes the loss anew, with gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.sub_(group["lr"] * parameter.grad)
        return loss
