"""Normals of a step's surface: made once, and never those of another surface."""

from __future__ import annotations

import torch

from largesteps_zg.geometry.normals import vertex_normals
from largesteps_zg.mesh import icosphere
from largesteps_zg.reconstruct import triangles
from largesteps_zg.reconstruct.triangles import Triangles


def test_normals_are_made_once_and_those_of_what_was_asked_about(monkeypatch) -> None:
    made = []
    monkeypatch.setattr(triangles, "vertex_normals", lambda *given: made.append(1) or vertex_normals(*given))
    ball = icosphere(2)
    surface = Triangles(ball.vertices, ball.faces, lambda_=2.0, momentum=0.9, bending=True)
    vertices = surface.shape()
    found = surface.normals(vertices)
    assert torch.equal(found, vertex_normals(vertices, ball.faces)) and found.requires_grad
    still = surface.normals(vertices.detach())
    assert torch.equal(still, found) and not still.requires_grad
    assert surface.bend(vertices) is not None and surface.normals(vertices) is found and len(made) == 1
    with torch.no_grad():
        vertices *= torch.tensor([1.0, 2.0, 3.0])
        assert torch.equal(surface.normals(vertices), vertex_normals(vertices, ball.faces))
    assert len(made) == 2
    # Asked about first where nothing is differentiated; then where something is.
    moved = surface.shape()
    with torch.no_grad():
        surface.normals(moved)
    assert surface.normals(moved).requires_grad and len(made) == 4
