"""From multi-view images to a mesh, on any machine: Large Steps in inverse rendering of geometry."""

from ._version import __version__ as __version__
from .cameras import Cameras as Cameras
from .cameras import look_at as look_at
from .cameras import sphere_of_cameras as sphere_of_cameras
from .geometry import compute_matrix as compute_matrix
from .mesh import Mesh as Mesh
from .mesh import icosphere as icosphere
from .mesh import load_mesh as load_mesh
from .mesh import save_mesh as save_mesh
from .optimize import AdamUniform as AdamUniform
from .optimize import UniformAdam as UniformAdam
from .parameterize import LargeSteps as LargeSteps
from .parameterize import from_differential as from_differential
from .parameterize import to_differential as to_differential
from .solvers import CholeskySolver as CholeskySolver
from .solvers import ConjugateGradientSolver as ConjugateGradientSolver
