"""How good a reconstruction is: held-out images, distance to the true surface, soundness of the mesh."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from ..cameras.model import Cameras
from ..geometry.connectivity import topology
from ..images.color import linear_to_srgb
from ..images.likeness import mask_iou, psnr
from ..mesh.distances import surface_distances
from ..mesh.intersections import self_intersections
from ..mesh.mesh import Mesh
from ..mesh.quality import degenerate_faces, flipped_faces
from ..reconstruct.appearance.exposure import exposed
from ..reconstruct.rendering import Rendering
from ..reconstruct.result import Result
from ..scenes.views import Scene, Views
from .blended import Blended


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


def image_quality(images: Iterable[Tensor], views: Views) -> dict[str, float]:
    """PSNR inside the true mask and IoU of the masks, as means over views.

    Parameters
    ----------
    images : (B, H, W, 4) float, or B times (H, W, 4)
        Rendered, linear, premultiplied. An iterator keeps a large split from being in memory all at once.
    views : Views
        The photographs, of the same cameras.

    Returns
    -------
    dict
        ``psnr_db``, of linear RGB, none brighter than white, as in photographs; ``psnr_srgb_db``, of what image files
        hold, as most publications compare; ``mask_iou``. Views whose masks are empty don't count; NaN where all are.
    """
    ratios: list[float] = []
    shown: list[float] = []
    overlaps: list[float] = []
    for i, image in enumerate(images):
        target = views.linear(i, device=image.device)[0]
        mask = target[..., 3] > 0.5
        if not bool(mask.any()):
            continue
        covered = image[..., 3]
        if views.known is not None:
            covered = covered * views.known[i].to(covered)
        seen, wanted = (of[..., :3].clamp(0.0, 1.0) for of in (image, target))
        ratios.append(psnr(seen, wanted, mask))
        shown.append(psnr(linear_to_srgb(seen), linear_to_srgb(wanted), mask))
        overlaps.append(mask_iou(covered, mask.float()))
    named = {"psnr_db": ratios, "psnr_srgb_db": shown, "mask_iou": overlaps}
    return {name: sum(values) / len(values) if values else math.nan for name, values in named.items()}


def mesh_report(mesh: Mesh, truth: Mesh | None) -> dict[str, Any]:
    """Counts and soundness of a mesh and, where the true surface is known, its distances to it."""
    found = topology(mesh.faces, len(mesh.vertices))
    report: dict[str, Any] = {
        "vertices": found.vertices,
        "faces": found.faces,
        "watertight": found.watertight,
        "components": found.components,
        "genus": found.genus,
        "flipped_faces": flipped_faces(mesh.vertices, mesh.faces),
        "degenerate_faces": degenerate_faces(mesh.vertices, mesh.faces),
        "self_intersecting_faces": int(self_intersections(mesh.vertices, mesh.faces).sum()),
    }
    if truth is not None:
        report["distance_to_truth"] = asdict(
            surface_distances(mesh, truth, generator=torch.Generator().manual_seed(0))
        )
    return report


def evaluated(result: Result, rendering: Rendering, scene: Scene) -> tuple[dict[str, Any], Views]:
    """How good the mesh and its pictures are, and the views to be drawn: held-out ones, if there are some."""
    measured: dict[str, Any] = {"mesh": mesh_report(result.mesh, scene.mesh)}
    test = scene.test
    if test is None:
        return measured, scene.train
    seen_from = held_out_cameras(result, rendering, test)
    for name, cameras in seen_from.items():
        measured[name] = _quality(rendering, replace(test, cameras=cameras))
    views = replace(test, cameras=seen_from.get("held_out_predicted", test.cameras))
    exposures = result.gains is not None
    if exposures:
        measured["held_out_exposed"] = _quality(rendering, views, exposures=True)
    blended = Blended(result.mesh, result.views, result.cameras, result.gains)
    measured["held_out_blended"] = _quality(rendering, views, exposures=exposures, blended=blended)
    *_, best = seen_from.values()  # the last fit best
    return measured, replace(test, cameras=best)


def _quality(
    rendering: Rendering, views: Views, *, exposures: bool = False, blended: Blended | None = None
) -> dict[str, float]:
    """How well the result shows views, with their own exposures or not; rendered one at a time: splits are large."""

    def shown(index: int) -> Tensor:
        camera = views.cameras[index]
        image = rendering.images(camera)[0]
        image = image if blended is None else blended.over(image, camera)
        return exposed(image, views.linear(index)[0]) if exposures else image

    return image_quality(map(shown, range(len(views))), views)
