"""What a source of gradients is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ..batch import Batch
from ..difference import Difference
from ..diffused import Diffused
from .traits import SourceTraits


@runtime_checkable
class Surface(Protocol):
    """What a source needs to know of a fit: triangles, diffused positions and colours, shading."""

    backend: str
    paint: Diffused

    @property
    def faces(self) -> Tensor:
        """(F, 3) int64."""
        ...

    @property
    def edges(self) -> Tensor:
        """The rasterizer's table of edges."""
        ...

    @property
    def shape(self) -> Diffused:
        """The positions."""
        ...

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


@dataclass(frozen=True)
class LossResult:
    """The loss of a step.

    Attributes
    ----------
    loss : () tensor
        Differentiable.
    shown : float
        What to report of it, with all colours in full: brightness counts less at some times of a run than at others,
        and some pixels less than others.
    """

    loss: Tensor
    shown: float


class GradientSource(ABC):
    """Makes the loss of a step, whose ``backward()`` reaches what the fit optimises.

    Attributes
    ----------
    traits : SourceTraits
    renders : int
        Images made so far to get gradients.
    """

    traits = SourceTraits()

    def __init__(self) -> None:
        self.renders = 0

    def topology_changed(self) -> None:  # noqa: B027
        """The fit has other triangles from now on; most sources keep nothing about them."""

    @abstractmethod
    def loss(
        self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch, *, progress: float
    ) -> LossResult:
        """The loss of some views.

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
