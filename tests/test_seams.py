"""Rims of sheets: found, kept where they are by remeshing, and not taken for folds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from largesteps_zg.constants import DEFAULTS
from largesteps_zg.geometry import topology
from largesteps_zg.mesh import Mesh, flipped_faces, icosphere
from largesteps_zg.mesh.remeshing import remesh
from largesteps_zg.mesh.remeshing.seams import rims
from largesteps_zg.mesh.remeshing.sized_mesh import edge_sides


def lens(thickness: float, rings: int = 12, sectors: int = 48) -> Mesh:
    """Two discs of radius 1, domed by half of that thickness each, sewn together along their rims."""
    angle = torch.arange(sectors) * (2 * torch.pi / sectors)
    radius = torch.arange(1, rings + 1) / rings
    x, y = radius[:, None] * angle.cos(), radius[:, None] * angle.sin()
    z = (0.5 * thickness * (1 - radius**2))[:, None].expand_as(x)
    side = torch.stack([x, y, z], dim=-1).view(-1, 3).double()
    top = torch.cat([torch.tensor([[0, 0, 0.5 * thickness]]).double(), side])
    down = torch.tensor([1.0, 1.0, -1.0]).double()
    vertices = torch.cat([top, top[:-sectors] * down])  # the rim is there once
    faces = []
    for i in range(sectors):
        j = (i + 1) % sectors
        faces.append([0, 1 + i, 1 + j])
        for ring in range(rings - 1):
            a, b = 1 + ring * sectors + i, 1 + ring * sectors + j
            faces += [[a, a + sectors, b], [b, a + sectors, b + sectors]]
    upper = torch.tensor(faces)
    inner = len(top) - sectors
    below = torch.where(upper < inner, upper + len(top), upper)
    return Mesh(vertices, torch.cat([upper, below.flip(1)]))


def area(vertices: torch.Tensor, faces: torch.Tensor) -> float:
    corners = vertices[faces]
    return 0.5 * float(
        torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=1).sum()
    )


def found(mesh: Mesh) -> np.ndarray:
    faces = mesh.faces.numpy()
    sides = edge_sides(faces, len(mesh.vertices))
    return sides.ends[rims(mesh.vertices.numpy(), faces, sides)]


def test_the_rim_of_a_sheet_is_found_and_nothing_else() -> None:
    sheet = lens(0.1)
    ends = found(sheet)
    assert len(ends) == 48
    assert np.allclose(np.linalg.norm(sheet.vertices.numpy()[ends], axis=-1), 1)
    inside_out = Mesh(sheet.vertices, sheet.faces.flip(1))  # a groove
    assert len(found(inside_out)) == 0
    assert len(found(icosphere(3, dtype=torch.float64))) == 0


def test_a_fold_of_a_few_edges_is_no_rim() -> None:
    ball = icosphere(3, dtype=torch.float64)
    vertices = ball.vertices.clone()
    vertices[40] *= 1.5  # a needle: ridges all around it
    assert len(found(Mesh(vertices, ball.faces))) < DEFAULTS.remeshing.rim_edges
    sides = edge_sides(ball.faces.numpy(), len(vertices))
    assert not rims(vertices.numpy(), ball.faces.numpy(), sides).any()


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("thickness", [0.02, 0.1])
def test_remeshing_leaves_a_sheet_as_large_as_it_was(target: float, thickness: float) -> None:
    sheet = lens(thickness)
    result = remesh(sheet.vertices, sheet.faces, target)
    assert topology(result.faces).watertight
    assert area(result.vertices, result.faces) == pytest.approx(
        area(sheet.vertices, sheet.faces), rel=0.03 + 0.15 * target
    )
    assert len(result.vertices.unique(dim=0)) == len(result.vertices)  # none put where another is
    assert flipped_faces(result.vertices, result.faces) == 0  # though its rim has hardly a normal
    rim = result.vertices[np.unique(found(Mesh(result.vertices, result.faces)))]
    assert len(rim) == pytest.approx(2 * torch.pi / target, rel=0.3)
    assert float(rim[:, :2].norm(dim=1).min()) > 0.97 and float(rim[:, 2].abs().max()) < 0.02


def test_a_rim_that_arises_only_then_is_not_dragged_to_one_far_away() -> None:
    """A plate of blunt edges, which become sharp ones where triangles are larger than it is thick, beside a sheet."""
    plate = trimesh.creation.box((1, 1, 0.02)).subdivide_to_size(0.06)
    plate.merge_vertices()
    sheet = lens(0.1)
    vertices = torch.cat([sheet.vertices, torch.tensor(plate.vertices) + torch.tensor([5.0, 0, 0])])
    faces = torch.cat([sheet.faces, torch.tensor(plate.faces) + len(sheet.vertices)])
    result = remesh(vertices, faces, 0.1)
    x = result.vertices[:, 0]
    assert bool(((x < 1.01) | (x > 4.49)).all())
    beside = result.faces[(x > 4)[result.faces].all(dim=1)]
    assert area(result.vertices, beside) > 1.4  # of 2.08; without rims 0.6 are left
