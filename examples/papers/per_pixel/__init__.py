from ..records import Experiment
from .cost import cost
from .environment import environment
from .soups import opengl, soup
from .splatting import splats
from .subdivision import subdivision
from .textures import textures
from .volume import volume

EXPERIMENTS: dict[str, Experiment] = {
    "soup": soup,
    "splats": splats,
    "textures": textures,
    "volume": volume,
    "environment": environment,
    "subdivision": subdivision,
    "opengl": opengl,
    "cost": cost,
}
