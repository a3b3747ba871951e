"""Photographs from new places by blending those taken nearby over the surface: no model of light has a say."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..cameras.model import Cameras
from ..mesh.mesh import Mesh
from ..rasterizer.api import interpolate, rasterize
from ..rasterizer.silhouette_edges import edge_table
from ..reconstruct.frame import Frame
from ..renderers.rasterized import depth_images, homogeneous_pixels
from ..scenes.views import Views

ASKED = 8  # the photographs taken nearest to a new place
BLENDED = 4  # of these at each point


class Blended:
    """What photographs show of a surface from other places.

    Each point has the colours that the photographs taken at the smallest angles to the new view show of it. Weights
    fall with the angle, and to nothing at the next larger one, so that there are no seams.

    Parameters
    ----------
    mesh : Mesh
        In the scene's coordinates.
    views : Views
    cameras : Cameras
        Of the views, as corrected.
    gains : (B, 3) tensor, optional
        Of the views' exposures, which are divided out.

    References
    ----------
    Buehler, Bosse, McMillan, Gortler, Cohen: Unstructured Lumigraph Rendering. SIGGRAPH 2001.
    """

    def __init__(self, mesh: Mesh, views: Views, cameras: Cameras, gains: Tensor | None = None) -> None:
        self._views, self._gains = views, gains
        self._frame = Frame.around(mesh.vertices)
        self._vertices, self._faces = self._frame.inside(mesh.vertices.detach()), mesh.faces.int().cpu()
        self._edges, self._cameras = edge_table(self._faces), self._frame.normalized(cameras)

    @torch.no_grad()
    def over(self, image: Float[Tensor, "H W 4"], camera: Cameras) -> Float[Tensor, "H W 4"]:
        """A rendering from a camera, linear and premultiplied, with blended colours where some photograph has one."""
        camera = self._frame.normalized(camera)
        points, pixels, _ = self._surface(camera)
        toward = torch.nn.functional.normalize(camera.centers - points, dim=1)
        near = torch.nn.functional.normalize(self._cameras.centers, dim=1) @ camera.centers[0]
        asked = near.topk(min(ASKED, len(near))).indices.tolist()
        found = [self._seen(i, points, toward) for i in asked]
        angles, order = torch.stack([angle for angle, _ in found]).sort(dim=0)
        colors = torch.stack([color for _, color in found]).gather(0, order[..., None].expand(-1, -1, 3))
        least = angles[:BLENDED].clamp_min(1e-6)
        limit = angles[BLENDED] if len(angles) > BLENDED else torch.full_like(angles[0], torch.inf)
        weights = torch.where(least.isfinite(), (1.0 - least / limit).clamp_min(1e-6) / least, 0.0)
        total = weights.sum(0)
        shown = (weights[..., None] * colors[:BLENDED]).sum(0) / total.clamp_min(1e-12)[:, None]
        result = image.clone().reshape(-1, 4)
        at = pixels[total > 0].long()
        result[at, :3] = shown[total > 0] * result[at, 3:]
        return result.view_as(image)

    def _surface(
        self, camera: Cameras
    ) -> tuple[Float[Tensor, "N 3"], Int[Tensor, " N"], Float[Tensor, "H W"]]:
        """The points that a camera sees, their pixels, and the depths in the image, 0 where there is nothing."""
        size = camera.height, camera.width
        fragments = rasterize(
            homogeneous_pixels(self._vertices, camera), self._faces, size, edges=self._edges
        )
        points = interpolate(self._vertices, fragments)
        return points, fragments.pixels, depth_images(points, fragments, camera)[0]

    def _seen(
        self, index: int, points: Float[Tensor, "N 3"], toward: Float[Tensor, "N 3"]
    ) -> tuple[Float[Tensor, " N"], Float[Tensor, "N 3"]]:
        """The angle at which a photograph sees each point, infinite where it doesn't, and the colour that it shows."""
        camera = self._cameras[index]
        pixels, depth = (of[0] for of in camera.project(points))
        size = pixels.new_tensor([camera.width, camera.height])
        grid = (2.0 * pixels / size - 1.0)[None, None]

        def sampled(planes: Tensor) -> Tensor:
            return torch.nn.functional.grid_sample(planes[None], grid, align_corners=False)[0, :, 0].T

        image = sampled(self._views.linear(index)[0].cpu().permute(2, 0, 1))
        # A pixel's width behind the surface in the photograph is still on it.
        behind = sampled(self._surface(camera)[2][None])[:, 0]
        slack = 2.0 / float(camera.intrinsics[0, 0, 0])
        shown = (depth > 0) & (image[:, 3] > 0.5) & (behind > 0) & (depth < behind * (1.0 + slack))
        cosines = (torch.nn.functional.normalize(camera.centers - points, dim=1) * toward).sum(1)
        color = image[:, :3] / image[:, 3:].clamp_min(1e-6)
        if self._gains is not None:
            color = color / self._gains[index].to(color)
        return torch.where(shown, cosines.clamp(-1.0, 1.0).arccos(), torch.inf), color
