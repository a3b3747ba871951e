"""22. A texture that is finer than the pictures of it, with mipmaps.

A pixel shows the mean of some dozens of texels. A sampler without mipmaps takes four of them for the whole, so most
texels stay as they began. With mipmaps each pixel looks at a level as coarse as its footprint: how far texture
coordinates move from one pixel to the next.

    python examples/22_mipmaps.py

You should see an error of the texture at least 3 times less than without mipmaps, and out/examples/22_mipmaps.png.
"""

import argparse
import math
from dataclasses import replace
from pathlib import Path

import torch

from largesteps_zg import look_at
from largesteps_zg.output.pictures import save_filmstrip
from largesteps_zg.rasterizer import interpolate, rasterize, sample_texture
from largesteps_zg.renderers import homogeneous_pixels

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

SIDE, PIXELS, FINER = 512, 64, 8  # FINER² rays make a pixel of a photograph
corners = torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0))  # of a floor, and in the texture
vertices, faces = torch.nn.functional.pad(2 * corners - 1, (0, 1)), torch.tensor([[0, 1, 2], [2, 1, 3]])
turn, tilt = 2.4 * torch.arange(20), torch.linspace(0.1, 1.0, 20)  # radians
eyes = torch.stack([tilt.sin() * turn.cos(), tilt.sin() * turn.sin(), tilt.cos()], -1)
eyes *= torch.tensor([2.0, 2.5, 3.0, 4.0]).repeat(5)[:, None]


def seen(pixels: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Covered pixels, their texture coordinates, and footprints: coordinates one pixel on, on the same triangle."""
    cameras = look_at(eyes, fov_y_degrees=45, height=pixels, width=pixels)
    points = homogeneous_pixels(vertices, cameras).contiguous()
    fragments = rasterize(points, faces, (pixels, pixels))
    here, steps = interpolate(corners, fragments), []
    for axis in range(2):
        moved = points.clone()
        moved[..., axis] -= points[..., 2]  # the picture moved one pixel to the left, or up
        steps.append(interpolate(corners, replace(fragments, points=moved)) - here)
    return fragments.pixels.long(), here, torch.stack(steps, -1).flatten(1)


y, x = torch.meshgrid(*2 * [torch.linspace(-5, 5, SIDE) * math.pi], indexing="ij")
truth = 0.5 + 0.4 * torch.stack([(1.5 * y.hypot(x)).sin(), x.sin() * y.sin(), (2 * x).cos()], -1)
covered, places, _ = seen(FINER * PIXELS)
image = torch.zeros(len(eyes) * (FINER * PIXELS) ** 2, 4)
image[covered] = torch.nn.functional.pad(sample_texture(truth, places), (0, 1), value=1.0)
photographs = image.view(len(eyes), PIXELS, FINER, PIXELS, FINER, 4).mean((2, 4)).view(-1, 4)
covered, places, footprints = seen(PIXELS)
whole = photographs[covered, 3] == 1  # pixels that see nothing but the floor
targets, places, footprints = photographs[covered[whole], :3], places[whole], footprints[whole]


def error_of(texture: torch.Tensor, **options: torch.Tensor) -> float:
    optimizer = torch.optim.Adam([texture.requires_grad_()], lr=0.02)
    for _ in range(150):
        loss = (sample_texture(texture, places, **options) - targets).square().sum()
        (texture.grad,) = torch.autograd.grad(loss, texture)
        optimizer.step()
    return (texture.detach() - truth).abs().mean().item()


textures = [torch.full_like(truth, 0.5) for _ in range(2)]
# The level follows a footprint's longer axis; half a level less is nearer to the mean.
levels = {"footprints": footprints, "bias": torch.full((len(places),), -0.5)}
errors = [error_of(textures[0]), error_of(textures[1], **levels)]
print(f"error {errors[0]:.3f} without mipmaps, {errors[1]:.3f} with: {errors[0] / errors[1]:.1f} times less")
opaque = [torch.nn.functional.pad(t.detach(), (0, 1), value=1.0) for t in (*textures, truth)]
save_filmstrip(output / "22_mipmaps.png", opaque[:2], target=opaque[2], labels=["without", "with"])
print(output / "22_mipmaps.png")
assert errors[1] < errors[0] / 3
