"""
2. Gradients from both worlds
=============================

The same picture, its gradient by calculus and by trial. First one number, whose true gradient we can
plot; then the shape of a mesh with 642 vertices, through a renderer that is only called.
"""

# %%
# One number
# ----------
#
# A ball of radius 1 is to become one of radius 0.7. The loss compares pictures, so it is a function of
# the radius.
import matplotlib.pyplot as plt
import torch

from largesteps_zg import LargeSteps, UniformAdam, icosphere, sphere_of_cameras
from largesteps_zg.estimators import SPSA, PerPixel, PixelLosses, differentiable
from largesteps_zg.images.losses import pixel_losses
from largesteps_zg.renderers import HardRasterizer, render

ball = icosphere(3)
cameras = sphere_of_cameras(6, distance=3.5, fov_y_degrees=40, height=64, width=64)
white = torch.ones_like(ball.vertices)
target = render(0.7 * ball.vertices, ball.faces, white, cameras)


def by_calculus(radius):
    """Through the rasterizer, which knows the derivative of its outlines."""
    return (render(radius * ball.vertices, ball.faces, white, cameras) - target).square().mean()


called = HardRasterizer()  # a pixel shows a triangle or nothing: no slope anywhere


@torch.no_grad()
def by_trial(radius):
    """Through a renderer that is only called."""
    return (called(radius * ball.vertices, ball.faces, white, cameras).images - target).square().mean()


radii = torch.linspace(0.5, 1.0, 11)
exact, estimated = [], []
estimate = differentiable(by_trial, SPSA(epsilon=0.03), generator=torch.Generator().manual_seed(0))
for value in radii:
    for loss, gradients in (by_calculus, exact), (estimate, estimated):
        radius = value.clone().requires_grad_()
        loss(radius).backward()
        gradients.append(radius.grad.item())

plt.figure(figsize=(6, 2.8), layout="constrained")
plt.plot(radii, exact, label="by calculus: the rasterizer")
plt.plot(radii, estimated, "o", label="by trial: two pictures each")
plt.axhline(0, color="grey", linewidth=0.5)
plt.xlabel("radius")
plt.ylabel("slope of the loss")
_ = plt.legend()

# %%
# Many numbers
# ------------
#
# For 1,926 coordinates at once, a single number for each trial says too little. A pixel that has changed
# concerns only the vertices of the triangles that made it: per-pixel gradients hear nothing else. Both
# worlds fit the same Large Steps latent.
wanted = ball.vertices * torch.tensor([1.0, 0.6, 0.8])
target = render(wanted, ball.faces, white, cameras)
hard_target = called(wanted, ball.faces, white, cameras).images


def pixels(vertices):
    """The loss of each pixel, and which triangle made it."""
    pictures = called(vertices, ball.faces, white, cameras)
    return PixelLosses(pixel_losses(pictures.images, hard_target), pictures.triangles)


trial = differentiable(
    pixels,
    PerPixel(0.02, primitives=ball.faces, views=len(cameras)),
    generator=torch.Generator().manual_seed(0),
)
worlds = {
    "by calculus": lambda v: (render(v, ball.faces, white, cameras) - target).abs().mean(),
    "by trial": trial,
}
off = {}
for name, loss in worlds.items():
    shape = LargeSteps(ball.faces, ball.vertices, lambda_=19)
    latent = shape.to_differential(ball.vertices).requires_grad_()
    optimizer = UniformAdam([latent], lr=0.05)
    slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.97)
    off[name] = []
    for _ in range(80):
        vertices = shape.from_differential(latent)
        optimizer.zero_grad()
        loss(vertices).backward()
        optimizer.step()
        slower.step()
        inner = render(vertices.detach(), ball.faces, white, cameras)[..., 3]
        off[name].append((inner - target[..., 3]).abs().sum().item() / target[..., 3].sum().item())

plt.figure(figsize=(6, 2.8), layout="constrained")
for name, values in off.items():
    plt.semilogy(values, label=name)
    print(
        f"{name:12} silhouettes differ by {100 * values[-1]:.1f} % of their area, {100 * values[0]:.0f} % before"
    )
plt.xlabel("step")
plt.ylabel("difference of the silhouettes")
_ = plt.legend()
assert all(values[-1] < values[0] / 8 for values in off.values())

# %%
# Where to go from here: :doc:`/estimators` says how the estimators differ, and ``largesteps-zg compare``
# runs all of them at one target.
