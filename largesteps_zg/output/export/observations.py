"""The photographs as observations of a texture: the place that each pixel sees, and the colour there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...cameras.model import Cameras
from ...constants import Texture
from ...geometry.normals import face_normals
from ...mesh.mesh import Mesh
from ...rasterizer.api import interpolate, rasterize
from ...rasterizer.silhouette_edges import edge_table
from ...renderers.rasterized import homogeneous_pixels
from ...scenes.views import Views


@dataclass(frozen=True)
class Observations:
    """P pixels of all photographs.

    Attributes
    ----------
    texel : (P,) int64
        The upper left of the four texels whose centres surround the place that a pixel sees, in the flattened image.
    share : (P, 2) float32
        The distance to the right and down from that centre, in [0, 1].
    color : (P, 3) float32
        Linear: the pixel's colour minus the added light, divided by the factors.
    gain : (P,) float32
        The mean of the factors: how much a difference of albedo changes the photograph.
    weight : (P,) float32
        In (0, 1]: larger where the pixel sees the surface more squarely.
    """

    texel: Tensor
    share: Tensor
    color: Tensor
    gain: Tensor
    weight: Tensor


def observe(
    mesh: Mesh,
    place: Tensor,
    views: Views,
    cameras: Cameras,
    look: Callable[[int], tuple[Tensor, Tensor]],
    size: int,
    constants: Texture,
) -> Observations:
    """Look at a mesh from all views.

    Parameters
    ----------
    mesh : Mesh
        Near the unit sphere, float32, split at the seams: one vertex for each place in the image.
    place : (N, 2) float32
        Places of its vertices, in texels from the upper left corner.
    views : Views
    cameras : Cameras
        The views' cameras, in the mesh's coordinates, float32.
    look : callable
        Takes the index of a view and gives factors (N, 3) and added light (N, 3) at the vertices. They make the view's
        colours from albedo.
    size : int
        Texels along a side of the image.
    constants : Texture
        Which pixels count.
    """
    normals = face_normals(mesh.vertices, mesh.faces)
    edges = edge_table(mesh.faces, mesh.vertices)
    parts = []
    for i in range(len(views)):
        points = homogeneous_pixels(mesh.vertices, cameras[i])
        fragments = rasterize(points, mesh.faces, (cameras.height, cameras.width), edges=edges)
        at = interpolate(torch.cat([place, mesh.vertices, *look(i)], dim=1), fragments)  # (pixels, 11)
        factors, added = at[:, 5:8], at[:, 8:]
        pixels = fragments.pixels.long()
        sight = torch.nn.functional.normalize(at[:, 2:5] - cameras[i].centers, dim=1)
        cosine = (sight * normals[fragments.triangles.long()]).sum(1).abs()
        depth = at[:, 2:5] @ cameras.world_to_camera[i, 2, :3] + cameras.world_to_camera[i, 2, 3]
        least = constants.least_cosine
        slope = depth / cameras.intrinsics[i, 0, 0] / cosine.clamp(min=least)  # of depth, by the pixel
        good = _steady(depth, slope, pixels, views, i, constants)
        good &= (cosine > least) & (factors.amin(1) > constants.darkest)
        image = views.linear(i)[0, ..., :3].reshape(-1, 3)
        corner = (at[good, :2] - 0.5).clamp(0, size - 1.001)
        low = corner.floor().clamp(max=size - 2)
        texel = low[:, 1].long() * size + low[:, 0].long()
        color = (image[pixels[good]] - added[good]) / factors[good]
        parts.append((texel, corner - low, color, factors[good].mean(1), cosine[good].square()))
    merged = Observations(*(torch.cat(columns) for columns in zip(*parts, strict=True)))
    if len(merged.texel) == 0:
        raise ValueError(
            "views: none of them sees the mesh inside its mask; is the mesh in the scene's coordinates?"
        )
    return merged


def _steady(
    depth: Tensor, slope: Tensor, pixels: Tensor, views: Views, index: int, constants: Texture
) -> Tensor:
    """(N,) where a pixel and its eight neighbours all see one surface, wholly inside the mask."""
    height, width = views.images.shape[1:3]
    pool = torch.nn.functional.max_pool2d
    near, far = torch.full((height * width,), -torch.inf), torch.full((height * width,), -torch.inf)
    near[pixels], far[pixels] = -depth, depth
    outside = torch.ones(height * width)
    outside[pixels] = 0.0
    clear = views.images[index, ..., 3] < constants.opaque
    outside = outside.view(height, width).maximum(clear.float())
    if views.known is not None:
        outside = outside.maximum((~views.known[index]).float())
    stack = torch.stack([near.view(height, width), far.view(height, width), outside])
    near, far, outside = pool(stack[None], 3, stride=1, padding=1)[0].view(3, -1)
    return (far + near)[pixels].lt(constants.step * slope) & outside[pixels].eq(0)
