"""What ``import nvdiffrast.torch as dr`` offers, on the CPU and on CUDA.

Names, arguments and results are those of nvdiffrast's documentation. One thing differs on purpose: `antialias` finds
silhouettes in the mesh, not in the image. ``docs/coming-from-nvdiffrast.md`` lists all differences.
"""

from __future__ import annotations

from .antialiasing import antialias as antialias
from .antialiasing import antialias_construct_topology_hash as antialias_construct_topology_hash
from .contexts import RasterizeCudaContext as RasterizeCudaContext
from .contexts import RasterizeGLContext as RasterizeGLContext
from .contexts import get_log_level as get_log_level
from .contexts import set_log_level as set_log_level
from .interpolating import interpolate as interpolate
from .rasterizing import DepthPeeler as DepthPeeler
from .rasterizing import rasterize as rasterize
from .texturing import texture as texture
from .texturing import texture_construct_mip as texture_construct_mip
