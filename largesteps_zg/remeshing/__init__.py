"""What `remesh` is made of: backends, a remesher of our own for lengths that vary, and fields of lengths."""

from .sizing import curved_lengths as curved_lengths
from .sizing import sizing_field as sizing_field
from .sizing import within_budget as within_budget
