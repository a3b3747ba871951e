"""Photographs rendered for tests: a bumpy ball with a texture on a table with another, as a camera would see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import map_coordinates

from largesteps_zg.cameras import Cameras
from largesteps_zg.cameras.placement import look_at
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.renderers.rasterized import render

WIDTH, HEIGHT, FINE, FOCAL = 320, 240, 2, 380.0
DISTANCE = 5.0


def noise(points: np.ndarray, seed: int) -> np.ndarray:
    """(N, 3) colours in [0.05, 0.95] of a solid texture with details of many sizes."""
    generator = np.random.default_rng(seed)
    total = np.zeros((len(points), 3))
    for octave in range(5):
        lattice = generator.uniform(-1, 1, (3, 24, 24, 24))
        at = (1.5 * 2**octave * points.T) % 23
        total += np.stack([map_coordinates(channel, at, order=1, mode="wrap") for channel in lattice], axis=1)
    return (0.5 + 0.25 * total).clip(0.05, 0.95)


def things(*, table: bool = True, textured: bool = True, seed: int = 0) -> Mesh:
    """A ball of radius about 1 with bumps around (0, 0.9, 0), and the table y = 0."""
    ball = icosphere(5)
    xyz = ball.vertices.double().numpy()
    bumps = 1 + 0.1 * np.sin(3 * xyz[:, 0] + 1) * np.sin(3 * xyz[:, 1]) + 0.05 * np.cos(4 * xyz[:, 2])
    xyz = xyz * bumps[:, None] + (0, 0.9, 0)
    vertices, faces, colors = [xyz], [ball.faces.long()], [noise(xyz + 7, seed)]
    if table:
        n = 120
        x, z = np.meshgrid(np.linspace(-4, 4, n), np.linspace(-4, 4, n), indexing="ij")
        plane = np.stack([x, np.zeros_like(x), z], axis=-1).reshape(-1, 3)
        i = torch.arange(n * n).view(n, n)
        a, b, c, d = (part.reshape(-1) for part in (i[:-1, :-1], i[1:, :-1], i[1:, 1:], i[:-1, 1:]))
        vertices.append(plane)
        faces.append(torch.cat([torch.stack([a, c, b], 1), torch.stack([a, d, c], 1)]) + len(xyz))
        colors.append(noise(plane + 3, seed + 1))
    shown = torch.from_numpy(np.concatenate(colors)).float()
    if not textured:
        shown = torch.full_like(shown, 0.6)
    return Mesh(torch.from_numpy(np.concatenate(vertices)).float(), torch.cat(faces).int(), shown)


def around(degrees: list[float], *, height: float = 2.6, wave: float = 0.3) -> Cameras:
    """Cameras that look at the ball, on a circle about it that goes up and down by the wave."""
    angles = np.radians(degrees)
    reach = (DISTANCE**2 - height**2) ** 0.5
    rise = height + wave * np.cos(5 * angles)
    centers = np.stack([reach * np.sin(angles), rise, reach * np.cos(angles)], axis=1)
    fov = 2 * np.degrees(np.arctan(HEIGHT / 2 / FOCAL))
    return look_at(
        torch.from_numpy(centers), (0.0, 0.8, 0.0), up=(0.0, 1.0, 0.0), fov_y_degrees=fov, height=HEIGHT, width=WIDTH
    )  # fmt: skip


def save_photographs(
    folder: Path,
    mesh: Mesh,
    cameras: Cameras,
    *,
    first: int = 0,
    seed: int = 0,
    behind: np.ndarray | None = None,
) -> list[Path]:
    """PNG files of what the cameras see, with a sensor's noise, named by number.

    `behind` (HEIGHT, WIDTH, 3), light, is where there is nothing, the same in all: black if it is not given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator, files = np.random.default_rng(seed), []
    assert mesh.colors is not None
    large = cameras.resized(FINE * HEIGHT, FINE * WIDTH).to(dtype=torch.float32)
    for i in range(len(cameras)):
        image = render(mesh.vertices, mesh.faces, mesh.colors, large[i])[0]
        image = image.view(HEIGHT, FINE, WIDTH, FINE, 4).mean(dim=(1, 3))
        if behind is not None:
            image = image + (1 - image[..., 3:]) * torch.from_numpy(behind).float()[..., [0, 1, 2, 0]]
        image = image[..., :3].clamp(0, 1) ** (1 / 2.2)
        pixels = 255 * image.numpy() + generator.normal(0, 1.0, (HEIGHT, WIDTH, 3))
        files.append(folder / f"{first + i:03}.png")
        Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8)).save(files[-1])
    return files
