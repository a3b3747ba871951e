"""Blender and this project see the same: what the add-on exports and imports, and what Blender's exporters write."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from largesteps_zg.blender import write_addon
from largesteps_zg.cameras import Cameras, look_at
from largesteps_zg.cli import main
from largesteps_zg.cli.inputs import start_named
from largesteps_zg.images.likeness import mask_iou
from largesteps_zg.mesh import Mesh, icosphere, load_mesh, save_mesh
from largesteps_zg.output.export.cameras import save_cameras
from largesteps_zg.output.export.files import save_glb, save_obj
from largesteps_zg.output.export.material import Material
from largesteps_zg.output.export.textured import TexturedMesh
from largesteps_zg.renderers.rasterized import render
from largesteps_zg.scenes import Scene, Views, load_scene, save_scene
from largesteps_zg.scenes.reading import Reading

STEPS = Path(__file__).with_name("blender_steps.py")
# A Python that has bpy: this one, or that of an environment of its own.
BLENDER = os.environ.get("BLENDER_PYTHON") or (sys.executable if importlib.util.find_spec("bpy") else None)
needs_blender = pytest.mark.skipif(BLENDER is None, reason="bpy is not installed, nor BLENDER_PYTHON given")
UP = torch.tensor([0.3, -1.0, 0.2], dtype=torch.float64)  # of the scene in `a_run`
SCALE = 1.7  # of mesh.glb, over the scene's coordinates


def in_blender(step: str, folder: Path) -> dict[str, Any]:
    """Do a step of blender_steps.py; what it told."""
    addon = folder / "addon.zip"
    write_addon(addon)
    done = subprocess.run(
        [str(BLENDER), str(STEPS), step, str(addon), str(folder)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    told = folder / f"{step}.json"
    assert done.returncode == 0 and told.is_file(), done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(told.read_text())


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("export")
    return folder, in_blender("export", folder)


# --- the file --------------------------------------------------------------------------------------------------------


def test_the_file_is_an_extension_of_this_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["blender", "--output", str(tmp_path / "new" / "a.zip")]) == 0
    assert "a.zip" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "new" / "a.zip") as archive:
        manifest = dict(re.findall(r'^(\w+) = "(.*)"$', archive.read("blender_manifest.toml").decode(), re.M))
        assert {"__init__.py", "panel.py", "exporting.py", "importing.py", "reading.py"} <= set(
            archive.namelist()
        )
        for name in archive.namelist():  # nothing but Blender, NumPy and Python, so no install in Blender
            for module in re.findall(r"^\s*(?:from|import) ([a-z_]+)", archive.read(name).decode(), re.M):
                assert module in {"bpy", "numpy", "mathutils", *sys.stdlib_module_names}, (name, module)
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"]) and manifest["version"] != "0.0.0"
    assert manifest["type"] == "add-on" and manifest["schema_version"] == "1.0.0"
    first = (tmp_path / "new" / "a.zip").read_bytes()
    write_addon(tmp_path / "b.zip")
    assert (tmp_path / "b.zip").read_bytes() == first
    assert main(["blender", "--output", str(tmp_path / "a.py")]) == 2
    assert "expected a file NAME.zip" in capsys.readouterr().err


# --- out of Blender --------------------------------------------------------------------------------------------------


@needs_blender
@pytest.mark.slow
def test_cameras_of_a_scene_see_what_blenders_do(exported: tuple[Path, dict[str, Any]]) -> None:
    """Eight lenses with shift, pixels that are not square, half the size: against world_to_camera_view."""
    folder, told = exported
    views = load_scene(folder / "scene", reading=Reading(hold_out=0)).train
    points = torch.tensor(np.random.default_rng(3).uniform(-0.8, 0.8, (40, 3)))
    assert len(views) == 8 and views.images.shape[1:3] == (201, 320)
    for name, pixels in zip(views.names, views.cameras.project(points)[0], strict=True):
        np.testing.assert_allclose(pixels, told["pixels"][name], atol=1e-3)


@needs_blender
@pytest.mark.slow
def test_the_true_surface_fills_the_alpha_of_each_picture(exported: tuple[Path, dict[str, Any]]) -> None:
    scene = load_scene(exported[0] / "scene", reading=Reading(hold_out=0))
    assert scene.mesh is not None and "masks: alpha, in all 8 photographs" in scene.notes
    assert not [note for note in scene.notes if note.startswith("not used")]
    vertices = scene.mesh.vertices.float()
    for i in range(8):
        camera = scene.train.cameras[i].to(dtype=torch.float32)
        drawn = render(vertices, scene.mesh.faces, torch.ones_like(vertices), camera)[0, ..., 3]
        assert mask_iou(drawn, scene.train.images[i, ..., 3].float() / 255) > 0.99


@needs_blender
@pytest.mark.slow
def test_settings_come_back_and_mistakes_leave_nothing(exported: tuple[Path, dict[str, Any]]) -> None:
    folder, told = exported
    assert told["kept"] == ["AgX", True, True] and told["camera"] and not told["torch"]
    assert "there is none to render from" in told["none"]
    assert "expected an empty folder or a new name" in told["full"]
    assert "nothing outlines the object" in told["floor"] and "no object is selected" in told["unselected"]
    assert "expected a perspective one, got ORTHO" in told["ortho"]
    assert told["unnamed"].count("folder: none was chosen; give its name") == 2
    assert told["left"] == [] and not any((folder / name).exists() for name in ("none", "floor", "ortho"))
    assert all("\n" not in told[name] for name in ("none", "full", "floor", "unselected", "ortho"))


@needs_blender
@pytest.mark.slow
def test_frames_of_an_animation_are_views(exported: tuple[Path, dict[str, Any]]) -> None:
    views = load_scene(exported[0] / "alone", reading=Reading(hold_out=0)).train
    assert len(views) == 3 and all(re.fullmatch(r"Camera_003_000\d", name) for name in views.names)
    steps = views.cameras.centers - views.cameras.centers[0]
    np.testing.assert_allclose(steps[2], [0.4, 0, 0], atol=1e-6)
    assert 0.05 < steps[1, 0] < 0.35  # whatever curve leads there


@needs_blender
@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["glb", "obj", "ply", "stl"])
def test_meshes_of_blenders_exporters_are_the_same_shape(
    exported: tuple[Path, dict[str, Any]], suffix: str
) -> None:
    """By default OBJ and GLB take y for up, PLY and STL z."""
    folder, _ = exported
    truth, mesh = load_mesh(folder / "scene" / "mesh.obj"), load_mesh(folder / f"head.{suffix}")
    x, y, z = mesh.vertices.double().unbind(1)
    points = torch.stack([x, -z, y], dim=1) if suffix in ("glb", "obj") else mesh.vertices.double()
    assert len(mesh.faces) == len(truth.faces)
    corners, expected = points[mesh.faces], truth.vertices.double()[truth.faces]
    away = torch.cdist(corners.mean(1), expected.mean(1)).amin(1)
    assert float(away.max()) < 1e-5
    areas = [torch.linalg.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]).sum(0) for c in (corners, expected)]
    torch.testing.assert_close(*areas, atol=1e-4, rtol=0)


@needs_blender
@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["glb", "obj", "ply"])
def test_a_start_from_blender_lies_as_its_scene(exported: tuple[Path, dict[str, Any]], suffix: str) -> None:
    """Exported with Blender's defaults: two of the three have y up, the scene z."""
    folder, _ = exported
    scene = load_scene(folder / "scene")
    start = start_named(str(folder / f"head.{suffix}"), scene.train)
    assert [("y up to z up" in note) for note in start.notes if "overlap" in note] == [True] * (
        suffix != "ply"
    )
    low, high = scene.mesh.vertices.double().aminmax(dim=0)
    torch.testing.assert_close(start.mesh.vertices.double().amin(0), low, atol=1e-5, rtol=0)
    torch.testing.assert_close(start.mesh.vertices.double().amax(0), high, atol=1e-5, rtol=0)


