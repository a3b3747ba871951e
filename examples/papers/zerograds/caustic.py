"""A sheet of water that bends light into a picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.interpolate import BSpline
from torch import Tensor

from largesteps_zg.estimators import geometric

from ..records import Record, Setup
from .curves import draw_curves, draw_images, draw_noise
from .rivals import DESCENTS, Task, race, records

IOR = 1.33  # the published script takes it for the ratio itself


class Caustic:
    """Photons fall straight down on a cubic B-spline, and each adds 1 to the nearest pixel of the floor.

    Parameters
    ----------
    controls, photons, pixels : int
        Along each side.
    aside : float
        How far the photons are moved, in their spacings.
    """

    def __init__(self, controls: int, photons: int, pixels: int, aside: float = 0.0) -> None:
        self.pixels = pixels
        knots = -1 + 2 * np.arange(-3, controls + 1) / (controls - 3)
        at = -1 + 2 * (np.arange(photons) + 0.5 + aside) / photons
        bases = [BSpline(knots, row, 3) for row in np.eye(controls)]
        # In pixels, from the corner of a frame one pixel wide that takes what falls beside the picture.
        self._at = torch.tensor((at + 1) * pixels / 2 + 1, dtype=torch.float32)
        # (photons, controls)
        self._values = torch.tensor(np.stack([basis(at) for basis in bases], 1), dtype=torch.float32)
        self._slopes = torch.tensor(np.stack([basis(at, 1) for basis in bases], 1), dtype=torch.float32)

    def __call__(self, controls: Tensor) -> Tensor:
        """Pictures (N, pixels, pixels) in [0, 1] of controls (N, controls, controls)."""
        return torch.stack([self._picture(one) for one in controls])

    def _picture(self, controls: Tensor) -> Tensor:
        """One: nothing in it has a derivative."""
        along = 0.25 * self._values @ controls
        height = along @ self._values.T + 0.75
        slope_x, slope_y = along @ self._slopes.T, 0.25 * self._slopes @ controls @ self._values.T
        squared = 4 / torch.addcmul(slope_x.square(), slope_y, slope_y).add_(4)  # cosine squared
        cosine = squared.sqrt()
        # Snell's law. A root of less than 0 would be total reflection.
        bend = IOR * cosine - squared.sub_(1).mul_(IOR**2).add_(1).clamp_min_(0).sqrt_()
        across = height.mul_(bend).mul_(cosine).mul_(-0.25 * self.pixels)
        across /= bend.mul_(cosine).neg_().add_(IOR).clamp_min_(1e-3)
        side = self.pixels + 2
        column = torch.addcmul(self._at, across, slope_x).clamp_(0, side - 1).floor_()
        row = torch.addcmul(self._at[:, None], across, slope_y).clamp_(0, side - 1).floor_()
        hits = torch.bincount(column.add_(row, alpha=side).long().view(-1), minlength=side**2)
        picture = hits.view(side, side)[1:-1, 1:-1].float()
        bright = picture.reshape(-1).kthvalue(round(0.995 * (self.pixels**2 - 1)) + 1).values
        return (picture / bright.clamp_min(1)).clamp_(0, 1)


def hidden(controls: int) -> Tensor:
    """Heights (controls, controls) of the sheet that made the target: troughs, which gather light, along an S."""
    axis = torch.linspace(-1, 1, controls)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    t = torch.linspace(-1, 1, 200)[:, None, None]
    curve_x, curve_y = -0.45 * torch.sin(torch.pi * t), 0.6 * t
    near = ((x - curve_x) ** 2 + (y - curve_y) ** 2).amin(0)
    return 0.5 - 0.9 * torch.exp(-near / (2 * 0.2**2))


def caustic(setup: Setup) -> Iterator[Record]:
    """ZeroGrads: a caustic, 1,024 parameters

    A sheet of water is sought that throws a picture of light on the floor. Photons are counted in whole pixels. A sheet
    that makes the target is known, so the least loss is 0; but the same sheet, lit by photons half a spacing aside,
    differs from the target by what is recorded as the photons' noise. The noise of gradients is the thesis' figure 8.
    """
    controls, photons, pixels = (10, 64, 16) if setup.small else (32, 128, 32)
    sheet, render = hidden(controls), Caustic(controls, photons, pixels)
    target = render(sheet[None])[0]
    evaluations, rate, last_rate, narrowest = (
        (1_200, 0.05, 0.1, 0.02) if setup.small else (10_000, 0.025, 0.02, 0.01)
    )
    task = Task(
        loss=lambda sheets: (render(sheets) - target).square().mean((1, 2)),
        start=lambda generator: 0.5 + 0.05 * torch.randn(controls, controls, generator=generator),
        evaluations=evaluations,
        sigma=geometric(0.05, narrowest, evaluations // 8),
        rates=dict.fromkeys(DESCENTS, rate),
        last_rate=last_rate,
        spread=0.05,
        search_options={"CMA-ES": {"covariance": "diagonal"}},
    )
    curves = race(setup, task)
    yield from records(setup, curves, "image MSE")
    aside = Caustic(controls, photons, pixels, aside=0.5)(sheet[None])[0]
    yield setup.record("the target's sheet", 0, "photons' noise", (aside - target).square().mean(), 0.0)
    many = Caustic(controls, 1_024, pixels)
    light = many(sheet[None])[0]
    for curve in curves:
        value = (many(curve.best[None])[0] - light).square().mean()
        yield setup.record(
            curve.method,
            curve.seed,
            "image MSE with a million photons",
            value,
            curve.seconds,
            evaluations=curve.evaluations[-1],
        )
    draw_curves(setup.folder / "curves.png", curves, f"Caustic, {controls**2:,} parameters", "image MSE")
    draw_noise(setup.folder / "noise.png", curves, "Noise of the gradients")
    best = {curve.method: render(curve.best[None])[0] for curve in curves if curve.seed == setup.seeds[0]}
    draw_images(setup.folder / "caustics.png", {"target": target, **best})
