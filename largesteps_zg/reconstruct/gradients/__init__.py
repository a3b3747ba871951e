"""Where a reconstruction's gradients come from."""

from .latent import LatentSource as LatentSource
from .per_pixel import PerPixelSource as PerPixelSource
from .per_pixel import pixel_size as pixel_size
from .rasterized import Rasterized as Rasterized
from .registry import GRADIENTS as GRADIENTS
from .registry import make_source as make_source
from .source import GradientSource as GradientSource
from .source import LossResult as LossResult
from .source import SourceTraits as SourceTraits
from .source import Surface as Surface
