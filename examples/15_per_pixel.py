"""15. Per-pixel gradients: shape and paint through a renderer that is only called.

All vertices and all colours move at once, by a little at random signs, once one way and once the other: two pictures
for each view. A pixel that has changed says so only to the vertices of the triangles that made it in either picture,
so that a million parameters cost as much as ten. The Large Steps latent turns the noise into smooth steps.

    python examples/15_per_pixel.py

You should see the Chamfer distance fall to less than a sixth and the paint appear, without a derivative of any picture;
the way there is in out/examples/15_per_pixel.png.
"""

import argparse
from pathlib import Path

import torch

from largesteps_zg import LargeSteps, Mesh, UniformAdam, icosphere, load_mesh, look_at, meshes
from largesteps_zg.estimators import PerPixel, PixelLosses, differentiable, geometric
from largesteps_zg.images.losses import pixel_losses
from largesteps_zg.mesh import surface_distances
from largesteps_zg.output.pictures import save_filmstrip
from largesteps_zg.renderers import HardRasterizer

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

STEPS = 200
target = load_mesh(meshes.path("fennec"))
start = icosphere(4, radius=0.6)
corners = icosphere(0, radius=3.5).vertices  # twelve cameras at the corners of an icosahedron
cameras = look_at(corners, up=(0.0, 1.0, 0.0), fov_y_degrees=35, height=128, width=128)
renderer = HardRasterizer()  # each pixel shows one triangle or nothing: no slope at any silhouette
images = renderer(target.vertices, target.faces, target.colors, cameras).images


def losses(vertices: torch.Tensor, colors: torch.Tensor) -> PixelLosses:
    pictures = renderer(vertices, start.faces, colors, cameras)
    return PixelLosses(pixel_losses(pictures.images, images), pictures.triangles)


shape, paint = LargeSteps(start.faces, start.vertices), LargeSteps(start.faces, start.vertices, 1.0)
latents = [
    shape.to_differential(start.vertices).requires_grad_(),
    paint.to_differential(torch.full_like(start.vertices, 0.5)).requires_grad_(),
]
estimator = PerPixel(
    (geometric(0.01, 0.005, STEPS), 0.05),  # in the scene's unit for vertices, and for colours
    primitives=start.faces,
    views=len(cameras),  # every view has a perturbation of its own: less noise for the same pictures
)
loss_of = differentiable(losses, estimator, generator=torch.Generator().manual_seed(0))
optimizer = UniformAdam(
    [{"params": latents[:1], "lr": 0.2}, {"params": latents[1:], "lr": 0.1}], betas=(0.9, 0.99)
)
frames = []
for step in range(STEPS + 1):
    vertices, colors = shape.from_differential(latents[0]), paint.from_differential(latents[1])
    if step in (0, STEPS // 10, STEPS // 3, STEPS):
        frames.append(renderer(vertices.detach(), start.faces, colors.detach(), cameras).images[3])
    loss = loss_of(vertices, colors)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

found = Mesh(vertices.detach(), start.faces)
before, after = (surface_distances(mesh, target, samples=3_000).chamfer_permille for mesh in (start, found))
print(
    f"{sum(latent.numel() for latent in latents):,} parameters, {loss_of.evaluations} calls of the renderer"
)
print(f"Chamfer distance: {before:.1f} -> {after:.1f} permille of the diagonal")
labels = ["0", f"{STEPS // 10}", f"{STEPS // 3}", f"{STEPS}"]
save_filmstrip(output / "15_per_pixel.png", frames, target=images[3], labels=labels)
print(output / "15_per_pixel.png")
assert after < before / 6
