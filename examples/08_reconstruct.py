"""8. The whole job as a loop of yours: `reconstruct` yields a small record a step, you decide when to stop.

From rendered images with masks and cameras, light and colours unknown. Here: stop as soon as the smoothed loss is below
0.006. Printing, plotting and saving are the caller's too.

    python examples/08_reconstruct.py

You should see it stop before step 400, a Chamfer distance below 1 permille of the diagonal, a mesh file, and
target, result and error side by side in out/examples/08_reconstruct.png.
"""

import argparse
from pathlib import Path

from largesteps_zg import load_mesh, meshes, save_mesh
from largesteps_zg.mesh import surface_distances
from largesteps_zg.output.pictures import save_comparison
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.scenes.synthetic import scene_from_mesh

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

scene = scene_from_mesh(load_mesh(meshes.path("pebble")), views=12, test_views=3, height=96, width=96)
smoothed = 1.0
for state in reconstruct(scene.train, Settings(steps=400, remesh="off", views_per_step=4)):
    smoothed += 0.05 * (state.loss - smoothed)
    if state.step % 50 == 0:
        print(f"step {state.step:3d}: loss {smoothed:.4f}")
    if smoothed < 0.006:
        break

mesh = state.run.mesh()
save_mesh(output / "08_reconstruct.ply", mesh)
results = state.run.images(scene.test.cameras)
save_comparison(output / "08_reconstruct.png", scene.test.linear(), results, names=scene.test.names)
chamfer = surface_distances(mesh, scene.mesh, samples=10_000).chamfer_permille
print(
    f"stopped at step {state.step} of {state.steps}; Chamfer distance {chamfer:.2f} permille of the diagonal"
)
print(output / "08_reconstruct.png")
assert state.step < state.steps and chamfer < 1
