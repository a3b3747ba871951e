"""9. Geometry without images: bend one ear, and leave its neighbour alone.

The solver spreads anything that lives on vertices over the surface, not through the air. A spike at the tip of one ear
becomes a soft selection that fades along the ear; the other ear, as near as it is, is far away on the surface.

    python examples/09_soft_selection.py

You should see the tip moved by 0.3, the tip of the other ear by less than a thousandth of that, no face flipped, and
before and after in out/examples/09_soft_selection.png.
"""

import argparse
from pathlib import Path

import torch

from largesteps_zg import LargeSteps, Mesh, load_mesh, look_at, meshes, save_mesh
from largesteps_zg.mesh import flipped_faces
from largesteps_zg.output.pictures import save_filmstrip
from largesteps_zg.renderers import render, shade
from largesteps_zg.scenes.synthetic import studio_light

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

mesh = load_mesh(meshes.path("fennec"))  # looks along +x, y is up; an ear on either side of z = 0
x, y, z = mesh.vertices.unbind(dim=1)
tip, other = (torch.where(side, y, -1.0).argmax() for side in (z > 0, z < 0))

spike = torch.zeros(len(mesh.vertices)).index_fill(0, tip, 1.0)
diffuse = LargeSteps(mesh.faces, mesh.vertices, lambda_=15).from_differential
weight = diffuse(diffuse(spike))  # twice: smooth at the tip as well
weight = weight / weight[tip]
bent = mesh.vertices + 0.3 * weight[:, None] * torch.tensor([0.0, 0.6, 0.8])
moved = (bent - mesh.vertices).norm(dim=1)

distance = (mesh.vertices[tip] - mesh.vertices[other]).norm()
flips = flipped_faces(bent, mesh.faces)
print(f"the tips are {distance:.2f} apart; one moved by {moved[tip]:.3f}, the other by {moved[other]:.1e}")
soft = int((moved > 0.01).sum())
print(f"{soft} of {len(moved)} vertices moved by more than 0.01; {flips} faces flipped")

camera = look_at(torch.tensor([[3.5, 0.6, 0.8]]), up=(0.0, 1.0, 0.0), fov_y_degrees=35, height=256, width=256)
pictures = [
    render(v, mesh.faces, shade(v, mesh.faces, mesh.colors, studio_light()), camera)[0]
    for v in (mesh.vertices, bent)
]
save_filmstrip(output / "09_soft_selection.png", pictures, labels=["before", "after"])
save_mesh(output / "09_soft_selection.ply", Mesh(bent, mesh.faces, mesh.colors))
print(output / "09_soft_selection.png")
assert moved[other] < 1e-3 * moved[tip] and soft > 100 and flips == 0
