"""Random isotropic BRDFs, measured ones of MERL, and where both are sampled (half and difference angles)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Directions:
    """S pairs of directions above the surface: `h` and `d` (S, 3), and the angles (θh, θd, φd) of each (S, 3)."""

    angles: Tensor
    h: Tensor
    d: Tensor
    light: Tensor  # (S, 3), with the normal along z
    view: Tensor

    @property
    def inputs(self) -> Tensor:
        """(S, 6): what the network sees."""
        return torch.cat([self.h, self.d], 1)

    @property
    def cosine(self) -> Tensor:
        """(S,): between light and normal."""
        return self.light[:, 2]


def of_angles(angles: Tensor) -> Directions:
    """Directions of half and difference angles (..., 3); the half vector lies in the plane y = 0."""
    half, difference, turn = angles.unbind(-1)
    zero = torch.zeros_like(half)
    h = torch.stack([half.sin(), zero, half.cos()], -1)
    x, y, z = difference.sin() * turn.cos(), difference.sin() * turn.sin(), difference.cos()
    d = torch.stack([x, y, z], -1)

    def out_of_half_frame(x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([half.cos() * x + half.sin() * z, y, half.cos() * z - half.sin() * x], -1)

    return Directions(angles, h, d, out_of_half_frame(x, y), out_of_half_frame(-x, -y))


def sampled(count: int, generator: torch.Generator) -> Directions:
    """Uniform in MERL's table, which is finer near θh = 0, without pairs below the horizon."""
    scale = torch.tensor([1.0, math.pi / 2, math.pi])
    angles = torch.rand(4 * count, 3, generator=generator) * scale
    angles[:, 0] = angles[:, 0].square() * math.pi / 2
    found = of_angles(angles)
    above = torch.minimum(found.light[:, 2], found.view[:, 2]) > 0.02
    return of_angles(angles[above][:count])


class Analytic:
    """N random mixes of a diffuse part (Lambert, Oren-Nayar) and a lobe (GGX, Cook-Torrance with Beckmann, Phong)."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        def uniform(low: float, high: float, channels: int = 1) -> Tensor:
            return low + (high - low) * torch.rand(count, 1, channels, generator=generator)

        self.count = count
        self.diffuse = uniform(0, 1, 3) ** 2 * uniform(0, 1)
        # Oren-Nayar's sigma; 0, for half of them, is Lambert.
        self.rough = uniform(-0.6, 0.6).clamp(0)[..., 0]
        self.lobe = torch.randint(3, (count, 1), generator=generator)
        self.alpha = (uniform(math.log(0.08), math.log(0.6))[..., 0]).exp()
        metal = (uniform(0, 1) < 0.3).float()
        self.head_on = metal * uniform(0.3, 0.95, 3) + (1 - metal) * uniform(0.02, 0.1)

    def __call__(self, directions: Directions) -> Tensor:
        """(N, S, 3): values at all directions."""
        light, view = directions.light[:, 2], directions.view[:, 2]
        half, between = directions.h[:, 2], directions.d[:, 2]
        fresnel = self.head_on + (1 - self.head_on) * (1 - between[:, None]) ** 5
        return self._diffuse(directions)[..., None] * self.diffuse + fresnel * self._lobe(
            light, view, half, between
        )[..., None]  # fmt: skip

    def _lobe(self, light: Tensor, view: Tensor, half: Tensor, between: Tensor) -> Tensor:
        """D G / (4 cos cos) of each one's kind; (N, S)."""
        a2, tangent2 = self.alpha.square(), half**-2 - 1
        ggx = a2 / (math.pi * (half.square() * (a2 - 1) + 1) ** 2)
        masked = (
            view * (a2 + (1 - a2) * light.square()).sqrt() + light * (a2 + (1 - a2) * view.square()).sqrt()
        )
        beckmann = (-tangent2 / a2).exp() / (math.pi * a2 * half**4)
        cavities = (2 * half * torch.minimum(light, view) / between).clamp(max=1)
        phong = half ** (2 / a2 - 2) / (math.pi * a2)
        kinds = torch.stack([ggx / (2 * masked), beckmann * cavities / (4 * light * view), phong / 4])
        return kinds.gather(0, self.lobe[None].expand(1, *ggx.shape))[0]

    def _diffuse(self, directions: Directions) -> Tensor:
        """Oren-Nayar over albedo; (N, S)."""
        light, view, s2 = directions.light, directions.view, self.rough.square()
        across = (light[:, :2] * view[:, :2]).sum(1).clamp(0)  # sin sin cos of the difference in azimuth
        factor = across / torch.maximum(light[:, 2], view[:, 2])
        return (1 - 0.5 * s2 / (s2 + 0.33) + 0.45 * s2 / (s2 + 0.09) * factor) / math.pi


class Measured:
    """N of MERL's BRDFs, from their .binary files; the nearest entry of the table."""

    SIZE = (90, 90, 180)
    SCALE = torch.tensor([1.0, 1.15, 1.66]) / 1500

    def __init__(self, files: list[Path]) -> None:
        self.tables = torch.stack([self._read(file) for file in files])

    @property
    def count(self) -> int:
        """N."""
        return len(self.tables)

    def some(self, count: int, generator: torch.Generator) -> Measured:
        """So many of them, drawn at random."""
        drawn = Measured.__new__(Measured)
        drawn.tables = self.tables[torch.randint(self.count, (count,), generator=generator)]
        return drawn

    def _read(self, file: Path) -> Tensor:
        """(90 · 90 · 180, 3) float32."""
        sizes = np.fromfile(file, dtype="<i4", count=3)
        if tuple(sizes) != self.SIZE:
            raise ValueError(f"{file}: expected a table of 90 x 90 x 180, got {' x '.join(map(str, sizes))}")
        values = np.fromfile(file, dtype="<f8", offset=12).reshape(3, -1).T.astype(np.float32)
        return torch.from_numpy(values).clamp(min=0) * self.SCALE

    def __call__(self, directions: Directions) -> Tensor:
        """(N, S, 3): values at all directions."""
        half, difference, turn = directions.angles.unbind(-1)
        place = torch.stack(
            [(half / (math.pi / 2)).sqrt() * 90, difference * 180 / math.pi, turn * 180 / math.pi]
        )
        i, j, k = (axis.long().clamp(0, size - 1) for axis, size in zip(place, self.SIZE, strict=True))
        return self.tables[:, (i * 90 + j) * 180 + k]
