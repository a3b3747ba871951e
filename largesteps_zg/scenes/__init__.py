"""Images, masks and cameras, read from files of many formats."""

from .carving.bounds import bounding_sphere as bounding_sphere
from .carving.inscribed import inscribed_sphere as inscribed_sphere
from .reading import Reading as Reading
from .registry import FORMATS as FORMATS
from .registry import load_scene as load_scene
from .save import save_scene as save_scene
from .views import Scene as Scene
from .views import Views as Views
