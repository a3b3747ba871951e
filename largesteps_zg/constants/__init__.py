"""The numbers that decide about a user's data: groups of them, each with its unit and where it comes from."""

from .appearance import Gains as Gains
from .appearance import Highlights as Highlights
from .appearance import Hue as Hue
from .everything import DEFAULTS as DEFAULTS
from .everything import Constants as Constants
from .photographs import Carving as Carving
from .photographs import Checks as Checks
from .photographs import Matching as Matching
from .photographs import Outlining as Outlining
from .photographs import Photographs as Photographs
from .photographs import Structure as Structure
from .photographs import Topology as Topology
from .run import Correcting as Correcting
from .run import Estimates as Estimates
from .run import Patches as Patches
from .run import Schedule as Schedule
from .shape import Decimation as Decimation
from .shape import Mending as Mending
from .shape import Priors as Priors
from .shape import Remeshing as Remeshing
from .texture import Texture as Texture
