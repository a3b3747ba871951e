"""The edge table in which silhouettes are looked up; made once for each topology."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..geometry.connectivity import weld
from ..geometry.half_edges import edge_faces


def edge_table(faces: Int[Tensor, "F 3"], vertices: Float[Tensor, "V 3"] | None = None) -> Int[Tensor, "E 6"]:
    """What the search for silhouettes needs to know of each edge, as int32.

    Columns: the two end vertices; the two faces (the second -1 at a border); the vertex opposite in the first face;
    1 if the two faces run along the edge in the same direction (inconsistent winding), else 0. An edge of
    more than two faces appears once for each of them, as if each ended there.

    Parameters
    ----------
    faces : (F, 3) int
    vertices : (V, 3) float, optional
        Faces that meet at coincident vertices are then neighbours. Without them both sides of a seam (of texture
        coordinates, for instance) are borders of the surface, and blur the images a little where they are seen.
        The ends of an edge of a seam are those of its first face.

    Examples
    --------
    >>> edge_table(torch.tensor([[0, 1, 2], [2, 1, 3]]))[2].tolist()
    [1, 2, 0, 1, 0, 0]
    """
    rows = faces.long() if vertices is None else weld(vertices, faces)[2][faces.long()]
    # A face whose corners coincide has no area; its neighbours are each other's.
    proper = ((rows != rows.roll(1, dims=1)).all(dim=1)).nonzero()[:, 0]
    found = edge_faces(rows[proper])
    number = torch.where(found.faces >= 0, proper[found.faces], -1)  # (E, 2) of all faces
    corner = found.halves % 3  # where each face starts along the edge
    forward = rows[number].gather(-1, corner[..., None])[..., 0] == found.edges[:, :1]  # (E, 2)
    same = (number[:, 1] >= 0) & (forward[:, 0] == forward[:, 1])
    corners = faces.long()[number[:, 0]].gather(
        -1, (corner[:, :1] + torch.arange(3, device=faces.device)) % 3
    )
    ends = torch.where(forward[:, :1], corners[:, :2], corners[:, :2].flip(1))
    columns = [ends, number, corners[:, 2:], same[:, None].long()]
    return torch.cat(columns, dim=1).to(torch.int32)
