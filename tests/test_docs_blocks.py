"""Code and commands that the pages of docs/ show work as they stand there."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import format_files
import numpy as np
import pytest
import torch
from test_docs_estimators import PAGE as ESTIMATORS_PAGE

from largesteps_zg import Cameras, LargeSteps, Mesh, icosphere, load_mesh, save_mesh, sphere_of_cameras
from largesteps_zg.cli.main import main
from largesteps_zg.cli.program import _parser
from largesteps_zg.rasterizer import antialias, edge_table, interpolate, pixels_from_clip, rasterize
from largesteps_zg.scenes import save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
NAMES = [page.relative_to(DOCS).as_posix() for page in PAGES]
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# What a block says that it prints, where that is numbers.
PRINTED = re.compile(r"^print\((.+)\)  # ([-\d.]+|\([-\d., ]+\))(?:;|$)", re.MULTILINE)
# The other package's side of a comparison begins with its name.
OTHERS = ("# PyTorch3D\n", "# Mitsuba\n")


def blocks(name: str, *languages: str) -> list[str]:
    """The code blocks of a page in some languages, in order."""
    text = (DOCS / name).read_text(encoding="utf-8")
    found = BLOCK.findall(text)
    return [re.sub(f"^{indent}", "", code, flags=re.M) for indent, lang, code in found if lang in languages]


def python(name: str) -> list[str]:
    return [code for code in blocks(name, "python", "py") if not code.startswith(OTHERS)]


def tiny_scene(folder: Path) -> None:
    save_scene(folder, scene_from_mesh(icosphere(2), views=4, test_views=1, height=32, width=32))


def given(name: str) -> dict[str, Any]:
    """What a page's blocks take for granted, beside the files that they read."""
    ball = icosphere(2)
    cameras: Cameras = sphere_of_cameras(2, distance=3.0, fov_y_degrees=45.0, height=24, width=24)
    names = {
        "torch": torch, "vertices": ball.vertices, "faces": ball.faces, "colors": torch.ones_like(ball.vertices),
        "cameras": cameras, "height": 24, "width": 24,
    }  # fmt: skip
    if name == "rasterizer.md":
        from largesteps_zg.rasterizer import sample_texture
        from largesteps_zg.renderers import homogeneous_pixels

        names |= {
            "homogeneous_pixels": homogeneous_pixels, "rasterize": rasterize, "interpolate": interpolate,
            "antialias": antialias, "attributes": ball.vertices, "sample_texture": sample_texture,
            "vertex_uv": ball.vertices[:, :2], "texture": torch.rand(8, 8, 3), "cube_map": torch.rand(6, 4, 4, 3),
        }  # fmt: skip
    if name == "coming-from-nvdiffrast.md":
        import itertools

        from largesteps_zg.rasterizer import rasterize_layers

        points = torch.cat([ball.vertices, torch.ones(len(ball.vertices), 1)], dim=1)
        clip = points @ cameras.clip_from_world().transpose(1, 2)
        names |= {
            "itertools": itertools, "clip": clip, "pixels_from_clip": pixels_from_clip, "uv": ball.vertices[:, :2],
            "rasterize": rasterize, "interpolate": interpolate, "antialias": antialias, "uv_faces": ball.faces,
            "edges": edge_table(ball.faces), "rasterize_layers": rasterize_layers,
        }  # fmt: skip
    if name == "renderers.md":
        from largesteps_zg.renderers import BlackBox, Pictures
        from largesteps_zg.renderers.black_box import check_scene

        names |= {"BlackBox": BlackBox, "Pictures": Pictures, "check_scene": check_scene}
    return names


def change(name: str, code: str) -> str:
    """A block with less work, or with what stands between two blocks of its page."""
    if name == "renderers.md":
        code = code.replace('load_renderer("opengl")', 'load_renderer("rasterizer")')
    if name == "rasterizer.md" and "footprints" in code:
        code = "directions = interpolate(attributes, fragments)\n" + (
            "footprints = torch.full((len(directions), 4), 0.1)\n" + code
        )
    return code.replace("Settings(steps=300)", 'Settings(steps=2, remesh="off")')


