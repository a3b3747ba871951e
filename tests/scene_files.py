"""Small scenes for the tests of scenes/: spheres and boxes drawn by intersecting rays, and folders of them."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from largesteps_zg.cameras import Cameras, sphere_of_cameras
from largesteps_zg.scenes import Views


def sphere_mask(
    matrix: np.ndarray, k: np.ndarray, shape: tuple[int, int], center: tuple, radius: float
) -> np.ndarray:
    """(H, W) bool: pixels whose ray passes within `radius` of the centre."""
    v, u = np.mgrid[: shape[0], : shape[1]] + 0.5
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(k).T
    c = matrix[:3, :3] @ np.asarray(center) + matrix[:3, 3]
    along = rays @ c / np.linalg.norm(rays, axis=-1)
    return (c @ c - along**2 < radius**2) & (along > 0)


def views_of_spheres(cameras: Cameras, *spheres: tuple[tuple[float, float, float], float]) -> Views:
    """Grey views of the union of some spheres, (center, radius) each."""
    shape = (cameras.height, cameras.width)
    images = np.full((len(cameras), *shape, 4), 120, dtype=np.uint8)
    images[..., 3] = 0
    for image, matrix, k in zip(
        images, cameras.world_to_camera.numpy(), cameras.intrinsics.numpy(), strict=True
    ):
        for center, radius in spheres:
            image[sphere_mask(matrix, k, shape, center, radius), 3] = 255
    return Views(torch.from_numpy(images), cameras, tuple(f"r_{i:03d}" for i in range(len(cameras))))


def ring(count: int = 12, *, height: int = 64, width: int = 64, distance: float = 4.0, **options) -> Cameras:
    return sphere_of_cameras(
        count, distance=distance, fov_y_degrees=40, height=height, width=width, dtype=torch.float64, **options
    )


# Four cameras around the z axis, at distance 4, looking at the origin: columns right, up, backward, centre.
POSES = [
    [[0, 0, 1, 4], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
    [[-1, 0, 0, 0], [0, 0, 1, 4], [0, 1, 0, 0], [0, 0, 0, 1]],
    [[0, 0, -1, -4], [-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
    [[1, 0, 0, 0], [0, 0, -1, -4], [0, 1, 0, 0], [0, 0, 0, 1]],
]


def disc(height: int = 24, width: int = 32, value: int = 90) -> np.ndarray:
    """(H, W, 4) uint8: a disc in the middle whose colour tells the view."""
    y, x = np.mgrid[:height, :width] + 0.5
    inside = np.hypot(y - height / 2, x - width / 2) < height / 4
    pixels = np.zeros((height, width, 4), dtype=np.uint8)
    pixels[..., :3] = value
    pixels[..., 3] = np.where(inside, 255, 0)
    return pixels


def write_scene(folder: Path, *, name: str = "transforms_train.json", images: bool = True, **shared) -> dict:
    """Four views of a disc in NeRF-synthetic form; returns what the JSON file holds, to be changed and rewritten."""
    frames = [{"file_path": f"./train/r_{i}", "transform_matrix": matrix} for i, matrix in enumerate(POSES)]
    content = {"camera_angle_x": 0.8, "frames": frames, **shared}
    (folder / "train").mkdir(parents=True, exist_ok=True)
    if images:
        for i in range(4):
            Image.fromarray(disc(value=50 + i)).save(folder / "train" / f"r_{i}.png")
    rewrite(folder, content, name=name)
    return content


def rewrite(folder: Path, content: object, *, name: str = "transforms_train.json") -> None:
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def deep_png(path: Path, values: np.ndarray) -> None:
    """A PNG of 16 bits, grey (H, W) or colour (H, W, 3), which Pillow does not write."""
    rows = values.astype(">u2").reshape(len(values), -1).view(np.uint8)
    raw = np.concatenate([np.zeros((len(rows), 1), np.uint8), rows], axis=1).tobytes()  # no filter in any row
    header = struct.pack(">IIBBBBB", *values.shape[1::-1], 16, 2 if values.ndim == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    content = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(content))
