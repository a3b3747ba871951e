"""The command line as its user meets it: what it prints, what it leaves behind, Ctrl-C and going on from there."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from largesteps_zg import meshes
from largesteps_zg.cameras.refinement import corrections_of
from largesteps_zg.cli.main import main
from largesteps_zg.mesh import Mesh, icosphere, load_mesh, save_mesh
from largesteps_zg.output import evaluate
from largesteps_zg.output.evaluate import mesh_report
from largesteps_zg.output.run_files import RunFiles
from largesteps_zg.output.run_folder import RunFolder
from largesteps_zg.reconstruct import loop
from largesteps_zg.scenes import load_scene
from largesteps_zg.scenes.synthetic import studio_light

STEPS = 16
RUN = ["--steps", str(STEPS), "--views-per-step", "2", "--remesh", "4,9", "--max-vertices", "800"]
MESHES = ("mesh.ply", "mesh.obj", "mesh.glb")
PICTURES = ("comparison.png", "loss.png", "progression.gif", "progression.png")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pebble in 6 + 2 views of 48 x 40 pixels, off-centre and in other units than the loop's own."""
    folder = tmp_path_factory.mktemp("scenes")
    pebble = load_mesh(meshes.path("pebble"))
    pebble = Mesh(30 * pebble.vertices + torch.tensor([100.0, -50.0, 20.0]), pebble.faces, pebble.colors)
    save_mesh(folder / "pebble.ply", pebble)
    size = ["--size", "48x40", "--views", "6", "--test-views", "2"]
    assert main(["render", str(folder / "pebble.ply"), "--output", str(folder / "scene"), *size]) == 0
    return folder / "scene"


@pytest.fixture(scope="module")
def finished(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run, never interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert main(["reconstruct", str(scene), "--output", str(folder), *RUN]) == 0
    return folder


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of the time of a short run, and other tests look at them."""
    monkeypatch.setattr(RunFiles, "draw", lambda *_: None)


@pytest.fixture
def quick_finish(no_pictures: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the distance to the true mesh either."""
    monkeypatch.setattr(evaluate, "mesh_report", lambda mesh, _: mesh_report(mesh, None))


def numbers(folder: Path) -> dict:
    """run.json by a strict reader: Python's own would take NaN and Infinity."""

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    return json.loads((folder / "run.json").read_text(encoding="utf-8"), parse_constant=refuse)


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch, *, times: int = 1) -> None:
    """Ctrl-C while that step is taken note of."""
    watch = RunFolder.watch

    def interrupted(self, state) -> None:
        watch(self, state)
        if state.step == step:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(RunFolder, "watch", interrupted)


# --- render ----------------------------------------------------------------------------------------------------------


def test_render_writes_a_scene_that_is_read_back(scene: Path) -> None:
    read = load_scene(scene)
    assert read.train.images.shape == (6, 40, 48, 4) and read.test.images.shape == (2, 40, 48, 4)
    # The mesh stands along y, the scene along z: (x, y, z) -> (x, -z, y).
    x, y, z = load_mesh(scene.parent / "pebble.ply").vertices.unbind(1)
    torch.testing.assert_close(read.mesh.vertices, torch.stack([x, -z, y], 1))


def test_render_takes_the_name_of_a_built_in_mesh(tmp_path: Path) -> None:
    size = ["--size", "16", "--views", "2", "--test-views", "0"]
    assert main(["render", "leaf", "--output", str(tmp_path), *size]) == 0
    assert len(load_scene(tmp_path).mesh.faces) == len(load_mesh(meshes.path("leaf")).faces)


def test_render_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    save_mesh(tmp_path / "ball.obj", icosphere(2))
    arguments = ["--size", "16", "--views", "2", "--test-views", "0", "--up", "z"]
    assert (
        main(["render", str(tmp_path / "ball.obj"), "--output", str(tmp_path / "new" / "s"), *arguments]) == 0
    )
    assert capsys.readouterr().out == f"2 + 0 views of 16 x 16 pixels in {tmp_path / 'new' / 's'}\n"
    assert Image.open(tmp_path / "new" / "s" / "train" / "train_001.png").size == (16, 16)
    torch.testing.assert_close(load_scene(tmp_path / "new" / "s").mesh.vertices, icosphere(2).vertices)


