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
    positions and colours is sampled. While triangles are coarse, both move at once: positions along their normals as
    each picture shows them, with signs that mostly agree (`PerPixel`, coherence), and a colour hears the loss of its
    own channel alone. Colours that differ between views move as on fine triangles.

    On fine triangles few pixels speak of a vertex, and only what matters moves: positions along the normals, since
    motion within a surface changes no shape there, and in half of the views; colours in the other half, and the loss of
    a channel speaks of the colours of that channel alone. Each estimate hears less of what it does not ask about: at a
    reconstructed cow of 19,000 vertices, for the same renders, 1.8 to 2.9 times less variance for positions and 3 to
    100 times less for colours. Pairs are averaged as well.
    """

    traits = SourceTraits(reaches_colors=True, step_factor=2.0, lambda_bound=2.5)
    numbers = 2**24  # perturbations of a step that exist at one time; above, views share one
    fine = False

    def __init__(self, renderer: BlackBox, seed: int, constants: Estimates = DEFAULTS.estimates) -> None:
        super().__init__(renderer, seed)
        self.constants = constants

    def loss(
        self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch, *, progress: float
    ) -> LossResult:
        """See `GradientSource`."""
        colors = fit.shaded(vertices, albedo, batch)
        # In the first part of a run shapes are far off, and noise does not matter.
        late = progress >= self.constants.fine_from
        pairs = self._pairs(vertices.detach(), fit.faces, batch.cameras) if late else 1
        self.fine = pairs > self.constants.coarse_pairs
        if not self.fine and colors.dim() == 2:
            return _result(self._of_both(fit, vertices, colors, batch, progress))
        order = torch.randperm(len(batch), generator=self.generator).to(vertices.device)
        half = (len(batch) + 1) // 2
        moved, painted = (order, order) if len(batch) == 1 else (order[:half], order[half:])
        loss = self._of_positions(fit, vertices, _seen(colors, moved), batch[moved], progress, pairs)
        if not colors.requires_grad:
            return _result(loss)
        paint = self._of_colors(fit, vertices, _seen(colors, painted), batch[painted], progress)
        return _result(loss + (paint - paint.detach()))  # both are means of the same loss

    def shortening(self, progress: float) -> float:
        """On fine triangles shorter: noise averages out. Coarse ones would not get where they have to."""
        return self.constants.settling**-progress if self.fine else 1.0

    def _of_both(
        self, fit: Surface, vertices: Tensor, colors: Tensor, batch: Batch, progress: float
    ) -> Tensor:
        """Differentiable in the vertices and in the colours."""
        views, count = self._views(batch, len(vertices)), len(vertices)
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
            views=views,
            units=lambda *_: (size if views else size.mean(0), 1.0),
            directions=lambda vertices, _: (
                _across(vertices, fit.faces, batch.cameras, apart=bool(views)),
                None,
            ),
            coherence=(self.constants.coherence, 0.0),
        )
        return differentiable(losses, estimator, generator=self.generator)(vertices, colors.mT.reshape(-1))

    def _of_positions(
        self, fit: Surface, vertices: Tensor, colors: Tensor, batch: Batch, progress: float, pairs: int
    ) -> Tensor:
        """Differentiable in the vertices, along their normals."""
        rest, colors = vertices.detach(), colors.detach()
        normals = vertex_normals(rest, fit.faces)
        views = self._views(batch, len(rest))
        size = pixel_size(rest, batch.cameras)

        def losses(along: Tensor) -> PixelLosses:
            images, triangles = self._call(rest + along * normals, fit.faces, colors, batch.cameras)
            return PixelLosses(fit.difference.of_pixels(images, batch), triangles)

        estimator = PerPixel(
            between(*self._widths()[0], progress),
            primitives=fit.faces,
            pairs=pairs,
            views=views,
            units=lambda _: size if views else size.mean(0),
        )
        along = ((vertices - rest) * normals).sum(-1, keepdim=True)  # zero
        return differentiable(losses, estimator, generator=self.generator)(along)

    def _of_colors(
        self, fit: Surface, vertices: Tensor, colors: Tensor, batch: Batch, progress: float
    ) -> Tensor:
        """Differentiable in the colours: a row for each vertex and channel, and for each view where these differ."""
        rest, count, triangles = vertices.detach(), len(vertices), len(fit.faces)
        sets = len(colors) if colors.dim() == 3 else 1
        block = torch.arange(3 * sets, device=rest.device, dtype=torch.int32).view(sets, 1, 1, 3)

        def losses(rows: Tensor) -> PixelLosses:
            paint = rows.unflatten(-1, (-1, 3, count)).transpose(-1, -2)  # (..., sets, V, 3)
            paint = paint if sets > 1 else paint.squeeze(-3)
            images, ids = self._call(rest, fit.faces, paint, batch.cameras)
            values = fit.difference.of_channels(images, batch)
            made = torch.where(ids[..., None] < 0, -1, ids[..., None] + block * triangles)
            return PixelLosses(values.flatten(2), made.flatten(2))

        estimator = PerPixel(
            between(*self._widths()[1], progress),
            primitives=torch.cat([fit.faces + k * count for k in range(3 * sets)]),
            views=self._views(batch, count) if sets == 1 else None,
        )
        return differentiable(losses, estimator, generator=self.generator)(colors.mT.reshape(-1))

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

    def _views(self, batch: Batch, vertices: int) -> int | None:
        """How many perturbations there are; None for one that all views share."""
        return len(batch) if 3 * len(batch) * vertices <= self.numbers else None

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


def _result(loss: Tensor) -> LossResult:
    return LossResult(loss, float(loss.detach()))


def _seen(colors: Tensor, views: Tensor) -> Tensor:
    """Colours of some of the views, where they differ between views."""
    return colors if colors.dim() == 2 else colors[views]


def _across(vertices: Tensor, faces: Tensor, cameras: Cameras, *, apart: bool) -> Tensor:
    """(B, V, 3): the normals as each picture shows them, as unit vectors across the view; else (V, 3), the normals.

    Outlines move along these. Motion towards the camera changes no picture.
    """
    normals = vertex_normals(vertices, faces)
    if not apart:
        return normals
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