# --- into Blender ----------------------------------------------------------------------------------------------------


def a_run(folder: Path) -> tuple[Views, Mesh]:
    """A run's folder with a scene whose up is no axis, cameras with odd middles, and photographs of two of four."""
    eyes = torch.tensor([[3.0, 0, 0.5], [0, -3, 1], [-2, 2, 2], [1, 1, -3]], dtype=torch.float64)
    made = look_at(eyes, torch.zeros(3, dtype=torch.float64), fov_y_degrees=40.0, height=60, width=80)
    k = made.intrinsics.clone()
    k[:, 0, 2] += torch.tensor([7.0, -3, 0, 11])
    k[:, 1, 2] -= torch.tensor([4.0, 2, -6, 0])
    k[:, 0, 0] *= torch.tensor([1.0, 1.2, 0.85, 1.0])
    cameras = Cameras(made.world_to_camera, k, 60, 80)
    views = Views(torch.full((4, 60, 80, 4), 200, dtype=torch.uint8), cameras, ("a/0", "a/1", "a/2", "b"))
    mesh = icosphere(1, dtype=torch.float64)
    mesh = Mesh(mesh.vertices * torch.tensor([1.0, 0.6, 0.3]), mesh.faces, mesh.vertices.abs().float())
    save_scene(folder / "scene", Scene(None, "transforms", views))
    (folder / "scene" / "train" / "b.png").unlink()
    file = folder / "scene" / "transforms_train.json"
    content = json.loads(file.read_text())
    content["frames"][2]["cx"] += 9.0  # that one was cut on its way into the run
    file.write_text(json.dumps(content))
    run = folder / "run"
    run.mkdir()
    save_cameras(run / "cameras.json", views, up=UP, scale=SCALE)
    save_glb(run / "mesh.glb", mesh, up=UP, scale=SCALE)
    save_mesh(run / "mesh.ply", mesh)
    (run / "run.json").write_text(json.dumps({"scene": {"path": str(folder / "scene")}, "options": {}}))
    return views, mesh


