"""21. A program for nvdiffrast runs after changing the import: a cube from pictures of 16 x 16 pixels.

Corners and colours of a cube are moved until its pictures from random sides match those of another cube. Each side has
colours of its own, so that colours have other indices than corners. Nothing here is this library's own but the import.

    python examples/21_nvdiffrast.py

You should see the corners' mean error fall to a fiftieth of what it was: to 0.3 % of the cube's side, and the cube
before and after in out/examples/21_nvdiffrast.png.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import largesteps_zg.nvdiffrast.torch as dr  # was: import nvdiffrast.torch as dr

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)
torch.manual_seed(4)
corners = torch.tensor([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
squares = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
tri = torch.tensor([[s[0], s[i], s[i + 1]] for s in squares for i in (1, 2)], dtype=torch.int32)
col_idx = torch.tensor([[4 * n, 4 * n + i, 4 * n + i + 1] for n in range(6) for i in (1, 2)]).int()
true_colors = torch.rand(6, 3).repeat_interleave(4, 0)
projection = torch.tensor([[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, -11 / 9, -20 / 9], [0, 0, -1, 0]])  # 1 to 10
glctx = dr.RasterizeCudaContext()


def random_cameras(count):
    """(count, 4, 4) clip from world: turned at random, 4.5 away."""
    q, _ = torch.linalg.qr(torch.randn(count, 3, 3))
    view = torch.eye(4).repeat(count, 1, 1)
    view[:, :3, :3] = q * torch.linalg.det(q)[:, None, None]
    view[:, 2, 3] = -4.5
    return projection @ view


def render(mtx, pos, col, size=16):
    pos_clip = torch.nn.functional.pad(pos, (0, 1), value=1.0) @ mtx.mT
    rast_out, _ = dr.rasterize(glctx, pos_clip, tri, resolution=[size, size])
    color, _ = dr.interpolate(col[None], rast_out, col_idx)
    return dr.antialias(color, rast_out, pos_clip, tri)


pos = (corners + 0.5 * torch.rand(8, 3) - 0.25).requires_grad_()
col = torch.rand(24, 3).requires_grad_()
steps = 600
optimizer = torch.optim.Adam([pos, col], lr=1e-2, betas=(0.9, 0.999))
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.02 ** (step / steps))
frames = [(pos.detach().clone(), col.detach().clone())]
before = (pos - corners).norm(dim=1).mean().item()
for step in range(steps):
    mtx = random_cameras(8)
    with torch.no_grad():
        target = render(mtx, corners, true_colors)
    loss = (render(mtx, pos, col) - target).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 100 == 0:
        print(f"step {step:3}: loss {loss.item():.5f}, error {(pos - corners).norm(dim=1).mean().item():.4f}")
after = (pos - corners).norm(dim=1).mean().item()
print(f"mean error of the corners {before:.3f} -> {after:.4f} ({before / after:.0f} times less)")
_, panels = plt.subplots(1, 3, figsize=(7.5, 2.8), layout="constrained")
frames, view = [*frames, (pos.detach(), col.detach()), (corners, true_colors)], random_cameras(1)
for panel, title, (p, c) in zip(panels, ("before", f"{steps} steps", "true"), frames, strict=True):
    panel.imshow(render(view, p, c, size=192)[0].clamp(0, 1))
    panel.set_title(title)
    panel.axis("off")
plt.savefig(output / "21_nvdiffrast.png")
assert after < 0.02
