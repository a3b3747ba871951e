"""Where the vertices go, if there may not be as many as photographs ask for: not where no photograph looks."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..cameras.model import Cameras
from ..geometry.half_edges import edge_lengths, edges
from ..mesh.remeshing.sizing import expected_vertices, graded
from ..rasterizer.api import rasterize
from ..rasterizer.silhouette_edges import edge_table
from ..renderers.rasterized import homogeneous_pixels

_RINGS = 2  # around a triangle that is seen: a small one may fall between the pixels of all photographs
_HALVINGS = 6  # of the interval in which the length lies: to 2 per cent of it


@torch.no_grad()
def seen_vertices(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], cameras: Cameras, *, backend: str = "auto"
) -> Bool[Tensor, " V"]:
    """Which vertices belong to a triangle that is in some image, or lie at most two edges away from one."""
    corners = faces.int()
    shown, table = torch.zeros(len(faces), dtype=torch.bool, device=faces.device), edge_table(corners)
    for i in range(len(cameras)):
        camera = cameras[i]
        size = camera.height, camera.width
        found = rasterize(homogeneous_pixels(vertices, camera), corners, size, edges=table, backend=backend)
        shown[found.triangles.long()] = True
    seen = torch.zeros(len(vertices), dtype=torch.bool, device=vertices.device)
    for _ in range(_RINGS + 1):
        seen[faces[shown].reshape(-1)] = True
        shown = seen[faces].any(dim=1)
    return seen


def seen_first(
    length: float, vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], seen: Bool[Tensor, " V"]
) -> Float[Tensor, " V"]:
    """Edges of that length where the surface is seen, and elsewhere as long as they are, but for where that begins."""
    pairs = edges(faces)
    each = edge_lengths(vertices, pairs)[:, None].expand(-1, 2).reshape(-1)
    total, count = (
        torch.zeros(len(vertices), dtype=vertices.dtype, device=vertices.device).index_add_(
            0, pairs.reshape(-1), part
        )
        for part in (each, torch.ones_like(each))
    )
    wish = torch.where(seen, length, (total / count.clamp_min(1)).clamp_min(length))
    return graded(wish, vertices, faces)


def shortest_seen(
    longest: float,
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    seen: Bool[Tensor, " V"],
    most: int,
) -> float:
    """The length of edges where the surface is seen, at most `longest`, for which there are about `most` vertices."""
    low, high = 0.5 * longest, longest
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        fits = expected_vertices(seen_first(middle, vertices, faces, seen), vertices, faces) <= most
        low, high = (low, middle) if fits else (middle, high)
    return high
