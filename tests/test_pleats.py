"""Pleats go, ridges and honest grooves stay."""

from __future__ import annotations

import math

import pytest
import torch

from largesteps_zg.geometry import face_normals
from largesteps_zg.mesh import flipped_faces, icosphere
from largesteps_zg.reconstruct.priors.pleats import Pleats


def strip(profile: list[tuple[float, float]], length: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """A surface whose section (x, z) is the same everywhere along y, its normals up."""
    points = torch.tensor([[x, float(y), z] for y in range(length) for x, z in profile])
    n, faces = len(profile), []
    for y in range(length - 1):
        for i in range(n - 1):
            a = y * n + i
            faces += [[a, a + 1, a + n], [a + 1, a + n + 1, a + n]]
    return points, torch.tensor(faces)


def groove(angle: float) -> list[tuple[float, float]]:
    """A flat ground with a groove of that opening, in degrees."""
    half = math.radians(angle) / 2
    wide, deep = math.sin(half), math.cos(half)
    return [(-wide - 1, 0), (-wide, 0), (0, -deep), (wide, 0), (wide + 1, 0)]


def test_a_pleat_is_smoothed_until_it_is_gone() -> None:
    ground = [(float(x), 0.0) for x in range(9)]
    ground[4], ground[5] = (5.2, 0.1), (3.8, 0.05)  # the surface runs back on itself, in a narrow Z
    vertices, faces = strip(ground)
    assert flipped_faces(vertices, faces) > 0
    pleats = Pleats(faces, vertices)
    for _ in range(20):
        vertices = pleats.smoothed(vertices)
    assert flipped_faces(vertices, faces) == 0 and bool((face_normals(vertices, faces)[:, 2] > 0.5).all())
    assert pleats.smoothed(vertices) is vertices


@pytest.mark.parametrize(("angle", "smoothed"), [(30, True), (65, True), (80, False), (120, False)])
def test_a_groove_is_a_pleat_only_where_it_is_narrow(angle: float, smoothed: bool) -> None:
    vertices, faces = strip(groove(angle))
    after = Pleats(faces, vertices).smoothed(vertices)
    assert (after is not vertices) == smoothed
    # Seen from below it is a ridge, and those may be as sharp as they like.
    assert Pleats(faces.flip(1), vertices).smoothed(vertices) is vertices


def test_only_what_is_pleated_moves_and_rims_of_sheets_stay() -> None:
    vertices, faces = strip(groove(30), length=8)
    moved = (Pleats(faces, vertices).smoothed(vertices) != vertices).any(dim=1).view(8, 5)
    assert bool(moved[:, 2].any()) and not bool(moved[:, [0, 4]].any())
    ball = icosphere(3)
    sheet = ball.vertices * torch.tensor([1.0, 1.0, 0.01])
    assert Pleats(ball.faces, sheet).smoothed(sheet) is sheet
