"""What a closed surface encloses, on a grid: signed distances, and how far rays go through it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import warp as wp
from jaxtyping import Float, Int
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ..._support.warp_launch import as_array, launch
from ...geometry.connectivity import Topology, topology
from ...mesh.closest import closest_points
from ...scenes.carving.grid import Grid
from .solid_kernels import columns, rays

_MARGIN = 3  # cells around the surface
NEAR = 2.0  # cells in which distances are exact
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Solid:
    """What a closed surface encloses.

    Attributes
    ----------
    vertices : (V, 3) float32 tensor
    faces : (F, 3) int64 tensor
        The surface, on the CPU, outside out.
    grid : Grid
    field : (X, Y, Z) array
        Signed distances to the surface at the nodes, positive inside; exact to two cells from it, farther away to a
        cell.
    """

    vertices: Tensor
    faces: Tensor
    grid: Grid
    field: np.ndarray

    @property
    def parts(self) -> int:
        """How many the surface has."""
        return self._counts.components

    @property
    def handles(self) -> int:
        """How many all parts of the surface have together."""
        return self._counts.components - self._counts.euler // 2

    @cached_property
    def _counts(self) -> Topology:
        return topology(self.faces)

    @cached_property
    def nodes_inside(self) -> Float[Tensor, "N 3"]:
        """The nodes at which the field is positive, in its order."""
        nodes = np.argwhere(self.field > 0)
        return torch.from_numpy(self.grid.corner + self.grid.cell * nodes).float()

    def rays(
        self, points: Float[Tensor, "N 3"], direction: Float[Tensor, "3"]
    ) -> tuple[Int[Tensor, " N"], Float[Tensor, " N"]]:
        """The face that each ray meets first, -1 for none, and how far away that is."""
        faces, ways = torch.full((len(points),), -1, dtype=torch.int32), torch.zeros(len(points))
        mesh, towards = _mesh(self.vertices, self.faces), wp.vec3(*direction.tolist())
        launch(rays, len(points), [mesh.id, points.contiguous(), towards, faces, ways], _CPU)
        return faces.long(), ways


def solid_of(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], cell: float) -> Solid:
    """The solid inside a closed surface, on a grid of cells of that size.

    Parameters
    ----------
    vertices : (V, 3) float tensor
    faces : (F, 3) int64 tensor
        Closed, outside out. Where it passes through itself the union counts: the winding number is above 0.
    cell : float
        > 0, in the unit of the vertices.

    Notes
    -----
    Rays along the third axis find what is inside, exactly but for rounding. 0.4 s for 20,000 faces and 80 cells.
    """
    vertices, faces = vertices.detach().float().cpu().contiguous(), faces.cpu()
    low, high = vertices.double().amin(dim=0).numpy(), vertices.double().amax(dim=0).numpy()
    corner = low - _MARGIN * cell
    shape = tuple(math.ceil(side / cell) + 1 + 2 * _MARGIN for side in high - low)
    grid = Grid(corner, cell, (shape[0], shape[1], shape[2]))
    inside = _inside(_mesh(vertices, faces), grid)
    field = distance_transform_edt(inside) - distance_transform_edt(~inside)
    near = np.abs(field) <= NEAR
    points = torch.from_numpy(grid.points()[near.reshape(-1)])
    distances = closest_points(points, vertices, faces).distances.numpy()
    field *= cell
    field[near] = np.where(inside[near], distances, -distances)
    return Solid(vertices, faces, grid, field)


def _inside(mesh: Any, grid: Grid) -> np.ndarray:
    """Whether the surface winds around each node."""
    first, second, third = grid.shape
    ticks = np.stack(np.meshgrid(np.arange(first), np.arange(second), indexing="ij"), axis=-1).reshape(-1, 2)
    # Beside the nodes a little: edges and vertices of a surface often lie on a grid.
    starts = np.full((len(ticks), 3), grid.corner[2])
    starts[:, :2] = grid.corner[:2] + grid.cell * (ticks + 1e-4 * np.array([0.71, 0.58]))
    inside = torch.zeros(len(ticks), third, dtype=torch.bool)
    origins = torch.from_numpy(starts).float()
    launch(columns, len(ticks), [mesh.id, origins, grid.cell, third, inside], _CPU)
    return inside.numpy().reshape(grid.shape)


def _mesh(vertices: Tensor, faces: Tensor) -> Any:
    """Warp's tree of the faces."""
    points: Any = as_array(vertices, dtype=wp.vec3)
    corners: Any = as_array(faces.to(torch.int32).reshape(-1).contiguous())
    return wp.Mesh(points=points, indices=corners)
