from ..records import Experiment
from .soups import opengl, soup
from .splatting import splats

EXPERIMENTS: dict[str, Experiment] = {"soup": soup, "splats": splats, "opengl": opengl}
