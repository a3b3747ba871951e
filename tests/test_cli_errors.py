"""Bad input on the command line: one line that names the culprit and the cure, exit status 2, nothing written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scene_files import disc, rewrite, write_scene

from largesteps_zg.cli.main import main
from largesteps_zg.mesh import Mesh, icosphere, load_mesh, save_mesh
from largesteps_zg.output import checkpoint, evaluate, run_folder
from largesteps_zg.output.evaluate import mesh_report
from largesteps_zg.output.run_files import RunFiles
from largesteps_zg.scenes import load_scene, save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

QUICK = ["--steps", "2", "--views-per-step", "2", "--remesh", "off"]


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good scene of a ball of radius 3."""
    folder = tmp_path_factory.mktemp("scenes") / "ball"
    mesh = icosphere(3, radius=3.0)
    save_scene(folder, scene_from_mesh(mesh, views=5, test_views=1, height=32, width=32))
    return folder


@pytest.fixture(scope="module")
def run_of_two_steps(ball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFiles, "draw", lambda *_: None)  # takes longer than the steps
        patch.setattr(evaluate, "mesh_report", lambda mesh, _: mesh_report(mesh, None))
        assert main(["reconstruct", str(ball), "--output", str(folder), *QUICK]) == 0
    return folder


@pytest.fixture
def refused(tmp_path: Path, capfd: pytest.CaptureFixture, unchecked) -> Callable[..., str]:
    """Runs a command that must fail; the message."""

    def run(*command: object, has: tuple[str, ...], output: Path | None = None, status: int = 2) -> str:
        output = tmp_path / "output" if output is None else output
        before = contents(output)
        arguments = [str(part) for part in command]
        capfd.readouterr()
        try:
            code = main([arguments[0], *arguments[1:], "--output", str(output)])
        except SystemExit as exit:  # argparse's way
            code = exit.code
        out, err = capfd.readouterr()
        assert code == status, (code, out, err)
        # What is said of the scene, before the first step, stands alone on standard output.
        assert {line.split()[0] for line in out.splitlines()} <= {"split", "masks", "lens"}, (out, err)
        assert err.endswith("\n") and err.count("\n") == 1, (out, err)
        assert err.startswith("largesteps-zg") and "Traceback" not in err
        for part in has:
            assert part in err, err
        assert contents(output) == before
        return err

    return run


def contents(path: Path) -> list[str] | None:
    """All that is below a folder; None where there is none."""
    try:
        return sorted(str(file) for file in path.rglob("*")) if path.is_dir() else None
    except OSError:
        return None


# --- scenes ----------------------------------------------------------------------------------------------------------


def missing_image(folder: Path) -> tuple[str, ...]:
    (folder / "train" / "r_3.png").unlink()
    return ("transforms_train.json: frame 3 (./train/r_3)", "image not found")


def truncated_png(folder: Path) -> tuple[str, ...]:
    file = folder / "train" / "r_2.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 4), dtype=np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:500])
    return ("r_2.png: image cannot be read", "is the file complete?")


def no_rotation(folder: Path) -> tuple[str, ...]:
    content = json.loads((folder / "transforms_train.json").read_text())
    content["frames"][1]["transform_matrix"][0][0] = 3.0
    rewrite(folder, content)
    return ("frame 1 (./train/r_1)", "is not a rotation")


def empty_mask(folder: Path) -> tuple[str, ...]:
    pixels = disc()
    pixels[..., 3] = 0
    Image.fromarray(pixels).save(folder / "train" / "r_1.png")
    return ("r_1.png: mask is empty", "remove the view")


def cameras_that_see_nothing(folder: Path) -> tuple[str, ...]:
    content = json.loads((folder / "transforms_train.json").read_text())
    for frame in content["frames"]:  # turned round: x and z reversed, still rotations
        for row in frame["transform_matrix"][:3]:
            row[0], row[2] = -row[0], -row[2]
    rewrite(folder, content)
    return ("look away from the point where their masks meet", "another convention")


def cameras_that_contradict(folder: Path) -> tuple[str, ...]:
    content = json.loads((folder / "transforms_train.json").read_text())
    content["frames"][0]["transform_matrix"][2][3] += 3.0
    rewrite(folder, content)
    return ("no point of space is inside all masks", "check their masks and cameras")


def unreadable_json(folder: Path) -> tuple[str, ...]:
    (folder / "transforms_train.json").write_text('{"frames": [')
    return ("transforms_train.json: ", "JSON")


