"""The closest point of a triangle mesh: which face, where on it, how far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .triangle_tree import TriangleTree, triangle_tree


@dataclass(frozen=True)
class ClosestPoints:
    """Where points fall on a mesh.

    Attributes
    ----------
    faces : (N,) int64 tensor
        The nearest face of each point.
    weights : (N, 3) float tensor
        Barycentric coordinates on that face: in [0, 1], and they add up to 1.
    distances : (N,) float tensor
        From each point to the surface.
    """

    faces: Tensor
    weights: Tensor
    distances: Tensor


def closest_points(
    points: Float[Tensor, "N 3"], vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]
) -> ClosestPoints:
    """The exact closest point on a triangle mesh for each of many points.

    Parameters
    ----------
    points : (N, 3) float tensor
    vertices : (V, 3) float tensor
    faces : (F, 3) integer tensor

    Returns
    -------
    ClosestPoints
        On the device and with the type of `points`. Not differentiable.

    Notes
    -----
    Exact in float64, wherever the mesh lies. Faces of no area are taken for the segment or the point that they are. On
    one core 0.25 s for the tree of 80,000 faces, then 3 µs for a point near the surface and 50 µs for one far away.
    """
    return closest_on(triangle_tree(vertices, faces), points)


def closest_on(tree: TriangleTree, points: Float[Tensor, "N 3"]) -> ClosestPoints:
    """As `closest_points`, on a mesh that is asked more than once: making the tree takes as long as 50,000 points."""
    if len(points) == 0:  # Warp takes no empty rows
        none = points.new_zeros(0)
        return ClosestPoints(none.long(), points.new_zeros(0, 3), none)
    query = points.detach().double().cpu()
    nearest = tree.closest(query)
    corners = tree.vertices[tree.faces[nearest]].numpy()  # (N, 3 corners, 3)
    weights = _weights_on_triangles(query.numpy(), corners)
    distances = np.linalg.norm((weights[:, :, None] * corners).sum(axis=1) - query.numpy(), axis=1)
    return ClosestPoints(
        nearest.to(points.device),
        torch.from_numpy(weights).to(points),
        torch.from_numpy(distances).to(points),
    )


def _weights_on_triangles(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N, 3) barycentric coordinates of the closest point of triangle n to point n."""
    best = np.zeros((len(points), 3))
    best_distance = np.full(len(points), np.inf)
    for i in range(3):  # the three edges first: right for every triangle, also one without area
        j = (i + 1) % 3
        along = corners[:, j] - corners[:, i]
        length = (along * along).sum(axis=1)
        t = ((points - corners[:, i]) * along).sum(axis=1) / np.where(length > 0, length, 1)
        weights = np.zeros_like(best)
        weights[:, j] = np.clip(t, 0, 1)
        weights[:, i] = 1 - weights[:, j]
        distance = np.linalg.norm((weights[:, :, None] * corners).sum(axis=1) - points, axis=1)
        closer = distance < best_distance
        best[closer], best_distance[closer] = weights[closer], distance[closer]
    # Then the plane, where the foot of the perpendicular lies inside.
    u, v, w = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], points - corners[:, 0]
    normal = np.cross(u, v)
    area = (normal * normal).sum(axis=1)
    flat = area > 1e-24 * (u * u).sum(axis=1) * (v * v).sum(axis=1)
    area = np.where(flat, area, 1)
    inside = np.empty_like(best)
    inside[:, 1] = (np.cross(w, v) * normal).sum(axis=1) / area
    inside[:, 2] = (np.cross(u, w) * normal).sum(axis=1) / area
    inside[:, 0] = 1 - inside[:, 1] - inside[:, 2]
    use = flat & (inside >= 0).all(axis=1)
    best[use] = inside[use]
    return best
