"""How to look at a result, to compare it with photographs that were held out: from where, and how exposed."""

from __future__ import annotations

from ..cameras.model import Cameras
from ..reconstruct.rendering import Rendering
from ..reconstruct.result import Result
from ..scenes.views import Views


def held_out_cameras(result: Result, rendering: Rendering, views: Views) -> dict[str, Cameras]:
    """Cameras of the scene, under the names that `run.json` has for what is seen from them.

    Where the run's cameras were corrected, nothing has corrected these, and what they see says more about them than
    about the surface.

    Parameters
    ----------
    result : Result
    rendering : Rendering
        Of the same run.
    views : Views
        That were held out.

    Returns
    -------
    dict
        ``held_out``, the cameras as given; and where the run's cameras were corrected ``held_out_predicted``, with the
        corrections that those of their neighbours foretell, if they do (`Result.predicted`), and
        ``held_out_aligned``, fitted to these very photographs (`Rendering.aligned`).
    """
    found = {"held_out": views.cameras}
    if result.corrections is not None:
        foretold = result.predicted(views.cameras)
        if foretold is not None:
            found["held_out_predicted"] = foretold
        found["held_out_aligned"] = rendering.aligned(views)
    return found