@needs_blender
@pytest.mark.slow
def test_an_imported_run_is_seen_through_the_same_pixels(tmp_path: Path) -> None:
    views, mesh = a_run(tmp_path)
    content = json.loads((tmp_path / "run" / "cameras.json").read_text())
    upright = np.array(content["upright"])
    np.testing.assert_allclose(upright @ (UP / UP.norm()).numpy(), [0, 0, 1], atol=1e-12)
    points = np.random.default_rng(5).uniform(-0.5, 0.5, (30, 3))
    np.save(tmp_path / "points.npy", SCALE * points @ upright.T)
    told = in_blender("import", tmp_path)
    expected = dict(zip(["0", "1", "2", "b"], views.cameras.project(torch.tensor(points))[0], strict=True))
    assert set(told["pixels"]) == set(expected)
    for name, pixels in expected.items():
        np.testing.assert_allclose(told["pixels"][name], pixels, atol=1e-3)
    # The surface stands where those points are.
    for name in ("surface", "painted"):  # of the GLB, of the PLY
        away = torch.cdist(
            torch.tensor(told[name]).double(), SCALE * mesh.vertices @ torch.tensor(upright).T
        ).amin(1)
        assert len(told[name]) == len(mesh.vertices) and float(away.max()) < 1e-5
    assert told["links"] == [["VERTEX_COLOR", "Base Color"]] and told["scene"] == 4
    assert told["materials"] == ["surface"] and told["view"] == "Standard" and not told["torch"]
    assert told["pictures"] == {"0": "0.png", "1": "1.png", "2": None, "b": None}
    assert told["unnamed"].count("folder: none was chosen") == 2 and "there is no such folder" in told["gone"]
    expected = ("expected an object", "'transform_matrix' is missing", "found neither", "is the file whole?")
    for said, part in zip(told["damaged"], expected, strict=True):
        assert part in said and "\n" not in said and "Traceback" not in said
    assert "expected the folder of a run" in told["nothing"] and told["objects"] == 0
    assert "expected an active one that was imported" in told["look"]


@needs_blender
@pytest.mark.slow
def test_blender_reads_the_normal_map_of_an_obj_as_it_is(tmp_path: Path) -> None:
    """As numbers, not as sRGB, which would make 0.5 of them 0.21."""
    corners = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    normals = torch.tensor([128, 128, 255], dtype=torch.uint8).repeat(16, 16, 1)
    normals[0, -1], normals[-1, 0] = (torch.tensor(each) for each in ([200, 128, 230], [64, 90, 220]))
    grey = torch.full((1, 1), 153, dtype=torch.uint8)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    made = Material(grey, 0 * grey, normals=normals)
    image = torch.full((16, 16, 3), 90, dtype=torch.uint8)
    save_obj(
        tmp_path / "a.obj", TexturedMesh(Mesh(corners, faces), 0.5 + 0.5 * corners[:, :2], faces, image, made)
    )
    told = in_blender("material", tmp_path)
    assert told["links"] == {
        "a.png": ["BSDF_PRINCIPLED", "Base Color"],
        "a_normal.exr": ["NORMAL_MAP", "Color"],
    }
    assert told["shaded"] == ["Normal"] and told["space"] != "sRGB"
    expected = [[64 / 255, 90 / 255, 220 / 255], [200 / 255, 128 / 255, 230 / 255]]
    np.testing.assert_allclose(told["texels"], expected, atol=5e-4)


@pytest.mark.slow
def test_a_run_keeps_its_cameras_and_gets_its_photographs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from largesteps_zg.scenes.synthetic import scene_from_mesh

    made = scene_from_mesh(icosphere(2), views=6, test_views=1, height=24, width=32)
    save_scene(tmp_path / "scene", dataclasses.replace(made, mesh=None))
    run = tmp_path / "run"
    command = ["reconstruct", str(tmp_path / "scene"), "--steps", "2", "--init", "sphere", "--quiet"]
    command += ["--remesh", "off"]
    assert main([*command, "--output", str(run)]) == 0
    content = json.loads((run / "cameras.json").read_text())
    np.testing.assert_allclose(content["upright"], np.eye(3), atol=1e-12)  # z is up in it, as in Blender
    poses = torch.tensor([frame["transform_matrix"] for frame in content["frames"]])
    np.testing.assert_allclose(poses[:, :3, 3], made.train.cameras.centers, atol=1e-6)
    assert main(["blender", str(run)]) == 0
    assert "6 in" in capsys.readouterr().out
    for frame, image in zip(content["frames"], made.train.images, strict=True):
        picture = np.asarray(Image.open(run / f"{frame['file_path']}.png"))
        assert (picture[..., :3] == image[..., :3].numpy()).all() and (picture[..., 3] == 255).all()
    other = scene_from_mesh(icosphere(2), views=5, test_views=1, height=24, width=32)
    save_scene(tmp_path / "scene", dataclasses.replace(other, mesh=None))
    assert main(["blender", str(run)]) == 2
    assert "not those of the run any more" in capsys.readouterr().err
    assert main(["blender", str(tmp_path)]) == 2
    assert "found no run.json" in capsys.readouterr().err
