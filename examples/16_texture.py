"""16. A texture of 256 x 256 texels, through pictures in 8 bits.

A texture is painted on a floor that nine cameras see, each another part of it. They store the bilinear mix of four
texels in bytes, and rounding has no slope. For per-pixel gradients it is enough to know which texels made a
pixel: the UV buffer. The 196,608 numbers take two pictures a step, as ten numbers would.

    python examples/16_texture.py

You should see the error of the texture fall to less than a quarter, and the result in out/examples/16_texture.png.
"""

import argparse
import math
from pathlib import Path

import torch

from largesteps_zg.estimators import PerPixel, PixelLosses, differentiable
from largesteps_zg.images.losses import pixel_losses
from largesteps_zg.output.pictures import save_filmstrip

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

SIZE, PIXELS = 256, 160
axis = (torch.arange(PIXELS) + 0.5) / PIXELS - 0.5
y, x = torch.meshgrid(axis, axis, indexing="ij")
turn = torch.linspace(0, 5, 9)[:, None, None]
middle = SIZE / 3 * torch.cartesian_prod(torch.arange(3), torch.arange(3))[:, :, None, None]
# The UV buffer in texels, (B, H, W): two pixels for a texel's width; the floor goes on as it begins.
u = middle[:, 0] + SIZE / 2 * (turn.cos() * x - turn.sin() * y)
v = middle[:, 1] + SIZE / 2 * (turn.sin() * x + turn.cos() * y)
left, top = (u - 0.5).floor(), (v - 0.5).floor()
corners = [(left + i, top + j) for j in (0, 1) for i in (0, 1)]
texels = torch.stack([(b % SIZE * SIZE + a % SIZE).long() for a, b in corners], dim=-1)  # (B, H, W, 4)
shares = torch.stack([(1 - (u - 0.5 - a).abs()) * (1 - (v - 0.5 - b).abs()) for a, b in corners], dim=-1)


def photograph(texture: torch.Tensor) -> torch.Tensor:
    mixed = (texture[texels] * shares[..., None]).sum(-2)
    return (255 * mixed).round().clamp(0, 255).to(torch.uint8)


rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
radius = (rows - 128.0).hypot(columns - 128.0)
pattern = torch.stack([(radius / 9).sin(), (rows / 14).sin(), ((rows + columns) * math.pi / 16).cos()], -1)
truth = (0.5 + 0.4 * pattern).view(-1, 3)
targets = photograph(truth).float() / 255


def losses(texture: torch.Tensor) -> PixelLosses:
    return PixelLosses(pixel_losses(photograph(texture).float() / 255, targets, kind="l2"), texels)


texture = torch.full_like(truth, 0.5).requires_grad_()
loss = differentiable(losses, PerPixel(epsilon=0.03), generator=torch.Generator().manual_seed(0))
optimizer = torch.optim.Adam([texture], lr=0.03, betas=(0.9, 0.99))
slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)
before = (texture.detach() - truth).abs().mean()
for _ in range(100):
    optimizer.zero_grad()
    loss(texture).backward()
    optimizer.step()
    slower.step()
after = (texture.detach() - truth).abs().mean()
print(f"{texture.numel():,} parameters, {loss.evaluations} calls")
print(f"error of the texture {before:.3f} -> {after:.3f}: {before / after:.1f} times less")
opaque = [
    torch.cat([t.detach().view(SIZE, SIZE, 3), torch.ones(SIZE, SIZE, 1)], -1) for t in (texture, truth)
]
save_filmstrip(output / "16_texture.png", opaque[:1], target=opaque[1], labels=["found"])
print(output / "16_texture.png")
assert after < before / 4