def no_scene(folder: Path) -> tuple[str, ...]:
    (folder / "transforms_train.json").unlink()
    return ("not a scene in a known format", "looked for transforms_train.json or transforms.json")


def broken_truth(folder: Path) -> tuple[str, ...]:
    (folder / "mesh.ply").write_text("ply\nformat ascii 1.0\n")
    return ("mesh.ply: expected",)


FAULTS = (
    missing_image, truncated_png, no_rotation, empty_mask, cameras_that_see_nothing, cameras_that_contradict,
    unreadable_json, no_scene, broken_truth,
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_scenes_with_a_fault(fault: Callable[[Path], tuple[str, ...]], tmp_path: Path, refused) -> None:
    write_scene(tmp_path / "scene")
    refused("reconstruct", tmp_path / "scene", *QUICK, has=fault(tmp_path / "scene"))
    assert not (tmp_path / "output").exists()


def test_scene_is_missing_or_a_file(tmp_path: Path, refused) -> None:
    refused("reconstruct", tmp_path / "nowhere", has=("nowhere: no such file or folder",))
    (tmp_path / "file").touch()
    refused("reconstruct", tmp_path / "file", has=("file: not a scene in a known format",))


# --- start meshes ----------------------------------------------------------------------------------------------------

HEADER = "ply\nformat ascii 1.0\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\n"
TRIANGLE = HEADER.format(3) + "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
CASES = {
    "empty.ply": ("", ("expected a mesh file, got an empty file",)),
    "points.ply": (HEADER.format(1) + "end_header\n0 0 0\n", ("no faces", "point cloud")),
    "nan.ply": (TRIANGLE + "0 0 0\nnan 0 0\n0 1 0\n3 0 1 2\n", ("expected finite positions", "at vertex 1")),
    "range.ply": (TRIANGLE + "0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n", ("range.ply",)),
    "text.ply": ("hello", ("text.ply: expected a readable .ply file", "damaged")),
    "range.off": ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 3\n", ("range.off",)),
    "start.docx": ("?", ("expected one of ply, obj", "'.docx'", "convert it")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_start_meshes_that_are_none(name: str, ball: Path, tmp_path: Path, refused) -> None:
    content, expected = CASES[name]
    (tmp_path / name).write_text(content)
    refused("reconstruct", ball, "--init", tmp_path / name, *QUICK, has=(f"{tmp_path / name}: ", *expected))
    assert not (tmp_path / "output").exists()


def test_start_mesh_that_is_missing_or_elsewhere(ball: Path, tmp_path: Path, refused) -> None:
    refused(
        "reconstruct", ball, "--init", "cube", *QUICK, has=("cube: expected a mesh file, got nothing there",)
    )
    refused("reconstruct", ball, "--init", tmp_path, *QUICK, has=("expected a mesh file, got a folder",))
    save_mesh(tmp_path / "far.ply", icosphere(1, center=(900.0, 0.0, 0.0)))
    has = ("far.ply: 900 away from where the masks and cameras show", "in the coordinates of the cameras?")
    refused("reconstruct", ball, "--init", tmp_path / "far.ply", *QUICK, has=has)
    assert not (tmp_path / "output").exists()


# --- output folders --------------------------------------------------------------------------------------------------


def test_outputs_that_cannot_be_written(ball: Path, tmp_path: Path, refused, monkeypatch) -> None:
    for command in (("reconstruct", ball, *QUICK), ("render", "pebble", "--size", "16")):
        file = tmp_path / "file"
        file.write_text("mine")
        refused(*command, output=file, has=("output: expected a folder", "file is a file", "another name"))
        refused(*command, output=file / "below" / "it", has=("output: expected a folder", "file is a file"))
        assert file.read_text() == "mine"
        refused(*command, output=tmp_path / ("n" * 300), has=("output: ", "File name too long"))
        with monkeypatch.context() as patch:  # root may write anywhere but to a read-only file system
            patch.setattr(os, "access", lambda *_: False)
            refused(
                *command, output=tmp_path / "a" / "b", has=(f"output: cannot write to {tmp_path}; choose",)
            )


@pytest.mark.slow
def test_a_disk_that_turns_out_to_be_full(ball: Path, tmp_path: Path, refused, monkeypatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "output"))

    monkeypatch.setattr(run_folder.tempfile, "TemporaryFile", full)
    (tmp_path / "output").mkdir()
    refused("reconstruct", ball, *QUICK, has=("output: No space left on device",))


def test_a_scene_is_never_overwritten(ball: Path, refused) -> None:
    has = ("output: ", "holds a scene (transforms_test.json)", "another folder")
    refused("reconstruct", ball, *QUICK, output=ball, has=has)
    refused("render", "pebble", "--size", "16", output=ball, has=has)
    assert len(load_scene(ball).mesh.vertices) == 642


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "has"),
    [
        (["--backend", "opengl"], ("backend: expected one of auto, warp, nvdiffrast", "'opengl'")),
        (["--device", "tpu"], ("device: expected auto, cpu or cuda, got 'tpu'",)),
        (["--lambda", "-1"], ("lambda: expected a number >= 0, got -1", "5 is a good start")),
        (["--lambda", "nan"], ("lambda: expected a number >= 0, got nan",)),
        (["--steps", "0"], ("steps: expected an integer >= 1, got 0; 1500 is a good start",)),
        (["--step-size", "0"], ("step size: expected a number > 0", "0.1 is a good start")),
        (["--views-per-step", "0"], ("views per step: expected an integer >= 1, got 0",)),
        (["--max-vertices", "0"], ("max vertices: expected an integer >= 1, got 0",)),
        (["--faces", "3"], ("expected a number of faces, 4 or more, got '3'",)),
        (
            ["--faces", "9", "--texture", "off"],
            ("faces: the detail goes into textures, and texture off makes none",),
        ),
        (["--steps", "many"], ("--steps: invalid int value: 'many'", "--help")),
        (
            ["--remesh", "sometimes"],
            ("remesh: expected auto, adaptive, off or steps such as 100,300", "'sometimes'"),
        ),
        (["--remesh", "1,50", "--steps", "40"], ("remesh: expected steps in [0, 40), got 50",)),
        (["--remesh", "-1"], ("remesh: expected steps in [0, 1500), got -1",)),
        (["--seed", "-3"], ("seed: expected an integer in [0, 9223372036854775807], got -3",)),
        (["--seed", "1" + "0" * 30], ("seed: expected an integer in [0, 9223372036854775807], got 1000",)),
        (["--light", "none.npy"], ("light: expected an environment map, there is no file none.npy",)),
        (["--colour", "red"], ("unrecognized arguments: --colour red", "--help")),
    ],
)
def test_options(options: list[str], has: tuple[str, ...], ball: Path, tmp_path: Path, refused) -> None:
    refused("reconstruct", ball, *options, has=has)
    assert not (tmp_path / "output").exists()


