"""6. One camera in six programs' conventions, one point, one pixel.

Axes, row vectors, camera-to-world, half pixels, fields of view: each program writes the same camera differently. Name
the program at the border and forget it. docs/conventions.md draws the axes.

    python examples/06_cameras.py

You should see the same pixel seven times, and in out/examples/06_cameras.png the axes of the seven.
"""

import argparse
import math
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from scipy.spatial.transform import Rotation

from largesteps_zg import cameras

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

torch.set_default_dtype(torch.float64)
height, width, focal = 240, 320, 400.0
size = {"height": height, "width": width}
point = torch.tensor([[0.3, -0.2, 0.5]])

# OpenCV's axes (x right, y down, z forward): a rotation, and a translation that puts the origin 4 units away.
R = torch.from_numpy(Rotation.from_euler("xyz", [100.0, 20.0, -35.0], degrees=True).as_matrix())
t = torch.tensor([0.1, -0.05, 4.0])
K = cameras.pinhole(focal, focal, width / 2, height / 2, dtype=R.dtype)
# Where the first pixel's centre is (0, 0):
K_centre = cameras.pinhole(focal, focal, width / 2 - 0.5, height / 2 - 0.5, dtype=R.dtype)

# What the other programs' files hold of it.
world_to_camera = torch.eye(4)
world_to_camera[:3, :3], world_to_camera[:3, 3] = R, t
pose = torch.linalg.inv(world_to_camera)  # camera-to-world
x, y, z, w = Rotation.from_matrix(R.numpy()).as_quat()
flip4 = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0]))  # x left, y up
flip = flip4[:3, :3]
field_of_view = 2 * math.degrees(math.atan(width / 2 / focal))
projection = K_centre @ world_to_camera[:3]

same = {
    "ours": cameras.Cameras(world_to_camera[None], K[None], **size),
    "OpenGL, NeRF": cameras.from_opengl(pose @ torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])), K, **size),
    "COLMAP": cameras.from_colmap(torch.tensor([w, x, y, z]), t, K, **size),
    "OpenCV": cameras.from_opencv(R, t, K_centre, **size),
    "Mitsuba": cameras.from_mitsuba(pose @ flip4, fov_degrees=field_of_view, **size),
    "PyTorch3D": cameras.from_pytorch3d((flip @ R).T, flip @ t, focal_length=focal / (height / 2), **size),
    "IDR, NeuS": cameras.from_idr(projection, **size),
}
direct = R @ point[0] + t
expected = focal * direct[:2] / direct[2] + torch.tensor([width / 2, height / 2])
spread = 0.0
for name, camera in same.items():
    pixel = camera.project(point)[0][0, 0]
    spread = max(spread, (pixel - expected).abs().max().item())
    print(f"{name:13} {pixel[0]:.9f} {pixel[1]:.9f}")
print(f"largest difference from K (R x + t): {spread:.1e} pixels")
axes = {
    "ours, COLMAP, OpenCV, IDR": (1, 1, 1),
    "OpenGL, NeRF": (1, -1, -1),
    "Mitsuba, PyTorch3D": (-1, -1, 1),
}
plt.figure(figsize=(9, 3.2), layout="constrained")
for place, (name, signs) in enumerate(axes.items(), 1):
    panel = plt.subplot(1, 3, place, projection="3d", title=name, elev=20)
    panel.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1), xticks=[], yticks=[], zticks=[])
    panel.plot([-0.5, 0.5, 0.5, -0.5, -0.5], [1] * 5, [-0.4, -0.4, 0.4, 0.4, -0.4], "grey")  # the image
    for i, way in enumerate(((1, 0, 0), (0, 0, -1), (0, 1, 0))):
        panel.quiver(0, 0, 0, *(0.8 * signs[i] * c for c in way), color=f"C{3 - i}")
        panel.text(*(signs[i] * c for c in way), "xyz"[i], ha="center", va="center")
plt.savefig(output / "06_cameras.png")
assert spread < 1e-9
