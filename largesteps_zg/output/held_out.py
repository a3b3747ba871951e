"""How to look at a result, to compare it with photographs that were held out: from where, and how exposed."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

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


def exposed(image: Float[Tensor, "H W 4"], photograph: Float[Tensor, "H W 4"]) -> Float[Tensor, "H W 4"]:
    """An image of a result, its left half as the right half of the photograph was exposed, and the other way round.

    Only the photograph itself tells how it was exposed. Each channel gets one gain, the best by least squares where
    both see the object; no pixel has a say in the gain by which it is judged (as in the evaluation of NeRF in the Wild,
    Martin-Brualla et al., CVPR 2021). Linear colours, premultiplied.
    """
    both = (image[..., 3] > 0.5) & (photograph[..., 3] > 0.5)
    columns = both.sum(dim=0)
    before = columns.cumsum(0) - columns  # in the columns to the left
    left = (before < before[-1].add(columns[-1]) / 2).expand_as(both)
    result = image.clone()
    for half, other in ((left, ~left), (~left, left)):
        made, taken = image[both & other][:, :3], photograph[both & other][:, :3]
        light = made.square().sum(0)
        gain = torch.where(light > 0, (made * taken).sum(0) / light, torch.ones_like(light))
        result[..., :3] = torch.where(half[..., None], image[..., :3] * gain, result[..., :3])
    return result
