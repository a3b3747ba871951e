"""The box: the plateau in its smallest form, without a renderer's package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..records import Record, Setup
from .compare import compare
from .descend import Image, Task

HALF, PIXELS = 0.1, 256


def picture(parameters: Sequence[float], seed: int, samples: int, scale: int = 1) -> Image:
    """A white box on black, each pixel sampled at its centre; the picture has no noise, so nothing else matters."""
    centers = (np.arange(PIXELS * scale) + 0.5) / (PIXELS * scale)
    across, down = (np.abs(centers - c) < HALF for c in parameters)
    return np.repeat((down[:, None] & across)[..., None], 3, axis=2).astype(np.float32)


TASK = Task(
    picture, start=(0.5, 0.66), truth=(0.5, 0.33), sigma=(0.1, 0.01), rate=(0.01, 0.001), steps=300, pairs=2
)


def box(setup: Setup) -> Iterator[Record]:
    """A box that does not touch its target

    Where the boxes do not overlap the loss is flat, and differences of any narrow width are zero. Blurred in the
    parameters the loss has a slope everywhere.
    """
    yield from compare(setup, TASK, small_steps=100)
