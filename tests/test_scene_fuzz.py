"""Damaged files of every kind: what comes back is what was read or one line of ValueError or OSError, nothing else.

No example may take 20 s or a gigabyte. `pytest -m fuzz tests/test_scene_fuzz.py` draws a few thousand.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
from mesh_files import MESHES, PICTURES, glb_parts, packed_glb

from largesteps_zg.images.files import read_image, read_mask
from largesteps_zg.images.radiance import read_radiance
from largesteps_zg.mesh import icosphere, load_mesh, save_mesh
from largesteps_zg.reconstruct.starts import start_from_file
from largesteps_zg.renderers import load_light
from largesteps_zg.scenes import Reading, Scene
from largesteps_zg.scenes.formats import colmap, idr, middlebury, mitsuba, mvsnet, transforms
from largesteps_zg.scenes.sanity import check_scene

WHOLE = Reading(hold_out=0)
EXAMPLES, SHORT, LONG = 40, 12, 120
SECONDS, BYTES = 20, 2**30
fuzz = pytest.mark.fuzz


def for_long(usual: int, *marks: pytest.MarkDecorator) -> pytest.MarkDecorator:
    """So many examples, and more where they are asked for."""
    counts = [pytest.param(usual, marks=marks), pytest.param(LONG, marks=fuzz)]
    return pytest.mark.parametrize("examples", counts, ids=["some", "many"])


def drawn(examples: int, check: Callable[[st.DataObject], None], **options: Any) -> None:
    """Check so many."""
    given(data=st.data())(settings(max_examples=examples, **options)(lambda data: check(data)))()


class TooLong(BaseException):
    """No `except Exception` takes it for a damaged file."""


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    """One gigabyte more than the process has now; what asks for more gets a MemoryError."""
    old = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, old)


def read_or_one_line(read: Callable[[], Any]) -> Any:
    """What is read, or the text of the one line, within the limits."""

    begun, worked = time.monotonic(), time.process_time()

    def stop(*_: object) -> None:
        # On a busy machine seconds pass in which it is another's turn.
        if time.process_time() - worked < SECONDS / 2 and time.monotonic() - begun < 5 * SECONDS:
            signal.alarm(SECONDS)
        else:
            raise TooLong

    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        return read()
    except (ValueError, OSError) as error:
        message = str(error)
        assert "\n" not in message and len(message) < 1000, message
        # Both would be a MemoryError that somebody took for a damaged file.
        assert "MemoryError" not in message and "allocate" not in message, message
        return message
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


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
    def read() -> Scene:
        scene = module.load(folder, WHOLE)
        check_scene(scene)
        return scene

    return read_or_one_line(read)


@EVERY
def test_undamaged_they_are_scenes(name: str, folders: dict[str, Path]) -> None:
    scene = SCENES[name][0].load(folders[name], WHOLE)
    check_scene(scene)
    if name != "mitsuba to render":
        assert worst_miss(scene.train) < 0.1


def other_bytes(content: bytes, data: st.DataObject) -> bytes:
    """Cut off, without a part, with other bytes or with a part twice."""
    size = len(content)
    start, end = sorted((data.draw(st.integers(0, size)), data.draw(st.integers(0, size))))
    new = data.draw(st.binary(max_size=12))
    damages = {
        "cut off": content[:start],
        "without a part": content[:start] + content[end:],
        "with other bytes": content[:start] + new + content[start + len(new) :],
        "with a part twice": content[:end] + content[start:],
    }
    return damages[data.draw(st.sampled_from(sorted(damages)))]


def other_word(content: bytes, data: st.DataObject) -> bytes:
    """One word of a text replaced by an odd one."""
    pieces = _pieces(content)
    place = data.draw(st.integers(0, len(pieces) - 1))
    pieces[place] = data.draw(st.sampled_from(ODD)).encode()
    return b"".join(pieces)


@EVERY
@for_long(EXAMPLES, pytest.mark.slow)
def test_damaged_bytes(name: str, folders: dict[str, Path], examples: int) -> None:
    module, _, files = SCENES[name]

    def check(data: st.DataObject) -> None:
        file = folders[name] / data.draw(st.sampled_from(files))
        with damaged(file, lambda content: other_bytes(content, data)):
            scene_or_one_line(module, folders[name])

    drawn(examples, check)


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
@for_long(EXAMPLES, pytest.mark.slow)
def test_words_that_are_others(name: str, folders: dict[str, Path], examples: int) -> None:
    module, _, files = SCENES[name]
    texts = [file for file in files if not file.endswith((".bin", ".npz"))]

    def check(data: st.DataObject) -> None:
        file = folders[name] / data.draw(st.sampled_from(texts))
        with damaged(file, lambda content: other_word(content, data)):
            scene_or_one_line(module, folders[name])

    if texts:
        drawn(examples, check)


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


# --- mesh files, images and lights -----------------------------------------------------------------------------------

OF_MESHES = pytest.mark.parametrize("name", MESHES)
OF_PICTURES = pytest.mark.parametrize("name", PICTURES)


def pieces_of_json(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every place in it: a container and the key or number in that."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            pieces_of_json(value[key], found)
    return found


VALUES = [
    None,
    True,
    -1,
    0,
    1,
    7,
    2**31,
    3 * 10**8,
    10**30,
    0.5,
    1e308,
    float("nan"),
    "",
    "x.bin",
    [],
    {},
    [0],
    {"a": 1},
]


def other_field(content: bytes, data: st.DataObject) -> bytes:
    """A GLB or glTF file with another value at one place of its JSON, or without it."""
    tree, chunk = glb_parts(content) if content[:4] == b"glTF" else (json.loads(content), None)
    container, key = data.draw(st.sampled_from(pieces_of_json(tree, [])))
    if data.draw(st.booleans()):
        container[key] = data.draw(st.sampled_from(VALUES))
    else:
        container.pop(key)
    return json.dumps(tree).encode() if chunk is None else packed_glb(tree, chunk)


@OF_MESHES
def test_undamaged_they_are_meshes(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(MESHES[name])
    mesh = load_mesh(tmp_path / name)
    assert len(mesh.faces) == 80 and len(start_from_file(tmp_path / name).mesh.vertices) == 42


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@OF_MESHES
@for_long(SHORT, pytest.mark.slow)
def test_damaged_meshes(name: str, place: Path, examples: int) -> None:
    file, ways = place / name, [other_bytes]
    if name.endswith((".glb", ".gltf")):
        ways += [other_field] * 3
    elif not name.startswith("binary"):
        ways += [other_word]

    def check(data: st.DataObject) -> None:
        file.write_bytes(data.draw(st.sampled_from(ways))(MESHES[name], data))
        read_or_one_line(lambda: start_from_file(file))

    drawn(examples, check)


@OF_PICTURES
@for_long(SHORT)
def test_damaged_pictures(name: str, place: Path, examples: int) -> None:
    file = place / name

    def check(data: st.DataObject) -> None:
        file.write_bytes(other_bytes(PICTURES[name], data))
        if name.endswith((".hdr", ".npy")):
            read_or_one_line(lambda: read_radiance(file))
        if not name.endswith(".hdr"):
            read_or_one_line(lambda: load_light(file))
        if not name.endswith((".hdr", ".npy")):
            read_or_one_line(lambda: read_image(file))
            read_or_one_line(lambda: read_mask(file))

    drawn(examples, check)
