"""What of its surroundings a surface hides from itself: against rays traced by hand, and remembered for each view."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from largesteps_zg.cameras import look_at
from largesteps_zg.geometry import vertex_normals
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.appearance import occlusion as self_occlusion
from largesteps_zg.reconstruct.appearance.gloss import Gloss
from largesteps_zg.reconstruct.appearance.occlusion import SelfOcclusion, hidden_directions
from largesteps_zg.scenes.synthetic import scene_from_mesh


def bowl() -> Mesh:
    """Closed, with a deep hollow on top."""
    ball = icosphere(3)
    x = ball.vertices * 0.8
    inward = (x[:, 2:] > 0.4).float()
    return dataclasses.replace(
        ball, vertices=x * (1 - inward) + inward * torch.cat([x[:, :2], 0.6 - x[:, 2:]], 1)
    )


def traced(mesh: Mesh, origins: torch.Tensor, rays: torch.Tensor) -> torch.Tensor:
    """(N,) whether a ray meets a triangle from outside, by Cramer's rule, ray by ray."""
    a, b, c = mesh.vertices[mesh.faces].double().unbind(1)
    found = []
    for origin, ray in zip(origins.double(), rays.double(), strict=True):
        u, v, to = b - a, c - a, origin - a
        p = torch.linalg.cross(ray.expand_as(v), v)
        determinant = (u * p).sum(1)
        q = torch.linalg.cross(to, u)
        s, t = (to * p).sum(1) / determinant, (ray * q).sum(1) / determinant
        distance = (v * q).sum(1) / determinant
        hit = (s >= 0) & (t >= 0) & (s + t <= 1) & (distance > 0)
        first = distance.masked_fill(~hit, torch.inf).argmin()
        found.append(bool(hit[first]) and float(determinant[first]) > 0)
    return torch.tensor(found)


def test_rays_meet_what_they_meet_when_traced_by_hand(generator):
    mesh = bowl()
    normals = vertex_normals(mesh.vertices, mesh.faces)
    rays = torch.nn.functional.normalize(torch.randn(2, len(normals), 3, generator=generator), dim=-1)
    found = hidden_directions(mesh.vertices, mesh.faces, normals, rays)
    edge = float((mesh.vertices[mesh.faces[:, 0]] - mesh.vertices[mesh.faces[:, 1]]).norm(dim=1).mean())
    origins = mesh.vertices + 0.2 * edge * normals
    for row in range(2):
        outward = (rays[row] * normals).sum(1) > 0.02
        expected = traced(mesh, origins, rays[row]) & outward
        assert (found[row] != expected).float().mean() < 0.005  # but for edges that are hit
        assert 0.05 < expected.float().mean() < 0.5
    assert not bool(hidden_directions(mesh.vertices, mesh.faces, normals, -normals[None]).any())


def test_only_what_is_met_from_outside_hides():
    """Of an open sheet above another the back hides nothing, and turned over it does."""
    square = torch.tensor([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]]) / 2
    low = square * 0.2
    vertices = torch.cat([low, square + torch.tensor([0.0, 0.0, 0.5])])
    sheet = torch.tensor([[0, 1, 2], [0, 2, 3]])
    up = torch.tensor([0.0, 0.0, 1.0]).expand(1, 8, 3)
    for above, hides in ((sheet + 4, False), ((sheet + 4).flip(1), True)):
        found = hidden_directions(vertices, torch.cat([sheet, above]), up[0].contiguous(), up)
        assert found[0, :4].tolist() == [hides] * 4


def test_nothing_is_hidden_on_a_ball(generator):
    ball = icosphere(3)
    rays = torch.nn.functional.normalize(torch.randn(3, 642, 3, generator=generator), dim=-1)
    assert not bool(hidden_directions(ball.vertices, ball.faces, ball.vertices, rays).any())


def test_a_view_is_traced_now_and_then(monkeypatch):
    traces = []

    def trace(vertices, faces, normals, directions, constants):
        traces.append(directions[:, 0, 0].tolist())
        return directions[..., 0] > 0

    monkeypatch.setattr(self_occlusion, "hidden_directions", trace)
    occlusion, rays = SelfOcclusion(), torch.tensor([[[1.0, 0, 0]], [[-1.0, 0, 0]], [[2.0, 0, 0]]])

    def ask(*views: int):
        index = torch.tensor(views)
        return occlusion(torch.zeros(1, 3), torch.zeros(1, 3), torch.zeros(1, 3), rays[index], index)

    assert ask(0, 1).tolist() == [[True], [False]] and traces == [[1.0, -1.0]]
    assert ask(1, 2).tolist() == [[False], [True]] and traces[1:] == [[2.0]]
    other = SelfOcclusion()
    for again in range(2, 9):
        if again == 5:
            other.load_state_dict(occlusion.state_dict())
            occlusion = other
        assert ask(1).tolist() == [[False]] and len(traces) == 2 + again // 8
    ask(0, 1)
    assert len(traces) == 3
    occlusion.topology_changed()
    ask(0, 1)
    assert traces[3:] == [[1.0, -1.0]]
    assert occlusion(*(torch.zeros(1, 3),) * 3, rays[:1], None).tolist() == [[True]] and len(traces) == 5


def test_gloss_is_black_where_the_surface_hides_its_surroundings():
    mesh = bowl()
    normals = vertex_normals(mesh.vertices, mesh.faces)
    camera = look_at(torch.tensor([[1.2, 0.0, 2.6]]), fov_y_degrees=40, height=8, width=8)
    gloss = Gloss()
    with torch.no_grad():
        gloss.strength.fill_(0.5)
    seen = gloss(mesh.vertices, mesh.faces, normals, camera)[0]
    towards = torch.nn.functional.normalize(camera.centers - mesh.vertices, dim=1)
    rays = 2 * (normals * towards).sum(1, keepdim=True) * normals - towards
    hidden = hidden_directions(mesh.vertices, mesh.faces, normals, rays[None])[0]
    assert 10 < int(hidden.sum()) < len(hidden) / 2
    assert bool((seen[hidden] == 0).all()) and float(seen.detach()[~hidden].min()) >= 0.5


@pytest.mark.slow
def test_remeshing_forgets_what_was_hidden():
    mesh = bowl()
    scene = scene_from_mesh(mesh, views=6, test_views=0, height=48, width=48, up="z")
    run = Reconstruction(scene.train, Settings(steps=20, remesh=(12,), max_vertices=500, gloss="on"))
    while run.step < 20:
        run.advance()
    assert run.fit.appearance.gloss.trial.running
