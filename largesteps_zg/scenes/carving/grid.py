"""A grid over the space to carve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Nodes of a cube, or of a part of it.

    Attributes
    ----------
    corner : (3,) float64
        The first node.
    cell : float
        Distance between nodes.
    shape : three int
        Nodes along each side.
    """

    corner: np.ndarray
    cell: float
    shape: tuple[int, int, int]

    @classmethod
    def nodes(cls, center: np.ndarray, half: float, cells: int) -> Grid:
        """The corners of the cells of a cube, with `cells` of them along each side."""
        return cls(center - half, 2 * half / cells, (cells + 1,) * 3)

    @classmethod
    def centers(cls, center: np.ndarray, half: float, cells: int) -> Grid:
        """The centres of the cells of a cube, likewise."""
        cell = 2 * half / cells
        return cls(center - half + cell / 2, cell, (cells,) * 3)

    def points(self) -> np.ndarray:
        """(N, 3) float64, the last axis fastest."""
        ticks = np.meshgrid(*(self.cell * np.arange(nodes) for nodes in self.shape), indexing="ij")
        return np.stack(ticks, axis=-1).reshape(-1, 3) + self.corner

    def around(self, field: np.ndarray) -> tuple[Grid, np.ndarray]:
        """The part of the grid where a field is positive, two nodes larger on each side, and the field there."""
        where = []
        for axis in range(3):
            filled = np.flatnonzero((field > 0).any(axis=tuple({0, 1, 2} - {axis})))
            where.append(slice(max(filled[0] - 2, 0), filled[-1] + 3) if len(filled) else slice(0, 5))
        part = field[tuple(where)]
        corner = self.corner + self.cell * np.array([along.start for along in where])
        return Grid(corner, self.cell, (part.shape[0], part.shape[1], part.shape[2])), part


def halved(points: np.ndarray, cell: float) -> np.ndarray:
    """Centres (8N, 3) of the eight cells that each of the cells around (N, 3) centres is cut into."""
    signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij"), axis=-1).reshape(8, 3)
    return (points[:, None] + signs * cell / 4).reshape(-1, 3)
