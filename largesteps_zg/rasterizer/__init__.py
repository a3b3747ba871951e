"""The differentiable rasterizer."""

from .api import antialias as antialias
from .api import interpolate as interpolate
from .api import rasterize as rasterize
from .fragments import Fragments as Fragments
from .silhouette_edges import edge_table as edge_table
