"""
1. A first mesh from images
===========================

From photographs with masks and cameras to a mesh, in one loop. The photographs are rendered from a mesh
of this package, so that we know how good the result is.
"""

# %%
# The scene
# ---------
#
# Sixteen photographs of a fox of the desert, from all around. Cameras, masks and images are what a
# reader of COLMAP or nerfstudio would give.
import matplotlib.pyplot as plt
import torch

from largesteps_zg import LargeSteps, Mesh, UniformAdam, icosphere, load_mesh, meshes
from largesteps_zg.images.color import linear_to_srgb
from largesteps_zg.scenes.synthetic import scene_from_mesh

truth = load_mesh(meshes.path("fennec"))
scene = scene_from_mesh(truth, views=16, test_views=3, height=128, width=128)
views = scene.train


def show(images, titles=()):
    """Linear images with premultiplied alpha, side by side over white."""
    images = [image.detach() for image in images]
    _, panels = plt.subplots(1, len(images), figsize=(2.4 * len(images), 2.6), layout="constrained")
    for panel, image, title in zip(panels, images, [*titles, *[""] * len(images)], strict=False):
        panel.imshow(linear_to_srgb(image[..., :3] + 1 - image[..., 3:]).clamp(0, 1))
        panel.set_title(title)
        panel.axis("off")


targets = views.linear()  # linear colours, premultiplied by alpha, which comes last
show(targets[:5])

# %%
# The start
# ---------
#
# A ball of 2,562 vertices, and the matrix ``I + lambda L``, factored once. The parameters are not the
# positions, but the latent that they are the diffusion of: so each step moves the whole surface
# smoothly.
start = icosphere(4, radius=0.5)
cameras = views.cameras.to(dtype=torch.float32)
shape = LargeSteps(start.faces, start.vertices, lambda_=19)
latent = shape.to_differential(start.vertices).requires_grad_()
optimizer = UniformAdam([latent], lr=0.05)

# %%
# The loop
# --------
#
# Render the silhouettes, compare, step. The gradient comes from the outlines alone.
from largesteps_zg.renderers import render

white = torch.ones_like(start.vertices)
losses, frames = [], []
for step in range(121):
    vertices = shape.from_differential(latent)
    images = render(vertices, start.faces, white, cameras)
    loss = (images[..., 3] - targets[..., 3]).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step in (0, 10, 30, 120):
        frames.append(0.6 * images[0])
show([*frames, targets[0]], ["start", "10 steps", "30", "120", "photograph"])

# %%
# How the loss went:
plt.figure(figsize=(6, 2.4), layout="constrained")
plt.semilogy(losses)
plt.xlabel("step")
_ = plt.ylabel("difference of the masks")

# %%
# How good is it?
# ---------------
#
# Outlines know nothing of hollows, and this mesh has no colours. `reconstruct` does the same with
# everything: light, colours, remeshing, a start with the right holes. Here for 150 steps, and compared
# with the true surface.
from largesteps_zg.mesh import surface_distances
from largesteps_zg.reconstruct import Settings, reconstruct

*_, state = reconstruct(views, Settings(steps=150, views_per_step=4))
found = state.run.mesh()
for name, mesh in ("outlines alone", Mesh(vertices.detach(), start.faces)), ("reconstruct", found):
    distance = surface_distances(mesh, scene.mesh, samples=10_000).chamfer_permille
    print(f"{name:15} {distance:5.2f} thousandths of the diagonal from the true surface")
held_out = state.run.images(scene.test.cameras)
show([held_out[0], scene.test.linear()[0], held_out[1], scene.test.linear()[1]],
     ["result", "photograph", "result", "photograph"])  # fmt: skip
assert distance < 3
