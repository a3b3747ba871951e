from ..records import Experiment
from .beside import beside
from .edge import edge
from .mesh import mesh

EXPERIMENTS: dict[str, Experiment] = {"beside": beside, "edge": edge, "mesh": mesh}
