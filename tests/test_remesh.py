"""Remeshing: what must stay as it was, what must come out, and the meshes that break remeshers."""

from __future__ import annotations

import importlib.util
import sys

import pytest
import torch
import trimesh

import largesteps_zg.mesh.remeshing.remesher as remesh_module
from largesteps_zg.geometry import nonmanifold_vertices, topology
from largesteps_zg.mesh import Mesh, degenerate_faces, flipped_faces, icosphere, triangle_quality
from largesteps_zg.mesh.remeshing import remesh


def optional(name: str):
    """A backend whose tests are skipped where it is not installed."""
    missing = importlib.util.find_spec(name) is None
    mark = pytest.mark.skipif(missing, reason=f"{name}, an optional backend, is not installed")
    return pytest.param(name, marks=mark)


every_backend = pytest.mark.parametrize(
    "backend", ["adaptive", optional("gpytoolbox"), optional("pymeshlab")]
)


def lengths(vertices, faces):
    """All edges of all faces, by a loop over the three corners."""
    return torch.cat([(vertices[faces[:, i]] - vertices[faces[:, i - 1]]).norm(dim=1) for i in range(3)])


def joined(*meshes: Mesh) -> Mesh:
    """Several meshes as one."""
    parts, count = [], 0
    for mesh in meshes:
        parts.append(mesh.faces + count)
        count += len(mesh.vertices)
    return Mesh(torch.cat([mesh.vertices for mesh in meshes]), torch.cat(parts))


def moved(mesh: Mesh, scale: float, shift: float) -> Mesh:
    return Mesh(mesh.vertices * scale + shift, mesh.faces)


def sound_and_closed(result) -> None:
    counts = topology(result.faces, len(result.vertices))
    assert counts.watertight and counts.isolated_vertices == 0
    assert torch.isfinite(result.vertices).all()
    assert len(nonmanifold_vertices(result.faces, len(result.vertices))) == 0


@pytest.mark.slow
@every_backend
@pytest.mark.parametrize("target", [0.08, 0.15, 0.3])
def test_a_ball_gets_the_asked_for_edges_and_stays_a_ball(backend, target):
    ball = icosphere(3)
    result = remesh(ball.vertices, ball.faces, target, backend=backend)
    sound_and_closed(result)
    assert result.backend == backend and topology(result.faces).genus == 0
    assert result.vertices.dtype == torch.float32 and result.faces.dtype == torch.int64
    assert lengths(result.vertices, result.faces).mean().item() == pytest.approx(target, rel=0.12)
    assert triangle_quality(result.vertices, result.faces).mean() > 0.93
    assert (
        flipped_faces(result.vertices, result.faces) == degenerate_faces(result.vertices, result.faces) == 0
    )
    # On the old surface: between the sphere and the flattest point of a face (edge 0.16: sagitta 0.006).
    radii = result.vertices.norm(dim=1)
    assert radii.max() < 1 + 1e-5 and radii.min() > 0.99
    # Outside stays outside.
    assert trimesh.Trimesh(result.vertices.numpy(), result.faces.numpy(), process=False).volume > 3.8


@every_backend
def test_genus_components_and_inward_winding_are_kept(backend):
    torus = trimesh.creation.torus(1.0, 0.4, 32, 16)
    ring = Mesh(torch.tensor(torus.vertices), torch.tensor(torus.faces))
    both = joined(ring, moved(icosphere(2, dtype=torch.float64), 0.5, 4.0))
    result = remesh(both.vertices, both.faces.flip(1), 0.15, backend=backend)
    sound_and_closed(result)
    assert result.vertices.dtype == torch.float64
    assert (topology(result.faces).components, topology(result.faces).genus) == (2, 1)
    assert trimesh.Trimesh(result.vertices.numpy(), result.faces.numpy(), process=False).volume < 0


@pytest.mark.slow
@every_backend
def test_attributes_follow_the_surface(backend):
    ball = icosphere(4, dtype=torch.float64)
    weights = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    linear = ball.vertices @ weights.T + 3  # (V, 1); interpolating a linear function is exact
    moments = torch.stack([ball.vertices, 2 * ball.vertices], dim=1).float()  # (V, 2, 3)
    result = remesh(ball.vertices, ball.faces, 0.1, backend=backend, attributes={"a": linear, "m": moments})
    torch.testing.assert_close(result.attributes["a"], result.vertices @ weights.T + 3, rtol=0, atol=1e-6)
    assert result.attributes["m"].shape == (len(result.vertices), 2, 3)
    assert result.attributes["m"].dtype == torch.float32
    torch.testing.assert_close(result.attributes["m"][:, 1], 2 * result.vertices.float(), rtol=0, atol=1e-5)
    assert result.source.weights.min() >= 0
    torch.testing.assert_close(result.source.weights.sum(dim=1), torch.ones_like(result.vertices[:, 0]))


