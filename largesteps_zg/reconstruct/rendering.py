"""The surface of a run as it is at present, looked at from the scene."""

from __future__ import annotations

import torch
from torch import Tensor

from ..cameras.alignment import aligned
from ..cameras.model import Cameras
from ..geometry.normals import vertex_normals
from ..renderers.light import SphericalHarmonicsLight
from ..scenes.views import Views
from .batch import Batch
from .fit import Fit
from .frame import Frame


class Rendering:
    """Looks at a fit; all cameras and points are the scene's, all that comes back is on the CPU."""

    def __init__(self, fit: Fit, frame: Frame) -> None:
        self._fit, self._frame = fit, frame

    @torch.no_grad()
    def images(self, cameras: Cameras) -> Tensor:
        """(B, H, W, 4) float32, linear, premultiplied, at the mean exposure; made a view at a time."""
        placed = self._frame.normalized(cameras)
        vertices, albedo = self._fit.surface()
        return torch.cat([self._fit.images(vertices, albedo, placed[i]).cpu() for i in range(len(placed))])

    @torch.no_grad()
    def shape(self) -> tuple[Tensor, Tensor]:
        """Vertices (V, 3) float64 in the scene's coordinates, and faces (F, 3)."""
        return self._frame.outside(self._fit.surface()[0]), self._fit.faces.cpu()

    def shading(self, vertices: Tensor, faces: Tensor, cameras: Cameras) -> Tensor:
        """(1, V, 3): what turns albedo into diffuse colour, whatever the camera; for `bake`."""
        light = SphericalHarmonicsLight(self._fit.light.detach().cpu())
        return light(vertex_normals(self._frame.inside(vertices), faces))[None]

    @property
    def glossy(self) -> bool:
        """Whether the surface mirrors something."""
        return self._fit.appearance.mirror is not None

    @torch.no_grad()
    def highlights(self, vertices: Tensor, faces: Tensor, cameras: Cameras) -> Tensor:
        """(B, V, 3): what a surface mirrors towards cameras, only where it is `glossy`."""
        device, mirror = self._frame.device, self._fit.appearance.mirror
        assert mirror is not None
        near, faces = self._frame.inside(vertices).to(device), faces.to(device)
        placed = self._frame.normalized(cameras)
        return mirror(near, faces, vertex_normals(near, faces), placed).cpu()

    def aligned(self, views: Views) -> Cameras:
        """Cameras from which photographs fit the surface best, each found on its own from the given one."""
        fit, cameras = self._fit, self._frame.normalized(views.cameras)
        vertices, albedo = (part.detach() for part in fit.surface())
        found, correcting = [], fit.constants.correcting
        for i in range(len(views)):
            targets = views.linear(i, device=vertices.device)
            known = None if views.known is None else views.known[i : i + 1].to(vertices)
            batch = Batch(cameras[i], targets, torch.tensor([i], device=vertices.device), known)

            def difference(camera: Cameras, batch: Batch = batch) -> Tensor:
                return fit.difference.loss(fit.images(vertices, albedo, camera), batch)

            found.append(aligned(cameras[i], difference, correcting).world_to_camera)
        return self._frame.restored(cameras.unchecked(torch.cat(found), cameras.intrinsics))
