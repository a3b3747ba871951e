"""A scene, a result or a run, looked at in a browser (viser)."""

from .stage import Photographs as Photographs
from .stage import Stage as Stage
