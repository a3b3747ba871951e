"""23. What a lacquered ball mirrors: a cube map from pictures.

Seven pictures of a ball of known shape: paint in the light of a lamp, and above it the mirror of all that is around. A
pixel looks along its reflected ray into a cube map, whose texels are unknown, as is the paint. Paint goes with the
normal, the mirror with the ray: several views tell them apart.

    python examples/23_environment.py

You should see surroundings and paint within 1 % of white, and out/examples/23_environment.png.
"""

import argparse
from pathlib import Path

import torch

from largesteps_zg import icosphere, look_at
from largesteps_zg.output.pictures import save_filmstrip
from largesteps_zg.rasterizer import interpolate, rasterize, sample_texture
from largesteps_zg.renderers import homogeneous_pixels

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

PIXELS, SIDE = 128, 32
ball = icosphere(5)
around = torch.eye(3).repeat(2, 1) * torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])[:, None]
eyes = 4 * torch.nn.functional.normalize(torch.cat([around + 0.1, torch.ones(1, 3)]), dim=-1)
points = homogeneous_pixels(ball.vertices, look_at(eyes, fov_y_degrees=32, height=PIXELS, width=PIXELS))
fragments = rasterize(points, ball.faces, (PIXELS, PIXELS))
normals = torch.nn.functional.normalize(interpolate(ball.vertices, fragments), dim=-1)
rays = normals - eyes[fragments.pixels.long() // PIXELS**2]
rays = rays - 2 * (rays * normals).sum(-1, keepdim=True) * normals  # reflected
lit = (normals @ torch.nn.functional.normalize(torch.tensor([1.0, 2.0, 3.0]), dim=0)).clamp(min=0)[:, None]


def surroundings(directions: torch.Tensor) -> torch.Tensor:
    """What is there, as a formula: three waves."""
    x, y, z = torch.nn.functional.normalize(directions, dim=-1).unbind(-1)
    return 0.5 + 0.4 * torch.stack([(6 * x + 2 * y).sin(), (8 * y - 3 * z).sin(), (5 * z + 5 * x).cos()], -1)


true_paint = torch.tensor([0.7, 0.4, 0.1])
pictures = surroundings(rays) + true_paint * lit

texels = torch.full((6, SIDE, SIDE, 3), 0.5, requires_grad=True)
paint = torch.full((3,), 0.5, requires_grad=True)
optimizer = torch.optim.Adam([texels, paint], lr=0.02)
slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.985)
for _ in range(300):
    optimizer.zero_grad()
    seen = sample_texture(texels, rays, boundary="cube") + paint * lit
    (seen - pictures).square().sum().backward()
    optimizer.step()
    slower.step()

directions = torch.randn(20000, 3, generator=torch.Generator().manual_seed(0))
found = sample_texture(texels.detach(), directions, boundary="cube")
error = 100 * (found - surroundings(directions)).abs().mean().item()
paint_error = 100 * (paint.detach() - true_paint).abs().max().item()
print(f"surroundings off by {error:.2f} % of white, paint by {paint_error:.2f} %")

# Both all around: rows from top to bottom, columns once around.
polar, turn = torch.meshgrid(
    torch.linspace(0, torch.pi, 128), torch.linspace(0, 2 * torch.pi, 256), indexing="ij"
)
sky = torch.stack([polar.sin() * turn.cos(), polar.sin() * turn.sin(), polar.cos()], -1)
maps = [sample_texture(texels.detach(), sky, boundary="cube"), surroundings(sky)]
maps = [torch.nn.functional.pad(m, (0, 1), value=1.0) for m in maps]
save_filmstrip(output / "23_environment.png", maps[:1], target=maps[1], labels=["found"])
print(output / "23_environment.png")
assert error < 1 and paint_error < 1
