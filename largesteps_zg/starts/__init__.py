"""Meshes to start a reconstruction from: a sphere, the hull of the masks, the better of the two, or the user's own."""

from .choose import Start as Start
from .choose import choose_start as choose_start
from .condition import conditioned as conditioned
from .hull import visual_hull as visual_hull
from .sphere import starting_sphere as starting_sphere
