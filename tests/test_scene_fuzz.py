"""Damaged scenes of every format: what comes back is a scene or one line of ValueError or OSError, nothing else."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from format_files import (
    worst_miss,
    write_colmap,
    write_colmap_binary,
    write_idr,
    write_middlebury,
    write_mitsuba,
    write_mvsnet,
    write_transforms,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from largesteps_zg.mesh import icosphere, save_mesh
from largesteps_zg.scenes import Reading, Scene
from largesteps_zg.scenes.formats import colmap, idr, middlebury, mitsuba, mvsnet, transforms
from largesteps_zg.scenes.sanity import check_scene

WHOLE = Reading(hold_out=0)
EXAMPLES = 40


def write_mitsuba_to_render(folder: Path) -> Path:
    """With a mesh and a light in place of the images."""
    write_mitsuba(folder)
    shutil.rmtree(folder / "images")
    ball = icosphere(1)
    save_mesh(folder / "ball.ply", ball)
    file = folder / "scene.xml"
    body = """<shape type="ply"><string name="filename" value="ball.ply"/><transform name="to_world">
        <scale value="0.8"/><rotate x="1" angle="30"/><translate x="10" y="-20" z="5"/></transform></shape>
        <emitter type="constant"><rgb name="radiance" value="1 1 1"/></emitter></scene>"""
    content = file.read_text().replace('value="56"', 'value="28"').replace('value="44"', 'value="22"')
    file.write_text(content.replace("</scene>", body))
    return folder


# Format: who reads it, who writes it, and the files to damage.
SCENES: dict[str, tuple] = {
    "transforms": (transforms, write_transforms, ["transforms.json"]),
    "colmap text": (colmap, write_colmap, ["sparse/0/cameras.txt", "sparse/0/images.txt"]),
    "colmap binary": (colmap, write_colmap_binary, ["sparse/0/cameras.bin", "sparse/0/images.bin"]),
    "idr": (idr, write_idr, ["cameras_sphere.npz"]),
    "mvsnet": (mvsnet, write_mvsnet, ["cams/00000000_cam.txt", "cams/00000003_cam.txt"]),
    "middlebury": (middlebury, write_middlebury, ["dots_par.txt"]),
    "mitsuba": (mitsuba, write_mitsuba, ["scene.xml"]),
    "mitsuba to render": (mitsuba, write_mitsuba_to_render, ["scene.xml", "ball.ply"]),
}
EVERY = pytest.mark.parametrize("name", SCENES)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write(tmp_path_factory.mktemp("fuzz")) for name, (_, write, _) in SCENES.items()}


@contextmanager
def damaged(file: Path, damage: Callable[[bytes], bytes]) -> Iterator[None]:
    content = file.read_bytes()
    file.write_bytes(damage(content))
    try:
        yield
    finally:
        file.write_bytes(content)


def scene_or_one_line(module, folder: Path) -> Scene | str:
    try:
        scene = module.load(folder, WHOLE)
        check_scene(scene)
        return scene
    except (ValueError, OSError) as error:
        assert "\n" not in str(error) and len(str(error)) < 1000, str(error)
        return str(error)


@EVERY
def test_undamaged_they_are_scenes(name: str, folders: dict[str, Path]) -> None:
    scene = SCENES[name][0].load(folders[name], WHOLE)
    check_scene(scene)
    if name != "mitsuba to render":
        assert worst_miss(scene.train) < 0.1


@EVERY
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_damaged_bytes(name: str, folders: dict[str, Path], data: st.DataObject) -> None:
    module, _, files = SCENES[name]
    file = folders[name] / data.draw(st.sampled_from(files))
    size = file.stat().st_size
    start, end = sorted((data.draw(st.integers(0, size)), data.draw(st.integers(0, size))))
    new = data.draw(st.binary(max_size=12))
    damages = {
        "cut off": lambda content: content[:start],
        "without a part": lambda content: content[:start] + content[end:],
        "with other bytes": lambda content: content[:start] + new + content[start + len(new) :],
        "with a part twice": lambda content: content[:end] + content[start:],
    }
    with damaged(file, damages[data.draw(st.sampled_from(sorted(damages)))]):
        scene_or_one_line(module, folders[name])


ODD = [
    "nan",
    "inf",
    "-1",
    "0",
    "1e300",
    "-1e-300",
    "1e400",
    "",
    "ä",
    "9" * 400,
    "0x10",
    "1_0",
    "../..",
    "$x",
    "\x00",
    "7",
]


@EVERY
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_words_that_are_others(name: str, folders: dict[str, Path], data: st.DataObject) -> None:
    module, _, files = SCENES[name]
    texts = [file for file in files if not file.endswith((".bin", ".npz"))]
    if not texts:
        return
    file = folders[name] / data.draw(st.sampled_from(texts))
    pieces = _pieces(file.read_bytes())
    place = data.draw(st.integers(0, len(pieces) - 1))
    pieces[place] = data.draw(st.sampled_from(ODD)).encode()
    with damaged(file, lambda _: b"".join(pieces)):
        scene_or_one_line(module, folders[name])


def _pieces(content: bytes) -> list[bytes]:
    """Words and what separates them."""
    return re.split(rb"([\s,<>=\"\[\]{}:]+)", content)


@EVERY
def test_every_file_empty_or_gone(name: str, folders: dict[str, Path]) -> None:
    module, _, files = SCENES[name]
    for file in (folders[name] / file for file in files):
        with damaged(file, lambda _: b""):
            assert isinstance(scene_or_one_line(module, folders[name]), str)
            file.unlink()
            # Of MVSNet's files each is a camera of its own, without which the others still are a scene.
            assert isinstance(scene_or_one_line(module, folders[name]), str) == (name != "mvsnet")
