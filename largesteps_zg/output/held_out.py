"""How to look at a result, to compare it with photographs that were held out: from where, and how exposed."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..cameras.alignment import aligned
from ..cameras.model import Cameras
from ..cameras.prediction import predicted
from ..reconstruct.batch import Batch
from ..reconstruct.fit import Fit
from ..reconstruct.loop import Reconstruction
from ..scenes.views import Views


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


def exposed(image: Float[Tensor, "H W 4"], photograph: Float[Tensor, "H W 4"]) -> Float[Tensor, "H W 4"]:
    """An image of a result, its left half as the right half of the photograph was exposed, and the other way round.

    How a photograph was exposed nothing tells but itself. One gain for each channel, the best by least squares where
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


def aligned_views(fit: Fit, cameras: Cameras, views: Views) -> Cameras:
    """Cameras from which views fit a surface best, one after the other.

    Parameters
    ----------
    fit : Fit
        The surface, and how pictures are compared.
    cameras : Cameras
        Of the views, in the fit's coordinates.
    views : Views
    """
    vertices, albedo = (part.detach() for part in fit.surface())
    found = []
    for i in range(len(views)):
        targets = views.linear(i, device=vertices.device)
        known = None if views.known is None else views.known[i : i + 1].to(vertices)
        batch = Batch(cameras[i], targets, torch.tensor([i], device=vertices.device), known)

        def difference(camera: Cameras, batch: Batch = batch) -> Tensor:
            return fit.difference.loss(fit.images(vertices, albedo, camera), batch)

        found.append(aligned(cameras[i], difference).world_to_camera)
    return cameras._with(torch.cat(found), cameras.intrinsics)
