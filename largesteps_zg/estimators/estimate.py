"""What every estimator gives, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from .evaluation.objective import Objective

Parameters = Tensor | tuple[Tensor, ...]


@dataclass(frozen=True)
class GradientEstimate:
    """What samples of a function say of its gradient.

    Attributes
    ----------
    loss : () tensor
        What the evaluations say of the loss: their mean, which is the loss smoothed as the gradient is.
    gradient : tensor or tuple of tensors
        Shaped like the parameters, of their types, on their device.
    standard_error : tensor or tuple of tensors
        Of each entry of the gradient, about the estimator's own mean (not about the true gradient: a bias does not
        show here). NaN where the number of samples says nothing, as with one pair; 0 where nothing is random.
    evaluations : int
        Calls of the function, one for each parameter set.
    """

    loss: Float[Tensor, ""]
    gradient: Parameters
    standard_error: Parameters
    evaluations: int


@runtime_checkable
class Estimator(Protocol):
    """Makes a gradient of calls of a function."""

    def estimate(
        self,
        f: Callable[..., Any] | Objective,
        parameters: Parameters,
        *,
        generator: torch.Generator | None = None,
    ) -> GradientEstimate:
        """The gradient of f at the parameters.

        Parameters
        ----------
        f : callable or Objective
            Called with as many tensors as there are parameter tensors; gives a number. Its own derivative is never
            asked for.
        parameters : tensor or tuple of tensors
            float32 or float64, finite, on one device. Left as they are.
        generator : torch.Generator, optional
            Where random numbers come from, on its device, in an order that does not depend on how f is evaluated.
            Torch's own for the CPU if None.

        Raises
        ------
        ValueError
            Parameters that are none, or a perturbation's size that does not fit them.
        EvaluationError
            f raised, or gave no finite number.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that later calls depend on, apart from the arguments of the constructor."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the estimator was whose state this is."""
        ...
