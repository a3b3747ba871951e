"""The sources by name. Each is imported when it is made: the names are known without torch."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from ..._support.values import check_choice
from ...constants import DEFAULTS, Estimates

if TYPE_CHECKING:
    from ...renderers.black_box import BlackBox
    from .source import GradientSource


def _late(module: str, name: str) -> Callable[[BlackBox, int, Estimates], GradientSource]:
    """What a module of this folder has by that name, loaded when it is called."""

    def make(renderer: BlackBox, seed: int, constants: Estimates) -> GradientSource:
        called = getattr(import_module(f".{module}", __package__), name)
        source: GradientSource = called(renderer, seed, constants)
        return source

    return make


# Each is called with the renderer (which the first two have no use for), a seed and sizes.
GRADIENTS: dict[str, Callable[[BlackBox, int, Estimates], GradientSource]] = {
    "rasterizer": _late("rasterized", "rasterized"),
    "soft": _late("soft", "Soft"),
    "per-pixel": _late("per_pixel", "PerPixelSource"),
    "zerograds": _late("latent", "zerograds"),
    "smoothed": _late("latent", "smoothed"),
    "spsa": _late("latent", "spsa"),
}


def check_source(name: object) -> str:
    """The name of a source, or ValueError."""
    return check_choice("gradients", name, GRADIENTS)


def make_source(
    name: str, renderer: BlackBox, seed: int, constants: Estimates = DEFAULTS.estimates
) -> GradientSource:
    """The source of a name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    return GRADIENTS[check_source(name)](renderer, seed, constants)
