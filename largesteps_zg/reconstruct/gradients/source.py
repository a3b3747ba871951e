"""What a source of gradients is, and the plainest one: the differentiable rasterizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ...parameterize import LargeSteps
from ..batch import Batch
from ..difference import Difference


@runtime_checkable
class Surface(Protocol):
    """What a source needs to know of a fit: a mesh, its two latents, their parametrizations, its shading."""

    faces: Tensor
    edges: Tensor
    latent: Tensor
    color_latent: Tensor
    shape: LargeSteps
    paint: LargeSteps
    backend: str

    @property
    def difference(self) -> Difference:
        """How pictures are compared at present."""
        ...

    @property
    def light(self) -> Tensor:
        """(K, 3): coefficients of the present light."""
        ...

    def shaded(
        self, vertices: Tensor, albedo: Tensor, batch: Batch, *, light: Tensor | None = None
    ) -> Tensor:
        """(V, 3) or (B, V, 3): colours of the surface in some views; in another light where one is given."""
        ...


class GradientSource(ABC):
    """Makes the loss of a step, whose ``backward()`` reaches what the fit optimises.

    Attributes
    ----------
    step_factor : float
        On the step size of positions and colours: how much longer than with exact gradients. An optimiser that divides
        by the size of what it is given takes steps the shorter the more of that is noise.
    momentum : float
        Of the optimiser of positions and colours, in [0, 1).
    lambda_, max_vertices : float, int
        Defaults of a run's smoothing and of the bound on its vertices: noise wants more of the one, fewer of the other.
    lambda_bound : float
        To which the smoothing may fall as triangles become finer: noise has to be spread over more of them.
    bending_share : float
        Of the weight of `Bending`, whose gradient is exact: 0 for estimates that are too short, beside which it would
        rule.
    reaches_colors, reaches_cameras : bool
        Whether gradients reach what colours are made of beside light and albedo (gloss, exposure), and the cameras.
    exact_colors : bool
        Whether gradients of colours have no noise, so that each vertex can have a colour and steps of its own, and
        steps stay long for longer (`schedule.decay`); else neighbours share what is known.
    renders : int
        Images made so far to get gradients.
    shown : float or None
        What to report of the last loss, with brightness in full, since that counts less at some times of a run than at
        others; None for the loss itself.
    """

    exact_colors: bool = False
    reaches_colors: bool = False
    reaches_cameras: bool = False
    step_factor: float = 1.0
    momentum: float = 0.9
    lambda_: float = 19.0
    max_vertices: int = 20_000
    lambda_bound: float = 1.0
    bending_share: float = 1.0
    shown: float | None = None

    def __init__(self) -> None:
        self.renders = 0

    def topology_changed(self) -> None:  # noqa: B027
        """The fit has other triangles from now on; most sources keep nothing about them."""

    @abstractmethod
    def loss(
        self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch, *, progress: float
    ) -> Tensor:
        """The loss, differentiable.

        Parameters
        ----------
        fit : Surface
            A `Fit`.
        vertices, albedo : (V, 3) float32
            ``fit.surface()``.
        batch : Batch
        progress : float
            Share of the run that lies behind, in [0, 1).
        """

    def shortening(self, progress: float) -> float:
        """Factor on the step that follows from the last `loss`, beside those of the run."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on."""
        return {"renders": self.renders}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.renders = state["renders"]


def between(first: float, last: float, progress: float) -> float:
    """From one size to another, by the same factor at every step."""
    return first ** (1.0 - progress) * last**progress
