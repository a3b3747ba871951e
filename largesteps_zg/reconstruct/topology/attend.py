"""A run's surface gets another topology where photographs ask for it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...mesh.closest import closest_points
from ..batch import Batch
from ..fit import Fit
from ..targets import Targets
from .stage import Change, changed


@torch.no_grad()
def retopologized(fit: Fit, targets: Targets, count: int) -> Change | None:
    """Put a surface with another handle, cavity or part in the place of a fit's; None, and nothing done, for none.

    Its triangles are those of a grid, whose cells are as long as short edges, but no shorter than a pixel of the
    photographs that are asked: remesh it. Albedo is that of the nearest part of the old surface. A sheet stays as it
    is: it is thinner than any cell.

    Parameters
    ----------
    fit : Fit
    targets : Targets
    count : int
        Of the photographs.
    """
    if fit.triangles.contact.mostly_paired:
        return None
    vertices, albedo = fit.surface()
    level = _level(targets, fit.constants.patches.smallest)
    photographs = _photographs(fit, targets, count, level)
    change = changed(
        vertices,
        fit.faces,
        photographs,
        cell=max(fit.short_edge, targets.pixel * 2**level),
        backend=fit.backend,
        constants=fit.constants,
    )
    if change is None:
        return None
    new, faces = change.mesh.vertices.to(vertices), change.mesh.faces.to(fit.faces)
    fit.put(new, faces, _carried(albedo, vertices, fit.faces, new), fit.shape.lambda_)
    return change


def _level(targets: Targets, smallest: int) -> int:
    """How often photographs are halved: they are as small as patches of them are compared."""
    side, level = min(targets.cameras.height, targets.cameras.width), 0
    while side >> (level + 1) >= smallest:
        level += 1
    return level


def _photographs(fit: Fit, targets: Targets, count: int, level: int) -> Batch:
    """Those that are asked, halved so often, all as the mean one is exposed."""
    most = fit.constants.correcting.asked_views
    chosen = torch.linspace(0, count - 1, min(count, most)).round().long()
    batch = fit.corrected(targets.batch(chosen, level))
    gains = fit.appearance.gains()
    if gains is None:
        return batch
    colors = batch.targets[..., :3] / gains[batch.index][:, None, None]
    return replace(batch, targets=torch.cat([colors, batch.targets[..., 3:]], dim=-1))


def _carried(values: Tensor, vertices: Tensor, faces: Tensor, points: Tensor) -> Tensor:
    """Values at vertices as they are at the surface's points nearest to others."""
    found = closest_points(points, vertices, faces)
    return (found.weights[..., None] * values[faces[found.faces]]).sum(dim=1).to(values)
