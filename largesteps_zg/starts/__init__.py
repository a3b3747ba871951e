"""Meshes to start a reconstruction from: a sphere, the hull of the masks, the better of the two, or the user's own."""

from .choose import Start as Start
from .choose import choose_start as choose_start
from .condition import conditioned as conditioned
from .from_file import FileStart as FileStart
from .from_file import start_from_file as start_from_file
from .hull import visual_hull as visual_hull
from .layout import Layout as Layout
from .overlap import silhouette_overlap as silhouette_overlap
from .sphere import starting_sphere as starting_sphere
