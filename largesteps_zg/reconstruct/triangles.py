"""What belongs to one set of triangles: diffused positions, and what keeps the surface in order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..constants import DEFAULTS, Constants
from ..geometry.half_edges import edge_lengths, edges
from ..geometry.normals import vertex_normals
from ..rasterizer.silhouette_edges import edge_table
from .diffused import Diffused
from .priors.bending import Bending
from .priors.contact import Contact
from .priors.pleats import Pleats


class Triangles:
    """A surface whose triangles stay the same, made whole: a remeshing makes another.

    Parameters
    ----------
    vertices : (V, 3) float32
    faces : (F, 3) int64
    lambda_, momentum : float
        Of the positions; see `Diffused`.
    bending : bool
        How much it bends will be asked.
    constants : Constants, optional

    Attributes
    ----------
    short_edge : float
        At the beginning nine of ten edges are longer.
    """

    def __init__(
        self,
        vertices: Tensor,
        faces: Tensor,
        *,
        lambda_: float,
        momentum: float,
        bending: bool,
        constants: Constants = DEFAULTS,
    ) -> None:
        self._priors, self._thrown = constants.priors, constants.schedule.thrown
        self.faces, self.rest = faces, vertices.detach().clone()
        self.edges = edge_table(faces, self.rest)
        lengths = edge_lengths(self.rest, edges(faces))
        self.short_edge = float(lengths.kthvalue(max(len(lengths) // 10, 1)).values)
        self.shape = Diffused(self.rest, faces, self.rest, lambda_=lambda_, momentum=momentum)
        self.contact = Contact(faces, self.rest, self._priors)
        self.pleats = Pleats(faces, self.rest, self._priors)
        self.bends = Bending(faces, self.rest, self._priors) if bending else None
        self._normals: tuple[Tensor, int, Tensor] | None = (
            None  # of which positions, in which version, and they
        )

    def normals(self, vertices: Tensor) -> Tensor:
        """Unit normals at the vertices; made once for all who ask with the same tensor, or without derivatives."""
        moving = torch.is_grad_enabled() and vertices.requires_grad
        if self._normals is not None:
            of, version, normals = self._normals
            # One place in memory, and nothing was written to it in between.
            same = of.data_ptr() == vertices.data_ptr() and version == vertices._version
            if same and not moving:
                return normals.detach()
            if same and of is vertices and normals.requires_grad:
                return normals
        normals = vertex_normals(vertices, self.faces)
        self._normals = vertices, vertices._version, normals
        return normals

    def bend(self, vertices: Tensor) -> Tensor | None:
        """How much the surface bends, if that was asked for."""
        return None if self.bends is None else self.bends(vertices, self.normals(vertices))

    @torch.no_grad()
    def untangle(self, vertices: Tensor, number: int) -> bool:
        """Whether the surface had to be moved, where parts of it came too close or it had been folded.

        Pushes are diffused like gradients: taken as they are they crumple sheets, which grow by a tenth in 200 steps.
        """
        if not near(vertices, self._thrown):
            return False  # the loss will tell; a ray among positions that are not numbers never ends
        kept = self.contact.apart(vertices, number)
        pushed, shape = kept is not vertices, self.shape
        if pushed:
            shape.latent.add_(self._priors.push * shape.parametrization.merged(kept - vertices))
        if number % self._priors.refresh or not self.contact.mostly_paired:
            return pushed  # grooves of a body may be its own
        folded = shape() if pushed else vertices
        smoothed = self.pleats.smoothed(folded)
        if smoothed is not folded:
            shape.latent.copy_(shape.to_differential(smoothed))
        return pushed or smoothed is not folded

    @torch.no_grad()
    def follow(self, turn: Tensor, scale: float, shift: Tensor) -> None:
        """Move by a similarity; the latent moves likewise, since (I + lambda L) keeps constants."""
        self.shape.latent.copy_(scale * self.shape.latent.double() @ turn.T + shift)

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on."""
        return {
            "faces": self.faces,
            "rest": self.rest,
            "shape": self.shape.state_dict(),
            "contact": self.contact.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; the triangles are the same."""
        self.shape.load_state_dict(state["shape"])
        self.contact.load_state_dict(state["contact"])


def near(vertices: Tensor, thrown: float) -> bool:
    """Whether all vertices are numbers, and none has been thrown so many radii of the scene away."""
    return bool((vertices.detach().abs() < thrown).all())
