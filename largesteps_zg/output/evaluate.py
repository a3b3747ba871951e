"""How good a reconstruction is: held-out images, distance to the true surface, soundness of the mesh."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from ..geometry.connectivity import topology
from ..images.color import linear_to_srgb
from ..images.likeness import mask_iou, psnr
from ..mesh.distances import surface_distances
from ..mesh.intersections import self_intersections
from ..mesh.mesh import Mesh
from ..mesh.quality import degenerate_faces, flipped_faces
from ..scenes.views import Views


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
        ``psnr_db``, of linear RGB; ``psnr_srgb_db``, of what image files hold, as most publications compare;
        ``mask_iou``. Views whose masks are empty don't count; NaN where all are.
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
        ratios.append(psnr(image[..., :3], target[..., :3], mask))
        seen, wanted = (linear_to_srgb(of[..., :3].clamp(0.0, 1.0)) for of in (image, target))
        shown.append(psnr(seen, wanted, mask))
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
