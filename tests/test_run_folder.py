"""What a run leaves behind: whole files, honest numbers, standard JSON, a checkpoint that is found again."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from largesteps_zg.cli import main
from largesteps_zg.images import linear_to_srgb, srgb_to_linear
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.output import film, provenance, run_files, run_folder
from largesteps_zg.output.destination import refuse_scene, writable_folder
from largesteps_zg.output.evaluate import image_quality, mesh_report
from largesteps_zg.output.film import frame_steps, to_bytes
from largesteps_zg.output.pictures import reduced
from largesteps_zg.output.provenance import versions
from largesteps_zg.output.run_checkpoint import RunCheckpoint
from largesteps_zg.output.run_files import RunFiles
from largesteps_zg.output.run_folder import RunFolder
from largesteps_zg.output.run_json import json_text
from largesteps_zg.reconstruct import Event, Settings, reconstruct
from largesteps_zg.reconstruct.appearance.exposure import exposed
from largesteps_zg.scenes import Scene
from largesteps_zg.scenes.save import UNFINISHED
from largesteps_zg.scenes.synthetic import scene_from_mesh

SETTINGS = Settings(steps=4, views_per_step=2, remesh="off")


@pytest.fixture(scope="module")
def scene() -> Scene:
    made = scene_from_mesh(icosphere(2, radius=5.0), views=4, test_views=2, height=24, width=32)
    return dataclasses.replace(made, mesh=None)  # distances to it take their time, and are tested alone


@pytest.fixture
def states(scene: Scene):
    """The states of a short run."""
    return reconstruct(scene.train, SETTINGS)


# --- the folder ------------------------------------------------------------------------------------------------------


def test_nothing_is_made_before_the_first_step(scene: Scene, states, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a" / "b", scene, {})
    assert not (tmp_path / "a").exists()
    folder.watch(next(states))
    assert list((tmp_path / "a" / "b").iterdir()) == []
    assert folder.film.steps == [1] and len(folder.film.frames) == 1


def test_a_checkpoint_is_written_from_time_to_time(scene, states, tmp_path, monkeypatch) -> None:
    folder = RunFolder(tmp_path, scene, {})
    folder.watch(next(states))
    assert not folder.checkpoint.file.exists()
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    folder.watch(next(states))
    run, earlier = RunCheckpoint(tmp_path, scene, {}).load()
    other = RunFolder(tmp_path, scene, {}, earlier=earlier)
    assert run["step"] == len(run["losses"]) == 2 and other.film.steps == [1, 2]
    assert all(torch.equal(a, b) for a, b in zip(other.film.frames, folder.film.frames, strict=True))
    assert other.seconds() > 0.0 and other.seconds_before > 0.0


def test_the_checkpoint_survives_a_failure_while_it_is_replaced(scene, states, tmp_path, monkeypatch) -> None:
    folder = RunFolder(tmp_path, scene, {})
    folder.watch(state := next(states))
    folder.save_checkpoint(state)
    before = folder.checkpoint.file.read_bytes()

    def half(content: object, file: Path) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError):
        folder.save_checkpoint(next(states))
    assert folder.checkpoint.file.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_mesh_first_and_no_numbers_about_another_mesh(scene, states, tmp_path, monkeypatch) -> None:
    folder = RunFolder(tmp_path, scene, {})
    folder.watch(state := next(states))
    (tmp_path / "run.json").write_text('{"finished": true}')  # of an earlier run

    def fails(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_files.figures, "save_comparison", fails)
    with pytest.raises(KeyboardInterrupt):
        folder.finish(state)
    assert {file.name for file in tmp_path.iterdir()} == {
        *("mesh.ply", "mesh.obj", "mesh.mtl", "mesh.glb", "cameras.json", "checkpoint.pt")
    }
    assert not folder.is_complete()


@pytest.mark.slow
def test_what_counts_as_complete(scene, states, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(RunFiles, "draw", lambda self, *_: (self.path / "comparison.png").touch())
    folder = RunFolder(tmp_path, scene, {"init": "sphere"})
    assert not folder.is_complete()
    for state in states:
        folder.watch(state)
    result = folder.finish(state)
    assert folder.is_complete() and result["options"] == {"init": "sphere"}
    (tmp_path / "mesh.ply").unlink()
    assert not folder.is_complete()
    folder.finish(state, stopped="interrupted")
    assert not folder.is_complete()
    for text in ("", "[1]", '{"steps": 3}'):
        (tmp_path / "run.json").write_text(text)
        assert not folder.is_complete()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_called_run_json_is_not_waited_for(scene, tmp_path) -> None:
    os.mkfifo(tmp_path / "run.json")
    found: list[bool] = []
    asking = threading.Thread(
        target=lambda: found.append(RunFolder(tmp_path, scene, {}).is_complete()), daemon=True
    )
    asking.start()
    asking.join(timeout=10)
    assert found == [False]


@pytest.mark.slow
def test_events_are_told_apart(scene, states, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(RunFiles, "draw", lambda *_: None)
    folder = RunFolder(tmp_path, scene, {})
    for state in states:
        folder.watch(state)
    state.run.events = [Event(1, "remeshed"), Event(3, "not remeshed", "too tangled")]
    result = folder.finish(state)
    assert result["remeshed"] == [1] and result["not_remeshed"] == [3]
    assert result["not_remeshed_because"] == {"3": "too tangled"}


def test_held_out_views_are_rendered_one_at_a_time(scene, states, tmp_path, monkeypatch) -> None:
    state = next(states)
    counts = []
    rendering = state.run.rendering
    images = rendering.images
    monkeypatch.setattr(rendering, "images", lambda cameras: counts.append(len(cameras)) or images(cameras))
    monkeypatch.setattr(RunFiles, "draw", lambda *_: None)
    folder = RunFolder(tmp_path, scene, {})
    folder.watch(state)
    result = folder.finish(state)
    assert counts[-2:] == [1, 1]
    assert result["held_out"] == image_quality(images(scene.test.cameras), scene.test)


@pytest.mark.slow
@pytest.mark.parametrize("exposure", ["on", "off"])
def test_where_photographs_differ_in_exposure_held_out_ones_may_too(
    scene, tmp_path, monkeypatch, exposure
) -> None:
    darker = dataclasses.replace(scene.test, images=scene.test.images.clone())
    darker.images[..., :3] //= 2
    dark = dataclasses.replace(scene, test=darker)
    monkeypatch.setattr(RunFiles, "draw", lambda *_: None)
    state = next(reconstruct(scene.train, dataclasses.replace(SETTINGS, exposure=exposure)))
    folder = RunFolder(tmp_path, dark, {})
    folder.watch(state)
    result = folder.finish(state)
    if exposure == "off":
        assert "held_out_exposed" not in result
        return
    made, taken = state.run.images(darker.cameras), darker.linear()
    expected = image_quality([exposed(made[i], taken[i]) for i in range(len(made))], darker)
    assert result["held_out_exposed"] == pytest.approx(expected)
    assert expected["psnr_db"] > result["held_out"]["psnr_db"] + 3
    assert expected["mask_iou"] == result["held_out"]["mask_iou"]


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_json_is_standard_and_readable() -> None:
    content = {
        "a": float("nan"),
        "b": [1.0, math.inf, -math.inf],
        "c": {"d": (1, 2)},
        "e": Path("x"),
        "f": ["s", "t"],
    }
    text = json_text(content)
    assert json.loads(text) == {
        "a": None,
        "b": [1.0, None, None],
        "c": {"d": [1, 2]},
        "e": "x",
        "f": ["s", "t"],
    }
    assert "NaN" not in text and "Infinity" not in text
    assert '"b": [ 1.0, null, null ]' in text  # a thousand losses are one line
    odd = {"path": "a [\n 1,\n  2] b", "empty": [], "unicode": "λ"}
    assert json.loads(json_text(odd)) == odd


def test_a_perfect_image_has_no_finite_psnr(scene: Scene) -> None:
    quality = image_quality(scene.test.linear(), scene.test)
    assert quality == {"psnr_db": math.inf, "psnr_srgb_db": math.inf, "mask_iou": 1.0}
    assert json.loads(json_text(quality)) == {"psnr_db": None, "psnr_srgb_db": None, "mask_iou": 1.0}


# --- quality ---------------------------------------------------------------------------------------------------------


def test_image_quality_of_a_known_error(scene: Scene) -> None:
    target = scene.test.linear()
    off = target.clone()
    inwards = torch.where(target[..., :3] > 0.5, -1.0, 1.0)
    off[0, ..., :3] += 0.1 * inwards[0]  # 20 dB
    off[1, ..., :3] += 0.01 * inwards[1]  # 40 dB
    off[1, ..., 3] = 0.0  # nothing of the mask
    quality = image_quality(iter(off), scene.test)
    assert quality["psnr_db"] == pytest.approx(30.0, abs=1e-3)
    assert quality["mask_iou"] == pytest.approx(0.5)
    outside = target.clone()
    outside[..., :3][target[..., 3] <= 0.5] = 9.0  # the background does not count
    assert image_quality(outside, scene.test)["psnr_db"] == math.inf
    white = dataclasses.replace(scene.test, images=torch.full_like(scene.test.images, 255))
    bright = white.linear() * torch.tensor([1.5, 1.2, 1.0, 1.0])  # no photograph is brighter than white
    assert image_quality(bright, white)["psnr_db"] == math.inf


def test_what_no_photograph_knows_and_views_of_nothing_do_not_count(scene: Scene) -> None:
    views = scene.test
    image = views.linear()
    known = torch.ones(views.images.shape[:3], dtype=torch.bool)
    known[:, :, :16] = False
    partly = dataclasses.replace(views, images=views.images * known[..., None], known=known)
    assert image_quality(image, partly)["mask_iou"] == pytest.approx(1.0)
    emptied = dataclasses.replace(views, images=views.images.clone())
    emptied.images[0] = 0
    assert image_quality(0.5 * image, emptied) == image_quality(0.5 * image[1:], views[1])
    emptied.images[:] = 0
    assert all(math.isnan(value) for value in image_quality(image, emptied).values())


def test_image_quality_in_srgb_is_that_of_the_bytes_in_files(scene: Scene) -> None:
    images = scene.test.images.clone()
    images[..., :3] //= 2
    dim = dataclasses.replace(scene.test, images=images)
    target = dim.linear()
    brighter = target.clone()
    brighter[..., :3] = srgb_to_linear(linear_to_srgb(target[..., :3]) + 0.1)
    quality = image_quality(brighter, dim)
    assert quality["psnr_srgb_db"] == pytest.approx(20.0, abs=1e-3)
    assert quality["psnr_db"] > 21.0
    glaring, white = (
        torch.cat([value * torch.ones_like(target[..., :3]), target[..., 3:]], -1) for value in (7.0, 1.0)
    )
    assert image_quality(glaring, dim)["psnr_srgb_db"] == image_quality(white, dim)["psnr_srgb_db"]


def test_mesh_report_of_a_sphere_against_a_smaller_one() -> None:
    report = mesh_report(icosphere(4), Mesh(icosphere(4).vertices * 0.98, icosphere(4).faces))
    assert (report["vertices"], report["faces"], report["genus"], report["components"]) == (2562, 5120, 0, 1)
    assert report["watertight"] and report["flipped_faces"] == report["degenerate_faces"] == 0
    distance = report["distance_to_truth"]
    assert distance["chamfer"] == pytest.approx(0.02, rel=0.02)  # everywhere 0.02 apart
    assert distance["chamfer_permille"] == pytest.approx(1000 * 0.02 / (0.98 * 2 * 3**0.5), rel=0.02)
    assert "distance_to_truth" not in mesh_report(icosphere(1), None)
    open_ = mesh_report(Mesh(icosphere(1).vertices, icosphere(1).faces[1:]), None)
    assert open_["watertight"] is False and open_["genus"] is None


# --- small things ----------------------------------------------------------------------------------------------------


def test_frames_begin_with_the_first_step_and_end_with_the_last() -> None:
    for steps in (1, 2, 30, 1500):
        chosen = sorted(frame_steps(steps))
        assert chosen[0] == 1 and chosen[-1] == steps and len(chosen) <= film.FRAMES
    gaps = torch.tensor(sorted(frame_steps(1500))).diff()
    assert bool((gaps.diff() >= 0).all())  # ever farther apart


def test_frames_keep_colours_to_a_percent_of_the_dark() -> None:
    image = torch.linspace(0, 1, 101)
    back = to_bytes(image).float().div(255).square()
    assert float((back - image).abs().max()) < 0.005
    assert to_bytes(torch.tensor([-1.0, 2.0])).tolist() == [0, 255]


@pytest.mark.parametrize(("largest", "size"), [(32, (24, 32)), (31, (12, 16)), (8, (6, 8))])
def test_pictures_are_as_large_as_figures_show_them(scene, states, monkeypatch, largest, size) -> None:
    monkeypatch.setattr(reduced, "LARGEST", largest)
    drawn, state = film.Film(scene.train), next(states)
    drawn.watch(state)
    run = state.run
    shown = run_files.shown_views(run.result(), run.rendering, scene.test)
    assert {images.shape[1:3] for name, images in shown.items() if name != "names"} == {size}
    assert drawn.frames[0].shape[:2] == drawn.surfaces[0].shape[:2] == size
    # The same picture: as much light on each quarter of it.
    whole, small = scene.test.linear(0)[0], torch.from_numpy(shown["targets"][0])
    quarters = [part.unflatten(0, (2, -1)).unflatten(2, (2, -1)).mean((1, 3)) for part in (whole, small)]
    torch.testing.assert_close(*quarters)


def test_versions_name_what_is_missing(monkeypatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("torch", "no-such-package-here"))
    found = versions()
    assert (
        found["torch"].split("+")[0] == torch.__version__.split("+")[0]
        and found["no-such-package-here"] == "not installed"
    )
    assert {"largesteps_zg", "python"} <= set(found)


def test_writable_folder_makes_nothing(tmp_path: Path, monkeypatch) -> None:
    assert writable_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert writable_folder(tmp_path) == tmp_path
    monkeypatch.chdir(tmp_path)
    assert writable_folder("new") == Path("new")
    assert list(tmp_path.iterdir()) == []


def test_any_scene_is_recognised(tmp_path: Path) -> None:
    refuse_scene(tmp_path)
    refuse_scene(tmp_path / "not there")
    for number, name in enumerate(
        (
            "transforms.json",
            "cameras_sphere.npz",
            "temple_par.txt",
            "cams/0_cam.txt",
            "sparse/0/cameras.bin",
            "a.JPG",
        )
    ):
        folder = tmp_path / str(number)
        (folder / name).parent.mkdir(parents=True)
        (folder / name).touch()
        with pytest.raises(ValueError, match=r"holds a scene .* would be overwritten or disturbed"):
            refuse_scene(folder)
    (folder / "run.json").touch()  # pictures of a run
    refuse_scene(folder)
    with pytest.raises(ValueError, match="output: expected a folder, got an empty name"):
        writable_folder("")


class Killed(BaseException):
    """As if the process were gone: nothing that is done afterwards has any effect."""


@pytest.mark.slow
def test_render_that_was_killed_at_any_moment_works_again(tmp_path: Path, monkeypatch) -> None:
    """Before each change of a file's name, each removal and each picture: what is there is no obstacle."""
    size = ["--size", "16", "--views", "3", "--test-views", "2"]
    calls, limit = 0, math.inf

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > limit:
                raise Killed
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(os, "replace", counted(os.replace))
    monkeypatch.setattr(Path, "unlink", counted(Path.unlink))
    monkeypatch.setattr(Image.Image, "save", counted(Image.Image.save))

    def render(folder: Path) -> int:
        nonlocal calls
        calls = 0
        return main(["render", "pebble", "--output", str(folder), *size])

    def content(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    assert render(tmp_path / "whole") == 0
    expected, whole = content(tmp_path / "whole"), calls
    assert whole > 12 and len(expected) == 8
    both = 0  # moments at which a part of the scene was there already
    for number in range(whole):
        folder, limit = tmp_path / str(number), number
        with pytest.raises(Killed):
            render(folder)
        both += (folder / "transforms_test.json").exists() and not (folder / "transforms_train.json").exists()
        limit = math.inf
        assert render(folder) == 0
        assert content(folder) == expected
    assert both >= 1


@pytest.mark.parametrize("left", [False, True])
def test_a_users_own_part_of_a_scene_is_not_overwritten(tmp_path: Path, left: bool, capsys) -> None:
    """Not even where an earlier `render` was killed in the same folder."""
    command = [
        "render",
        "pebble",
        "--output",
        str(tmp_path),
        "--size",
        "16",
        "--views",
        "2",
        "--test-views",
        "2",
    ]
    if left:
        (tmp_path / UNFINISHED).write_text("0" * 64 + "\n" + "1" * 64 + "\n")
    (tmp_path / "transforms_test.json").write_text('{"frames": []}')
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert main(command) == 2
    assert "holds a scene (transforms_test.json)" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_an_image_of_an_earlier_run_does_not_stay(scene, states, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(RunFiles, "draw", lambda *_: None)
    for name in ("mesh.png", "run.json"):
        (tmp_path / name).touch()
    (tmp_path / "mesh.mtl").write_text("newmtl surface\nmap_Kd mesh.png\n")
    state = next(states)
    folder = RunFolder(tmp_path, scene, {})
    folder.watch(state)
    folder.finish(state)
    assert not (tmp_path / "mesh.png").exists() and "mesh.png" not in (tmp_path / "mesh.mtl").read_text()


@pytest.mark.slow
def test_parts_that_no_photograph_sees_are_marked_or_left_out(tmp_path: Path, monkeypatch) -> None:
    """Of a ball seen from above: its mesh says what is seen, and is left open where nothing is."""
    scene = scene_from_mesh(icosphere(3), views=24, test_views=0, height=48, width=48)
    above = scene.train.cameras.centers[:, 1] > 0.3
    scene = dataclasses.replace(scene, train=scene.train[above.nonzero()[:, 0]], mesh=None)
    *_, last = reconstruct(scene.train, Settings(steps=3, remesh="off"))
    monkeypatch.setattr(RunFiles, "draw", lambda *_: None)
    left = {}
    for unseen in ("closed", "open"):
        folder = RunFolder(tmp_path / unseen, scene, {"unseen": unseen}, unseen=unseen)
        folder.watch(last)
        report = folder.finish(last)["views_seeing"]
        mesh = trimesh.load(tmp_path / unseen / "mesh.ply", process=False)
        marks = mesh.metadata["_ply_raw"]["vertex"]["data"]["views_seeing"]
        assert report["unseen"] == report["histogram"][0] > 100
        left[unseen] = mesh, np.asarray(marks)
    (whole, marks), (opened, kept) = left["closed"], left["open"]
    assert whole.is_watertight and (marks == 0).sum() == report["unseen"]
    # The unseen pole is below, and nothing of what is seen is lost.
    assert whole.vertices[marks == 0, 1].mean() < whole.vertices[:, 1].min() + 0.6
    assert not opened.is_watertight and (kept > 0).sum() == (marks > 0).sum()
    assert len(opened.faces) == (marks > 0)[whole.faces].any(1).sum()
    glb = trimesh.load(tmp_path / "open" / "mesh.glb", force="mesh", process=False)
    assert len(glb.faces) == len(opened.faces)
