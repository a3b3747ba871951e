"""What the rasterizer is compared with: one linear solve per pixel and triangle, in NumPy and float64; and meshes."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from largesteps_zg.mesh import icosphere
from largesteps_zg.rasterizer import antialias, rasterize


def cast_rays(points: np.ndarray, faces: np.ndarray, resolution: tuple[int, int], near: float):
    """Per pixel: the nearest triangle or -1, weights (F-th triangle's λ with Σ λ a = ray), and whether it is clear cut.

    The ray through pixel centre p is s (px, py, 1) in the points' own space; a triangle with corners a, b, c as columns
    of M is hit where M λ = (px, py, 1) has λ >= 0, at depth 1 / Σ λ.
    """
    height, width = resolution
    rows, columns = np.mgrid[:height, :width] + 0.5
    rays = np.stack([columns.ravel(), rows.ravel(), np.ones(height * width)])  # (3, P)
    nearest = np.zeros(height * width)  # inverse depth
    second = np.zeros(height * width)
    ids = np.full(height * width, -1)
    clear = np.ones(height * width, dtype=bool)
    for number, face in enumerate(faces):
        corners = points[face].T
        if abs(np.linalg.det(corners)) < 1e-12:
            continue
        weights = np.linalg.solve(corners, rays)
        inverse = weights.sum(0)
        scale = np.abs(weights).sum(0)
        inside = (weights >= 0).all(0) & (inverse * near <= 1)
        clear &= ~((np.abs(weights) < 1e-4 * scale).any(0) & (weights > -1e-4 * scale).all(0))
        clear &= ~((np.abs(inverse * near - 1) < 1e-4) & (weights >= 0).all(0))
        depth = np.where(inside, inverse, 0)
        second = np.maximum(second, np.minimum(depth, nearest))
        ids = np.where(depth > nearest, number, ids)
        nearest = np.maximum(nearest, depth)
    clear &= (nearest == 0) | (second < nearest * (1 - 1e-4))
    return ids.reshape(height, width), clear.reshape(height, width)


def triangle_soup(
    seed: int, triangles: int, resolution: tuple[int, int], depths: tuple[float, float]
) -> Tensor:
    """(1, 3 F, 3) homogeneous pixels of random triangles, with depths from a range that may reach behind the camera."""
    generator = torch.Generator().manual_seed(seed)
    height, width = resolution
    size = torch.tensor([width, height], dtype=torch.float64)
    centers = torch.rand(triangles, 1, 2, generator=generator, dtype=torch.float64) * size
    corners = centers + 0.4 * size * torch.randn(triangles, 3, 2, generator=generator, dtype=torch.float64)
    low, high = depths
    depth = low + (high - low) * torch.rand(triangles, 3, 1, generator=generator, dtype=torch.float64)
    return torch.cat([corners * depth.abs(), depth], dim=-1).reshape(1, -1, 3)


def soup_faces(triangles: int) -> Tensor:
    return torch.arange(3 * triangles).view(-1, 3)


def rotation(seed: int) -> Tensor:
    """(3, 3) float64, random."""
    gaussian = torch.randn(3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    q, r = torch.linalg.qr(gaussian)
    q = q * r.diagonal().sign()
    return q * torch.linalg.det(q)


def sphere(subdivisions: int, seed: int | None = None) -> tuple[Tensor, Tensor]:
    """Vertices in float64, turned at random, and faces of a unit sphere."""
    mesh = icosphere(subdivisions, dtype=torch.float64)
    vertices = mesh.vertices if seed is None else mesh.vertices @ rotation(seed).T
    return vertices, mesh.faces


def seen_at(
    vertices: Tensor, size: int, *, focal: float = 1.25, distance: float = 3.5, shift=(0.0, 0.0)
) -> Tensor:
    """(1, V, 3) homogeneous pixels for a camera on the axis; `focal` in widths of the image, `shift` in pixels."""
    z = vertices[:, 2] + distance
    x = focal * size * vertices[:, 0] + (size / 2 + shift[0]) * z
    y = focal * size * vertices[:, 1] + (size / 2 + shift[1]) * z
    return torch.stack([x, y, z], dim=-1)[None]


def disc_area(size: int, radius: Tensor | float, *, focal: float = 1.25, distance: float = 3.5):
    """Area in pixels of a sphere's image, a circle of radius focal size r / sqrt(distance² - r²)."""
    return math.pi * (focal * size) ** 2 * radius**2 / (distance**2 - radius**2)


def alpha_of(points: Tensor, faces: Tensor, size: int, edges: Tensor | None = None) -> Tensor:
    """(size, size) coverage."""
    fragments = rasterize(points, faces, (size, size), edges=edges)
    ones = torch.ones(len(fragments.pixels), 1, dtype=points.dtype)
    return antialias(ones, fragments)[0, ..., -1]
