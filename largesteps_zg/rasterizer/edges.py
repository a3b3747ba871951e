"""The edge table in which silhouettes are looked up; made once for each topology."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ..edges import edge_faces


def edge_table(faces: Int[Tensor, "F 3"]) -> Int[Tensor, "E 6"]:
    """What the search for silhouettes needs to know of each edge, as int32.

    Columns: the two end vertices; the two faces (the second -1 at a border); the vertex opposite in the first face;
    1 if the two faces run along the edge in the same direction (inconsistent winding), else 0. An edge of
    more than two faces appears once for each of them, as if each ended there.

    Parameters
    ----------
    faces : (F, 3) int

    Examples
    --------
    >>> edge_table(torch.tensor([[0, 1, 2], [2, 1, 3]]))[2].tolist()
    [1, 2, 0, 1, 0, 0]
    """
    found = edge_faces(faces)
    start = found.edges[:, :1]
    # In each face, the vertex after the opposite one is where the face starts along the edge.
    rows = faces.long()[found.faces.clamp(min=0)]  # (E, 2, 3)
    place = (rows == found.opposite[..., None]).long().argmax(-1, keepdim=True)
    forward = rows.gather(-1, (place + 1) % 3)[..., 0] == start  # (E, 2)
    same = (found.faces[:, 1] >= 0) & (forward[:, 0] == forward[:, 1])
    columns = [found.edges, found.faces, found.opposite[:, :1], same[:, None]]
    return torch.cat([c.long() for c in columns], dim=1).to(torch.int32)
