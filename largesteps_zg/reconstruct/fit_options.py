"""How a surface is fitted."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..constants import DEFAULTS, Constants
from .difference import Difference


@dataclass(frozen=True)
class FitOptions:
    """How a surface is fitted.

    Attributes
    ----------
    lambda_ : float
        Of the positions' parametrization, until it is remeshed.
    step_size : float
        Of the optimiser of positions, before the source's own factor.
    backend : str
        Of the rasterizer.
    colors_known : bool
        The albedo stays as it is.
    difference : Difference
        How pictures are compared where highlights are explained.
    bending : float
        Weight of the surface's `Bending` beside the loss, at the end of the run; see `schedule.bending_weight`.
    constants : Constants
    """

    lambda_: float
    step_size: float
    backend: str
    colors_known: bool = False
    difference: Difference = field(default_factory=Difference)
    bending: float = 0.0
    constants: Constants = DEFAULTS
