"""A ball with blotches in which SIFT finds features, and cameras that look at it from nearby places."""

from __future__ import annotations

import numpy as np
import torch

from largesteps_zg.cameras import Cameras, look_at
from largesteps_zg.mesh import Mesh, icosphere


def arc(count: int, height: int, width: int) -> Cameras:
    """Cameras on an arc of 10 degrees each."""
    angle = torch.deg2rad(10.0 * torch.arange(count, dtype=torch.float64))
    eyes = 4 * torch.stack([angle.cos(), angle.sin(), torch.full_like(angle, 0.3)], dim=1)
    return look_at(eyes, fov_y_degrees=35.0, height=height, width=width)


def blotched_ball() -> Mesh:
    """A ball with blotches of all sizes."""
    mesh = icosphere(6)
    waves = np.random.default_rng(5).normal(size=(60, 3)) * np.geomspace(4, 25, 60)[:, None]
    pattern = np.cos(mesh.vertices.double().numpy() @ waves.T + np.arange(60)).sum(axis=1)
    grey = torch.tensor(0.5 + 0.4 * np.sign(pattern) * np.minimum(np.abs(pattern) / 2, 1)).float()
    return Mesh(mesh.vertices, mesh.faces, grey[:, None].expand(-1, 3).clone())
