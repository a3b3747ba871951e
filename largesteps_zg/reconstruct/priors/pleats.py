"""Pleats are smoothed as they arise: a sheet that is pressed together along itself folds, and no image shows it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...constants import DEFAULTS, Priors
from ...geometry.half_edges import edge_faces, edges
from ...geometry.neighbors import neighbors
from ...geometry.normals import face_normals


class Pleats:
    """Finds grooves so sharp that they must be folds, and smooths the surface there.

    Sharp ridges are left alone, because the rim of a sheet is one.

    Parameters
    ----------
    faces : (F, 3) int64 tensor
    vertices : (V, 3) float tensor
        Only their number matters.
    constants : Priors, optional
    """

    def __init__(
        self, faces: Int[Tensor, "F 3"], vertices: Float[Tensor, "V 3"], constants: Priors = DEFAULTS.priors
    ) -> None:
        self.faces, self._sharpest = faces, constants.pleat
        found = edge_faces(faces)
        inner = found.faces[:, 1] >= 0
        self._ends, self._sides, self._across = (
            rows[inner] for rows in (found.edges, found.faces, found.opposite)
        )
        self._neighbors = neighbors(edges(faces), len(vertices))

    def smoothed(self, vertices: Float[Tensor, "V 3"]) -> Float[Tensor, "V 3"]:
        """Positions whose pleats are smoothed: their corners lie at the mean of their neighbours.

        Parameters
        ----------
        vertices : (V, 3) float tensor
            No gradient passes through. If there is no pleat, this tensor itself is returned.
        """
        here = vertices.detach()
        first, second = face_normals(here, self.faces)[self._sides].unbind(dim=1)
        sharp = (first * second).sum(dim=1) < self._sharpest
        rising = (first * (here[self._across[:, 1]] - here[self._ends[:, 0]])).sum(dim=1) > 0
        pleats = sharp & rising
        if not bool(pleats.any()):
            return vertices
        corners = torch.cat([self._ends[pleats], self._across[pleats]]).reshape(-1)
        moved = torch.zeros(len(here), dtype=torch.bool, device=here.device)
        moved[corners] = True
        return torch.where(moved[:, None], self._neighbors.mean(here), here)
