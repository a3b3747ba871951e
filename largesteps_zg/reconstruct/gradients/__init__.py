"""Where a reconstruction's gradients come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._support.lazy import face

if TYPE_CHECKING:
    from .latent import LatentSource as LatentSource
    from .per_pixel import PerPixelSource as PerPixelSource
    from .per_pixel import pixel_size as pixel_size
    from .rasterized import Rasterized as Rasterized
    from .registry import GRADIENTS as GRADIENTS
    from .registry import make_source as make_source
    from .source import GradientSource as GradientSource
    from .source import LossResult as LossResult
    from .source import Surface as Surface
    from .traits import SourceTraits as SourceTraits

__getattr__, __dir__ = face(
    __name__,
    {
        "latent": ("LatentSource",),
        "per_pixel": ("PerPixelSource", "pixel_size"),
        "rasterized": ("Rasterized",),
        "registry": ("GRADIENTS", "make_source"),
        "source": ("GradientSource", "LossResult", "Surface"),
        "traits": ("SourceTraits",),
    },
)
