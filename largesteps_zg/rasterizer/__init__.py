from .api import antialias as antialias
from .api import interpolate as interpolate
from .api import rasterize as rasterize
from .edges import edge_table as edge_table
from .fragments import Fragments as Fragments
