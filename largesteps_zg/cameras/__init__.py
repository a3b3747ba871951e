"""Pinhole cameras: made, converted, corrected."""

from .conventions import from_colmap as from_colmap
from .conventions import from_idr as from_idr
from .conventions import from_mitsuba as from_mitsuba
from .conventions import from_opencv as from_opencv
from .conventions import from_opengl as from_opengl
from .conventions import from_pytorch3d as from_pytorch3d
from .conventions import pinhole as pinhole
from .model import Cameras as Cameras
from .placement import look_at as look_at
from .placement import sphere_of_cameras as sphere_of_cameras
