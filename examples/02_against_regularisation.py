"""2. Large Steps against the classic: Adam on the vertices, with a Laplacian penalty.

The penalty is either too weak to keep the triangles in order or strong enough to keep the shape from forming; the
parametrization smooths the way and not the result. Equal steps, equal images, clay in known light.

    python examples/02_against_regularisation.py

You should see the weak penalty end with ten times as many flipped faces as Large Steps, at a Chamfer distance like its
own; the strong one is in order and far from the target: out/examples/02_against_regularisation.png.
"""

import argparse
from pathlib import Path

import torch

from largesteps_zg import LargeSteps, Mesh, UniformAdam, icosphere, load_mesh, meshes
from largesteps_zg.cameras import Cameras, look_at, sphere_of_cameras
from largesteps_zg.geometry import laplacian_loss, laplacian_uniform
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
cameras = sphere_of_cameras(6, distance=3.5, fov_y_degrees=35, height=96, width=96)
front = look_at(torch.tensor([[2.5, 1.0, 2.5]]), up=(0.0, 1.0, 0.0), fov_y_degrees=38, height=256, width=256)
light = studio_light()


def photograph(mesh: Mesh, edges: torch.Tensor, cameras: Cameras = cameras) -> torch.Tensor:
    clay = torch.full_like(mesh.vertices, 0.5)
    colors = shade(mesh.vertices, mesh.faces, clay, light)
    return render(mesh.vertices, mesh.faces, colors, cameras, edges=edges)


images = photograph(target, edge_table(target.faces))
edges, laplacian = edge_table(start.faces), laplacian_uniform(start.vertices, start.faces)
shape = LargeSteps(start.faces, start.vertices, lambda_=19)
frames = []


def fit(name: str, parameter: torch.Tensor, optimizer, positions=lambda v: v, penalty: float = 0.0):
    for _ in range(80):
        vertices = positions(parameter)
        loss = (photograph(Mesh(vertices, start.faces), edges) - images).abs().mean()
        loss = loss + penalty * laplacian_loss(vertices, laplacian)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    result = Mesh(positions(parameter).detach(), start.faces)
    chamfer = surface_distances(result, target, samples=3_000).chamfer_permille
    flips = flipped_faces(result.vertices, result.faces)
    frames.append(photograph(result, edges, front)[0])
    print(f"{name:26} Chamfer {chamfer:5.1f} permille, {flips:4d} of {len(start.faces)} faces flipped")
    return chamfer, flips


latent = shape.to_differential(start.vertices).requires_grad_()
ours = fit("Large Steps, lambda 19", latent, UniformAdam([latent], lr=0.1), shape.from_differential)
rows = []
for penalty in (10.0, 100.0):  # the better step size of 0.003, 0.01 for either
    free = start.vertices.clone().requires_grad_()
    adam = torch.optim.Adam([free], lr=0.01)
    rows.append(fit(f"Adam, penalty {penalty:g}", free, adam, penalty=penalty))
weak, strong = rows
print(f"flipped faces, weak penalty against Large Steps: {weak[1] / max(ours[1], 1):.0f} to 1")
print(f"Chamfer distance, strong penalty against Large Steps: {strong[0] / ours[0]:.0f} to 1")
picture = output / "02_against_regularisation.png"
shown = photograph(target, edge_table(target.faces), front)[0]
save_filmstrip(picture, frames, target=shown, labels=["Large Steps", "weak penalty", "strong penalty"])
assert weak[1] > 8 * ours[1] and strong[0] > 5 * ours[0] and ours[0] < 1.5 * weak[0]
