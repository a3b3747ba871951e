"""Numbers that are not finite: where they come from."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class NonFiniteError(ArithmeticError):
    """A loss or a gradient became infinite or not a number; the message says at which step and where."""


def cause(vertices: Tensor, albedo: Tensor, light: Tensor, targets: Tensor) -> str:
    """Why a loss is not finite."""
    for name, value in (("positions", vertices), ("colours", albedo), ("light", light)):
        if not bool(torch.isfinite(value).all()):
            return f"the {name} are not finite; is the step size too large?"
    if not bool(torch.isfinite(targets).all()):
        return "the target images are not finite"
    reach = float(vertices.detach().norm(dim=1).max())
    return f"the positions are up to {reach:.2g} radii of the scene away; is the step size too large?"


def check_gradients(gradients: Iterable[tuple[str, Tensor | None]], number: int, loss: float) -> None:
    """NonFiniteError for a gradient that is not finite; says of what, at which step and loss."""
    for name, gradient in gradients:
        if gradient is not None and not bool(torch.isfinite(gradient).all()):
            raise NonFiniteError(
                f"step {number}: the gradient of the {name} is not finite, the loss was {loss:.4g}"
            )
