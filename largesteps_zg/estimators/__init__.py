"""Gradients of functions that are only called."""

from ..images.contributors import Contributors as Contributors
from .differentiable import SampledLoss as SampledLoss
from .differentiable import differentiable as differentiable
from .estimate import Estimator as Estimator
from .estimate import GradientEstimate as GradientEstimate
from .estimate import Parameters as Parameters
from .evaluation.evaluate import EvaluationError as EvaluationError
from .evaluation.objective import Objective as Objective
from .evaluation.objective import as_objective as as_objective
from .evaluation.worker_pool import processes as processes
from .finite_differences import CentralDifferences as CentralDifferences
from .per_pixel import PerPixel as PerPixel
from .pixels import PixelLosses as PixelLosses
from .registry import ESTIMATORS as ESTIMATORS
from .schedules import geometric as geometric
from .schedules import linear as linear
from .smoothed import Smoothed as Smoothed
from .spsa import SPSA as SPSA
from .zerograds import ZeroGrads as ZeroGrads
