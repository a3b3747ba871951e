"""The view answers this machine alone, puts photographs where cameras see them, and records what was seen."""

from __future__ import annotations

import dataclasses
import inspect
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from browser import CHROMIUM, browsing

from largesteps_zg._support.stopping import Stopping
from largesteps_zg.cameras import Cameras, look_at
from largesteps_zg.cli import main
from largesteps_zg.mesh import icosphere, load_mesh, save_mesh
from largesteps_zg.meshes import path
from largesteps_zg.reconstruct import Settings
from largesteps_zg.reconstruct.loop import Reconstruction
from largesteps_zg.scenes import save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh
from largesteps_zg.viewing.frames import Kept, Mark, Surface, draw, error_mark
from largesteps_zg.viewing.points import sparse_points
from largesteps_zg.viewing.server import address, close, is_from_here, open_server
from largesteps_zg.viewing.stage import behind, first_eye, height_angle, legend, pose
from largesteps_zg.viewing.still import show

SHORT = ["--init", "sphere", "--remesh", "off", "--quiet"]


@pytest.fixture
def viser() -> Any:
    return pytest.importorskip("viser", reason="viser is not installed")


def unlike(views: int = 4) -> Cameras:
    """Cameras around the origin whose principal point is beside the middle."""
    eyes = torch.tensor([[3.0, 0, 0.5], [0, -3, 1], [-2, 2, 2], [1, 1, -3]], dtype=torch.float64)[:views]
    made = look_at(eyes, torch.zeros(3, dtype=torch.float64), fov_y_degrees=40.0, height=60, width=80)
    intrinsics = made.intrinsics.clone()
    intrinsics[:, 0, 2] += 7.0
    intrinsics[:, 1, 2] -= 4.0
    return made.unchecked(made.world_to_camera, intrinsics)


# --- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(4))
def test_a_photograph_behind_the_surface_is_what_its_camera_sees(index: int) -> None:
    """The corners of its plane are seen at the corners of the picture."""
    cameras = unlike()
    center, width, height = behind(cameras, index, away=4.5)
    turn = cameras.world_to_camera[index, :3, :3].numpy().T
    corners = [center + turn @ [x * width, y * height, 0] for x in (-0.5, 0.5) for y in (-0.5, 0.5)]
    pixels, depth = cameras[index].project(torch.tensor(np.array(corners)))
    expected = [[0, 0], [0, 60], [80, 0], [80, 60]]
    np.testing.assert_allclose(pixels[0].numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(depth[0].numpy(), 4.5, atol=1e-9)


def test_the_first_look_is_from_the_side_and_near() -> None:
    """Not from the pole, wherever the first camera is; along the line to a camera."""
    eyes = torch.tensor([[0.0, 0.1, 4.0], [3.0, 0.0, -0.2], [0.0, -3.8, 1.3]], dtype=torch.float64)
    cameras = look_at(eyes, torch.zeros(3, dtype=torch.float64), fov_y_degrees=40.0, height=60, width=80)
    eye = first_eye(cameras, torch.tensor([0.0, 0.0, 2.0], dtype=torch.float64))
    np.testing.assert_allclose(eye, 2.6 * eyes[2] / eyes[2].norm(), atol=1e-9)
    eye = first_eye(
        cameras.transformed(0.3, torch.zeros(3)), torch.tensor([0.0, 0.0, 2.0], dtype=torch.float64)
    )
    np.testing.assert_allclose(eye, 0.8 * 0.3 * eyes[2], atol=1e-9)  # a camera near the object


def test_a_pose_is_a_turn_from_the_camera_to_the_world() -> None:
    cameras = unlike()
    (w, *xyz), center = pose(cameras, 2)
    forward = np.array([0.0, 0.0, 1.0])
    # v + 2 q x (q x v + w v)
    turned = forward + 2 * np.cross(xyz, np.cross(xyz, forward) + w * forward)
    np.testing.assert_allclose(turned, -center / np.linalg.norm(center), atol=1e-12)  # it looks at the origin
    assert height_angle(cameras, 2) == pytest.approx(np.deg2rad(40.0))


def test_kept_surfaces_are_few_and_evenly_spread() -> None:
    kept = Kept(most=8)
    for step in range(100):
        kept.add(Surface.of(icosphere(0), step=step))
    steps = [surface.step for surface in kept.surfaces]
    assert 4 <= len(steps) <= 8 and steps[0] == 0 and len(set(np.diff(steps))) == 1


@pytest.mark.parametrize("text", [True, False])
def test_sparse_points_are_those_of_colmap(tmp_path: Path, text: bool) -> None:
    import pycolmap

    model, places = pycolmap.Reconstruction(), np.array([[1.0, 2.0, 3.5], [-4.0, 0.25, 6.0]])
    colors = np.array([[255, 0, 9], [1, 128, 200]], dtype=np.uint8)
    for place, color in zip(places, colors, strict=True):
        model.add_point3D(place, pycolmap.Track(), color)
    (tmp_path / "sparse" / "0").mkdir(parents=True)
    (model.write_text if text else model.write_binary)(tmp_path / "sparse" / "0")
    found = sparse_points(tmp_path)
    assert found is not None
    order = found[0][:, 0].argsort()[::-1]
    np.testing.assert_allclose(found[0][order], places)
    assert (found[1][order] == colors).all()
    assert sparse_points(tmp_path / "sparse" / "elsewhere") is None
    file = next((tmp_path / "sparse" / "0").glob("points3D.*"))
    file.write_bytes(file.read_bytes()[:-30] if not text else b"1 2 three 4 5 6 7\n")
    with pytest.raises(ValueError, match="is it complete"):
        sparse_points(tmp_path)


# --- the server ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "origin", "right"),
    [
        ("127.0.0.1:8080", None, True),
        ("localhost:8080", "http://localhost:8080", True),
        ("127.0.0.1:8080", "http://127.0.0.1:9000", False),
        ("127.0.0.1:8080", "http://example.org", False),
        ("127.0.0.1:8080", "null", False),
        ("example.org:8080", None, False),
        ("127.0.0.1.example.org", "http://127.0.0.1.example.org", False),
        (None, None, False),
    ],
)
def test_only_this_machine_is_here(host: str | None, origin: str | None, right: bool) -> None:
    assert is_from_here(host, origin) is right


