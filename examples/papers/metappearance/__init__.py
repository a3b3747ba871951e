"""Metappearance: a start and step sizes, learned for a family of tasks."""

from ..records import Experiment
from .brdf import brdf
from .scenes import scene
from .shapes import shape

EXPERIMENTS: dict[str, Experiment] = {"brdf": brdf, "shape": shape, "scene": scene}