def test_render_says_what_it_could_not_read(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    save_mesh(tmp_path / "ball.obj", icosphere(1))
    text = (tmp_path / "ball.obj").read_text()
    (tmp_path / "ball.obj").write_text(f"mtllib none.mtl\nusemtl skin\n{text}")
    size = ["--size", "16", "--views", "2", "--test-views", "0"]
    assert main(["render", str(tmp_path / "ball.obj"), "--output", str(tmp_path / "s"), *size]) == 0
    first, _ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"not used  {tmp_path / 'ball.obj'}: none.mtl is not used (no file 'none.mtl'")


def test_render_takes_a_light(tmp_path: Path) -> None:
    sky = np.zeros((8, 16, 3), dtype=np.float32)
    sky[:, :, 2] = 1.0  # blue alone
    np.save(tmp_path / "sky.npy", sky)
    save_mesh(tmp_path / "ball.ply", icosphere(1))
    arguments = ["--size", "16", "--views", "2", "--test-views", "0", "--light", str(tmp_path / "sky.npy")]
    assert main(["render", str(tmp_path / "ball.ply"), "--output", str(tmp_path / "s"), *arguments]) == 0
    pixel = load_scene(tmp_path / "s").train.images[0, 8, 8].tolist()
    # Clay, 0.7 linear, is sRGB 0.8545 -> 218.
    assert pixel == [0, 0, pytest.approx(218, abs=2), 255]


# --- reconstruct -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_leaves_mesh_numbers_and_pictures(finished: Path, scene: Path) -> None:
    assert {file.name for file in finished.iterdir()} == {
        *MESHES,
        "cameras.json",
        "run.json",
        "report.html",
        "checkpoint.pt",
        *PICTURES,
    }
    truth = load_scene(scene).mesh.vertices
    loaded = trimesh.load(finished / "mesh.ply", process=False)
    # In the scene's coordinates, three extents from the origin, and roughly the size after so few steps.
    extent = truth.amax(0) - truth.amin(0)
    np.testing.assert_allclose(loaded.bounds[0], truth.amin(0), atol=0.4 * float(extent.max()))
    np.testing.assert_allclose(loaded.bounds[1], truth.amax(0), atol=0.4 * float(extent.max()))
    header = (finished / "mesh.ply").read_bytes().split(b"end_header")[0].decode()
    for channel in ("red", "green", "blue"):
        assert f"property uchar {channel}" in header
    colors = loaded.visual.vertex_colors[:, :3].astype(float)
    assert colors.std(axis=0).max() > 3  # the pebble is painted
    for name in PICTURES:
        with Image.open(finished / name) as picture:
            assert min(picture.size) > 100
            picture.load()
    assert Image.open(finished / "progression.gif").n_frames > 6


