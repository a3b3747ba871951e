"""The remeshers behind `remesh`: each takes a mesh to edges of given lengths. One function and one table row each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...constants import Remeshing
from ...geometry.half_edges import half_edge_table
from .adaptive import adaptive


def _gpytoolbox(
    vertices: Tensor, faces: Tensor, lengths: Tensor, iterations: int, rules: Remeshing
) -> tuple[Tensor, Tensor]:
    """Botsch-Kobbelt remeshing by gpytoolbox (MIT, caps NumPy and SciPy); all lengths are 1."""
    try:
        from gpytoolbox import remesh_botsch
    except ImportError as error:
        raise ImportError(
            'remesh: backend gpytoolbox is not installed; run: pip install "largesteps_zg[gpytoolbox]"'
        ) from error
    vertices, faces = _refine_border(vertices, faces)
    new, triangles = remesh_botsch(
        vertices.numpy().copy(), faces.to(torch.int32).numpy().copy(), iterations, 1.0, True
    )
    return torch.from_numpy(np.array(new)), torch.from_numpy(triangles.astype(np.int64))


def _pymeshlab(
    vertices: Tensor, faces: Tensor, lengths: Tensor, iterations: int, rules: Remeshing
) -> tuple[Tensor, Tensor]:
    """The same by PyMeshLab (GPL, hence never required); all lengths are 1."""
    try:
        import pymeshlab
    except ImportError as error:
        raise ImportError(
            'remesh: backend pymeshlab is not installed; run: pip install "largesteps_zg[pymeshlab]"'
        ) from error
    meshes = pymeshlab.MeshSet()
    meshes.add_mesh(pymeshlab.Mesh(vertices.numpy().copy(), faces.to(torch.int32).numpy().copy()))
    # No features: by default every crease of 30 degrees is kept, which on a noisy surface is each edge; and the
    # distance check refuses just the operations that would mend a noisy place, at four times the cost.
    meshes.meshing_isotropic_explicit_remeshing(
        iterations=iterations, targetlen=pymeshlab.PureValue(1.0), featuredeg=180.0, checksurfdist=False
    )
    mesh = meshes.current_mesh()
    return torch.from_numpy(np.array(mesh.vertex_matrix())), torch.from_numpy(
        mesh.face_matrix().astype(np.int64)
    )


def _refine_border(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Halve the edges longer than 4/3 that end on a border: gpytoolbox never splits those.

    The longest first, until none is left; in each round no two edges of one face.

    ::

            c                 c
           / \\               /|\\
          /   \\     ->      / | \\
         a-----b            a--m--b
    """
    while True:
        table = half_edge_table(faces)
        pairs, count = table.edges, table.count
        on_border = torch.zeros(len(vertices), dtype=torch.bool)
        on_border[pairs[count == 1].reshape(-1)] = True
        length = (vertices[pairs[:, 0]] - vertices[pairs[:, 1]]).norm(dim=1)
        long = on_border[pairs].any(dim=1) & (length > 4 / 3)
        if not bool(long.any()):
            return vertices, faces
        rank = torch.where(long, length, 0.0).argsort(stable=True).argsort()  # no ties
        half = torch.stack([faces, faces.roll(-1, dims=1)], dim=2)  # (F, 3 edges, 2)
        stride = len(vertices)
        edge = torch.searchsorted(
            pairs[:, 0] * stride + pairs[:, 1], half.amin(dim=2) * stride + half.amax(dim=2)
        )  # (F, 3)
        corner = rank[edge].argmax(dim=1, keepdim=True)
        chosen = edge.gather(1, corner)[:, 0]
        # An edge is split when all its faces agree that it is their longest.
        agreed = long & (torch.bincount(chosen, minlength=len(pairs)) == count)
        middle = agreed.cumsum(dim=0) - 1 + len(vertices)
        split = agreed[chosen].nonzero()[:, 0]
        a, b, c = (faces[split].gather(1, (corner[split] + i) % 3)[:, 0] for i in range(3))
        m = middle[chosen[split]]
        vertices = torch.cat([vertices, vertices[pairs[agreed]].mean(dim=1)])
        faces = faces.clone()
        faces[split] = torch.stack([a, m, c], dim=1)
        faces = torch.cat([faces, torch.stack([m, b, c], dim=1)])


Backend = Callable[[Tensor, Tensor, Tensor, int, Remeshing], tuple[Tensor, Tensor]]

# From vertices, faces, the length at each vertex (1 on average), the rounds and the rules, which ours alone follows, to
# vertices and faces; in the order in which they are tried.
BACKENDS: dict[str, Backend] = {"adaptive": adaptive, "gpytoolbox": _gpytoolbox, "pymeshlab": _pymeshlab}

VARYING = ("adaptive",)  # those that take lengths that differ
