"""The coordinates of a run: the scene moved and scaled so that its object lies in the unit sphere."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..cameras.model import Cameras


@dataclass(frozen=True)
class Frame:
    """A ball of the scene that is the unit sphere of a run.

    Attributes
    ----------
    center : (3,) float64, on the CPU
    radius : float
    device : torch.device
        Where the run computes.
    """

    center: Tensor
    radius: float
    device: torch.device

    @classmethod
    def around(cls, vertices: Tensor, device: torch.device | str = "cpu") -> Frame:
        """The ball around points (V, 3), about the middle of their box."""
        points = vertices.detach().double().cpu()
        center = 0.5 * (points.amin(0) + points.amax(0))
        return cls(center, max(float((points - center).norm(dim=1).max()), 1e-30), torch.device(device))

    def normalized(self, cameras: Cameras) -> Cameras:
        """Cameras of the scene as cameras of the run, float32."""
        moved = cameras.to(dtype=torch.float64).transformed(1.0 / self.radius, self.center)
        return moved.to(self.device, torch.float32)

    def restored(self, cameras: Cameras) -> Cameras:
        """Cameras of the run as cameras of the scene, float64."""
        return cameras.to("cpu", torch.float64).transformed(self.radius, -self.center / self.radius)

    def inside(self, vertices: Tensor) -> Tensor:
        """Points of the scene as points of the run, float32 on the CPU."""
        # In float64 until then: far from the origin float32 has no digits left.
        return ((vertices.double().cpu() - self.center) / self.radius).float()

    def outside(self, vertices: Tensor) -> Tensor:
        """Points of the run as points of the scene, float64 on the CPU."""
        return vertices.double().cpu() * self.radius + self.center
