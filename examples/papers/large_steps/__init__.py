from ..records import Experiment
from .comparison import comparison
from .influence import influence
from .multiscale import multiscale
from .remeshing import remeshing
from .silhouettes import silhouettes
from .teaser import teaser
from .viewpoints import viewpoints

EXPERIMENTS: dict[str, Experiment] = {
    "teaser": teaser,
    "multiscale": multiscale,
    "remeshing": remeshing,
    "silhouettes": silhouettes,
    "comparison": comparison,
    "viewpoints": viewpoints,
    "influence": influence,
}