def test_a_backend_that_is_not_usable(ball: Path, refused) -> None:
    has = ("backend: nvdiffrast needs CUDA", "use backend='warp'")
    refused("reconstruct", ball, "--backend", "nvdiffrast", "--device", "cpu", has=has)


def test_cuda_without_a_gpu(ball: Path, refused, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused("reconstruct", ball, "--device", "cuda", has=("device: cuda was asked for", "use --device cpu"))


def test_lights_that_are_none(ball: Path, tmp_path: Path, refused) -> None:
    bad = np.ones((4, 8, 3), dtype=np.float32)
    bad[1, 2] = np.inf
    np.save(tmp_path / "inf.npy", bad)
    np.save(tmp_path / "flat.npy", np.ones((4, 8), dtype=np.float32))
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "text.png").write_text("no picture")
    for name, part in (
        ("inf", "finite"),
        ("flat", "(H, W, 3)"),
        ("broken", "readable"),
        ("text", "cannot be read"),
    ):
        file = next(tmp_path.glob(f"{name}.*"))
        for command in (("reconstruct", ball, *QUICK), ("render", "pebble")):
            refused(*command, "--light", file, has=("light: ", str(file), part))


@pytest.mark.parametrize(
    ("options", "has"),
    [
        (["wolf"], ("mesh: expected one of fennec, ", "'wolf'")),
        (["wolf.ply"], ("wolf.ply: expected a mesh file, got nothing there",)),
        (["pebble", "--size", "7"], ("--size: expected 8 to 8192 pixels, got '7'",)),
        (["pebble", "--size", "10x10x10"], ("--size: expected 256 or 320x240, got '10x10x10'",)),
        (["pebble", "--size", "big"], ("--size: expected 256 or 320x240, got 'big'",)),
        (["pebble", "--size", "100000"], ("--size: expected 8 to 8192 pixels",)),
        (["pebble", "--views", "1", "--size", "16"], ("views: expected at least 2 to train", "got 1")),
        (["pebble", "--test-views", "-1", "--size", "16"], ("views: expected", "0 to test, got 32 and -1")),
        (["pebble", "--up", "x"], ("--up: invalid choice: 'x'",)),
        ([], ("the following arguments are required: MESH",)),
    ],
)
def test_render_options(options: list[str], has: tuple[str, ...], tmp_path: Path, refused) -> None:
    refused("render", *options, has=has)
    assert not (tmp_path / "output").exists()


