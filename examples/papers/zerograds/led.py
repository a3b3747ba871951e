"""A display of 336 light-emitting cells, which are on or off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from largesteps_zg import look_at
from largesteps_zg.renderers import HardRasterizer

from ..records import Record, Setup
from .blender import BlenderDisplay
from .curves import draw_curves, draw_images
from .rivals import Task, race, records

PLACES, SEGMENTS, CELLS = 4, 7, 12  # as published; each digit is one wide and two high
# Of each segment, where it begins and ends, x to the right, y up.
ENDS = torch.tensor(
    [
        [(0, 2), (1, 2)],
        [(1, 2), (1, 1)],
        [(1, 1), (1, 0)],
        [(0, 0), (1, 0)],
        [(0, 0), (0, 1)],
        [(0, 1), (0, 2)],
        [(0, 1), (1, 1)],
    ],
    dtype=torch.float32,
)


class Display:
    """The cells as squares, seen from the front."""

    def __init__(self) -> None:
        along = (torch.arange(CELLS) + 1.5)[:, None] / (CELLS + 2)
        middles = ENDS[:, None, 0] + along * (ENDS[:, 1] - ENDS[:, 0])[:, None]  # (7, 12, 2)
        aside = torch.stack((1.6 * torch.arange(PLACES), torch.zeros(PLACES)), -1)[:, None, None]
        self.middles = (middles + aside).view(-1, 2)
        corners = 0.032 * torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
        flat = (self.middles[:, None] + corners).view(-1, 2)
        self.vertices = torch.cat((flat, torch.zeros(len(flat), 1)), 1)
        first = 4 * torch.arange(len(self.middles))[:, None]
        self.faces = torch.cat((first + torch.tensor([0, 1, 2]), first + torch.tensor([0, 2, 3]))).int()
        eye = torch.tensor([[2.9, 1.0, 7.0]])
        self._camera = look_at(
            eye, torch.tensor([2.9, 1.0, 0.0]), up=(0.0, 1.0, 0.0), fov_y_degrees=20, height=64, width=160
        )
        self._renderer = HardRasterizer()

    def __call__(self, brightness: Tensor) -> Tensor:
        """A picture (64, 160); cells are on from a half up."""
        colors = brightness.clamp(0, 1).round().repeat_interleave(4)[:, None].expand(-1, 3)
        return self._renderer(self.vertices, self.faces, colors.contiguous(), self._camera).images[0, ..., 0]


def led(setup: Setup) -> Iterator[Record]:
    """ZeroGrads: a display of 336 cells that are on or off

    Which cells are on is to be told from a picture by our own rasterizer. Rounding has no slope anywhere. In the
    released code only 39 of the 336 numbers matter, because its windows of 12 cells overlap; here each is a cell.
    """
    display = Display()
    yield from _compared(setup, display, 600 if setup.small else 6_000)


def led_blender(setup: Setup) -> Iterator[Record]:
    """ZeroGrads: the display of 336 cells in Blender

    The same, drawn by Blender, which takes a tenth of a second for a picture.
    """
    corners = Display().vertices[:, :2].view(-1, 4, 2)
    blender = BlenderDisplay(corners.numpy(), height=48, width=128, scale=20)

    def picture(brightness: Tensor) -> Tensor:
        return torch.from_numpy(blender(brightness.clamp(0, 1).round().numpy()))

    yield from _compared(setup, picture, 16 if setup.small else 1_000)


def _compared(setup: Setup, picture: Callable[[Tensor], Tensor], evaluations: int) -> Iterator[Record]:
    """All methods on one random display."""
    bits = torch.rand(PLACES * SEGMENTS * CELLS, generator=torch.Generator().manual_seed(7)).round()
    target = picture(bits)
    task = Task(
        loss=lambda cells: torch.stack([(picture(one) - target).square().mean() for one in cells]),
        start=lambda generator: torch.rand(len(bits), generator=generator),
        evaluations=evaluations,
        sigma=0.33,
        rates={"ZeroGrads": 0.05, "SPSA": 0.05, "PRDPT": 0.05},
        spread=0.33,
        pairs=2,
    )
    curves = race(setup, task)
    yield from records(setup, curves, "image MSE")
    for curve in curves:
        wrong = (curve.best.clamp(0, 1).round() != bits).sum()
        spent = curve.evaluations[-1]
        yield setup.record(curve.method, curve.seed, "wrong cells", wrong, curve.seconds, evaluations=spent)
    draw_curves(setup.folder / "curves.png", curves, f"{len(bits)} cells", "image MSE")
    shown = {c.method: picture(c.best) for c in curves if c.seed == setup.seeds[0]}
    draw_images(setup.folder / "displays.png", {"target": target, **shown}, columns=4)
