"""The estimators by name. A new one is one file and one line here, and inherits the family's tests."""

from __future__ import annotations

from .finite_differences import CentralDifferences
from .per_pixel import PerPixel
from .smoothed import Smoothed
from .spsa import SPSA
from .zerograds import ZeroGrads

# Every class is an `Estimator` that can be made without arguments.
ESTIMATORS: dict[str, type] = {
    "finite-differences": CentralDifferences,
    "spsa": SPSA,
    "smoothed": Smoothed,
    "zerograds": ZeroGrads,
    "per-pixel": PerPixel,
}
