"""Every gradient at one target, with one budget."""

from .jobs import BUDGET as BUDGET
from .jobs import check_gradients as check_gradients
from .jobs import compare as compare
from .jobs import mesh_target as mesh_target
from .jobs import scene_target as scene_target
from .records import UNITS as UNITS
from .records import Budget as Budget
from .records import Progress as Progress
from .records import Result as Result
from .records import Target as Target
