"""Points from photographs of a ball with a random pattern, whose surface is known; and which photographs see what."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from blotched import arc, blotched_ball

from largesteps_zg.cameras import look_at
from largesteps_zg.cli.main import main
from largesteps_zg.evaluation import TriangulatedPoints, points_to_mesh, triangulated_points
from largesteps_zg.evaluation.kept_points import kept_points
from largesteps_zg.evaluation.triangulation import _measured
from largesteps_zg.mesh import Mesh, icosphere, save_mesh
from largesteps_zg.output.pictures.bare import bare_images
from largesteps_zg.output.seen import residuals, seeing_report, seen_from, views_seeing
from largesteps_zg.scenes import Views, save_scene
from largesteps_zg.scenes.photographs.matching import epipolar_distances
from largesteps_zg.scenes.photographs.tracks import Tracks
from largesteps_zg.scenes.synthetic import render_views, studio_light
from largesteps_zg.scenes.views import Scene


@pytest.fixture(scope="module")
def ball() -> Mesh:
    return blotched_ball()


@pytest.fixture(scope="module")
def views(ball: Mesh) -> Views:
    return render_views(ball, arc(8, 240, 320), light=studio_light())


@pytest.fixture(scope="module")
def points(views: Views) -> TriangulatedPoints:
    return triangulated_points(views)


def test_points_lie_on_the_ball(points: TriangulatedPoints) -> None:
    off = np.abs(np.linalg.norm(points.xyz, axis=1) - 1)
    assert len(off) > 60
    # A pixel is 0.0079 at the ball, and views 10 degrees apart see depth several times as vaguely as what lies across.
    assert np.median(off) < 0.0045 and np.quantile(off, 0.9) < 0.02
    assert (points.views >= 3).all() and (points.errors <= 0.7).all()


def test_points_that_some_masks_deny_are_left_out(points: TriangulatedPoints, views: Views) -> None:
    images = views.images.clone()
    images[:2, :, :160, 3] = 0  # the left half is denied by two of eight masks
    left = triangulated_points(replace(views, images=images))
    camera = views.cameras[0]
    for found, some in ((points, True), (left, False)):
        pixels, _ = camera.project(torch.from_numpy(found.xyz))
        assert bool((pixels[0, :, 0] < 159).any()) == some


def test_what_the_cameras_say_is_found_again_and_outliers_go() -> None:
    cameras = arc(5, 240, 320)
    spots = torch.tensor([[0.0, 0.5, 0.2], [0.3, -0.2, 0.1], [0.1, 0.1, -0.4]], dtype=torch.float64)
    pixels = cameras.project(spots)[0].numpy()  # (5, 3, 2)
    pixels[2, 1] += 1.5  # the second spot: one view is off
    track, view = np.repeat(np.arange(3), 5), np.tile(np.arange(5), 3)
    images = torch.full((5, 240, 320, 4), 255, dtype=torch.uint8)
    views = Views(images, cameras, tuple("abcde"))
    found = _measured(Tracks(track, view, pixels.transpose(1, 0, 2).reshape(-1, 2)), views)
    np.testing.assert_allclose(found.xyz, spots[[0, 2]].numpy(), atol=1e-9)
    # Rays at most 3 degrees apart say nothing of the depth: neighbours 0.5 degrees apart, and five of them.
    eyes = cameras.centers[:1] + torch.linspace(0, 0.12, 5, dtype=torch.float64)[:, None] * torch.tensor(
        [0.0, 1, 0]
    )
    close = look_at(eyes, fov_y_degrees=35.0, height=240, width=320)
    exact = close.project(spots)[0].numpy().transpose(1, 0, 2).reshape(-1, 2)
    assert len(_measured(Tracks(track, view, exact), Views(images, close, tuple("abcde"))).xyz) == 0


def test_epipolar_distance_is_that_to_the_image_of_the_ray() -> None:
    first, second = arc(2, 240, 320)[0], arc(2, 240, 320)[1]
    spot = torch.tensor([[0.2, 0.3, -0.1]], dtype=torch.float64)
    ray = first.centers[0] + (spot - first.centers[0]) * torch.tensor([[0.9], [1.1]], dtype=torch.float64)
    a, b = first.project(spot)[0][0].numpy(), second.project(spot)[0][0].numpy()
    start, end = second.project(ray)[0][0].numpy()  # two points of the line
    along = (end - start) / np.linalg.norm(end - start)
    moved = b + 3.0 * np.array([[-along[1], along[0]]])
    assert epipolar_distances(first, second, a, b)[0] == pytest.approx(0, abs=1e-9)
    assert epipolar_distances(first, second, a, moved)[0] == pytest.approx(3.0, rel=0.2)
    assert epipolar_distances(first, second, a, moved)[0] >= 3.0 - 1e-9


@pytest.mark.slow
def test_the_command_triangulates_once(views: Views, ball: Mesh, tmp_path: Path, capsys, monkeypatch) -> None:
    save_scene(tmp_path / "scene", Scene(path=None, format="synthetic", train=views))
    save_mesh(tmp_path / "ball.ply", icosphere(5, radius=1.05))
    command = ["evaluate", str(tmp_path / "ball.ply"), "--reference", str(tmp_path / "scene")]
    command += ["--output", str(tmp_path / "out")]
    assert main(command) == 0
    first = capsys.readouterr().out
    assert "triangulated from 8 photographs" in first and "reference to result" in first
    kept = np.load(tmp_path / "out" / "triangulated.npz")["xyz"]
    assert np.median(points_to_mesh(kept, icosphere(5, radius=1.05))) == pytest.approx(0.05, abs=0.005)
    monkeypatch.setattr(
        "largesteps_zg.evaluation.kept_points.triangulated_points", lambda _: pytest.fail("anew")
    )
    assert main(command) == 0
    assert "taken from triangulated.npz" in capsys.readouterr().out
    assert main([*command, "--views", "held-out", "--hold-out", "0"]) == 2


def test_kept_points_are_those_of_the_same_pixels(views: Views, tmp_path: Path, monkeypatch) -> None:
    calls = []
    nothing = TriangulatedPoints(np.zeros((1, 3)), np.zeros(1), np.ones(1, dtype=np.int64))
    monkeypatch.setattr(
        "largesteps_zg.evaluation.kept_points.triangulated_points", lambda v: calls.append(v) or nothing
    )
    assert [kept_points(tmp_path, views)[1] for _ in range(2)] == [False, True]
    images = views.images.clone()
    images[0, 0, 0, 0] += 1
    assert not kept_points(tmp_path, replace(views, images=images))[1]
    (tmp_path / "triangulated.npz").write_bytes(b"PK")
    assert not kept_points(tmp_path, views)[1] and len(calls) == 3


# --- what sees what ---------------------------------------------------------------------------------------------------


def two_balls() -> Mesh:
    small, large = icosphere(3, radius=0.4), icosphere(3)
    shifted = small.vertices + torch.tensor([2.0, 0.3, 0.0])
    return Mesh(
        torch.cat([large.vertices, shifted]), torch.cat([large.faces, small.faces + len(large.vertices)])
    )


def test_a_vertex_is_seen_where_no_ray_to_it_is_stopped() -> None:
    mesh, camera = two_balls(), arc(1, 300, 300)
    found = seen_from(mesh, mesh.vertices, camera).numpy()
    solid = trimesh.Trimesh(mesh.vertices.double().numpy(), mesh.faces.numpy(), process=False)
    eye, points = camera.centers[0].numpy(), mesh.vertices.double().numpy()
    toward = points - eye
    # Where the lines from the camera through all vertices meet all triangles (Moeller and Trumbore 1997): at a share of
    # the way below 1 something is before the vertex.
    origin, second, third = (
        solid.triangles[:, 0],
        *(solid.triangles[:, k] - solid.triangles[:, 0] for k in (1, 2)),
    )
    across = np.cross(toward[:, None], third)  # (V, F, 3)
    area = (across * second).sum(-1)
    u = (across * (eye - origin)).sum(-1) / area
    other = np.cross(eye - origin, second)
    v = (other * toward[:, None]).sum(-1) / area
    share = (other * third).sum(-1) / area
    before = (u >= 0) & (v >= 0) & (u + v <= 1) & (share > 0) & (share < 1 - 1e-4)
    exact = ~before.any(axis=1) & ((solid.vertex_normals * toward).sum(axis=1) < 0)
    pixels = camera.project(mesh.vertices.double())[0][0].numpy()
    exact &= ((pixels >= 0) & (pixels < 300)).all(axis=1)
    differs = found != exact
    assert differs.mean() < 0.01  # within a pixel of an outline
    assert 0.2 < exact.mean() < 0.6


def test_what_is_close_behind_something_is_hidden() -> None:
    camera = arc(1, 64, 64)
    toward = torch.nn.functional.normalize(camera.centers[0].double(), dim=0)
    side = torch.nn.functional.normalize(
        torch.linalg.cross(toward, toward.new_tensor([0.3, 0.5, 0.8])), dim=0
    )
    corners = torch.stack([side, torch.linalg.cross(toward, side), -side, torch.linalg.cross(side, toward)])
    squares = torch.cat([0.5 * corners, 0.3 * corners - 0.05 * toward])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    assert seen_from(Mesh(squares, faces), squares, camera).tolist() == [True] * 4 + [False] * 4


def test_counts_of_views_leave_out_pixels_of_no_photograph() -> None:
    mesh, cameras = icosphere(3), arc(3, 60, 60)
    images, known = torch.zeros(3, 60, 60, 4, dtype=torch.uint8), torch.ones(3, 60, 60, dtype=torch.bool)
    counts = views_seeing(mesh, Views(images, cameras, ("a", "b", "c")), cameras)
    single = torch.stack([seen_from(mesh, mesh.vertices, cameras[i]) for i in range(3)])
    assert torch.equal(counts, single.sum(0))
    known[1] = False
    assert torch.equal(
        views_seeing(mesh, Views(images, cameras, ("a", "b", "c"), known), cameras), single[[0, 2]].sum(0)
    )
    report = seeing_report(counts, 3)
    assert report["unseen"] == int((counts == 0).sum()) > 0
    assert report["histogram"] == [int((counts == n).sum()) for n in range(4)]
    assert report["quantiles"]["1"] == 3 and report["quantiles"]["0"] == 0


def test_a_residual_is_the_mean_over_the_photographs_that_see_a_vertex() -> None:
    mesh, cameras = icosphere(3), arc(3, 60, 60)
    pixels = torch.Generator().manual_seed(2)
    images, made = (
        torch.randint(0, 256, (3, 60, 60, 4), dtype=torch.uint8, generator=pixels) for _ in range(2)
    )
    images[..., 3], made[..., 3] = 255, 255
    views = Views(images, cameras, ("a", "b", "c"))
    other = Views(made, cameras, views.names)
    counts, residual = residuals(mesh, views, cameras, lambda i: other.linear(i)[0])
    assert torch.equal(counts, views_seeing(mesh, views, cameras)) and bool((counts == 0).any())
    places = cameras.project(mesh.vertices.to(cameras.intrinsics))[0].floor().long()
    seen = [seen_from(mesh, mesh.vertices, cameras[i]) for i in range(3)]
    for v in range(len(mesh.vertices)):
        wrong = []
        for i in range(3):
            x, y = places[i, v].tolist()
            if seen[i][v]:
                wrong.append(float((images[i, y, x].double() - made[i, y, x].double()).abs().mean()) / 255)
        assert (
            math.isnan(residual[v]) if not wrong else abs(float(residual[v]) - sum(wrong) / len(wrong)) < 1e-5
        )


def test_a_flipped_face_is_red_and_nothing_else_is() -> None:
    ball, camera = icosphere(2), arc(1, 64, 64)
    right = bare_images(ball.vertices, ball.faces, camera)[0]
    assert right.shape == (64, 64, 4) and bool((right[..., 0] <= 1.2 * right[..., 1] + 1e-6).all())
    toward = camera.centers[0].float()
    nearest = (ball.vertices[ball.faces].mean(dim=1) - toward).norm(dim=1).argmin()
    faces = ball.faces.clone()
    faces[nearest] = faces[nearest].flip(0)
    red = bare_images(ball.vertices, faces, camera)[0]
    changed = (red - right).abs().amax(-1) > 0.01
    assert 3 < int(changed.sum()) < 100
    assert bool((red[changed][:, 0] > 2 * red[changed][:, 1]).float().mean() > 0.3)
    assert torch.equal(red[..., 3], right[..., 3])
    inside_out = bare_images(ball.vertices, ball.faces.flip(1), camera)[0]
    covered = inside_out[..., 3] > 0
    assert bool((inside_out[covered][:, 0] > 4 * inside_out[covered][:, 1]).all())


def test_a_crease_shows_and_the_scene_may_lie_far_away() -> None:
    ball, camera = icosphere(1), arc(1, 64, 64)
    near = bare_images(ball.vertices, ball.faces, camera)[0]
    shift = torch.tensor([5e5, 4e6, 100.0], dtype=torch.float64)
    far = bare_images(ball.vertices.double() + shift, ball.faces, camera.transformed(1.0, -shift))[0]
    assert float((near - far).abs().mean()) < 1e-3
    inner = near[20:44, 20:44, 0]
    assert len(inner.unique()) < 300  # one shade a face, and mixed ones along the creases


def test_faces_without_a_place_are_left_out_of_the_picture() -> None:
    ball = icosphere(2)
    camera = arc(1, 32, 32)
    lost = torch.cat([ball.vertices, torch.tensor([[float("nan")] * 3, [float("inf")] * 3])])
    faces = torch.cat([ball.faces, torch.tensor([[0, 1, len(lost) - 1], [0, len(lost) - 2, 2]])])
    expected = bare_images(ball.vertices, ball.faces, camera)
    torch.testing.assert_close(bare_images(lost, faces, camera), expected)
    assert not bare_images(lost.new_full((3, 3), float("nan")), torch.tensor([[0, 1, 2]]), camera).any()
