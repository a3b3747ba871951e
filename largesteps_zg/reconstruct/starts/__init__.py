"""Shapes to start from."""

from .choose import Start as Start
from .choose import choose_start as choose_start
from .choose import depths_start as depths_start
from .from_file import FileStart as FileStart
from .from_file import start_from_file as start_from_file
from .hull import visual_hull as visual_hull
from .overlap import silhouette_overlap as silhouette_overlap
from .sphere import starting_sphere as starting_sphere
