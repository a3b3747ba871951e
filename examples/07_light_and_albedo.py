"""7. Light from a grey ball, then paint in that light.

A diffuse surface sees distant light through nine numbers a channel (spherical harmonics, order 2). Light and paint of
one object cannot be told apart: half the light on twice the albedo looks the same. So do as film crews do: photograph
a ball of known grey for the light, and then the object, whose colour per vertex is what is left to find.

    python examples/07_light_and_albedo.py

You should see the light and the paint come out right to a few percent; out/examples/07_light_and_albedo.png shows
held-out views of the paint alone.
"""

import argparse
from pathlib import Path

import torch

from largesteps_zg import Cameras, Mesh, icosphere, load_mesh, meshes, sphere_of_cameras
from largesteps_zg.output.pictures import save_comparison
from largesteps_zg.rasterizer import edge_table
from largesteps_zg.renderers import SphericalHarmonicsLight, render, shade
from largesteps_zg.scenes.synthetic import render_views, studio_light

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

painted = load_mesh(meshes.path("fennec"))
ball = icosphere(4)
grey = Mesh(ball.vertices, ball.faces, torch.full_like(ball.vertices, 0.5))
truth = SphericalHarmonicsLight(0.6 * studio_light().coefficients)  # darker, so that nothing is overexposed
cameras = sphere_of_cameras(12, distance=3.5, fov_y_degrees=35, height=128, width=128)


def fit(mesh: Mesh, parameter: torch.Tensor, colors, *, step_size: float) -> None:
    """Descend from `parameter` until ``colors()`` of the mesh look as its 8-bit photographs do."""
    images = render_views(mesh, cameras, light=truth).linear()
    edges = edge_table(mesh.faces)
    optimizer = torch.optim.Adam([parameter.requires_grad_()], lr=step_size)
    for step in range(100):
        some = torch.arange(4) + 4 * (step % 3)
        rendered = render(mesh.vertices, mesh.faces, colors(), cameras[some], edges=edges)
        loss = (rendered - images[some]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


light = SphericalHarmonicsLight.ambient(order=2)
fit(grey, light.coefficients, lambda: shade(grey.vertices, grey.faces, grey.colors, light), step_size=0.1)
light.coefficients.requires_grad_(False)
off_light = ((light.coefficients - truth.coefficients).norm() / truth.coefficients.norm()).item()

paint = torch.zeros_like(painted.vertices)  # albedo = sigmoid(paint), so that it stays in (0, 1)
fit(painted, paint, lambda: shade(painted.vertices, painted.faces, paint.sigmoid(), light), step_size=0.2)
off_paint = ((paint.detach().sigmoid() - painted.colors).abs().mean() / painted.colors.mean()).item()
print(f"light off by {100 * off_light:.1f} %, paint by {100 * off_paint:.1f} % of its mean")


def flat(albedo: torch.Tensor, views: Cameras) -> torch.Tensor:
    return render(painted.vertices, painted.faces, albedo.detach(), views)


others = sphere_of_cameras(3, distance=3.5, fov_y_degrees=35, height=128, width=128, seed=1)
save_comparison(
    output / "07_light_and_albedo.png", flat(painted.colors, others), flat(paint.sigmoid(), others)
)
print(output / "07_light_and_albedo.png")
assert off_light < 0.03 and off_paint < 0.08
