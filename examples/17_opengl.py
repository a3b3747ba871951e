"""17. Through OpenGL: an engine that nobody can differentiate finds the shape.

Any engine that says which triangle made each pixel gets per-pixel gradients. This one draws on a graphics card or, with
Mesa, on the processor, stores bytes if asked to, and has no slope anywhere. Nothing else differs from the loop of
example 15; where OpenGL is missing it says why and takes the built-in rasterizer, which is one other word.

    python examples/17_opengl.py

You should see the name of what draws, and the Chamfer distance fall to less than a fifth; out/examples/17_opengl.png
has start, result and target.
"""

import argparse
from pathlib import Path

import torch

from largesteps_zg import LargeSteps, Mesh, UniformAdam, icosphere, load_mesh, look_at, meshes
from largesteps_zg.estimators import PerPixel, PixelLosses, differentiable
from largesteps_zg.images.losses import pixel_losses
from largesteps_zg.mesh import surface_distances
from largesteps_zg.output.pictures import save_filmstrip
from largesteps_zg.renderers import load_renderer, shade
from largesteps_zg.scenes.synthetic import studio_light

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)
STEPS = 120
renderer = load_renderer("opengl")
try:
    print(f"drawn by {renderer.device}")
except (ImportError, RuntimeError) as missing:  # no moderngl, or no driver
    print(f"no OpenGL here, so the built-in rasterizer draws: {missing}")
    renderer = load_renderer("rasterizer")

target = load_mesh(meshes.path("pebble"))
start = icosphere(4, radius=0.6)
corners = icosphere(0, radius=3.5).vertices
cameras = look_at(corners, up=(0.0, 1.0, 0.0), fov_y_degrees=35, height=128, width=128)
light = studio_light()


def clay(vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    return shade(vertices, faces, torch.full_like(vertices, 0.5), light)


images = renderer(target.vertices, target.faces, clay(target.vertices, target.faces), cameras).images


def losses(vertices: torch.Tensor, colors: torch.Tensor) -> PixelLosses:
    pictures = renderer(vertices, start.faces, colors, cameras)
    return PixelLosses(pixel_losses(pictures.images, images), pictures.triangles)


shape = LargeSteps(start.faces, start.vertices)
latent = shape.to_differential(start.vertices).requires_grad_()
estimator = PerPixel((0.01, 0.05), primitives=start.faces, views=len(cameras))
loss = differentiable(losses, estimator, generator=torch.Generator().manual_seed(0))
optimizer = UniformAdam([latent], lr=0.2)
slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)
for _ in range(STEPS):
    vertices = shape.from_differential(latent)
    optimizer.zero_grad()
    # Colours are shaded before the engine draws them: from there on autograd knows the way to the latent.
    loss(vertices, clay(vertices, start.faces)).backward()
    optimizer.step()
    slower.step()

found = Mesh(shape.from_differential(latent).detach(), start.faces)
before, after = (surface_distances(mesh, target, samples=3_000).chamfer_permille for mesh in (start, found))
print(f"Chamfer distance: {before:.1f} -> {after:.1f} permille, {before / after:.1f} times less")
frames = [renderer(m.vertices, m.faces, clay(m.vertices, m.faces), cameras).images[3] for m in (start, found)]
save_filmstrip(output / "17_opengl.png", frames, target=images[3], labels=["start", f"{STEPS} steps"])
assert after < before / 5
