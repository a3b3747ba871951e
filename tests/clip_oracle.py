"""What rasterizing in clip space is compared with: loops over pixels and triangles, in NumPy and float64."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import torch
from torch import Tensor


def weights_at(corners: np.ndarray, x: float, y: float, resolution: tuple[int, int]) -> np.ndarray | None:
    """The ray through a point of the image hits the triangle's plane at these multiples of its corners, where w = 1.

    `corners` (3, 4) are clip positions; None if the plane contains the ray.
    """
    height, width = resolution
    ndc = np.array([2 * x / width - 1, 2 * y / height - 1, 1.0])
    inverse = _inverse(corners.tobytes())
    return None if inverse is None else inverse @ ndc


@cache
def _inverse(corners: bytes) -> np.ndarray | None:
    matrix = np.frombuffer(corners).reshape(3, 4)[:, [0, 1, 3]].T
    return np.linalg.inv(matrix) if abs(np.linalg.det(matrix)) > 1e-12 else None


def hits(pos: np.ndarray, tri: np.ndarray, row: int, column: int, resolution: tuple[int, int]):
    """All that a pixel's centre sees, nearest first: (z/w, id, u, v); and whether none of it is a close call."""
    found, clear = [], True
    for number, corners in enumerate(pos[tri]):
        weights = weights_at(corners, column + 0.5, row + 0.5, resolution)
        if weights is None or weights.sum() <= 0:
            continue
        share, depth = weights / weights.sum(), weights @ corners[:, 2]
        clear &= not (abs(share.min()) < 1e-4 or (share.min() > 0 and abs(abs(depth) - 1) < 1e-4))
        if share.min() >= 0 and abs(depth) <= 1:
            found.append((depth, number, share[0], share[1]))
    found.sort()
    clear &= all(b[0] - a[0] > 1e-4 for a, b in itertools.pairwise(found))
    return found, clear


def layers_of(pos: Tensor, tri: Tensor, resolution: tuple[int, int], count: int):
    """(count, H, W, 4) images (u, v, z/w, id + 1) of so many layers, and (H, W) where they are clear."""
    return _layers(pos.numpy().tobytes(), tri.numpy().tobytes(), resolution, count)


@cache  # for tests that see the same in several ways
def _layers(positions: bytes, triangles: bytes, resolution: tuple[int, int], count: int):
    height, width = resolution
    pos = np.frombuffer(positions).reshape(-1, 4)
    tri = np.frombuffer(triangles, dtype=np.int32).reshape(-1, 3)
    images, clear = np.zeros((count, height, width, 4)), np.zeros((height, width), dtype=bool)
    for row in range(height):
        for column in range(width):
            found, clear[row, column] = hits(pos, tri, row, column, resolution)
            for layer, (depth, number, u, v) in enumerate(found[:count]):
                images[layer, row, column] = u, v, depth, number + 1
    return images, clear


def slopes_of(pos: np.ndarray, tri: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(H, W, 4) central differences (du/dX, du/dY, dv/dX, dv/dY) of the triangles that an image shows."""
    height, width, _ = image.shape
    slopes, step = np.zeros_like(image), 1e-4
    for row, column in np.argwhere(image[..., 3] > 0):
        corners = pos[tri[int(image[row, column, 3]) - 1]]

        def share(x: float, y: float, corners: np.ndarray = corners) -> np.ndarray:
            weights = weights_at(corners, x, y, (height, width))
            return weights[:2] / weights.sum()

        x, y = column + 0.5, row + 0.5
        along_x = (share(x + step, y) - share(x - step, y)) / (2 * step)
        along_y = (share(x, y + step) - share(x, y - step)) / (2 * step)
        slopes[row, column] = np.stack([along_x, along_y], axis=1).ravel()
    return slopes


def blended(
    color: np.ndarray, covered: np.ndarray, pixels: np.ndarray, edges: list[tuple[int, int]]
) -> np.ndarray:
    """An image blended along the outline of one convex shape: `pixels` (V, 2) of its vertices, `edges` of its outline.

    Of two neighbours of which one is covered the pixel that the outline divides takes part of the other's colour: the
    outline crosses the line between their centres at t from the covered one, and t - 1/2 is the part.
    """
    image = color.copy()
    height, width = covered.shape
    for row in range(height):
        for column in range(width):
            for down, right in ((0, 1), (1, 0)):
                other = row + down, column + right
                if other[0] >= height or other[1] >= width or covered[row, column] == covered[other]:
                    continue
                inner, outer = ((row, column), other) if covered[row, column] else (other, (row, column))
                start = np.array(inner[::-1]) + 0.5
                step = np.array(outer[::-1]) + 0.5 - start
                crossings = []
                for a, b in edges:
                    along = pixels[b] - pixels[a]
                    steep = abs(along[1]) >= abs(along[0])
                    if steep != (down == 0):
                        continue
                    t, s = np.linalg.solve(np.stack([step, -along], axis=1), pixels[a] - start)
                    if 0 <= s < 1 and 0 <= t < 1:
                        crossings.append(t)
                if crossings:
                    part = max(crossings) - 0.5
                    image[outer if part > 0 else inner] += part * (color[inner] - color[outer])
    return image


def soup(seed: int, triangles: int, *, w: tuple[float, float], z: float = 1.0) -> Tensor:
    """(3 T, 4) float64 clip positions of random triangles, w from a range, z/w up to about `z`."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.randn(triangles, 3, 4, generator=generator, dtype=torch.float64)
    corners[..., 3] = w[0] + (w[1] - w[0]) * torch.rand(
        triangles, 3, generator=generator, dtype=torch.float64
    )
    corners[..., :2] *= 0.7 * corners[..., 3:].abs()
    corners[..., 2] *= 0.5 * z * corners[..., 3].abs()
    return corners.reshape(-1, 4)


def soup_triangles(triangles: int) -> Tensor:
    return torch.arange(3 * triangles, dtype=torch.int32).view(-1, 3)


def frustum(near: float, far: float, distance: float, vertices: Tensor, *, focal: float = 2.0) -> Tensor:
    """(V, 4) clip positions by OpenGL's perspective matrix, the camera on the z axis."""
    depth = distance - vertices[:, 2]
    z = ((far + near) * depth - 2 * far * near) / (far - near)
    return torch.stack([focal * vertices[:, 0], focal * vertices[:, 1], z, depth], dim=-1)
