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
from .rivals import Task, race, records

IOR = 1.33  # the published script takes it for the ratio itself


class Caustic:
    """Photons fall straight down on a cubic B-spline, and each adds 1 to the nearest pixel of the floor.

    Parameters
    ----------
    controls, photons, pixels : int
        Along each side.
    """

    def __init__(self, controls: int, photons: int, pixels: int) -> None:
        self.pixels = pixels
        knots = -1 + 2 * np.arange(-3, controls + 1) / (controls - 3)
        at = -1 + 2 * (np.arange(photons) + 0.5) / photons
        bases = [BSpline(knots, row, 3) for row in np.eye(controls)]
        self._at = torch.tensor(at, dtype=torch.float32)
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
        length = (slope_x.square() + slope_y.square() + 4).rsqrt()
        cosine = 2 * length
        # Snell's law. A root of less than 0 would be total reflection.
        bend = IOR * cosine - (1 - IOR**2 * (1 - cosine.square())).clamp_min(0).sqrt()
        across = height / (IOR - bend * cosine).clamp_min(1e-3) * bend * length
        column = ((self._at - across * slope_x + 1) * (self.pixels / 2)).floor()
        row = ((self._at[:, None] - across * slope_y + 1) * (self.pixels / 2)).floor()
        inside = (column >= 0) & (column < self.pixels) & (row >= 0) & (row < self.pixels)
        hit = (row * self.pixels + column)[inside].long()
        picture = torch.bincount(hit, minlength=self.pixels**2).float()
        bright = picture.kthvalue(round(0.995 * (self.pixels**2 - 1)) + 1).values
        return (picture / bright.clamp_min(1)).clamp(0, 1).view(self.pixels, -1)


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
    that makes the target is known, so the least loss is 0. The noise of gradients is that of the thesis' figure 8.
    """
    controls, photons, pixels = (10, 64, 16) if setup.small else (32, 128, 32)
    render = Caustic(controls, photons, pixels)
    target = render(hidden(controls)[None])[0]
    task = Task(
        loss=lambda sheets: (render(sheets) - target).square().mean((1, 2)),
        start=lambda generator: 0.5 + 0.05 * torch.randn(controls, controls, generator=generator),
        evaluations=1_200 if setup.small else 10_000,
        sigma=geometric(0.05, 0.02, 150 if setup.small else 1_250),
        rates={"ZeroGrads": 0.05, "SPSA": 0.05, "PRDPT": 0.05},
        spread=0.05,
        search_options={"CMA-ES": {"covariance": "diagonal"}},
    )
    curves = race(setup, task)
    yield from records(setup, curves, "image MSE")
    draw_curves(setup.folder / "curves.png", curves, f"Caustic, {controls**2:,} parameters", "image MSE")
    draw_noise(setup.folder / "noise.png", curves, "Noise of the gradients")
    best = {curve.method: render(curve.best[None])[0] for curve in curves if curve.seed == setup.seeds[0]}
    draw_images(setup.folder / "caustics.png", {"target": target, **best})