@pytest.mark.slow
def test_run_json_says_how_it_was_made_and_how_good_it_is(finished: Path, scene: Path) -> None:
    result = numbers(finished)
    assert result["finished"] is True and result["stopped"] is None and result["steps"] == STEPS
    assert len(result["loss"]) == STEPS and result["loss"][-1] < 0.8 * result["loss"][0]
    assert result["remeshed"] == [4, 9]
    assert result["settings"]["lambda_"] == 5.0 and result["settings"]["remesh"] == [4, 9]
    assert result["options"]["scene"] == str(scene) and result["options"]["views_per_step"] == 2
    assert result["seed"] == 0 and result["backend"] == "warp" and result["device"].startswith("cpu")
    # Builds for CUDA say which only in `torch.__version__`.
    assert result["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert "largesteps_zg" in result["versions"]
    assert result["scene"]["views"] == 6 and result["scene"]["size"] == [40, 48]
    assert {"setup", "render", "backward", "solve", "remesh", "evaluate", "pictures"} <= set(
        result["seconds_by_phase"]
    )
    assert 0 < sum(result["seconds_by_phase"].values()) < 1.5 * result["seconds"]
    phases = list(result["peak_memory_mib_after"].values())
    assert phases == sorted(phases) and 50 < phases[0] and phases[-1] == result["peak_memory_mib"]
    assert list(result["peak_memory_mib_after"]) == ["load", "steps", "evaluate", "pictures"]
    mesh = result["mesh"]
    written = load_mesh(finished / "mesh.ply")
    assert (mesh["vertices"], mesh["faces"]) == (len(written.vertices), len(written.faces))
    assert mesh["watertight"] is True and mesh["vertices"] < 1200
    assert 0 < mesh["distance_to_truth"]["chamfer_permille"] < 100
    assert 5 < result["held_out"]["psnr_db"] < 60 and 0.5 < result["held_out"]["mask_iou"] <= 1


@pytest.mark.slow
def test_the_summary_names_the_result_and_a_picture(
    scene: Path, tmp_path: Path, no_pictures: None, monkeypatch, capsys: pytest.CaptureFixture
) -> None:
    interrupt_at(1, monkeypatch)  # Ctrl-C while the last step is taken changes nothing
    # More views at a step than there are, and a single step.
    arguments = ["--steps", "1", "--views-per-step", "100", "--output", str(tmp_path)]
    assert main(["reconstruct", str(scene), *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""  # no bar where nobody sees it
    assert numbers(tmp_path)["finished"] is True
    assert "\n1 step in " in out  # after what is said of the scene
    assert f"mesh:     {tmp_path / 'mesh.ply'}" in out and f"pictures: {tmp_path / 'comparison.png'}" in out
    assert "2,562 vertices, 5,120 faces, watertight, 0 flipped" in out
    assert "held out  PSNR" in out and "truth     Chamfer" in out


@pytest.mark.slow
def test_from_a_mesh_in_a_known_light_without_truth_or_test_split(
    scene: Path, tmp_path: Path, quick_finish: None
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "train").symlink_to(scene / "train")
    (bare / "transforms_train.json").symlink_to(scene / "transforms_train.json")
    true = load_scene(scene).mesh
    save_mesh(tmp_path / "start.ply", true)
    sky = torch.full((16, 32, 3), 0.5)
    np.save(tmp_path / "sky.npy", sky.numpy())
    files = ["--init", str(tmp_path / "start.ply"), "--light", str(tmp_path / "sky.npy")]
    options = ["--remesh", "off", "--steps", "2", "--step-size", "1e-4", "--output", str(tmp_path / "out")]
    assert main(["reconstruct", str(bare), *files, *options]) == 0
    result = numbers(tmp_path / "out")
    assert "held_out" not in result and "distance_to_truth" not in result["mesh"] and result["remeshed"] == []
    made = load_mesh(tmp_path / "out" / "mesh.ply")
    assert torch.equal(made.faces, true.faces)
    moved = (made.vertices - true.vertices).norm(dim=1).max()
    assert 0 < float(moved) < 0.01 * float((true.vertices - true.vertices.mean(0)).norm(dim=1).max())
    light = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)["run"]["fit"]["appearance"][
        "light"
    ]
    assert float(light[0, 0]) == pytest.approx(0.5 * (4 * np.pi) ** 0.5, rel=1e-4)  # known, so it stayed
    assert not torch.allclose(light, studio_light().coefficients)


# --- Ctrl-C and --resume ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ctrl_c_saves_and_resume_ends_where_the_whole_run_did(
    scene: Path,
    finished: Path,
    tmp_path: Path,
    quick_finish: None,
    monkeypatch,
    capsys: pytest.CaptureFixture,
) -> None:
    step = 9  # right before a remeshing
    command = ["reconstruct", str(scene), "--output", str(tmp_path), *RUN]
    with monkeypatch.context() as patch:
        interrupt_at(step, patch)
        assert main(command) == 130
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == f"stopped at step {step}; the same command with --resume goes on"
    half = numbers(tmp_path)
    assert half["finished"] is False and half["stopped"] == "interrupted" and half["steps"] == step
    assert len(half["loss"]) == step
    assert load_mesh(tmp_path / "mesh.ply").faces.shape[0] > 100

    assert main([*command, "--resume"]) == 0
    whole, resumed = numbers(finished), numbers(tmp_path)
    assert (tmp_path / "mesh.ply").read_bytes() == (finished / "mesh.ply").read_bytes()
    assert resumed["loss"] == whole["loss"] and resumed["remeshed"] == whole["remeshed"]
    assert resumed["finished"] is True and resumed["held_out"] == whole["held_out"]
    assert resumed["seconds"] > half["seconds"]
    frames = [
        torch.load(path / "checkpoint.pt", weights_only=True)["folder"]["film"]["frames"]
        for path in (tmp_path, finished)
    ]
    assert torch.equal(torch.stack(frames[0]), torch.stack(frames[1]))  # of the animation
    # Ctrl-C works as before again.
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
def test_a_second_ctrl_c_waits_for_what_is_saved_and_a_third_does_not(
    scene: Path, finished: Path, tmp_path: Path, quick_finish: None
) -> None:
    """In a process of its own, by signals from outside: the first while a step is noted, the others while saving."""
    program = """
import os, signal, sys
from largesteps_zg.cli.main import main
from largesteps_zg.output.run_folder import RunFolder
watch, keep, times = RunFolder.watch, RunFolder.save_checkpoint, int(sys.argv.pop(1))
def ctrl_c(): os.kill(os.getpid(), signal.SIGINT)
def watched(self, state):
    watch(self, state)
    if state.step == 9: ctrl_c()
def saved(self, state):
    for _ in range(times - 1): ctrl_c()
    keep(self, state)
RunFolder.watch, RunFolder.save_checkpoint = watched, saved
sys.exit(main())
"""
    warning = "largesteps-zg: saving; one more signal ends at once, and what is not saved is lost\n"

    def stopped(times: int) -> subprocess.CompletedProcess[str]:
        command = ["reconstruct", str(scene), "--output", str(tmp_path / str(times)), *RUN]
        words = [sys.executable, "-c", program, str(times), *command]
        return subprocess.run(words, capture_output=True, text=True, timeout=120)

    twice, thrice = stopped(2), stopped(3)
    assert (twice.returncode, thrice.returncode) == (130, 130)
    begin = "interrupted: saving what there is\n"
    assert twice.stderr == f"{begin}{warning}stopped at step 9; the same command with --resume goes on\n"
    assert thrice.stderr == f"{begin}{warning}largesteps-zg: stopped\n"
    assert {file.name for file in (tmp_path / "2").iterdir()} == {"checkpoint.pt", "mesh.ply"}
    assert not any((tmp_path / "3").iterdir())
    assert main(["reconstruct", str(scene), "--output", str(tmp_path / "2"), *RUN, "--resume"]) == 0
    assert (tmp_path / "2" / "mesh.ply").read_bytes() == (finished / "mesh.ply").read_bytes()


@pytest.mark.slow
def test_resume_of_a_finished_run_says_so_and_touches_nothing(scene: Path, finished: Path, capsys) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in finished.iterdir()}
    assert main(["reconstruct", str(scene), "--output", str(finished), *RUN, "--resume"]) == 0
    assert f"finished already ({STEPS} steps)" in capsys.readouterr().out
    assert before == {file.name: file.stat().st_mtime_ns for file in finished.iterdir()}


