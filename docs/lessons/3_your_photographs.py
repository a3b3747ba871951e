"""
3. Your own photographs
=======================

What to look at before a run, and after it. So that the lesson runs anywhere, its folder is made here;
with photographs of your own, change one line.
"""

# %%
# The folder
# ----------
#
# A scene is a folder: photographs, cameras, perhaps masks. The format is found by itself. Replace the
# two lines by the path of yours: COLMAP, nerfstudio, NeRF-synthetic, IDR/NeuS, MVSNet, Middlebury or
# Mitsuba.
import tempfile

import matplotlib.pyplot as plt
from PIL import Image

from largesteps_zg import load_mesh, meshes
from largesteps_zg.scenes import load_scene, save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

folder = tempfile.mkdtemp()
save_scene(
    folder, scene_from_mesh(load_mesh(meshes.path("knot")), views=16, test_views=2, height=96, width=96)
)

# %%
# Look before you run
# -------------------
#
# ``largesteps-zg info FOLDER`` prints what was read, and draws the shape to start from over photographs.
# It must lie on the object in all of them; :doc:`/looks-wrong` goes from the picture to the cause.
from largesteps_zg.output.pictures import save_overview
from largesteps_zg.reconstruct.starts import choose_start
from largesteps_zg.scenes import bounding_sphere
from largesteps_zg.scenes.describe import describe

scene = load_scene(folder)
start = choose_start(scene.train, *bounding_sphere(scene.train))
print(*describe(scene), f"start     {start.kind}: {start.reason}", sep="\n")


def look(path, width=8.0):
    """A picture of a file."""
    picture = Image.open(path)
    plt.figure(figsize=(width, width * picture.height / picture.width), layout="constrained")
    plt.imshow(picture)
    plt.axis("off")


save_overview(f"{folder}/overview.png", scene, start.mesh)
look(f"{folder}/overview.png")

# %%
# Run
# ---
#
# The loop is yours. A run of the command line takes 500 to 1,500 steps; 150 show how it goes.
from largesteps_zg.reconstruct import Settings, reconstruct

losses = []
for state in reconstruct(scene.train, Settings(steps=150, views_per_step=4), start=start.mesh):
    losses.append(state.loss)
print(f"{len(losses)} steps, loss {losses[0]:.3f} -> {losses[-1]:.4f}")

# %%
# Look again
# ----------
#
# Photographs that no step has seen are the judge: target, result and error side by side.
from largesteps_zg.output.pictures import save_comparison

results = state.run.images(scene.test.cameras)
save_comparison(f"{folder}/comparison.png", scene.test.linear(), results, names=scene.test.names)
look(f"{folder}/comparison.png", width=6.0)

# %%
# Keep it
# -------
#
# In the coordinates of your cameras, for any program.
from largesteps_zg import save_mesh
from largesteps_zg.mesh import surface_distances

mesh = state.run.mesh()
save_mesh(f"{folder}/result.ply", mesh)
distance = surface_distances(mesh, scene.mesh, samples=10_000).chamfer_permille
print(f"{len(mesh.vertices)} vertices, {distance:.2f} thousandths of the diagonal from the true knot")
assert distance < 3
