"""A surface without its colours: flat faces in clay, lit from the camera, their insides in a warning colour."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...cameras.model import Cameras
from ...geometry.normals import face_normals
from ...rasterizer.api import rasterize
from ...rasterizer.fragments import Fragments
from ...rasterizer.silhouette_edges import edge_table
from ...reconstruct.frame import Frame
from ...renderers.rasterized import homogeneous_pixels

CLAY, WARNING = (0.62, 0.60, 0.57), (0.80, 0.07, 0.03)  # linear
FINE = 2  # pictures are made larger by this factor, then shrunk
# Lights in the camera's axes (x right, y down, z forward), where they come from, and their strengths: a key light above
# the left shoulder, so that relief shows, a fill light from the right, and one from the camera itself.
LIGHTS = (((-0.55, -0.65, -0.55), 0.72), ((0.80, -0.10, -0.45), 0.16), ((0.0, 0.0, -1.0), 0.24))


@torch.no_grad()
def bare_images(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    cameras: Cameras,
    *,
    tint: Float[Tensor, "F 3"] | None = None,
) -> Float[Tensor, "B H W 4"]:
    """Images of the bare surface: each face in one shade, by its own normal, under lights that move with the camera.

    Nothing is smoothed: creases, folds and flakes show as they are. A face that is seen from its inner side, because it
    is flipped or because one looks into an open surface, is red.

    Parameters
    ----------
    vertices : (V, 3) float
        Faces at vertices that are not finite, as of a run that diverged, are left out.
    faces : (F, 3) int
    cameras : Cameras
        Of any device; images are made one at a time.
    tint : (F, 3) float, optional
        Linear colours of the faces in place of clay and warning, as for an error on the surface.

    Returns
    -------
    (B, H, W, 4) float32 tensor, on the CPU
        Linear, premultiplied by the coverage, which is the last channel.
    """
    drawn = vertices.isfinite().all(dim=1)[faces.long()].all(dim=1)
    if not drawn.any():
        return torch.zeros(len(cameras), cameras.height, cameras.width, 4)
    if not drawn.all():
        kept, faces = faces[drawn].unique(return_inverse=True)
        vertices, tint = vertices[kept], None if tint is None else tint[drawn]
    frame = Frame.around(vertices, vertices.device)  # single precision is enough there
    near, placed = frame.inside(vertices.detach()).to(vertices.device), frame.normalized(cameras)
    normals, edges = face_normals(near, faces), edge_table(faces)
    fine = placed.resized(FINE * placed.height, FINE * placed.width)
    pictures = []
    for i in range(len(fine)):
        fragments = rasterize(
            homogeneous_pixels(near, fine[i]), faces, (fine.height, fine.width), edges=edges, near=1e-4
        )
        pictures.append(_shrunk(_shaded(normals, fragments, fine[i], tint), fragments).cpu())
    return torch.cat(pictures)


def _shaded(normals: Tensor, fragments: Fragments, camera: Cameras, tint: Tensor | None) -> Tensor:
    """(N, 3) colours of the covered pixels of one view."""
    face = fragments.triangles.long()
    outside = fragments.sides[0, face].bool()
    # The side that is seen has the normal that is lit.
    seen = torch.where(outside[:, None], normals[face], -normals[face]) @ camera.world_to_camera[0, :3, :3].T
    light = torch.full((len(face),), 0.06, device=seen.device)
    for direction, strength in LIGHTS:
        toward = torch.nn.functional.normalize(seen.new_tensor(direction), dim=0)
        light += strength * (seen @ toward).clamp(min=0)
    if tint is not None:
        # A colour has to stay readable in the shade.
        return tint.to(light)[face] * (0.45 + 0.55 * light[:, None])
    clay, warning = light.new_tensor(CLAY), light.new_tensor(WARNING)
    return torch.where(outside[:, None], clay, warning) * light[:, None]


def _shrunk(colors: Tensor, fragments: Fragments) -> Tensor:
    """(1, H, W, 4): the mean of the fine pixels."""
    height, width = fragments.resolution
    image = colors.new_zeros(height * width, 4)
    image[fragments.pixels.long()] = torch.cat([colors, torch.ones_like(colors[:, :1])], dim=1)
    return torch.nn.functional.avg_pool2d(image.view(1, height, width, 4).movedim(-1, 1), FINE).movedim(1, -1)
