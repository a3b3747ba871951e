from ..records import Experiment
from .ablation import ablation
from .box import box
from .caustic import caustic
from .cup import cup
from .illumination import illumination
from .occlusion import occlusion
from .shadows import shadows
from .sort import sort

EXPERIMENTS: dict[str, Experiment] = {
    "box": box,
    "cup": cup,
    "shadows": shadows,
    "occlusion": occlusion,
    "illumination": illumination,
    "sort": sort,
    "caustic": caustic,
    "ablation": ablation,
}
