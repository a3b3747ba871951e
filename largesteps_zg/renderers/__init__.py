"""Renderers: a differentiable one, and those that are only called."""

from ..images.contributors import Contributors as Contributors
from .black_box import BlackBox as BlackBox
from .black_box import Pictures as Pictures
from .function import FunctionRenderer as FunctionRenderer
from .hard import HardRasterizer as HardRasterizer
from .light import SphericalHarmonicsLight as SphericalHarmonicsLight
from .light import load_light as load_light
from .opengl import OpenGL as OpenGL
from .rasterized import homogeneous_pixels as homogeneous_pixels
from .rasterized import render as render
from .rasterized import shade as shade
from .registry import load_renderer as load_renderer
from .soft import render_soft as render_soft