# --- --resume --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_resume_without_or_with_a_damaged_checkpoint(
    ball: Path, run_of_two_steps: Path, tmp_path: Path, refused
) -> None:
    command = ("reconstruct", ball, *QUICK, "--resume")
    refused(*command, has=("resume: there is no checkpoint in", "run without --resume first"))
    (tmp_path / "output").mkdir()
    file = tmp_path / "output" / "checkpoint.pt"
    good = (run_of_two_steps / "checkpoint.pt").read_bytes()
    for content in (b"", b"no checkpoint at all", good[: len(good) // 2], b"\x80\x02}q\x00."):
        file.write_bytes(content)
        refused(*command, has=("resume: ", "checkpoint.pt is not a readable checkpoint", "without --resume"))
    older = checkpoint.load(run_of_two_steps / "checkpoint.pt")
    checkpoint.save(file, {**older, "layout": older["layout"] - 1})
    refused(*command, has=("is not a readable checkpoint of this version",))
    torch.save({"run": {}, "folder": {}}, file)
    refused(*command, has=("is not a readable checkpoint",))


@pytest.mark.slow
def test_resume_with_other_settings_or_another_scene(
    ball: Path, run_of_two_steps: Path, tmp_path: Path, refused
) -> None:
    def again(*options: object, has: tuple[str, ...], scene: Path = ball) -> None:
        refused("reconstruct", scene, *QUICK, "--resume", *options, output=run_of_two_steps, has=has)

    again(
        "--lambda",
        "19",
        has=("resume: the run was started with lambda_ = 5.0, now it is 19.0", "same options"),
    )
    again("--steps", "9", has=("started with steps = 2, now it is 9",))
    again("--seed", "1", has=("started with seed = 0, now it is 1",))
    np.save(tmp_path / "sky.npy", np.ones((4, 8, 3)))
    again("--light", tmp_path / "sky.npy", has=("started with --light None, now it is sky.npy",))
    save_mesh(tmp_path / "start.ply", load_mesh(run_of_two_steps / "mesh.ply"))
    again("--init", tmp_path / "start.ply", has=("started with --init auto, now it is start.ply",))
    shutil.copytree(ball, tmp_path / "moved")
    content = json.loads((ball / "transforms_train.json").read_text())
    for frame in content["frames"]:
        for row in frame["transform_matrix"][:3]:
            row[3] += 0.5
    rewrite(tmp_path / "moved", content)
    again(scene=tmp_path / "moved", has=("resume: the run was started on another scene",))
    shutil.copytree(ball, tmp_path / "painted")
    file = sorted((tmp_path / "painted").rglob("*.png"))[-1]
    image = np.array(Image.open(file))
    image[10:20, 10:20, :3] //= 2
    Image.fromarray(image).save(file)
    again(scene=tmp_path / "painted", has=("on other images or masks than", "give the same scene"))


# --- failures while running ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_that_diverges_keeps_the_last_good_mesh(
    ball: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(RunFiles, "draw", lambda *_: None)
    output = tmp_path / "out"
    assert (
        main(["reconstruct", str(ball), "--output", str(output), "--steps", "9", "--step-size", "1e38"]) == 1
    )
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "Traceback" not in err
    assert err.startswith("largesteps-zg: step 2: ") and "is the step size too large?" in err
    assert err.endswith(f"{output / 'mesh.ply'} is the last good mesh\n")
    mesh = load_mesh(output / "mesh.ply")
    # The sphere of the start in the masks' bounding sphere: the only surface whose loss was finite.
    radius = (mesh.vertices - mesh.vertices.mean(0)).norm(dim=1)
    assert float(radius.std()) < 1e-3 and 1.0 < float(radius.mean()) < 3.3
    result = json.loads((output / "run.json").read_text())
    assert result["finished"] is False and "step 2" in result["stopped"]
    assert not (output / "checkpoint.pt").exists()  # to go on from there would fail again


@pytest.mark.slow
def test_a_run_that_fails_at_once(ball: Path, tmp_path: Path, refused, monkeypatch) -> None:
    from largesteps_zg.reconstruct import difference

    spoiled = lambda images, *_, **__: (images.sum() * float("nan"),) * 2  # noqa: E731
    monkeypatch.setattr(difference, "losses_of_images", spoiled)
    has = ("step 1: the loss is nan", "no mesh was written")
    refused("reconstruct", ball, *QUICK, has=has, status=1)


def test_bad_truth_meshes_and_rendered_ones(tmp_path: Path, refused) -> None:
    save_mesh(tmp_path / "dot.ply", Mesh(torch.ones(3, 3), torch.tensor([[0, 1, 2]])))
    refused("render", tmp_path / "dot.ply", has=("mesh: expected an extent",))
    for name in ("nan.ply", "points.ply", "empty.ply"):
        (tmp_path / name).write_text(CASES[name][0])
        refused("render", tmp_path / name, has=(f"{tmp_path / name}: ",))


# --- through a real process ------------------------------------------------------------------------------------------


full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")


@full
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["--help", "--version", "reconstruct --help", "info"])
def test_a_full_standard_output_is_named(words: str, unbuffered: str) -> None:
    with open("/dev/full", "w") as file:
        run = subprocess.run(
            [sys.executable, "-m", "largesteps_zg", *words.split()],
            stdout=file, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr == "largesteps-zg: standard output: No space left on device\n"


@full
@pytest.mark.slow
def test_what_is_said_of_a_scene_into_a_full_standard_output(ball: Path, tmp_path: Path) -> None:
    """It is said while inputs are read, and still no fault of theirs."""
    words = ["compare", str(ball), "--output", str(tmp_path / "out"), "--budget-steps", "2"]
    with open("/dev/full", "w") as file:
        run = subprocess.run(
            [sys.executable, "-u", "-m", "largesteps_zg", *words],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (run.returncode, run.stderr) == (1, "largesteps-zg: standard output: No space left on device\n")


@full
@pytest.mark.parametrize("unbuffered", ["", pytest.param("1", marks=pytest.mark.slow)])
def test_a_full_standard_error_changes_no_status(unbuffered: str) -> None:
    with open("/dev/full", "w") as file:
        run = subprocess.run(
            [sys.executable, "-m", "largesteps_zg", "render", "no-such-mesh", "--output", "x"],
            stderr=file, stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert (run.returncode, run.stdout) == (2, b"")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "has"),
    [
        (["reconstruct", "nowhere", "--output", "out"], "nowhere: no such file or folder"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_as_a_process(command: list[str], has: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "largesteps_zg", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and has in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_reader_that_stops_reading_is_no_fault() -> None:
    """As `largesteps-zg info | head -1` does, here before the first line."""
    command = [sys.executable, "-m", "largesteps_zg", "info"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        error = process.stderr.read()
    assert error == "" and process.returncode == 1


@pytest.mark.slow
def test_a_terminal_without_the_letters_still_gets_the_rest(ball: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "largesteps_zg", "info", str(ball), "--init", "none"]
    command += ["--output", str(tmp_path / "new" / "i.png")]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and done.stderr == b"" and b"? wide" in done.stdout
    assert (tmp_path / "new" / "i.png").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("i.jpg", "output: expected a picture NAME.png, got"),
        ("folder.png", "folder.png is a folder"),
        ("file.png/i.png", "file.png is a file"),
    ],
)
def test_where_the_picture_of_a_scene_cannot_go(
    ball: Path, tmp_path: Path, name: str, message: str, capfd
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file.png").touch()
    assert main(["info", str(ball), "--init", "none", "--output", str(tmp_path / name)]) == 2
    out, err = capfd.readouterr()
    assert message in err and err.count("\n") == 1 and out == ""


def test_a_renderer_that_nothing_would_call(ball: Path, refused) -> None:
    has = ("renderer: opengl is called for estimates alone", "such as per-pixel")
    refused("reconstruct", ball, "--renderer", "opengl", has=has)


def test_files_that_cannot_be_written_are_named_as_they_were_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        save_mesh(tmp_path / "nowhere" / "mesh.ply", icosphere(0))
    assert caught.value.filename == str(tmp_path / "nowhere" / "mesh.ply")


@pytest.mark.skipif(os.name == "nt", reason="a folder that is in use cannot be removed there")
def test_a_current_folder_that_was_removed_is_said(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    code = (
        "import os, sys; os.rmdir(os.getcwd()); from largesteps_zg.cli.main import main;"
        "sys.argv = ['x', 'info']; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "gone", capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "largesteps-zg: the current folder: it was removed; change to another\n"
