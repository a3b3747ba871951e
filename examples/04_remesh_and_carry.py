"""4. Remesh in the middle and go on: colours and the optimiser's memory move to the new vertices.

New vertices lie on old triangles, so that whatever lives on vertices is interpolated: colours by `remesh` itself,
anything else, such as the moments of an optimiser, by the map that it returns.

    python examples/04_remesh_and_carry.py

You should see more vertices, a loss that goes on from where it was, and one that jumps back without the colours;
out/examples/04_remesh_and_carry.png has the curve.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from largesteps_zg import LargeSteps, UniformAdam, icosphere, load_mesh, meshes, sphere_of_cameras
from largesteps_zg.mesh.remeshing import remesh
from largesteps_zg.optimize import carry_state
from largesteps_zg.renderers import render

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

target = load_mesh(meshes.path("fennec"))  # painted; shown without any light
cameras = sphere_of_cameras(6, distance=3.5, fov_y_degrees=35, height=96, width=96)
images = render(target.vertices, target.faces, target.colors, cameras)

start = icosphere(3, radius=0.6)
faces, shape = start.faces, LargeSteps(start.faces, start.vertices, lambda_=5)
latent = shape.to_differential(start.vertices).requires_grad_()
colors = torch.full_like(start.vertices, 0.5).requires_grad_()
optimizer = UniformAdam([{"params": [latent], "lr": 0.05}, {"params": [colors], "lr": 0.05}])


def loss_of(colors: torch.Tensor) -> torch.Tensor:
    return (render(shape.from_differential(latent), faces, colors, cameras) - images).abs().mean()


def descend(steps: int) -> float:
    for _ in range(steps):
        loss = loss_of(colors)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    return loss_of(colors).item()


curve: list[float] = []
first = loss_of(colors).item()
before = descend(60)

vertices = shape.from_differential(latent).detach()
new = remesh(vertices, faces, target_length=0.05, attributes={"colors": colors.detach()})
print(f"{len(vertices)} vertices -> {len(new.vertices)}")

faces, shape = new.faces, LargeSteps(new.faces, new.vertices, lambda_=5)
old_latent, latent = latent, shape.to_differential(new.vertices)
old_colors, colors = colors, new.attributes["colors"]
carry_state(optimizer, old_latent, latent, new.source)  # takes the old one's place, moments and all
carry_state(optimizer, old_colors, colors, new.source)

after = loss_of(colors).item()
forgotten = loss_of(torch.full_like(colors, 0.5)).item()
last = descend(60)
print(f"loss {first:.4f}; {before:.4f} before remeshing, {after:.4f} after it, {last:.4f} at the end")
change, without = (100 * (loss / before - 1) for loss in (after, forgotten))
print(f"remeshing changed the loss by {change:+.0f} %, without the colours by {without:+.0f} %")
plt.figure(figsize=(6, 3), layout="constrained")
plt.semilogy(curve, label="loss")
plt.plot(60, forgotten, "x", label="remeshed, colours forgotten")
plt.xlabel("step")
plt.legend()
plt.savefig(output / "04_remesh_and_carry.png")
assert after < 1.25 * before < forgotten and last < 0.9 * before