def test_the_map_is_linear_and_gradients_pass_through_it():
    ball = icosphere(1)
    source = remesh(ball.vertices, ball.faces, 0.2).source
    values = torch.ones(len(ball.vertices), requires_grad=True)
    source(values).sum().backward()
    # The gradient hands each new vertex's one to the old ones: nothing is lost or made.
    assert values.grad.sum().item() == pytest.approx(len(source.corners), rel=1e-5)
    assert source(values[:, None, None]).shape == (len(source.corners), 1, 1)


@pytest.mark.slow
@every_backend
def test_scale_and_position_make_no_difference(backend):
    ball = icosphere(2, dtype=torch.float64)
    here = remesh(ball.vertices, ball.faces, 0.2, backend=backend)
    for scale in (1e-5, 1e5):
        there = remesh(ball.vertices * scale + 3 * scale, ball.faces, 0.2 * scale, backend=backend)
        sound_and_closed(there)
        assert len(there.vertices) == pytest.approx(len(here.vertices), rel=0.03)


@pytest.mark.slow
def test_the_same_call_gives_the_same_mesh():
    ball = icosphere(3)
    one, two = (remesh(ball.vertices, ball.faces, 0.1) for _ in range(2))
    assert torch.equal(one.vertices, two.vertices) and torch.equal(one.faces, two.faces)


@pytest.mark.slow
@every_backend
def test_remeshed_again_and_again_stays_sound(backend):
    ball = icosphere(2)
    vertices, faces = ball.vertices, ball.faces
    for target in (0.1, 0.1, 0.3, 0.1, 0.1):
        result = remesh(vertices, faces, target, backend=backend)
        vertices, faces = result.vertices, result.faces
    sound_and_closed(result)
    assert vertices.norm(dim=1).min() > 0.95 and len(vertices) == pytest.approx(1460, rel=0.1)


# The meshes that break remeshers


@every_backend
@pytest.mark.parametrize("target", [0.06, 0.15])
def test_an_open_sheet_keeps_its_border_where_it_was(backend, target):
    square = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    result = remesh(square, torch.tensor([[0, 1, 2], [0, 2, 3]]), target, backend=backend)
    counts = topology(result.faces, len(result.vertices))
    assert (counts.euler, counts.components, counts.isolated_vertices) == (1, 1, 0)
    assert counts.nonmanifold_edges == counts.misoriented_edges == 0
    u, v = (result.vertices[result.faces[:, i]] - result.vertices[result.faces[:, 0]] for i in (1, 2))
    cross = torch.linalg.cross(u, v)[:, 2]
    assert cross.min() > 0 and cross.sum().item() / 2 == pytest.approx(1, abs=1e-4)  # no fold, no shrinking
    assert lengths(result.vertices, result.faces).max() < 2.2 * target
    assert triangle_quality(result.vertices, result.faces).mean() > 0.85


@every_backend
def test_half_a_ball_stays_open(backend):
    ball = icosphere(3)
    upper = ball.faces[ball.vertices[ball.faces].mean(dim=1)[:, 2] > 0]
    result = remesh(ball.vertices, upper, 0.1, backend=backend)  # half of the vertices belong to no face
    counts = topology(result.faces, len(result.vertices))
    assert (counts.euler, counts.components, counts.isolated_vertices) == (1, 1, 0)


@every_backend
def test_a_component_smaller_than_an_edge_does_no_harm(backend):
    both = joined(icosphere(3), moved(icosphere(1), 1e-3, 3.0))
    result = remesh(both.vertices, both.faces, 0.1, backend=backend)
    sound_and_closed(result)
    assert (result.vertices.norm(dim=1) < 1.1).sum() == pytest.approx(1460, rel=0.1)


@every_backend
def test_everything_smaller_than_an_edge_is_left_closed(backend):
    ball = icosphere(2)
    sound_and_closed(remesh(ball.vertices, ball.faces, 5.0, backend=backend))


@every_backend
def test_slivers_and_collapsed_triangles_are_replaced(backend):
    ball = icosphere(3)
    vertices = ball.vertices.clone()
    a, b, _ = ball.faces[0].tolist()
    vertices[a] = vertices[b]  # distinct vertices in one place: two faces without area
    c, d, _ = ball.faces[700].tolist()
    vertices[c] = vertices[d] + 1e-6
    assert degenerate_faces(vertices, ball.faces) >= 4
    result = remesh(vertices, ball.faces, 0.1, backend=backend, attributes={"x": vertices})
    sound_and_closed(result)
    assert (
        degenerate_faces(result.vertices, result.faces) == flipped_faces(result.vertices, result.faces) == 0
    )
    assert torch.isfinite(result.attributes["x"]).all()


