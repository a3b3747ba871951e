"""The differentiable rasterizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import face

if TYPE_CHECKING:
    from .api import antialias as antialias
    from .api import interpolate as interpolate
    from .api import pixels_from_clip as pixels_from_clip
    from .api import rasterize as rasterize
    from .api import rasterize_layers as rasterize_layers
    from .fragments import Fragments as Fragments
    from .silhouette_edges import edge_table as edge_table

__getattr__, __dir__ = face(
    __name__,
    {
        "api": ("antialias", "interpolate", "pixels_from_clip", "rasterize", "rasterize_layers"),
        "fragments": ("Fragments",),
        "silhouette_edges": ("edge_table",),
    },
)
