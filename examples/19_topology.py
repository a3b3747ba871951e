"""19. Holes: a surface keeps those that it starts with, so start with the right ones.

Large Steps moves vertices and remeshing cuts edges anew, but neither tears a hole. A sphere pulled at a knot ends as a
skin over it; the hull that the masks carve out has the knot's handle already. `choose_start` looks at the masks and
says what it takes and why; it is what `largesteps-zg reconstruct` starts from.

    python examples/19_topology.py

You should see the hull taken, both surfaces keep the handles that they began with, the one from the hull at least ten
times nearer to the truth, and both beside it in out/examples/19_topology.png.
"""

import argparse
from pathlib import Path

from largesteps_zg import Mesh, load_mesh, meshes
from largesteps_zg.geometry import topology
from largesteps_zg.mesh import surface_distances
from largesteps_zg.output.pictures import save_filmstrip
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.reconstruct.starts import choose_start, starting_sphere
from largesteps_zg.scenes import bounding_sphere
from largesteps_zg.scenes.synthetic import scene_from_mesh

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

scene = scene_from_mesh(load_mesh(meshes.path("knot")), views=24, test_views=1, height=96, width=96)
center, radius = bounding_sphere(scene.train)
chosen = choose_start(scene.train, center, radius)
print(f"{chosen.kind}: {chosen.reason}")


def judged(mesh: Mesh) -> tuple[int | None, float]:
    """Handles, and the distance to the true surface in thousandths of its diagonal."""
    distances = surface_distances(mesh, scene.mesh, samples=10_000)
    return topology(mesh.faces).genus, distances.chamfer_permille


handles, distance, pictures = {}, {}, []
for name, start in ("sphere", starting_sphere(scene.train, center, radius)), ("hull", chosen.mesh):
    settings = Settings(steps=150, remesh=(100,), views_per_step=4)
    *_, state = reconstruct(scene.train, settings, start=start)
    mesh = state.run.mesh()
    (before, far), (handles[name], distance[name]) = judged(start), judged(mesh)
    print(f"{name:7} handles {before} -> {handles[name]}, ", end="")
    print(f"Chamfer distance {far:.1f} -> {distance[name]:.2f} permille")
    pictures += [state.run.images(scene.test.cameras)[0]]
    assert handles[name] == before
truth = topology(scene.mesh.faces).genus
print(f"truth   handles {truth}; from the hull {distance['sphere'] / distance['hull']:.0f} times nearer")
names = ["from the sphere", "from the hull"]
save_filmstrip(output / "19_topology.png", pictures, target=scene.test.linear()[0], labels=names)
print(output / "19_topology.png")
assert chosen.kind == "hull" and handles == {"sphere": 0, "hull": truth}
assert 10 * distance["hull"] < distance["sphere"]