def prepare(name: str, folder: Path) -> None:
    """The files that a page's blocks read."""
    (folder / "out").mkdir()
    for scene in ("SCENE", "out/scene"):
        tiny_scene(folder / scene)
    save_mesh(folder / "ball.ply", icosphere(2))
    save_mesh(folder / "exported.ply", icosphere(2))
    turn = [[0.0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3]]
    (folder / "dataparser_transforms.json").write_text(json.dumps({"transform": turn, "scale": 0.5}))
    (folder / "SCENE/transforms.json").write_text(
        json.dumps({"applied_transform": [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0]]})
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if python(name) and name != ESTIMATORS_PAGE.name])
def test_python_runs_from_top_to_bottom(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(name, tmp_path)
    monkeypatch.chdir(tmp_path)
    names = given(name)
    for code in python(name):
        exec(compile(change(name, code), f"docs/{name}", "exec"), names)
        for expression, told in PRINTED.findall(code):
            found = torch.as_tensor(eval(expression, names)).flatten()
            np.testing.assert_allclose(found, np.ravel(ast.literal_eval(told)), atol=1e-4, err_msg=expression)


@pytest.mark.slow
def test_a_mesh_of_nerfstudio_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against nerfstudio's own direction: x' = scale (T x), T from the original coordinates on."""
    prepare("", tmp_path)
    monkeypatch.chdir(tmp_path)
    told = json.loads((tmp_path / "dataparser_transforms.json").read_text())
    applied = json.loads((tmp_path / "SCENE/transforms.json").read_text())["applied_transform"]
    true = icosphere(2).vertices.double().numpy()
    original = (true - np.array(applied)[:, 3]) @ np.array(applied)[:, :3]  # its inverse: a rotation
    exported = told["scale"] * (
        original @ np.array(told["transform"])[:, :3].T + np.array(told["transform"])[:, 3]
    )
    save_mesh("exported.ply", Mesh(torch.from_numpy(exported).float(), icosphere(2).faces))
    exec(next(code for code in python("coming-from-nerfstudio.md") if "applied" in code), {})
    np.testing.assert_allclose(load_mesh("in-the-scenes-coordinates.ply").vertices, true, atol=1e-5)


@pytest.mark.slow
def test_mitsubas_side_runs_and_has_the_same_latent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mitsuba", reason="Mitsuba 3 is not installed")
    from examples.papers.prdpt.own_derivative import can_differentiate

    if not can_differentiate():
        pytest.skip("Mitsuba finds no LLVM that it can use")
    prepare("", tmp_path)
    monkeypatch.chdir(tmp_path)
    first, second = (code for name, code in other_blocks() if code.startswith("# Mitsuba"))
    script = f"""
import numpy as np, torch
exec({first.replace("range(20)", "range(0)")!r})
np.save("latent.npy", np.array(optimizer["u"]))
exec({first!r})
exec({second!r})
positions = torch.tensor(np.array(params["ball.vertex_positions"]), requires_grad=True)
picture(positions).sum().backward()
np.save("gradient.npy", positions.grad)
"""  # in a process of its own: Mitsuba's LLVM and Warp's do not get on
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert np.abs(np.load("gradient.npy")).max() > 0
    ours = load_mesh("ball.ply")
    latent = LargeSteps(ours.faces, ours.vertices, lambda_=19).to_differential(ours.vertices)
    np.testing.assert_allclose(np.load("latent.npy").reshape(-1, 3), latent, atol=1e-3)


def other_blocks() -> list[tuple[str, str]]:
    return [(name, code) for name in NAMES for code in blocks(name, "python") if code.startswith(OTHERS)]


@pytest.mark.parametrize(("name", "code"), other_blocks(), ids=lambda word: word[:20].strip("# "))
def test_the_other_packages_side_is_python(name: str, code: str) -> None:
    ast.parse(code)


def commands() -> list[tuple[str, str]]:
    lines = [
        (name, line) for name in NAMES for code in blocks(name, "", "bash") for line in code.splitlines()
    ]
    return [(name, line.strip()) for name, line in lines if re.match(r" *(\S*/)?largesteps-zg ", line)]


@pytest.mark.parametrize(("name", "line"), commands())
def test_options_of_the_commands_exist(name: str, line: str) -> None:
    words = shlex.split(re.sub(r"[A-Z]+(\|[A-Z]+)+", "SOMETHING", line), comments=True)
    arguments = _parser().parse_args(words[1:])
    assert arguments.command


HOW_TO = {
    "colmap": format_files.write_colmap,
    "nerfstudio": format_files.write_transforms,
    "neus": format_files.write_idr,
    "mvsnet": format_files.write_mvsnet,
    "middlebury": format_files.write_middlebury,
    "mitsuba": format_files.write_mitsuba,
    "nerf-synthetic": tiny_scene,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOW_TO)
def test_the_first_step_of_a_how_to(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    HOW_TO[kind](tmp_path / "SCENE")
    monkeypatch.chdir(tmp_path)
    line = next(line for name, line in commands() if name == f"howto/{kind}.md")
    assert main(shlex.split(line)[1:]) == 0
    assert "views" in capsys.readouterr().out


def test_there_is_a_how_to_for_every_kind_of_input() -> None:
    index = (DOCS / "howto" / "index.md").read_text(encoding="utf-8")
    pages = {path.stem for path in (DOCS / "howto").glob("*.md")} - {"index"}
    assert pages == set(re.findall(r"\]\(([\w-]+)\.md\)", index)) == {*HOW_TO, "photographs", "own-mesh"}


def test_other_languages_are_sound() -> None:
    for name in NAMES:
        for code in blocks(name, "xml"):
            xml.etree.ElementTree.fromstring(code)
        text = (DOCS / name).read_text(encoding="utf-8")
        told = {language for _, language, _ in BLOCK.findall(text)}
        assert told <= {"", "python", "py", "xml", "bash"}, f"{name}: nothing runs blocks in {told}"
