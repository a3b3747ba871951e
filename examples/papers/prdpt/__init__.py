from ..records import Experiment

EXPERIMENTS: dict[str, Experiment] = {}
