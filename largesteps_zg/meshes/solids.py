"""Signed distances of simple solids, ways to blend them, and their surface as triangles."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from largesteps_zg.mesh.isosurface import isosurface
from largesteps_zg.mesh.remeshing import remesh

Distance = Callable[[np.ndarray], np.ndarray]  # (N, 3) points -> (N,), negative inside
Point = Sequence[float]


def ball(points: np.ndarray, center: Point, radius: float) -> np.ndarray:
    """Distance to a ball."""
    return np.linalg.norm(points - np.asarray(center), axis=1) - radius


def bone(points: np.ndarray, start: Point, end: Point, start_radius: float, end_radius: float) -> np.ndarray:
    """Distance, nearly, to two balls and the cone between them."""
    a, axis = np.asarray(start), np.subtract(end, start)
    t = np.clip((points - a) @ axis / (axis @ axis), 0, 1)
    return np.linalg.norm(points - a - t[:, None] * axis, axis=1) - (
        start_radius + t * (end_radius - start_radius)
    )


def egg(points: np.ndarray, center: Point, radii: Point) -> np.ndarray:
    """Distance, nearly, to an ellipsoid: exact to first order at its surface."""
    scaled = (points - np.asarray(center)) / np.asarray(radii)
    length = np.linalg.norm(scaled, axis=1)
    slope = np.linalg.norm(scaled / np.asarray(radii), axis=1)
    return length * (length - 1) / np.maximum(slope, 1e-9)


def blend(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    """Union of two solids with a fillet: the smooth minimum, a quadratic where they differ by less than `width`."""
    near = np.maximum(width - np.abs(a - b), 0) / width
    return np.minimum(a, b) - near**2 * width / 4


def carve(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    """The first solid without the second, edges rounded."""
    return -blend(-a, b, width)


def project(distance: Distance, points: np.ndarray, longest: float, steps: int = 8) -> np.ndarray:
    """Move points onto the surface by Newton steps along the gradient, none longer than `longest`."""
    offset = 1e-5
    for _ in range(steps):
        value = distance(points)
        gradient = np.stack(
            [(distance(points + d) - distance(points - d)) / (2 * offset) for d in offset * np.eye(3)], axis=1
        )
        step = value[:, None] * gradient / np.maximum((gradient**2).sum(axis=1, keepdims=True), 1e-2)
        length = np.linalg.norm(step, axis=1, keepdims=True)
        points = points - step * np.minimum(1, longest / np.maximum(length, 1e-12))
    return points


def refine(
    distance: Distance, vertices: np.ndarray, faces: np.ndarray, edge: float, rounds: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of one size on the surface: remesh, put the vertices back, and again."""
    for _ in range(rounds):
        result = remesh(torch.from_numpy(vertices), torch.from_numpy(faces), edge, backend="gpytoolbox")
        vertices, faces = project(distance, result.vertices.numpy(), edge / 2), result.faces.numpy()
    return vertices, faces


def surface(
    distance: Distance, low: Point, high: Point, edge: float, cell: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The surface of a solid inside a box as triangles with edges of about `edge`."""
    cell = edge / 2 if cell is None else cell
    axes = [np.arange(a, b + cell, cell) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = np.concatenate([distance(plane.reshape(-1, 3)) for plane in grid]).reshape(grid.shape[:3])
    values = np.where(np.abs(values) < 1e-3 * cell, 1e-3 * cell, values)  # no triangles without area
    corners, triangles = isosurface(-values)  # positive inside
    vertices = project(distance, cell * corners.numpy() + np.asarray(low), cell)
    return refine(distance, vertices, triangles.numpy(), edge)
