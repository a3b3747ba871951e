"""From where to look at a result, to compare it with photographs that were held out."""

from __future__ import annotations

from .camera_alignment import aligned_views
from .camera_prediction import predicted
from .cameras import Cameras
from .reconstruct import Reconstruction
from .scenes import Views


def held_out_cameras(run: Reconstruction, views: Views) -> dict[str, Cameras]:
    """Cameras of the scene, under the names that `run.json` has for what is seen from them.

    Where the run's cameras were corrected, nothing has corrected these, and what they see says more about them than
    about the surface.

    Returns
    -------
    dict
        ``held_out``, the cameras as given; and where the run's cameras were corrected ``held_out_predicted``, with what
        the corrections of their neighbours foretell, if they do (`camera_prediction.predicted`), and
        ``held_out_aligned``, fitted to these very photographs (`camera_alignment.aligned`).
    """
    found = {"held_out": views.cameras}
    corrections = run.fit.corrections
    if corrections is not None and corrections.kept:
        given = run.normalized(views.cameras)
        foretold = predicted(corrections, given)
        if foretold is not None:
            found["held_out_predicted"] = run.restored(foretold)
        found["held_out_aligned"] = run.restored(aligned_views(run.fit, given, views))
    return found
