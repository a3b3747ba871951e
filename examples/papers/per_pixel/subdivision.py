"""A displaced Catmull-Clark surface, by the control vertices that each of its fine triangles reaches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sparse
import torch
from torch import Tensor

from largesteps_zg.cameras import Cameras, sphere_of_cameras
from largesteps_zg.estimators import Estimator, PixelLosses
from largesteps_zg.images.losses import pixel_losses
from largesteps_zg.renderers import HardRasterizer, Pictures

from ..records import Record, Setup
from .catmull_clark import cage, reaches, subdivide
from .comparing import compare
from .descent import Course, descend

EPSILON, RATES = (0.01, 0.01), (0.01, 0.005)  # control vertices, displacements: of the sphere's radius


class Surface:
    """Two levels below a cage, moved along its normals, lit by three coloured lamps and shaded flat."""

    def __init__(self, level: int) -> None:
        self.control, quads = cage(level)
        first, quads = subdivide(quads)
        second, quads = subdivide(quads)
        whole = (second @ first).tocsr()
        self.matrix = torch.from_numpy(whole.toarray()).float()
        triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        self.triangles = torch.from_numpy(triangles)
        # A fine vertex lies where its rows of the matrix say, and its normal knows those beside it.
        count = len(self.matrix)
        near = sparse.csr_matrix(
            (np.ones(16 * len(quads)), (quads.repeat(4, 1).ravel(), np.tile(quads, 4).ravel())),
            (count, count),
        )
        self.tables = reaches(near @ whole, triangles), self.triangles

    def vertices(self, control: Tensor, displacement: Tensor) -> Tensor:
        """(..., V', 3)."""
        base = self.matrix @ control
        a, b, c = (base[..., corner, :] for corner in self.triangles.T)
        normals = torch.zeros_like(base)
        for corner in self.triangles.T:
            normals.index_add_(-2, corner, torch.linalg.cross(b - a, c - a))
        return base + displacement * torch.nn.functional.normalize(normals, dim=-1)

    def draw(self, control: Tensor, displacement: Tensor, cameras: Cameras) -> Pictures:
        """Flat triangles of the colours of their normals."""
        corners = self.vertices(control, displacement)[..., self.triangles, :]  # (..., F, 3, 3)
        a, b, c = corners.unbind(-2)
        colors = 0.5 + 0.5 * torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
        faces = torch.arange(3 * len(self.triangles)).view(-1, 3)
        return HardRasterizer()(
            corners.flatten(-3, -2).contiguous(), faces, colors.repeat_interleave(3, -2), cameras
        )


def wanted(surface: Surface) -> tuple[Tensor, Tensor]:
    """A stretched and bent cage, and ripples."""
    x, y, z = surface.control.unbind(1)
    control = torch.stack([1.2 * x + 0.2 * z * z, 0.8 * y, z + 0.25 * x * x], 1)
    at = surface.matrix @ surface.control
    return control, 0.03 * (9 * at[:, :1]).sin() * (9 * at[:, 1:2]).cos()


def subdivision(setup: Setup) -> Iterator[Record]:
    """A Catmull-Clark surface with displacement, by its control vertices

    A pixel shows a fine triangle, two levels below the cage. The subdivision matrix says which control vertices that
    triangle reaches. A displacement along the normal is one more number for each fine vertex. The error is that of
    four views that no step sees.
    """
    level, size, views, steps = (1, 32, 4, 60) if setup.small else (3, 96, 12, 300)
    surface = Surface(level)
    cameras, others = (
        sphere_of_cameras(n, distance=3.5, fov_y_degrees=45.0, height=size, width=size, seed=seed)
        for n, seed in ((views, None), (4, 1))
    )
    truth = wanted(surface)
    targets, held_out = (surface.draw(*truth, one).images for one in (cameras, others))

    def losses(*parameters: Tensor) -> PixelLosses:
        made = surface.draw(*parameters, cameras)
        return PixelLosses(pixel_losses(made.images, targets, kind="l2"), made.primitives)

    def run(estimator: Estimator, seed: int) -> tuple[Course, Tensor]:
        control, displacement = surface.control.clone(), torch.zeros_like(truth[1])
        course = descend(
            losses, (control, displacement), RATES, estimator,
            lambda *x: float((surface.draw(*x, others).images - held_out).square().mean()),
            steps=steps, generator=torch.Generator().manual_seed(seed), say=setup.say,
        )  # fmt: skip
        with torch.no_grad():
            return course, surface.draw(control, displacement, others).images[0]

    yield from compare(
        setup, run, EPSILON, held_out[0], "mean squared error of held-out views",
        primitives=surface.tables, views=views,
    )  # fmt: skip
