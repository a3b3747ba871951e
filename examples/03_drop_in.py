"""3. Code written for the `largesteps` package runs after the import name is changed; nothing else.

The task: the positions of one vertex in ten are known, and the surface between them is wanted. A gradient that is
zero at most vertices is what the parametrization is for: it diffuses what the few know. Any device.

    python examples/03_drop_in.py

You should see an error at the unknown vertices eighteen times smaller than with Adam on the vertices themselves, which
leaves them where they were; out/examples/03_drop_in.png shows the surfaces.
"""

import argparse
from pathlib import Path

import torch

from largesteps_zg.cameras import look_at
from largesteps_zg.geometry import compute_matrix  # was: from largesteps.geometry import ...
from largesteps_zg.mesh import icosphere
from largesteps_zg.optimize import AdamUniform
from largesteps_zg.output.pictures import save_filmstrip
from largesteps_zg.parameterize import from_differential, to_differential
from largesteps_zg.renderers import render, shade
from largesteps_zg.scenes.synthetic import studio_light

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

sphere = icosphere(4)
verts, faces = sphere.vertices, sphere.faces
wanted = verts * (1 + 0.2 * torch.sin(3 * verts[:, :1]) * torch.cos(2 * verts[:, 1:2]))
known = torch.arange(0, len(verts), 10)
unknown = torch.ones(len(verts), dtype=torch.bool).index_fill(0, known, False)


def error(v: torch.Tensor) -> float:
    return (v - wanted)[unknown].norm(dim=1).mean().item()


# As in the published package's own example, line by line.
M = compute_matrix(verts, faces, lambda_=19)
u = to_differential(M, verts)
u.requires_grad = True
opt = AdamUniform([u], 0.2)
for _ in range(150):
    v = from_differential(M, u, "Cholesky")
    loss = (v - wanted)[known].square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()

plain = verts.clone().requires_grad_()
adam = torch.optim.Adam([plain], lr=0.01)
for _ in range(150):
    adam.zero_grad()
    (plain - wanted)[known].square().mean().backward()
    adam.step()

start, steps, without = error(verts), error(v), error(plain)
print(f"mean error at {int(unknown.sum())} unknown vertices: {start:.4f} before")
print(
    f"{without:.4f} with Adam on the vertices, {steps:.4f} with Large Steps: {without / steps:.0f} times less"
)
camera = look_at(torch.tensor([[2.5, 1.5, 1.0]]), fov_y_degrees=52, height=256, width=256)
surfaces = [t.detach() for t in (verts, plain, v, wanted)]
*frames, last = (render(s, faces, shade(s, faces, s * 0 + 0.6, studio_light()), camera)[0] for s in surfaces)
picture = output / "03_drop_in.png"
save_filmstrip(picture, frames, target=last, labels=["start", "Adam on the vertices", "Large Steps"])
print(picture)
assert steps < without / 18
