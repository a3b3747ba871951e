"""New triangles for the same surface."""

from .remesher import BarycentricMap as BarycentricMap
from .remesher import RemeshResult as RemeshResult
from .remesher import remesh as remesh
from .sizing import curved_lengths as curved_lengths
from .sizing import sizing_field as sizing_field
from .sizing import within_budget as within_budget
