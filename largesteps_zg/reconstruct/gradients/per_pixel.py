"""Per-pixel estimates for a reconstruction: positions and colours in turns, from there on by the chain rule."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ...cameras.model import Cameras
from ...constants import DEFAULTS, Estimates
from ...estimators.differentiable import differentiable
from ...estimators.per_pixel import PerPixel
from ...estimators.pixels import PixelLosses
from ...geometry.normals import face_normals, vertex_normals
from ...renderers.black_box import BlackBox
from ...renderers.hard import HardRasterizer
from ..batch import Batch
from .sampled import Sampled
from .source import LossResult, SourceTraits, Surface, between


class PerPixelSource(Sampled):
    """`PerPixel` estimates for positions and shaded colours; from there on by the chain rule.

    Shading (normals, light, albedo) is differentiated as with the rasterizer: only what the renderer does with
    positions and colours is sampled. Both move at once: positions along their normals as each picture shows them, with
    signs that mostly agree (`PerPixel`, coherence), and a colour hears the loss of its own channel alone. Colours that
    differ between views have gradients of their own.

    A step looks through half of the views, each twice: more steps for the same renders are worth more than less noise.
    On fine triangles few pixels speak of a vertex, and pairs are averaged as well.
    """

    traits = SourceTraits(reaches_colors=True, step_factor=2.8, lambda_bound=2.5)
    numbers = 2**24  # perturbations of a step that exist at one time; above, it looks through fewer views
    fine = False

    def __init__(self, renderer: BlackBox, seed: int, constants: Estimates = DEFAULTS.estimates) -> None:
        super().__init__(renderer, seed)
        self.constants = constants

    def loss(
        self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch, *, progress: float
    ) -> LossResult:
        """See `GradientSource`."""
        batch = batch[self._turn(len(batch), len(vertices))]
        # In the first part of a run shapes are far off, and noise does not matter.
        late = progress >= self.constants.fine_from
        pairs = self._pairs(vertices.detach(), fit.faces, batch.cameras) if late else 1
        self.fine = pairs > self.constants.coarse_pairs
        loss = self._estimated(fit, vertices, fit.shaded(vertices, albedo, batch), batch, progress, pairs)
        return LossResult(loss, float(loss.detach()))

    def shortening(self, progress: float) -> float:
        """On fine triangles shorter: noise averages out. Coarse ones would not get where they have to."""
        return self.constants.settling**-progress if self.fine else 1.0

    def _turn(self, views: int, vertices: int) -> Tensor:
        """Those of a step: every other one, or as many as there may be perturbations of, from a random one on."""
        apart = max(min(views, 2), -(-3 * vertices * views // self.numbers))
        first = int(torch.randint(views, (), generator=self.generator))
        return (first + torch.arange(0, views, apart)) % views

    def _estimated(
        self, fit: Surface, vertices: Tensor, colors: Tensor, batch: Batch, progress: float, pairs: int
    ) -> Tensor:
        """Differentiable in the vertices and in the colours."""
        views, count = len(batch), len(vertices)
        size = pixel_size(vertices.detach(), batch.cameras)
        # A row for each channel and vertex, and for each a table of its own; the coverage belongs to no colour.
        shift = torch.arange(3, device=vertices.device, dtype=torch.int32).view(3, 1) * len(fit.faces)

        def losses(vertices: Tensor, rows: Tensor) -> PixelLosses:
            paint = rows.unflatten(-1, (3, count)).mT
            images, ids = self._call(vertices, fit.faces, paint, batch.cameras)
            channels = fit.difference.of_channels(images, batch).flatten(1, 2).mT  # (B, 3, H W)
            rest = fit.difference.of_pixels(images, batch).flatten(1)[:, None] - channels.sum(1, keepdim=True)
            ids = ids.flatten(1)[:, None]
            of_rows = torch.where(ids < 0, -1, ids + shift)
            of_rows = torch.cat([of_rows, torch.full_like(ids, -1)], dim=1)
            return PixelLosses(torch.cat([channels, rest], dim=1), (ids.expand(-1, 4, -1), of_rows))

        estimator = PerPixel(
            tuple(between(*widths, progress) for widths in self._widths()),
            primitives=(fit.faces, torch.cat([fit.faces + k * count for k in range(3)])),
            pairs=pairs,
            views=views,
            per_view=(False, colors.dim() == 3),
            units=lambda *_: (size, 1.0),
            directions=lambda vertices, _: (_across(vertices, fit.faces, batch.cameras), None),
            coherence=(self.constants.coherence, 0.0),
        )
        return differentiable(losses, estimator, generator=self.generator)(vertices, colors.mT.flatten(-2))

    def _widths(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Sizes of the perturbations of positions and of colours, at the beginning and at the end of a run.

        Where outlines jump from pixel to pixel, far smaller ones find few pixels that change, and those change a lot:
        noise. Colours stay above the steps of 8 bits.
        """
        sizes = self.constants
        if self.renderer.continuous:
            return sizes.continuous_epsilon, sizes.continuous_color_epsilon
        return sizes.epsilon, sizes.color_epsilon

    def _pairs(self, vertices: Tensor, faces: Tensor, cameras: Cameras) -> int:
        """How many to average, from the mean area of the triangles, as if they were equilateral.

        So many that a vertex hears as much as with edges of the wanted length.
        """
        area = 0.5 * float(face_normals(vertices, faces, normalize=False).norm(dim=1).mean())
        edge = (4.0 / 3.0**0.5 * area) ** 0.5 / float(pixel_size(vertices, cameras).mean())
        wanted = self.constants.edge_in_pixels / max(edge, 1e-6)
        return min(max(round(wanted**2), 1), self.constants.most_pairs)

    def _call(
        self, vertices: Tensor, faces: Tensor, colors: Tensor, cameras: Cameras
    ) -> tuple[Tensor, Tensor]:
        """Images and triangle ids; ids of our own where the renderer has none."""
        pictures = self.renderer(vertices, faces, colors, cameras)
        self.renders += len(cameras)
        triangles = pictures.triangles
        if triangles is None:
            triangles = HardRasterizer()(vertices, faces, colors, cameras).triangles
        assert triangles is not None
        return pictures.images, triangles


def _across(vertices: Tensor, faces: Tensor, cameras: Cameras) -> Tensor:
    """(B, V, 3): the normals as each picture shows them, as unit vectors across the view.

    Outlines move along these. Motion towards the camera changes no picture.
    """
    normals = vertex_normals(vertices, faces)
    rays = normalize(vertices - cameras.centers.to(vertices)[:, None], dim=-1)
    across = normals - (normals * rays).sum(-1, keepdim=True) * rays
    # Where a normal points at the camera, any direction across does.
    axis = cameras.world_to_camera[:, 0, :3].to(vertices)[:, None]
    other = axis - (axis * rays).sum(-1, keepdim=True) * rays
    return normalize(torch.where(across.norm(dim=-1, keepdim=True) > 1e-3, across, other), dim=-1)


def pixel_size(vertices: Tensor, cameras: Cameras) -> Tensor:
    """(B, V, 1): the length of a pixel at the depth of each vertex in each view, in the world's units; at least that
    at a hundredth of the camera's distance from the vertices' mean."""
    axis, shift = (
        cameras.world_to_camera[:, 2, :3].to(vertices),
        cameras.world_to_camera[:, 2, 3].to(vertices),
    )
    depth = vertices @ axis.T + shift  # (V, B)
    least = 0.01 * depth.mean(0).abs()
    focal = cameras.intrinsics[:, [0, 1], [0, 1]].to(vertices).mean(1)
    return (torch.maximum(depth, least) / focal).T[..., None]
