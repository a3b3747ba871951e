"""What papers report of a mesh: distances to scans, meshes, and points triangulated from photographs."""

from .dtu import DtuDistances as DtuDistances
from .dtu import Observation as Observation
from .dtu import dtu_distances as dtu_distances
from .dtu import read_observation as read_observation
from .evaluate import Evaluation as Evaluation
from .evaluate import evaluate as evaluate
from .evaluate import points_to_mesh as points_to_mesh
from .figures_of_merit import Spread as Spread
from .figures_of_merit import accuracy as accuracy
from .figures_of_merit import completeness as completeness
from .figures_of_merit import mean_below as mean_below
from .figures_of_merit import spread as spread
from .reference import Reference as Reference
from .reference import read_reference as read_reference
from .thinning import sampled as sampled
from .thinning import thinned as thinned
from .triangulation import TriangulatedPoints as TriangulatedPoints
from .triangulation import triangulated_points as triangulated_points
