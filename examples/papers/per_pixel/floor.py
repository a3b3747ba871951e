"""A floor of physically based texels, whose UV buffer is a picture of its own coordinates."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from largesteps_zg.cameras import look_at
from largesteps_zg.estimators import Contributors
from largesteps_zg.renderers import HardRasterizer


class Floor:
    """A square floor of `side`² texels seen by `views` cameras, each with a lamp of its own; pictures in 8 bits."""

    def __init__(self, side: int, size: int, views: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        corners = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
        eyes = torch.randn(views, 3, generator=generator) * torch.tensor([0.7, 0.7, 0.0])
        eyes[:, 2] = 2.6
        cameras = look_at(
            eyes, torch.zeros(views, 3), fov_y_degrees=40.0, height=size, width=size, up=(0.0, 1.0, 0.0)
        )
        # The UV buffer is a picture of the floor whose colours are its own coordinates.
        faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
        buffer = HardRasterizer()(corners, faces, corners, cameras).images
        self.inside = buffer[..., 3] > 0
        column, row = ((buffer[..., i] + 1) / 2 * side for i in (0, 1))
        column, row = (t.floor().long().clamp(0, side - 1) for t in (column, row))
        self.texel = row * side + column  # (B, H, W)
        self.beside = torch.stack([row * side + (column + 1) % side, (row + 1) % side * side + column], -1)
        self.eye = torch.nn.functional.normalize(eyes[:, None, None] - buffer[..., :3], dim=-1)
        lamps = torch.randn(views, 3, generator=generator) * torch.tensor([1.2, 1.2, 0.0])
        lamps[:, 2] = 1.5
        toward = lamps[:, None, None] - buffer[..., :3]
        self.power = 6 / toward.square().sum(-1)
        self.lamp = torch.nn.functional.normalize(toward, dim=-1)

    def lists(self, chosen: Tensor) -> tuple[Contributors, ...]:
        """Of the texels that made each pixel, for each texture: a height is felt by two neighbours, too."""
        nobody = ~self.inside[chosen][..., None]
        one = Contributors.of(self.texel[chosen][..., None].masked_fill(nobody, -1))
        all_three = torch.cat([self.texel[chosen][..., None], self.beside[chosen]], -1)
        return one, one, one, one, Contributors.of(all_three.masked_fill(nobody, -1))

    def draw(
        self, chosen: Tensor, albedo: Tensor, rough: Tensor, metal: Tensor, normal: Tensor, height: Tensor
    ) -> Tensor:
        """(B, H, W, 3) in sRGB, whole steps of 1/255: Lambert, GGX, Schlick."""
        texel, eye, lamp = self.texel[chosen], self.eye[chosen], self.lamp[chosen]
        paint, metal = albedo[texel].clamp(0, 1), metal[texel].clamp(0, 1)
        slope = (height[self.beside[chosen]] - height[texel][..., None, :])[..., 0]
        tilt = torch.nn.functional.pad(normal[texel] - slope, (0, 1), value=1.0)
        up = torch.nn.functional.normalize(tilt, dim=-1)
        half = torch.nn.functional.normalize(eye + lamp, dim=-1)
        n_l, n_v, n_h, v_h = (
            (a * b).sum(-1, keepdim=True).clamp(min=1e-3)
            for a, b in ((up, lamp), (up, eye), (up, half), (eye, half))
        )
        alpha = rough[texel].clamp(0.15, 1).square()
        spread = alpha.square() / (math.pi * (n_h.square() * (alpha.square() - 1) + 1).square())
        k = alpha / 2
        shadow = 1 / (4 * (n_l * (1 - k) + k) * (n_v * (1 - k) + k))
        base = 0.04 * (1 - metal) + paint * metal
        mirrored = (base + (1 - base) * (1 - v_h) ** 5) * spread * shadow
        light = ((1 - metal) * paint / math.pi + mirrored) * n_l * self.power[chosen][..., None]
        light = light * self.inside[chosen][..., None]
        return (255 * light.clamp(0, 1) ** (1 / 2.2)).round() / 255
