"""The atlas of a texture: charts of a mesh packed into an image, the texels that they cover, lookups between texels."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ...mesh.mesh import Mesh
from ...rasterizer.api import rasterize
from ...rasterizer.fragments import Fragments

PADDING = 4  # texels between charts, enough for three clean levels of a mip map


def unwrap(mesh: Mesh, *, size: int, padding: int = PADDING) -> tuple[Tensor, Tensor]:
    """Cut a mesh into charts and pack them into a square image.

    Parameters
    ----------
    mesh : Mesh
    size : int
        Texels along a side.
    padding : int
        Texels between charts.

    Returns
    -------
    faces_uv : (F, 3) int64
    uv : (N, 2) float32 in [0, 1], v upwards

    Raises
    ------
    ImportError
        `xatlas` is missing.
    """
    try:
        import xatlas
    except ImportError as error:
        raise ImportError("texture: needs the package xatlas; pip install xatlas") from error
    atlas = xatlas.Atlas()
    atlas.add_mesh(mesh.vertices.float().numpy(), mesh.faces.numpy().astype(np.uint32))
    charts, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    packing.resolution, packing.padding, packing.bilinear = size, padding, True
    atlas.generate(charts, packing)
    _, faces_uv, uv = atlas.get_mesh(0)
    # It aims at the size and may miss it by a fifth. Only a square image matters here.
    scale = np.array([atlas.width, atlas.height]) / max(atlas.width, atlas.height)
    place = torch.from_numpy((uv * scale).astype(np.float32))
    place[:, 1] = 1 - place[:, 1]
    return torch.from_numpy(faces_uv.astype(np.int64)), place


def lookup(texture: Tensor, place: Tensor) -> Tensor:
    """Bilinear values (P, 3) of an image (H, W, 3) at places (P, 2), in texels from the upper left corner."""
    last = place.new_tensor([texture.shape[1] - 1, texture.shape[0] - 1])
    corner = (place - 0.5).clamp(min=0).minimum(last)
    low = corner.floor()
    high, share = (low + 1).minimum(last).long(), corner - low
    (x0, y0), (x1, y1), (u, v) = low.long().unbind(1), high.unbind(1), share[..., None].unbind(1)
    above = (1 - u) * texture[y0, x0] + u * texture[y0, x1]
    return (1 - v) * above + v * ((1 - u) * texture[y1, x0] + u * texture[y1, x1])


def chart_fragments(place: Tensor, faces_uv: Tensor, size: int) -> Fragments:
    """The texels whose centres the charts cover: a rasterization of the flat layout, at depth 1."""
    points = torch.cat([place, torch.ones_like(place[:, :1])], dim=1)[None]
    return rasterize(points.contiguous(), faces_uv, (size, size), near=0.5)


def spread(values: Tensor, atlas: Fragments, size: int) -> tuple[Tensor, Tensor]:
    """Values at the covered texels as an image (3, H, W), and the texels (H, W) that lookups inside the charts read.

    Lookups read the covered texels and the ring around them. The ring takes the nearest value.
    """
    image = torch.zeros(size * size, 3)
    covered = torch.zeros(size * size, dtype=torch.bool)
    image[atlas.pixels.long()], covered[atlas.pixels.long()] = values, True
    covered = covered.view(size, size)
    used = torch.nn.functional.max_pool2d(covered[None].float(), 3, stride=1, padding=1)[0] > 0
    return filled(image.view(size, size, 3), covered).movedim(-1, 0).contiguous(), used


def filled(image: Tensor, known: Tensor) -> Tensor:
    """(H, W, C) with a copy of the nearest known texel in every unknown one."""
    nearest = distance_transform_edt(~known.numpy(), return_distances=False, return_indices=True)
    rows, columns = torch.from_numpy(nearest.astype(np.int64))
    return image[rows, columns]
