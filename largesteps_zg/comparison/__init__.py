"""Every gradient at one target, with one budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import face

if TYPE_CHECKING:
    from .budget import UNITS as UNITS
    from .budget import Budget as Budget
    from .jobs import compare as compare
    from .jobs import mesh_target as mesh_target
    from .jobs import scene_target as scene_target
    from .plan import BUDGET as BUDGET
    from .plan import check_gradients as check_gradients
    from .records import Progress as Progress
    from .records import Result as Result
    from .records import Target as Target

__getattr__, __dir__ = face(
    __name__,
    {
        "budget": ("UNITS", "Budget"),
        "jobs": ("compare", "mesh_target", "scene_target"),
        "plan": ("BUDGET", "check_gradients"),
        "records": ("Progress", "Result", "Target"),
    },
)
