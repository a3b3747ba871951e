"""A mesh as a thing: made, read, measured, mended, remeshed."""

from .closest import ClosestPoints as ClosestPoints
from .closest import closest_points as closest_points
from .distances import SurfaceDistances as SurfaceDistances
from .distances import sample_surface as sample_surface
from .distances import surface_distances as surface_distances
from .files import load_mesh as load_mesh
from .files import save_mesh as save_mesh
from .mesh import Mesh as Mesh
from .quality import degenerate_faces as degenerate_faces
from .quality import flipped as flipped
from .quality import flipped_faces as flipped_faces
from .quality import triangle_quality as triangle_quality
from .shapes import icosphere as icosphere
