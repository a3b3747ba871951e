"""From multi-view images to a mesh, on any machine: Large Steps in inverse rendering of geometry."""

from __future__ import annotations

from ._support.lazy import face
from ._version import __author__ as __author__
from ._version import __version__ as __version__

TYPE_CHECKING = False  # as in ._support.lazy
if TYPE_CHECKING:
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

# Names are looked up when they are used (PEP 562), so that `largesteps-zg --help` need not load torch.
_ROOMS = {
    "cameras": ("Cameras", "look_at", "sphere_of_cameras"),
    "geometry": ("compute_matrix",),
    "mesh": ("Mesh", "icosphere", "load_mesh", "save_mesh"),
    "optimize": ("AdamUniform", "UniformAdam"),
    "parameterize": ("LargeSteps", "from_differential", "to_differential"),
    "solvers": ("CholeskySolver", "ConjugateGradientSolver"),
}

__getattr__, __dir__ = face(__name__, _ROOMS)
