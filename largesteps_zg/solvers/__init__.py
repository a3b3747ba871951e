"""Sparse symmetric systems M x = b: factored once, solved often, differentiable."""

from .cholesky import CholeskySolver as CholeskySolver
from .conjugate_gradient import ConjugateGradientSolver as ConjugateGradientSolver
from .conjugate_gradient import Convergence as Convergence
from .conjugate_gradient import ConvergenceError as ConvergenceError
from .solver import DifferentiableSolve as DifferentiableSolve
from .solver import Solver as Solver
from .solver import solve as solve
