"""13. Where was the camera? Searches that only call the renderer, from the wrong side of the model.

Three numbers are sought, azimuth, elevation and distance, from one small picture. From the wrong side most small steps
make the picture worse: a gradient, exact or estimated, leads elsewhere. A search draws from a wide region, and narrows.

    python examples/13_search.py

You should see the camera found to a hundredth of a degree by CMA-ES, and to degrees or worse by the genetic algorithm,
by simulated annealing and by as many random cameras, the honest baseline: what they see is in
out/examples/13_search.png. Needs pip install "largesteps_zg[search]".
"""

import argparse
from pathlib import Path

import torch

from largesteps_zg import Cameras, load_mesh, look_at, meshes
from largesteps_zg.estimators.searches import SEARCHES, minimize
from largesteps_zg.output.pictures import save_filmstrip
from largesteps_zg.rasterizer import edge_table
from largesteps_zg.renderers import render

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)
BUDGET = 500
mesh = load_mesh(meshes.path("fennec"))  # looks along +x, y is up
edges = edge_table(mesh.faces, mesh.vertices)
center = (mesh.vertices.amax(dim=0) + mesh.vertices.amin(dim=0)) / 2
where = (mesh.vertices - center) * 0.3 + 0.5  # colours that say which part of the model a pixel shows

front = torch.tensor([0.0, 0.0, 1.5])  # azimuth, elevation, log distance
spread = torch.tensor([1.5, 0.4, 0.2])
truth = (torch.tensor([2.3, 0.4, 1.3]) - front) / spread


def camera(x: torch.Tensor) -> Cameras:
    azimuth, elevation, distance = front + spread * x
    elevation, distance = elevation.clamp(-1.5, 1.5), distance.clamp(0.7, 2.5).exp()
    toward = [azimuth.cos() * elevation.cos(), elevation.sin(), azimuth.sin() * elevation.cos()]
    eye = center + distance * torch.stack(toward)
    return look_at(eye[None], center, up=(0.0, 1.0, 0.0), fov_y_degrees=35, height=48, width=48)


@torch.no_grad()
def picture(x: torch.Tensor) -> torch.Tensor:
    return render(mesh.vertices, mesh.faces, where, camera(x), edges=edges)[0]


def loss(x: torch.Tensor) -> torch.Tensor:
    return (picture(x) - photo).abs().mean()


def report(name: str, x: torch.Tensor) -> float:
    """Prints the loss and returns how far the camera is off: the angle at the model in degrees."""
    a, b = ((camera(p).centers[0] - center).double() for p in (x, truth))
    off = torch.rad2deg(torch.atan2(torch.linalg.cross(a, b).norm(), a @ b)).item()
    print(f"{name:10} loss {loss(x):.4f}, {off:7.3f} degrees off")
    return off


photo = picture(truth)
start, off, frames = torch.zeros(3), {}, []
report("start", start)
for name in SEARCHES:
    result = minimize(loss, start, search=name, evaluations=BUDGET, sigma=1.0, seed=0)
    off[name] = report(name, result.parameters)
    frames.append(picture(result.parameters))
draws = torch.randn(BUDGET, 3, generator=torch.Generator().manual_seed(0))
off["random"] = report("random", min(draws, key=loss))
print(f"CMA-ES after {BUDGET} pictures: {off['cma-es']:.3f} degrees")
save_filmstrip(output / "13_search.png", [picture(start), *frames], target=photo, labels=["start", *SEARCHES])
assert off["cma-es"] < 0.1 and off["cma-es"] < 0.1 * off["random"]