@pytest.mark.slow
def test_resume_writes_what_a_run_that_was_stopped_while_saving_left_out(
    scene: Path, finished: Path, tmp_path: Path, quick_finish: None
) -> None:
    command = ["reconstruct", str(scene), "--output", str(tmp_path), *RUN]
    (tmp_path / "checkpoint.pt").write_bytes((finished / "checkpoint.pt").read_bytes())
    (tmp_path / "run.json").write_text('{"finished": false}')
    part = tmp_path / ".comparison.0123abcd.png"  # what `kill -9` leaves
    part.write_bytes(b"half")
    assert main([*command, "--resume"]) == 0
    assert not part.exists()
    assert (tmp_path / "mesh.ply").read_bytes() == (finished / "mesh.ply").read_bytes()
    assert numbers(tmp_path)["loss"] == numbers(finished)["loss"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no terminals of this kind")
def test_ctrl_c_at_a_terminal(scene: Path, finished: Path, tmp_path: Path, quick_finish: None) -> None:
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))  # rows and columns
    command = ["reconstruct", str(scene), "--output", str(tmp_path), *RUN]
    # A new process, a terminal, and the progress bar on it.
    process = subprocess.Popen([sys.executable, "-m", "largesteps_zg", *command], stdout=slave, stderr=slave)
    os.close(slave)
    seen, sent = b"", False
    while True:
        try:
            seen += os.read(master, 4096)
        except OSError:  # the other end was closed
            break
        if b"loss" in seen and not sent:
            process.send_signal(signal.SIGINT)
            sent = True
    os.close(master)
    assert process.wait(timeout=60) == 130, seen.decode()
    assert b"preparing" in seen and b"vertices" in seen and b"Traceback" not in seen
    assert seen.split(b"\r\n")[-2].endswith(b"the same command with --resume goes on")
    assert numbers(tmp_path)["finished"] is False
    assert all((tmp_path / name).is_file() for name in ("mesh.ply", "checkpoint.pt", *PICTURES))
    assert main([*command, "--resume"]) == 0
    assert (tmp_path / "mesh.ply").read_bytes() == (finished / "mesh.ply").read_bytes()


