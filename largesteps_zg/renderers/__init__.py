from .rasterized import homogeneous_pixels as homogeneous_pixels
from .rasterized import render as render
from .rasterized import shade as shade
