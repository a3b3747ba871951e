"""The differentiable rasterizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import face

if TYPE_CHECKING:
    from .api import antialias as antialias
    from .api import interpolate as interpolate
    from .api import rasterize as rasterize
    from .fragments import Fragments as Fragments
    from .silhouette_edges import edge_table as edge_table

__getattr__, __dir__ = face(
    __name__,
    {
        "api": ("antialias", "interpolate", "rasterize"),
        "fragments": ("Fragments",),
        "silhouette_edges": ("edge_table",),
    },
)
