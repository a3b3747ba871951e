"""Positions or colours of vertices as the diffusion of a latent, and the optimiser of that."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..optimize import UniformAdam
from ..parameterize import LargeSteps


class Diffused:
    """Values at the vertices of a mesh, under optimisation: ``(I + lambda L)^-1 latent``.

    Parameters
    ----------
    values : (V, 3) float32
        To start from.
    faces : (F, 3) int64
    rest : (V, 3) float32
        Positions of the mesh; they decide which vertices are one.
    lambda_ : float
    momentum : float
        Of the optimiser. Its step size is given with each step.
    known : bool
        The values stay as they are.

    Attributes
    ----------
    latent : (V, 3) float32
    """

    def __init__(
        self,
        values: Tensor,
        faces: Tensor,
        rest: Tensor,
        *,
        lambda_: float,
        momentum: float,
        known: bool = False,
    ) -> None:
        self.lambda_ = lambda_
        self.parametrization = LargeSteps(faces, rest, lambda_)
        self.latent = self.to_differential(values.detach()).requires_grad_(not known)
        self.optimizer = UniformAdam([self.latent], betas=(momentum, 0.999))

    def __call__(self) -> Tensor:
        """(V, 3): the values, differentiable in the latent."""
        return self.from_differential(self.latent)

    def from_differential(self, latent: Tensor) -> Tensor:
        """(V, 3): the values that belong to a latent."""
        return self.parametrization.from_differential(latent)

    def to_differential(self, values: Tensor) -> Tensor:
        """(V, 3): the latent that belongs to values."""
        return self.parametrization.to_differential(values)

    def step(self, size: float) -> None:
        """Follow the gradient."""
        self.optimizer.param_groups[0]["lr"] = size
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on, beside the mesh."""
        return {
            "lambda_": self.lambda_,
            "latent": self.latent.detach(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; the mesh and its lambda are the same."""
        with torch.no_grad():
            self.latent.copy_(state["latent"])
        self.optimizer.load_state_dict(state["optimizer"])
