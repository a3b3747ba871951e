"""Gradients of functions that are only called; one idea per file, one line in registry.py for each estimator."""

from .differentiable import SampledLoss as SampledLoss
from .differentiable import differentiable as differentiable
from .estimate import Estimator as Estimator
from .estimate import GradientEstimate as GradientEstimate
from .estimate import Parameters as Parameters
from .finite_differences import CentralDifferences as CentralDifferences
from .objective import EvaluationError as EvaluationError
from .objective import Objective as Objective
from .objective import as_objective as as_objective
from .objective import processes as processes
from .per_pixel import PerPixel as PerPixel
from .pixels import PixelLosses as PixelLosses
from .registry import ESTIMATORS as ESTIMATORS
from .schedules import geometric as geometric
from .smoothed import Smoothed as Smoothed
from .spsa import SPSA as SPSA
from .zerograds import ZeroGrads as ZeroGrads