# --- info and help ---------------------------------------------------------------------------------------------------


def test_info_tells_what_is_usable_and_why_the_rest_is_not(capsys, monkeypatch) -> None:
    for module in ("gpytoolbox", "pymeshlab", "nvdiffrast", "nvdiffrast.torch"):
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "devices", "rasterizers", "renderers", "solvers", "remeshing", "versions",
    ]  # fmt: skip
    rows = {line.split()[1]: line for line in lines if line.startswith(("  yes", "  no "))}
    assert rows["cpu"].startswith("  yes cpu") and "the default here" in rows["cpu"]
    assert rows["cuda"].startswith("  no ") and "PyTorch" in rows["cuda"]
    assert rows["warp"].startswith("  yes") and rows["adaptive"].startswith("  yes")
    for name in ("gpytoolbox", "pymeshlab"):
        assert rows[name].startswith("  no ") and f"not installed; pip install {name}" in rows[name]
    assert (
        rows["nvdiffrast"].startswith("  no  nvdiffrast     cannot be imported")
        and "pip" in rows["nvdiffrast"]
    )
    # Builds for CUDA say which only in `torch.__version__`.
    assert any(line.split() == ["torch", importlib.metadata.version("torch")] for line in lines)


def test_info_tells_of_a_package_that_is_there_but_broken(capsys, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "pymeshlab.py").write_text("raise OSError('libGL.so.1: cannot open\\nshared object file')\n")
    monkeypatch.delitem(sys.modules, "pymeshlab", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["info"]) == 0
    assert (
        "no  pymeshlab      installed, but it does not load: libGL.so.1: cannot open shared object file"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("command", [[], ["reconstruct"], ["render"], ["info"]])
def test_help(command: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: ")
    if command == ["reconstruct"]:
        for option in (
            "SCENE", "--output", "--init", "--steps", "--lambda", "--step-size", "--remesh", "--views-per-step",
            "--device", "--backend", "--seed", "--resume", "--light",
        ):  # fmt: skip
            assert option in out


def test_version(capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0 and capsys.readouterr().out.startswith("largesteps-zg 0.")


@pytest.mark.slow
def test_info_of_a_scene_says_what_was_read_and_draws_it(scene: Path, tmp_path: Path, capsys) -> None:
    picture = tmp_path / "check.png"
    assert main(["info", str(scene), "--output", str(picture)]) == 0
    out = capsys.readouterr().out
    assert "6 to reconstruct from, 2 held out" in out and "start     sphere" in out and f"{picture}" in out
    with Image.open(picture) as image:
        assert min(image.size) > 300


@pytest.mark.slow
def test_a_texture_and_refined_cameras(scene: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    def found_sooner(*arguments, constants, **options):
        return corrections_of(*arguments, constants=dataclasses.replace(constants, least=0.1), **options)

    monkeypatch.setattr(loop, "corrections_of", found_sooner)
    arguments = [
        "--steps",
        "8",
        "--remesh",
        "3",
        "--texture",
        "64",
        "--refine-cameras",
        "--output",
        str(tmp_path),
    ]
    assert main(["reconstruct", str(scene), *arguments]) == 0
    printed = capsys.readouterr().out
    assert "cameras   corrected by" in printed and "with their cameras aligned to the photographs" in printed
    with Image.open(tmp_path / "mesh.png") as image:
        assert image.size == (64, 64)
    assert "map_Kd mesh.png" in (tmp_path / "mesh.mtl").read_text()
    result = numbers(tmp_path)
    found = result["cameras"].values()
    assert all(set(one) == {"rotation_degrees", "shift_percent", "focal_percent"} for one in found)
    assert len(result["cameras"]) == 6 and result["cameras_off_pixels"] >= 0.1
    assert result["held_out_aligned"]["psnr_db"] >= result["held_out"]["psnr_db"] - 0.1


@pytest.mark.slow
def test_fewer_faces_and_a_material(scene: Path, tmp_path: Path, capsys) -> None:
    arguments = ["--steps", "8", "--remesh", "3", "--gloss", "on", "--faces", "300", "--texture", "128"]
    arguments += ["--output", str(tmp_path)]
    assert main(["reconstruct", str(scene), *arguments]) == 0
    printed, made = capsys.readouterr().out, numbers(tmp_path)["exported"]
    assert "faces     300 of " in printed and "the detail in a normal map" in printed
    assert "material  roughness " in printed and set(made["material"]) == {"roughness", "metalness", "index"}
    assert (
        made["fewer_faces"]["faces"]
        == 300
        < made["fewer_faces"]["of"]
        == len(load_mesh(tmp_path / "mesh.ply").faces)
    )
    for name in ("mesh.obj", "mesh.glb"):
        assert len(trimesh.load(tmp_path / name, force="mesh", process=False).faces) == 300
    for name in ("mesh.png", "mesh_normal.png"):
        with Image.open(tmp_path / name) as image:
            assert image.size == (128, 128)
    assert numbers(tmp_path)["appearance"]["gloss"]["roughness"] <= 1


@pytest.mark.slow
def test_a_mesh_from_elsewhere_is_mended_and_refined(scene: Path, tmp_path: Path, capsys) -> None:
    true = load_scene(scene).mesh
    soup = trimesh.Trimesh(true.vertices[true.faces].reshape(-1, 3).numpy(), process=False)
    soup.faces = torch.arange(3 * len(true.faces)).reshape(-1, 3).numpy()
    soup.export(tmp_path / "soup.obj")
    arguments = ["--init", str(tmp_path / "soup.obj"), "--steps", "4", "--remesh", "2"]
    arguments += ["--output", str(tmp_path / "out")]
    assert main(["reconstruct", str(scene), *arguments]) == 0
    assert "start     " in capsys.readouterr().out
    mesh = numbers(tmp_path / "out")["mesh"]
    assert mesh["watertight"] and mesh["components"] == 1