def answered(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_other_origins_are_refused(viser: Any, capfd: pytest.CaptureFixture[str]) -> None:
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    server = open_server(18080)
    try:
        url = address(server)
        assert url.startswith("http://127.0.0.1:") and server.get_host() == "127.0.0.1"
        assert answered(url) == 200 and answered(url, Origin="http://example.org") == 403
        assert answered(url, Host="example.org") == 403
        socket = url.replace("http", "ws")
        with pytest.raises(InvalidStatus, match="403"):
            connect(socket, origin="http://example.org", subprotocols=["viser-v1.1.1"])  # type: ignore[arg-type]
        with connect(socket, origin=url, subprotocols=["viser-v1.1.1"]):  # type: ignore[arg-type]
            pass
    finally:
        close(server)
    assert capfd.readouterr().out == ""


def test_a_viser_that_cannot_be_guarded_is_refused(viser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("largesteps_zg.viewing.server.is_from_here", lambda *_: True)
    with pytest.raises(ImportError, match="answers other origins"):
        open_server(18090)


# --- a run -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def live(viser: Any) -> Any:
    from largesteps_zg.viewing.live import LiveView

    made = scene_from_mesh(icosphere(2, radius=5.0), views=6, test_views=1, height=24, width=32)
    scene = dataclasses.replace(made, mesh=None)
    run = Reconstruction(scene.train, Settings(steps=9, views_per_step=2, remesh="off"))
    made = LiveView(scene, run, port=18100)
    yield made
    made.close()


@pytest.mark.slow
def test_a_run_is_shown_recorded_and_stopped(live: Any, tmp_path: Path) -> None:
    for _ in range(3):
        live.spent = 0.0
        live.watch(live.run.advance())
    assert [surface.step for surface in live.kept.surfaces] == [1, 2, 3]
    assert live.told.content.startswith("step 3 of 9") and live.slider.value == live.slider.max == 2
    live.spent = 1e9  # too much of the run's time: the next has to wait
    live.watch(live.run.advance())
    assert len(live.kept.surfaces) == 3
    assert live.plot.scales["x"] == {"time": False} and list(live.plot.data[0]) == [1, 2, 3]
    live.spent, live.stage.kind.value = 0.0, "Error"
    live.stage.redraw()
    assert live.stage.legend.visible and "with the next surface" in live.stage.legend.content
    live.watch(live.run.advance())
    assert "of 1" in live.stage.legend.content
    wrong = live.kept.surfaces[-1].marks["Error"].values
    assert (
        wrong.shape == (len(live.kept.surfaces[-1].vertices),)
        and 0 < np.nanmax(wrong) <= 1
        and np.nanmin(wrong) >= 0
    )
    live.record(tmp_path / "recording.html")
    text = (tmp_path / "recording.html").read_text(encoding="utf-8")
    assert "__VISER_EMBED_DATA__" in text and len(text) < 20e6
    with Stopping() as stopping:
        stopping.worthwhile = True
        live._stop()
        live.watch(live.run.state())
        assert stopping.signum == signal.SIGINT


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_plays_the_recording_and_asks_nobody(live: Any, tmp_path: Path) -> None:
    for _ in range(2):
        live.spent = 0.0
        live.watch(live.run.advance())
    live.record(tmp_path / "recording.html")
    with browsing(tmp_path) as page:
        page.open((tmp_path / "recording.html").as_uri(), width=320, height=240)
        page.until("document.querySelector('canvas') !== null")
        assert page.requests == [(tmp_path / "recording.html").as_uri()] and page.errors == []


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_clicked_camera_sees_its_photograph(viser: Any, tmp_path: Path) -> None:
    """The browser's own picture from there is the photograph: an error of a few pixels would show."""
    scene = scene_from_mesh(load_mesh(path("fennec")), views=4, test_views=1, height=96, width=128)
    server = open_server(18130)
    try:
        stage = show(server, dataclasses.replace(scene, mesh=None), None)
        with browsing(tmp_path) as page:
            page.open(address(server), width=320, height=240)

            def until(true: Callable[[], bool]) -> None:  # what the page tells is read, so that it can go on
                end = time.monotonic() + 60
                while not true():
                    assert time.monotonic() < end, inspect.getsource(true)
                    page.run("1")

            until(lambda: bool(server.get_clients()))
            (client,) = server.get_clients().values()
            first = server.initial_camera.position
            until(lambda: np.allclose(client.camera.position, first, atol=1e-4))
            assert not stage.leaving.visible
            before = {name: getattr(client.camera, name) for name in ("position", "look_at", "fov")}
            stage.look_through(2, client)
            assert stage.leaving.visible
            eye = {"wxyz": client.camera.wxyz, "position": client.camera.position, "fov": client.camera.fov}
            seen = np.full((96, 128, 3), 255)
            with ThreadPoolExecutor(1) as beside:
                while (seen == 255).all():  # the page has not read its pictures yet
                    asked = beside.submit(client.get_render, 96, 128, **eye)
                    until(asked.done)
                    seen = asked.result()[..., :3].astype(int)
            assert np.abs(np.subtract(client.camera.position, first)).max() > 0.1
            stage.leave()
            for name, value in before.items():
                until(
                    lambda name=name, value=value: np.allclose(getattr(client.camera, name), value, atol=1e-4)
                )
        assert stage.photographs is not None
        wanted = stage.photographs.image(2, 128).astype(int)
        off = np.abs(seen - wanted).mean()
        assert off < 0.5 * np.abs(seen[:, 2:] - wanted[:, :-2]).mean(), off
        assert off < 0.5 * np.abs(seen[2:] - wanted[:-2]).mean(), off
    finally:
        close(server)


@pytest.mark.slow
def test_a_run_is_the_same_with_a_view(
    viser: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = scene_from_mesh(icosphere(2), views=6, test_views=1, height=24, width=32)
    save_scene(tmp_path / "scene", dataclasses.replace(made, mesh=None))
    command = ["reconstruct", str(tmp_path / "scene"), "--steps", "3", *SHORT, "--output"]
    assert main([*command, str(tmp_path / "seen"), "--view", "18110"]) == 0
    assert re.search(r"view: +http://127\.0\.0\.1:181\d\d", capsys.readouterr().out)
    assert main([*command, str(tmp_path / "unseen")]) == 0
    first, second = ((tmp_path / name / "mesh.ply").read_bytes() for name in ("seen", "unseen"))
    assert first == second
    assert 'href="recording.html"' in (tmp_path / "seen" / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "unseen" / "recording.html").exists()


@pytest.mark.slow
def test_a_finished_run_is_painted_by_its_errors(tmp_path: Path) -> None:
    from largesteps_zg.cli.view import _result

    made = scene_from_mesh(icosphere(2), views=3, test_views=1, height=24, width=32)
    save_scene(tmp_path / "scene", dataclasses.replace(made, mesh=None))
    command = ["reconstruct", str(tmp_path / "scene"), "--steps", "2", *SHORT]
    assert main([*command, "--output", str(tmp_path / "run")]) == 0
    mesh, marks = _result(tmp_path / "run" / "mesh.ply")
    wrong, seen = marks["Error"].values, marks["Seen by"].values
    assert wrong.shape == (len(mesh.vertices),) and (np.isnan(wrong) == (seen == 0)).all()
    assert 0 < np.nanmax(wrong) <= 1 and np.nanmin(wrong) >= 0


def test_a_finished_run_is_painted_with_its_material(tmp_path: Path) -> None:
    from largesteps_zg.cli.view import _painted

    file, ball = tmp_path / "run.json", icosphere(1)
    grey = dataclasses.replace(ball, colors=torch.full_like(ball.vertices, 0.1))
    for found in ("{}", '{"appearance": {}}', '{"appearance": {"gloss": null}}'):
        file.write_text(found)
        assert _painted(file, grey) == (grey, None)
    file.write_text(
        '{"appearance": {"gloss": {"roughness": 0.4, "straight": 0.8, "reflectance": [0.5, 0.4, 0.2]}}}'
    )
    painted, material = _painted(file, grey)
    assert material is not None and (int(material.metalness), int(material.roughness)) == (255, 102)
    torch.testing.assert_close(painted.colors[0], torch.tensor([0.6, 0.5, 0.3]))
    drawn: dict[str, bytes] = {}
    scene = SimpleNamespace(add_glb=lambda name, content: drawn.update({name: content}))
    for kind in ("Colours", "Normals"):
        draw(scene, kind, Surface.of(painted, material=material), kind, lambda unit: unit)
    assert b'"metallicFactor":1.0' in drawn["Colours"] and b'"metallicFactor":0' in drawn["Normals"]
    file.write_text('{"appearance": {"gloss": 3}}')
    with pytest.raises(ValueError, match="not what a run writes"):
        _painted(file, grey)


def test_marks_are_colours_and_what_they_stand_for() -> None:
    values = np.array([0.0, 0.05, 0.1, 0.7, np.nan])
    mark = Mark(values, 0.1, "of 1")
    colors = mark.colors(lambda unit: (255 * np.clip(unit, 0, 1))[:, None].repeat(3, 1).astype(np.uint8))
    expected = np.array([0.0, (127 / 255 + 0.055) ** 2.4 / 1.055**2.4, 1.0, 1.0])  # linear light of sRGB
    np.testing.assert_allclose(colors[:4], expected[:, None].repeat(3, 1), atol=1e-6)
    assert len(set(colors[4])) == 3  # of none of the others
    assert "≥ 0.1" in legend(mark) and "not seen" in legend(mark) and "of 1" in legend(mark)
    assert "not seen" not in legend(Mark(values[:4], 4.0, "")) and ">4<" in legend(Mark(values[:4], 4.0, ""))
    assert error_mark(np.array([0.0, 0.04, np.nan])).top == 0.05


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", ["0", "65536", "scene"])
def test_a_port_is_a_number(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["view", "scene", "--port", port])
    assert "expected the number of a port, 1 to 65535" in capsys.readouterr().err


@pytest.mark.slow
def test_a_scene_and_a_run_are_shown(viser: Any, tmp_path: Path, monkeypatch, capsys) -> None:
    made = scene_from_mesh(icosphere(2), views=6, test_views=1, height=24, width=32)
    save_scene(tmp_path / "scene", made)
    stages: list[Any] = []

    def interrupted(_: float) -> None:
        stages.append(time)
        raise KeyboardInterrupt

    monkeypatch.setattr("largesteps_zg.cli.view.time.sleep", interrupted)
    assert main(["view", str(tmp_path / "scene"), "--port", "18120", "--hull"]) == 0
    (tmp_path / "run").mkdir()
    save_mesh(tmp_path / "run" / "mesh.ply", icosphere(1))
    (tmp_path / "run" / "run.json").write_text('{"scene": {"path": "gone"}, "options": {}}')
    assert main(["view", str(tmp_path / "run"), "--port", "18120"]) == 0
    assert len(stages) == 2 and "without the scene, which cannot be read" in capsys.readouterr().out
    assert main(["view", str(tmp_path / "nothing")]) == 2
