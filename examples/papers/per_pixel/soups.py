"""Triangle soups become a photograph: the paper's figure 2, and the same through OpenGL."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from largesteps_zg.estimators import SPSA, Estimator, PerPixel
from largesteps_zg.renderers import BlackBox, HardRasterizer, OpenGL

from ..records import Record, Setup
from .descent import Course, descend, save_curves, save_strip
from .soup import Soup

EPSILON = (0.5, 0.05)  # pixels, and of white
RATES = (0.3, 0.05)
EVERY = 4  # steps from one resampling to the next


def photograph(size: int) -> Tensor:
    """(H, W, 3) of scikit-learn's photograph of a temple."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    square = Image.fromarray(load_sample_image("china.jpg")).crop((0, 0, 427, 427))
    return torch.from_numpy(np.array(square.resize((size, size), Image.Resampling.LANCZOS))).float() / 255


def run(
    setup: Setup,
    seed: int,
    size: int,
    count: int,
    steps: int,
    estimator: Estimator,
    resampled: bool = True,
    renderer: BlackBox | None = None,
) -> tuple[Course, Tensor]:
    """A soup's course towards the photograph, and its last image."""
    generator = torch.Generator().manual_seed(seed)
    soup = Soup(photograph(size), renderer or HardRasterizer())
    triangles, colors = soup.start(count, generator)

    def after(step: int, optimizer: torch.optim.Optimizer) -> None:
        soup.age()
        if resampled and step % EVERY == 0 and step < 0.9 * steps:
            soup.resample(triangles, colors, optimizer)

    course = descend(
        soup.losses, (triangles, colors), RATES, estimator, soup.error,
        steps=steps, generator=generator, after=after, say=setup.say,
    )  # fmt: skip
    return course, soup.draw(triangles.detach(), colors.detach())[0][0]


def soup(setup: Setup) -> Iterator[Record]:
    """Triangle soups become a photograph (the paper's figure 2)

    Each of 102,400 triangles has 12 numbers of its own, 1,228,800 in all, as in the paper (512 triangles in the
    small form). The full-image estimator gives every number the difference of the whole image, the per-pixel one only
    that of the pixels that show its triangle. Triangles that nobody sees become halves of large ones.
    """
    size, count, steps = (64, 512, 200) if setup.small else (512, 102_400, 150)
    for seed in setup.seeds:
        methods: dict[str, tuple[Estimator, bool]] = {
            "per pixel, resampled": (PerPixel(EPSILON), True),
            "per pixel": (PerPixel(EPSILON), False),
            "full image (SPSA)": (SPSA(epsilon=EPSILON), False),
        }
        courses, images = {}, {"photograph": photograph(size)}
        for name, (estimator, resampled) in methods.items():
            course, image = run(setup, seed, size, count, steps, estimator, resampled)
            courses[name], images[name] = course, image
            yield setup.record(
                name, seed, "mean squared error", course.errors[-1], course.seconds[-1],
                evaluations=course.evaluations[-1],
            )  # fmt: skip
            for times in (2, 4, 8, 16):
                if (seconds := course.seconds_to(course.errors[0] / times)) is not None:
                    measure = f"seconds to 1/{times} of the error"
                    yield setup.record(name, seed, measure, seconds, course.seconds[-1])
        save_curves(setup.folder / f"curves-{seed}.png", courses, "mean squared error of the image")
        save_strip(setup.folder / f"images-{seed}.png", images)


def opengl(setup: Setup) -> Iterator[Record]:
    """A triangle soup through OpenGL

    The same soup, drawn by an engine that nobody can differentiate: two calls a step, and its id buffer.
    """
    try:
        engine = OpenGL()
        name = f"OpenGL ({engine.device})"
    except RuntimeError as error:
        raise ImportError(str(error)) from error
    size, count, steps = (64, 1024, 100) if setup.small else (256, 10_240, 200)
    for seed in setup.seeds:
        courses, images = {}, {"photograph": photograph(size)}
        for method, renderer in ((name, engine), ("our rasterizer", HardRasterizer())):
            course, image = run(setup, seed, size, count, steps, PerPixel(EPSILON), renderer=renderer)
            courses[method], images[method] = course, image
            yield setup.record(
                method, seed, "mean squared error", course.errors[-1], course.seconds[-1],
                evaluations=course.evaluations[-1],
            )  # fmt: skip
        save_curves(setup.folder / f"curves-{seed}.png", courses, "mean squared error of the image")
        save_strip(setup.folder / f"images-{seed}.png", images)
