"""Splats become an animal: sorted lists as the deep id buffer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from largesteps_zg import meshes
from largesteps_zg.cameras import Cameras, sphere_of_cameras
from largesteps_zg.estimators import Estimator, PixelLosses
from largesteps_zg.images.losses import pixel_losses
from largesteps_zg.mesh import load_mesh
from largesteps_zg.renderers import HardRasterizer

from ..records import Record, Setup
from .comparing import compare
from .descent import Course, descend, inherit
from .splats import draw, resample

EPSILON = (0.01, 0.05, 0.05)  # of the scene, whose radius is 1; of logarithms; of white
RATES = (0.03, 0.1, 0.1)
AT_ONCE, EVERY = 4, 8  # views of a step; steps from one resampling to the next


def animal(views: int, size: int, seed: int | None = None) -> tuple[Cameras, Tensor]:
    """Cameras around the painted fennec, and what they see (B, H, W, 4)."""
    mesh = load_mesh(meshes.path("fennec"))
    vertices = mesh.vertices - mesh.vertices.mean(0)
    vertices = vertices / vertices.norm(dim=1).max()
    cameras = sphere_of_cameras(views, distance=3.0, fov_y_degrees=40.0, height=size, width=size, seed=seed)
    images = HardRasterizer(antialias=True)(vertices, mesh.faces, mesh.colors, cameras).images
    return cameras, images


def run(
    setup: Setup, seed: int, size: int, views: int, count: int, steps: int, estimator: Estimator
) -> tuple[Course, Tensor]:
    """The course towards the photographs, and pictures of the held-out ones at its end."""
    generator = torch.Generator().manual_seed(seed)
    cameras, targets = animal(views, size)
    others, held_out = animal(4, size, seed=1)
    places = 0.4 * torch.randn(count, 3, generator=generator)
    shapes = torch.cat(
        [torch.full((count, 3), 0.5 * count ** (-1 / 3)).log(), torch.randn(count, 4, generator=generator)], 1
    )
    paints = torch.tensor([0.5, 0.5, 0.5, -1.0]).repeat(count, 1)
    unseen = torch.zeros(count)
    chosen = torch.randperm(views, generator=generator)[:AT_ONCE]

    def losses(*parameters: Tensor) -> PixelLosses:
        made = draw(*parameters, cameras[chosen])
        assert made.contributors is not None
        unseen[made.contributors.ids.unique().long()] = -1
        return PixelLosses(pixel_losses(made.images, targets[chosen], kind="l2"), made.contributors)

    def error(*parameters: Tensor) -> float:
        return float((draw(*parameters, others).images - held_out).square().mean())

    @torch.no_grad()
    def after(step: int, optimizer: torch.optim.Optimizer) -> None:
        nonlocal chosen
        chosen = torch.randperm(views, generator=generator)[:AT_ONCE]
        unseen.add_(1)
        if step % EVERY == 0 and step < 0.8 * steps:
            dead, whole = resample(places, shapes, paints, unseen)
            inherit(optimizer, dead, whole)
            unseen[dead] = unseen[whole] = 0

    course = descend(
        losses, (places, shapes, paints), RATES, estimator, error,
        steps=steps, generator=generator, after=after, say=setup.say,
    )  # fmt: skip
    with torch.no_grad():
        return course, draw(places, shapes, paints, others).images[0]


def splats(setup: Setup) -> Iterator[Record]:
    """3-D Gaussian splats, from lists of the splats that made each pixel

    A splat has 14 numbers (place, three radii, turn, colour, opacity). Pixels composite at most 24 of them front to
    back; that list is the id buffer. Faint and unseen splats become halves of large ones. The error is that of four
    views that no step sees.
    """
    size, views, count, steps = (24, 6, 100, 60) if setup.small else (96, 24, 2000, 300)
    yield from compare(
        setup,
        lambda estimator, seed: run(setup, seed, size, views, count, steps, estimator),
        EPSILON, animal(4, size, seed=1)[1][0], "mean squared error of held-out views", views=AT_ONCE,
    )  # fmt: skip
