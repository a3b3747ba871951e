"""The sources by name."""

from __future__ import annotations

from collections.abc import Callable

from ...constants import DEFAULTS, Estimates
from ...renderers.black_box import BlackBox
from .latent import smoothed, spsa, zerograds
from .per_pixel import PerPixelSource
from .rasterized import Rasterized
from .source import GradientSource

# Each is called with the renderer (which the first has no use for), a seed and sizes.
GRADIENTS: dict[str, Callable[[BlackBox, int, Estimates], GradientSource]] = {
    "rasterizer": lambda renderer, seed, constants: Rasterized(),
    "per-pixel": PerPixelSource,
    "zerograds": zerograds,
    "smoothed": smoothed,
    "spsa": spsa,
}


def make_source(
    name: str, renderer: BlackBox, seed: int, constants: Estimates = DEFAULTS.estimates
) -> GradientSource:
    """The source of a name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in GRADIENTS:
        raise ValueError(f"gradients: expected one of {', '.join(GRADIENTS)}, got {name!r}")
    return GRADIENTS[name](renderer, seed, constants)
