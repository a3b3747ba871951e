"""The differentiable rasterizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import face

if TYPE_CHECKING:
    from .api import antialias as antialias
    from .api import draw as draw
    from .api import interpolate as interpolate
    from .api import pixels_from_clip as pixels_from_clip
    from .api import rasterize as rasterize
    from .api import rasterize_layers as rasterize_layers
    from .fragments import Fragments as Fragments
    from .mipmaps import Mipmaps as Mipmaps
    from .mipmaps import build_mipmaps as build_mipmaps
    from .silhouette_edges import edge_table as edge_table
    from .textures import sample_texture as sample_texture

__getattr__, __dir__ = face(
    __name__,
    {
        "api": ("antialias", "draw", "interpolate", "pixels_from_clip", "rasterize", "rasterize_layers"),
        "fragments": ("Fragments",),
        "mipmaps": ("Mipmaps", "build_mipmaps"),
        "silhouette_edges": ("edge_table",),
        "textures": ("sample_texture",),
    },
)
