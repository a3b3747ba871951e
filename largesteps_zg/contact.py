"""Thin parts stay apart: the two sides of a sheet are kept from passing through each other."""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from .geometry import mean_edge_length, vertex_normals
from .rasterizer.launch import as_warp, launch

REACH = 3.0  # mean edges: how far behind the surface its other side is looked for
APART = 0.25  # mean edges: how thick a sheet stays
REFRESH = 5  # steps between two searches


@wp.kernel(enable_backward=False, module="largesteps_zg.contact")
def _behind(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    start: float,
    reach: float,
    faces: wp.array(dtype=wp.int32),
    weights: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    inward = -normals[i]
    hit = wp.mesh_query_ray(mesh, points[i] + start * inward, inward, reach)
    faces[i] = -1
    if hit.result and wp.dot(hit.normal, inward) > 0.7:  # parallel sides: an edge is no sheet
        faces[i] = hit.face
        weights[i] = wp.vec3(hit.u, hit.v, 1.0 - hit.u - hit.v)


class Contact:
    """Which vertices have another part of the surface close behind them, and where.

    Parameters
    ----------
    faces : (F, 3) int64 tensor
        Of a surface whose outside is out.
    vertices : (V, 3) float32 tensor
        Decide about lengths.
    """

    def __init__(self, faces: Int[Tensor, "F 3"], vertices: Float[Tensor, "V 3"]) -> None:
        self.faces = faces
        self.edge = float(mean_edge_length(vertices, faces))
        self._corners: Any = wp.from_torch(faces.to(torch.int32).contiguous().view(-1))
        self._vertices = self._opposite = faces.new_empty(0)
        self._weights = vertices.new_empty(0, 3)

    def apart(self, vertices: Float[Tensor, "V 3"], number: int) -> Float[Tensor, "V 3"]:
        """Positions at which no sheet is thinner than it may be; the given tensor itself where none is.

        Parameters
        ----------
        vertices : (V, 3) float32 tensor
            After a step; no gradient passes.
        number : int
            Of the step: every fifth searches anew.
        """
        given, vertices = vertices, vertices.detach()
        normals = vertex_normals(vertices, self.faces)
        if number % REFRESH == 0:
            self._search(vertices, normals)
        if not len(self._vertices):
            return given
        normal = normals[self._vertices]
        corners = self.faces[self._opposite]  # (P, 3)
        other = (self._weights[..., None] * vertices[corners]).sum(1)
        missing = APART * self.edge - ((vertices[self._vertices] - other) * normal).sum(1)
        thin = missing > 0
        if not bool(thin.any()):
            return given
        push = 0.5 * missing[thin, None] * normal[thin]
        moves, count = torch.zeros_like(vertices), vertices.new_zeros(len(vertices), 1)
        moves.index_add_(0, self._vertices[thin], push)
        count.index_add_(0, self._vertices[thin], torch.ones_like(push[:, :1]))
        for corner, weight in zip(corners[thin].T, self._weights[thin].T, strict=True):
            moves.index_add_(0, corner, -push * weight[:, None])
            count.index_add_(0, corner, weight[:, None])
        return vertices + moves / count.clamp(min=1.0)

    def state_dict(self) -> dict[str, Any]:
        """What was found last."""
        return {"vertices": self._vertices, "opposite": self._opposite, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._vertices, self._opposite, self._weights = (
            state[name] for name in ("vertices", "opposite", "weights")
        )

    def _search(self, vertices: Tensor, normals: Tensor) -> None:
        """What lies behind each vertex, as far as `REACH`."""
        device = vertices.device
        count = len(vertices)
        points: Any = wp.from_torch(vertices.float().contiguous(), dtype=wp.vec3)
        mesh = wp.Mesh(points=points, indices=self._corners)
        found = torch.empty(count, dtype=torch.int32, device=device)
        weights = torch.zeros(count, 3, device=device)
        inputs = [mesh.id, points, wp.from_torch(normals.contiguous(), dtype=wp.vec3), 1e-3 * self.edge]
        inputs += [REACH * self.edge, as_warp(found), wp.from_torch(weights, dtype=wp.vec3)]
        launch(_behind, count, inputs, device)
        self._vertices = (found >= 0).nonzero()[:, 0]
        self._opposite, self._weights = found[self._vertices].long(), weights[self._vertices]
