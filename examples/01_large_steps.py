"""1. A sphere becomes a fennec: Large Steps in three lines.

The gradient of an image pulls at the few vertices that it sees, each its own way, and tears a mesh to pieces. Written
as v = (I + lambda L)^-1 u, every pull on u moves v and its neighbourhood smoothly, so that steps can be large.

    python examples/01_large_steps.py

You should see the Chamfer distance fall to a tenth, with less than one face in a hundred flipped, and the way there
in out/examples/01_large_steps.png.
"""

import argparse
from pathlib import Path

import torch

from largesteps_zg import LargeSteps, Mesh, UniformAdam, icosphere, load_mesh, look_at, meshes
from largesteps_zg.mesh import flipped_faces, surface_distances
from largesteps_zg.output.pictures import save_filmstrip
from largesteps_zg.rasterizer import edge_table
from largesteps_zg.renderers import render, shade
from largesteps_zg.scenes.synthetic import studio_light

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

target = load_mesh(meshes.path("fennec"))
start = icosphere(4, radius=0.6)
corners = icosphere(0, radius=3.5).vertices  # twelve cameras at the corners of an icosahedron
cameras = look_at(corners, up=(0.0, 1.0, 0.0), fov_y_degrees=35, height=128, width=128)
light = studio_light()


def photograph(mesh: Mesh, edges: torch.Tensor) -> torch.Tensor:
    clay = torch.full_like(mesh.vertices, 0.5)
    colors = shade(mesh.vertices, mesh.faces, clay, light)
    return render(mesh.vertices, mesh.faces, colors, cameras, edges=edges)


images = photograph(target, edge_table(target.faces))
frames = []

shape = LargeSteps(start.faces, start.vertices, lambda_=19)  # factors I + lambda L, once
latent = shape.to_differential(start.vertices).requires_grad_()
optimizer = UniformAdam([latent], lr=0.1)
edges = edge_table(start.faces)  # made once, not at every rendering
for step in range(101):
    mesh = Mesh(shape.from_differential(latent), start.faces)  # one solve, and one more backward
    rendered = photograph(mesh, edges)
    loss = (rendered - images).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step in (0, 10, 30, 100):
        print(f"step {step:3d}: loss {loss.item():.4f}")
        frames.append(rendered[3].detach())

before, after = (surface_distances(m, target, samples=3_000).chamfer_permille for m in (start, mesh))
flips = flipped_faces(mesh.vertices.detach(), mesh.faces)
print(f"Chamfer distance: {before:.1f} -> {after:.1f} permille of the diagonal")
print(f"{flips} of {len(mesh.faces)} faces flipped")
save_filmstrip(output / "01_large_steps.png", frames, target=images[3], labels=["0", "10", "30", "100"])
print(output / "01_large_steps.png")
assert after < before / 10 and flips < 0.01 * len(mesh.faces)
