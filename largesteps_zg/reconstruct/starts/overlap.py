"""Whether a mesh lies where the masks show the object."""

from __future__ import annotations

import torch

from ...images.likeness import mask_iou
from ...mesh.mesh import Mesh
from ...renderers.rasterized import render
from ...scenes.carving.cones import masks_of
from ...scenes.views import Views

_VIEWS = 6


def silhouette_overlap(mesh: Mesh, views: Views) -> float:
    """Intersection over union of a mesh's outlines and the masks, mean over a few of the views."""
    middle = mesh.vertices.detach().double().cpu().mean(0)
    vertices = (mesh.vertices.detach().double().cpu() - middle).float()
    white, faces = torch.ones_like(vertices), mesh.faces.cpu()
    chosen = sorted({len(views) * i // _VIEWS for i in range(_VIEWS)})
    masks, overlaps = masks_of(views), []
    for i in chosen:
        camera = views.cameras[i].to("cpu", torch.float64).transformed(1.0, middle).to(dtype=torch.float32)
        drawn = render(vertices, faces, white, camera)[0, ..., 3]
        mask = torch.from_numpy(masks[i]).float()
        if views.known is not None:
            drawn = drawn * views.known[i].cpu()
        overlaps.append(mask_iou(drawn, mask))
    return sum(overlaps) / len(overlaps)
