"""Parts of a surface stay apart: the two sides of a sheet, and the walls of a cleft, don't pass through each other."""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from ..._support.warp_launch import as_array, launch
from ...constants import DEFAULTS, Priors
from ...geometry.half_edges import edge_faces, mean_edge_length
from ...geometry.normals import face_normals, vertex_normals

_PARTS = ("corners", "weights", "directions", "least")


@wp.kernel(enable_backward=False, module="largesteps_zg.reconstruct.priors.contact")
def _partners(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    closed: bool,
    start: float,
    reach: float,
    parallel: float,
    shallow: float,
    most: int,
    faces: wp.array(dtype=wp.int32),
    weights: wp.array(dtype=wp.vec3),
    sides: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    normal = normals[i]
    faces[i] = -1
    if wp.length(normal) == 0.0:  # it is 1 otherwise
        return
    below = wp.mesh_query_ray(mesh, points[i] - start * normal, -normal, reach)
    behind = below.result and wp.dot(below.normal, normal) < -parallel
    ahead = wp.bool(False)
    winding = wp.int32(0)
    if closed:
        origin = points[i] + start * normal
        above = wp.mesh_query_ray(mesh, origin, normal, reach)
        ahead = above.result and wp.dot(above.normal, normal) < -parallel
        if ahead or behind:
            # A ray outwards from a surface that is in order leaves as often as it enters. A long one is not cheap.
            hit = wp.mesh_query_ray(mesh, origin, normal, wp.inf)
            for _ in range(most):
                if not hit.result:
                    break
                winding += wp.where(wp.dot(hit.normal, normal) < 0.0, -1, 1)
                origin += (hit.t + start) * normal
                hit = wp.mesh_query_ray(mesh, origin, normal, wp.inf)
    if winding < 0:  # the two sides of a sheet have changed places
        if ahead:
            faces[i] = above.face
            weights[i] = wp.vec3(above.u, above.v, 1.0 - above.u - above.v)
            sides[i] = 1.0
    elif behind and (winding == 0 or below.t < shallow * reach):
        # A sheet; or one wall of a cleft inside the other. What lies deeper in another part may have its own other side
        # behind it as well as a wall, which nothing here can tell apart.
        faces[i] = below.face
        weights[i] = wp.vec3(below.u, below.v, 1.0 - below.u - below.v)
        sides[i] = wp.where(winding > 0, -1.0, 1.0)


class Contact:
    """Finds the vertices and middles of edges that have another part of the surface close to them.

    Parameters
    ----------
    faces : (F, 3) int64 tensor
        Wound so that normals point outwards.
    vertices : (V, 3) float32 tensor
        They give the mean edge length.
    constants : Priors, optional

    Notes
    -----
    A ray along the normal and one against it find near parts. Where a closed surface passes through itself, its winding
    number says how. It is -1 just outside a side of a sheet that has come through the other side. It is 1 or more where
    a part lies inside another, as the walls of a cleft that has closed too far.
    """

    def __init__(
        self, faces: Int[Tensor, "F 3"], vertices: Float[Tensor, "V 3"], constants: Priors = DEFAULTS.priors
    ) -> None:
        self.faces, self._count, self.constants = faces, len(vertices), constants
        self.edge = float(mean_edge_length(vertices, faces))
        # The tree of the first positions is refitted to later ones: then a run that is resumed has the same one.
        self._points = vertices.detach().float().clone().contiguous()
        self._corners: Any = as_array(faces.to(torch.int32).contiguous().view(-1))
        self._mesh: Any = None
        self._searched = vertices.new_empty(0, 3)  # positions at the last search
        sides = edge_faces(faces)
        inner = sides.faces[:, 1] >= 0
        self._edges, self._beside, self._closed = sides.edges[inner], sides.faces[inner], bool(inner.all())
        # For each pair of parts: the corners of both and their weights, the direction from the second to the first, and
        # the least distance in that direction.
        self._found: tuple[Tensor, ...] = (
            faces.new_empty(0, 5), vertices.new_empty(0, 5), vertices.new_empty(0, 3), vertices.new_empty(0)
        )  # fmt: skip

    def apart(self, vertices: Float[Tensor, "V 3"], number: int) -> Float[Tensor, "V 3"]:
        """Positions at which no two parts are too close; the given tensor itself where none were.

        Parameters
        ----------
        vertices : (V, 3) float32 tensor
            After a step. No gradient passes through.
        number : int
            The number of the step. Every fifth step, by default, searches anew if it has to.
        """
        given, vertices = vertices, vertices.detach()
        if number % self.constants.refresh == 0 and self._due(vertices):
            self._search(vertices)
            self._searched = vertices.clone()
        if not len(self._found[0]):
            return given
        corners, weights, direction, least = self._found
        touching = self.constants.touching * self.edge
        for _ in range(self.constants.sweeps):
            there = vertices.index_select(0, corners.view(-1)).view(-1, 5, 3)
            gap = ((weights[..., None] * there).sum(dim=1) * direction).sum(dim=1)
            close = gap < least - touching
            if not bool(close.any()):
                break
            # Each corner moves by its weight, so the parts move apart by the sum of the squared weights.
            share = weights[close]
            first = torch.where(corners[close, 0] == corners[close, 1], 1.0, 0.5)
            missing = (least - gap)[close] / (first + share[:, 2:].square().sum(dim=1))
            push = missing[:, None] * direction[close]
            moves, count = torch.zeros_like(vertices), vertices.new_zeros(len(vertices), 1)
            for corner, weight in zip(corners[close].T, share.T, strict=True):
                moves.index_add_(0, corner, push * weight[:, None])
                count.index_add_(0, corner, weight.abs()[:, None])
            # Each pair alone would be apart then. A vertex of several takes the mean of their pushes, not the sum, as
            # all are worked out at once (Macklin et al. 2014, Unified Particle Physics).
            vertices = vertices + moves / count.clamp(min=1.0)
            given = vertices
        return given

    def _due(self, vertices: Tensor) -> bool:
        """Whether some vertex has moved by half an edge since the last search: other triangles may be opposite it."""
        if not len(self._searched):
            return True
        moved = (vertices - self._searched).square().sum(dim=1).max()
        return not bool(moved < (0.5 * self.edge) ** 2)

    @property
    def mostly_paired(self) -> bool:
        """Whether most vertices had another part near them in the last search, as the sides of a sheet have.

        The volume says nothing once sides have passed through each other. Each vertex has a vote.
        """
        corners = self._found[0]
        return int((corners[:, 0] == corners[:, 1]).sum()) > self.constants.paired * self._count

    def state_dict(self) -> dict[str, Any]:
        """The last search."""
        return {**dict(zip(_PARTS, self._found, strict=True)), "searched": self._searched}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from an earlier search."""
        if len(state["searched"]) not in (0, self._count):
            raise ValueError(f"searched: expected {self._count} positions, got {len(state['searched'])}")
        self._found, self._searched = tuple(state[name] for name in _PARTS), state["searched"]

    def _search(self, vertices: Tensor) -> None:
        """Find the part near each vertex; then near the middles of bent edges whose ends have a part near them."""
        if self._mesh is None:
            points: Any = as_array(self._points, dtype=wp.vec3)
            self._mesh = wp.Mesh(points=points, indices=self._corners)
        self._points.copy_(vertices)
        self._mesh.refit()
        normals = vertex_normals(vertices, self.faces)
        everyone = torch.arange(len(vertices), device=vertices.device)
        found = self._cast(everyone[:, None].expand(-1, 2), vertices, normals)
        near = torch.zeros(len(vertices), dtype=torch.bool, device=vertices.device)
        near[found[0][:, 0]] = True
        first, second = face_normals(vertices, self.faces)[self._beside].unbind(dim=1)
        bent = (first * second).sum(dim=1) < self.constants.bent
        between = self._cast(self._edges[bent & near[self._edges].any(dim=1)], vertices, normals)
        self._found = tuple(torch.cat(both) for both in zip(found, between, strict=True))

    def _cast(self, pairs: Tensor, vertices: Tensor, normals: Tensor) -> tuple[Tensor, ...]:
        device, count = vertices.device, len(pairs)
        points = vertices[pairs].mean(dim=1).float().contiguous()
        upright = torch.nn.functional.normalize(normals[pairs].sum(dim=1), dim=1).float().contiguous()
        faces = torch.empty(count, dtype=torch.int32, device=device)
        weights, sides = torch.zeros(count, 3, device=device), torch.zeros(count, device=device)
        inputs = [self._mesh.id, points, upright]
        rules = self.constants
        inputs += [self._closed, rules.touching * self.edge, rules.reach * self.edge]
        inputs += [rules.parallel, rules.shallow, len(self.faces)]  # a ray meets each face once
        inputs += [faces, weights, sides]
        if count:
            launch(_partners, count, inputs, device)
        found = (faces >= 0).nonzero()[:, 0]
        sides, opposite = sides[found], self.faces[faces[found].long()]
        half = torch.full_like(weights[found, :2], 0.5)
        return (
            torch.cat([pairs[found], opposite], dim=1),
            torch.cat([half, -weights[found]], dim=1),
            sides[:, None] * upright[found],
            self.edge * torch.where(sides > 0, rules.apart, rules.cleft),
        )
