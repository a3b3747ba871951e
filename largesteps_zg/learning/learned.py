"""What meta-learning found: a start and rates, and how optimisers take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..optimize import UniformAdam
from .descent import Descent


@dataclass(frozen=True)
class Learned:
    """A start and rates for the tasks of a family.

    Attributes
    ----------
    start : dict of tensors
    rates : dict of tensors
        One for each tensor of the start, of its shape or of one that broadcasts to it; > 0.
    rule : {"gradient", "uniform-adam"}
        What the rates were learned for: steps along the gradient, or those of `optimize.UniformAdam`.
    losses : tuple of float
        Of each step of the learning: the mean loss of its tasks after they were adapted.

    Examples
    --------
    >>> learned = Learned({"x": torch.zeros(2)}, {"x": torch.tensor([0.5, 0.25])}, "gradient", ())
    >>> parameters = learned.parameters()
    >>> optimizer = learned.optimizer(parameters)
    >>> (parameters["x"] - 1).square().sum().backward()
    >>> _ = optimizer.step()
    >>> parameters["x"].tolist()
    [1.0, 0.5]
    """

    start: dict[str, Tensor]
    rates: dict[str, Tensor]
    rule: str
    losses: tuple[float, ...]

    def parameters(self) -> dict[str, Tensor]:
        """Fresh leaves at the start, to be optimised."""
        return {name: value.detach().clone().requires_grad_() for name, value in self.start.items()}

    def groups(self, parameters: Mapping[str, Tensor]) -> list[dict[str, Any]]:
        """Parameter groups, one for each tensor with its rate as `lr`, for an optimiser of any kind.

        `lr` is a float where a tensor has one rate, which every optimiser takes. Rates of single entries are tensors,
        which `Descent`, `UniformAdam` and `VectorAdam` take.
        """
        rates = {name: float(rate) if rate.numel() == 1 else rate for name, rate in self.rates.items()}
        return [{"params": [parameters[name]], "lr": rate} for name, rate in rates.items()]

    def optimizer(self, parameters: Mapping[str, Tensor]) -> torch.optim.Optimizer:
        """The optimiser that the rates were learned for."""
        return (UniformAdam if self.rule == "uniform-adam" else Descent)(self.groups(parameters))

    def save(self, path: str | Path) -> None:
        """As a file that `load` and ``torch.load`` read."""
        torch.save({"start": self.start, "rates": self.rates, "rule": self.rule, "losses": self.losses}, path)

    @classmethod
    def load(cls, path: str | Path) -> Learned:
        """From a file of `save`."""
        return cls(**torch.load(path, weights_only=True))
