"""Where the gradient of a reconstruction comes from: a differentiable rasterizer, or a renderer that is only called."""

from .latent import LatentSource as LatentSource
from .per_pixel import PerPixelSource as PerPixelSource
from .per_pixel import pixel_size as pixel_size
from .registry import GRADIENTS as GRADIENTS
from .registry import make_source as make_source
from .source import Batch as Batch
from .source import Difference as Difference
from .source import GradientSource as GradientSource
from .source import Rasterized as Rasterized
from .source import Surface as Surface