@pytest.mark.slow
@every_backend
def test_a_folded_surface_is_unfolded(backend, generator):
    ball = icosphere(4)
    vertices = ball.vertices + 0.025 * torch.randn(ball.vertices.shape, generator=generator)
    assert flipped_faces(vertices, ball.faces) > 100
    result = remesh(vertices, ball.faces, 0.08, backend=backend)
    sound_and_closed(result)
    assert flipped_faces(result.vertices, result.faces) <= 2


@pytest.mark.parametrize("backend", ["adaptive", optional("gpytoolbox")])
def test_coincident_surfaces_stay_two(backend):
    ball = icosphere(2)
    twice = joined(ball, ball)
    result = remesh(twice.vertices, twice.faces, 0.2, backend=backend)
    sound_and_closed(result)
    assert topology(result.faces).components == 2


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target_length": 0.0}, "target_length: expected a finite length > 0, got 0.0"),
        ({"target_length": float("nan")}, "target_length: expected a finite length"),
        ({"target_length": 1e-5}, "target_length: expected a length that gives at most 4,000,000 faces"),
        ({"iterations": 0}, "iterations: expected at least 1"),
        ({"backend": "igl"}, "backend: expected one of auto, adaptive, gpytoolbox, pymeshlab, got 'igl'"),
        ({"attributes": {"c": torch.zeros(5, 3)}}, r"attributes\['c'\]: expected floats with 42 rows"),
        ({"attributes": {"i": torch.zeros(42, dtype=torch.long)}}, r"attributes\['i'\]: .*int64"),
    ],
)
def test_remesh_refuses_in_one_line(arguments, message):
    ball = icosphere(1)
    with pytest.raises(ValueError, match=message) as caught:
        remesh(ball.vertices, ball.faces, **{"target_length": 0.3, **arguments})
    assert "\n" not in str(caught.value)


def test_remesh_refuses_three_faces_at_an_edge():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match="at most two faces at an edge, got 1"):
        remesh(vertices, torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4]]), 0.1)


@pytest.mark.parametrize("backend", ["gpytoolbox", "pymeshlab"])
def test_a_missing_backend_says_how_to_install_it(monkeypatch, backend):
    monkeypatch.setitem(sys.modules, backend, None)
    ball = icosphere(1)
    with pytest.raises(ImportError, match=rf'pip install "largesteps_zg\[{backend}\]"$'):
        remesh(ball.vertices, ball.faces, 0.3, backend=backend)


def test_without_optional_backends_everything_is_remeshed_by_our_own(monkeypatch):
    for name in ("gpytoolbox", "pymeshlab"):
        monkeypatch.setitem(sys.modules, name, None)
    ball = icosphere(2)
    assert remesh(ball.vertices, ball.faces, 0.3).backend == "adaptive"
    # What our own cannot do is then the only reason that is given, with how to get the others.
    monkeypatch.setitem(remesh_module.BACKENDS, "adaptive", lambda v, f, *_: (v, f[:0]))
    with pytest.raises(RuntimeError, match=r"adaptive gave no faces.*\[gpytoolbox\].*\[pymeshlab\]"):
        remesh(ball.vertices, ball.faces, 0.3)


OPENED = "a surface with 3 border edges from a closed one"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda v, f: (v, f[:0]), "no faces"),
        (lambda v, f: (v * float("nan"), f), "not finite"),
        (lambda v, f: (v, f[1:]), OPENED),
        (lambda v, f: (v, f.flip(1)), "turned inside out"),
        (lambda v, f: (v, torch.cat([f, f[:1]])), "3 non-manifold"),
    ],
)
def test_an_unsound_result_is_not_handed_on(monkeypatch, spoil, reason):
    ball = icosphere(2)
    backends = {"gpytoolbox": lambda v, f, *_: spoil(v, f), "pymeshlab": lambda v, f, *_: spoil(v, f)}
    monkeypatch.setattr(remesh_module, "BACKENDS", backends)
    with pytest.raises(RuntimeError, match=f"gpytoolbox gave .*{reason}.*pymeshlab gave"):
        remesh(ball.vertices, ball.faces, 0.3)
    monkeypatch.setitem(backends, "pymeshlab", lambda v, f, *_: (v, f))
    assert remesh(ball.vertices, ball.faces, 0.3).backend == "pymeshlab"  # "auto" goes on to the next
