"""Files that wait for ever, have no end, run programs or ask for gigabytes: one line, within seconds and a gigabyte."""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from format_files import (
    write_colmap,
    write_colmap_binary,
    write_idr,
    write_middlebury,
    write_mitsuba,
    write_mvsnet,
    write_transforms,
)
from mesh_files import BALL, TRIANGLES, glb_parts, obj, packed_glb
from PIL import Image
from test_scene_fuzz import BYTES, limits, read_or_one_line

from largesteps_zg.images.files import read_image, read_mask
from largesteps_zg.images.radiance import read_radiance
from largesteps_zg.mesh import load_mesh
from largesteps_zg.reconstruct.starts import start_from_file
from largesteps_zg.renderers import load_light
from largesteps_zg.scenes import Reading, load_scene

__all__ = ["limits"]  # a fixture that all tests here use
WHOLE = Reading(hold_out=0)

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 32\n%%EndComments\nshowpage\n%%EOF\n"


def refusal(read: Callable[[], object], *parts: str) -> str:
    """The one line, which has these parts."""
    message = read_or_one_line(read)
    assert isinstance(message, str), "it was read"
    for part in parts:
        assert part in message, message
    return message


# --- pipes, devices, and files that are mostly holes -----------------------------------------------------------------

SCENE_FILES = {
    "transforms.json": write_transforms,
    "sparse/0/images.txt": write_colmap,
    "sparse/0/cameras.bin": write_colmap_binary,
    "cameras_sphere.npz": write_idr,
    "cams/00000003_cam.txt": write_mvsnet,
    "dots_par.txt": write_middlebury,
    "scene.xml": write_mitsuba,
}
ODD = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "holes": lambda path: os.truncate(path, 2**40),
}


def put(odd: str, path: Path) -> None:
    """Something of that kind in place of a file."""
    if odd != "holes":
        path.unlink(missing_ok=True)
    else:
        path.touch()
    ODD[odd](path)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", SCENE_FILES)
def test_no_file_of_a_scene(name: str, odd: str, tmp_path: Path) -> None:
    if odd == "holes" and name.startswith("cameras_sphere"):
        pytest.skip("of an archive only the end is read")
    folder = SCENE_FILES[name](tmp_path)
    put(odd, folder / name)
    refusal(lambda: load_scene(folder, reading=WHOLE))
    if odd != "holes":
        refusal(lambda: load_scene(folder / name, reading=WHOLE))


def test_points_of_a_model_are_passed_over(tmp_path: Path) -> None:
    """Seven images of a hundred million points each, 17 GB, are read as fast as their names."""
    folder = write_colmap_binary(tmp_path)
    file = folder / "sparse" / "0" / "images.bin"
    data, points = bytearray(file.read_bytes()), 10**8
    size = (len(data) - 8) // 7
    with file.open("r+b") as opened:
        for k in range(7):
            image = data[8 + k * size :][: size - 8] + struct.pack("<Q", points)
            opened.seek(8 + k * (size + 24 * points))
            opened.write(image)
        opened.truncate(8 + 7 * (size + 24 * points))
    assert len(load_scene(folder, reading=WHOLE).train) == 7
    with file.open("r+b") as opened:
        opened.truncate(8 + 7 * (size + 24 * points) - 1)
    refusal(lambda: load_scene(folder, reading=WHOLE), "images.bin: ends in the middle of an image")


@pytest.mark.parametrize("odd", ["pipe", "device"])
def test_no_image_and_no_mask(odd: str, tmp_path: Path) -> None:
    folder = write_transforms(tmp_path)
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    image = next(file for file in folder.rglob("*.png") if file.stem in frames[0]["file_path"])
    put(odd, image)
    refusal(lambda: load_scene(folder, reading=WHOLE), image.stem)
    for read in (read_image, read_mask, load_light, read_radiance):
        refusal(lambda read=read: read(image), str(image), "expected a regular file, got a")


@pytest.mark.parametrize("odd", ["pipe", "device"])
@pytest.mark.parametrize("suffix", ["ply", "obj", "stl", "off", "glb", "gltf"])
def test_no_mesh(odd: str, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"a.{suffix}"
    put(odd, file)
    refusal(lambda: load_mesh(file), str(file), f"got a {'named pipe' if odd == 'pipe' else 'device'}")


@pytest.mark.parametrize("odd", ["pipe", "device"])
def test_files_that_a_mesh_names_are_left_out_or_refused(odd: str, tmp_path: Path) -> None:
    put(odd, tmp_path / "odd.mtl")
    (tmp_path / "a.obj").write_bytes(b"mtllib odd.mtl\nusemtl skin\n" + obj(TRIANGLES.tolist()))
    start = read_or_one_line(lambda: start_from_file(tmp_path / "a.obj"))
    assert len(start.mesh.faces) == 80 and "odd.mtl is not used" in start.unread[0]
    put(odd, tmp_path / "odd.bin")
    tree, _ = glb_parts(BALL.export(file_type="glb"))
    tree["buffers"][0]["uri"] = "odd.bin"
    (tmp_path / "a.gltf").write_text(json.dumps(tree))
    refusal(lambda: load_mesh(tmp_path / "a.gltf"), "a.gltf", "odd.bin")


def test_a_mesh_names_files_of_its_folder_only(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(5000))
    inner = tmp_path / "inner"
    inner.mkdir()
    tree, _ = glb_parts(BALL.export(file_type="glb"))
    for uri in ("../secret.bin", str(tmp_path / "secret.bin"), "file:///etc/passwd", "/etc/passwd"):
        tree["buffers"][0]["uri"] = uri
        (inner / "a.gltf").write_text(json.dumps(tree))
        refusal(lambda: load_mesh(inner / "a.gltf"), "in the folder of the mesh")


# --- what is not called what it is -----------------------------------------------------------------------------------


@pytest.fixture
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that appears when the program for PostScript is run."""
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho run >> {tmp_path}/ran\n[ "$1" = --version ] && echo 10.0 && exit 0\nexit 1\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path / "ran"


def test_postscript_is_never_run(ghostscript: Path, tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "a.eps"):
        file = tmp_path / name
        file.write_bytes(EPS)
        for read in (read_image, read_mask, load_light, read_radiance):
            refusal(lambda read=read, file=file: read(file), str(file), "cannot be read (none of PNG")
    (tmp_path / "a.mtl").write_text("newmtl skin\nmap_Kd a.png\n")
    (tmp_path / "a.obj").write_bytes(b"mtllib a.mtl\nusemtl skin\n" + obj(TRIANGLES.tolist()))
    tree, chunk = glb_parts(BALL.export(file_type="glb"))
    tree["bufferViews"].append({"buffer": 0, "byteOffset": len(chunk), "byteLength": len(EPS)})
    tree |= {"images": [{"bufferView": len(tree["bufferViews"]) - 1}], "textures": [{"source": 0}]}
    tree["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    tree["meshes"][0]["primitives"][0] |= {"material": 0}
    (tmp_path / "a.glb").write_bytes(packed_glb(tree, chunk + EPS))
    for name in ("a.obj", "a.glb"):
        start = read_or_one_line(lambda name=name: start_from_file(tmp_path / name))
        assert len(start.mesh.faces) == 80 and "is not used" in start.unread[0], start
    assert not ghostscript.exists()


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.gz", "a.ply.bz2", "a.7z", "a.3mf"])
def test_archives_are_not_unpacked(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK\3\4" + bytes(100))
    refusal(lambda: load_mesh(tmp_path / name), name, "unpack it")


# --- a few bytes that ask for gigabytes ------------------------------------------------------------------------------


@pytest.mark.slow
def test_images(tmp_path: Path) -> None:
    """1-bit images compress a thousandfold; read as RGBA they would take 1.6 GB, 0.4 GB and more."""
    for side in (20_000, 10_000):
        file = tmp_path / f"{side}.png"
        Image.new("1", (side, side)).save(file)
        for read in (read_image, read_mask, load_light, read_radiance):
            refusal(lambda read=read, file=file: read(file), str(file), "make it smaller")


@pytest.mark.slow
def test_images_are_read_within_few_bytes_for_each_pixel(tmp_path: Path) -> None:
    """A quarter of the largest within a quarter of a gigabyte; the largest takes four times as long."""
    file = tmp_path / "a.png"
    now = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now[0] - BYTES + BYTES // 4, now[1]))
    Image.new("I;16", (4096, 4096)).save(file, compress_level=1)
    assert read_or_one_line(lambda: read_image(file))[0].shape == (4096, 4096, 4)
    Image.new("L", (4096, 2048)).save(file, compress_level=1)
    assert read_or_one_line(lambda: read_mask(file)).shape == (2048, 4096)
    assert read_or_one_line(lambda: load_light(file)).order == 2


def npy(shape: tuple[int, ...], kind: str = "<f8") -> bytes:
    """A header alone."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue()


def test_arrays(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    for shape in ((40_000, 80_000, 3), (2**40, 1, 3), (2**62, 2**62, 3), (-1, 4, 3)):
        file.write_bytes(npy(shape) + bytes(96))
        refusal(lambda: load_light(file), str(file))
    file.write_bytes(npy((40_000, 80_000, 3)))
    os.truncate(file, 2**37)
    refusal(lambda: load_light(file), str(file))


def test_archives_of_arrays(tmp_path: Path) -> None:
    folder = write_idr(tmp_path)
    file = folder / "cameras_sphere.npz"
    arrays = dict(np.load(file))
    for shape in ((24_000, 24_000), (2**40, 1), (4, 4, 2**30)):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w") as member:
                    member.write(
                        npy(array.shape) + array.astype("<f8").tobytes()
                        if name != "world_mat_3"
                        else npy(shape) + bytes(10**6)
                    )
        refusal(lambda: load_scene(folder, reading=WHOLE), "cameras_sphere.npz", "world_mat_3")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in arrays:
            archive.writestr(f"{name}.npy", b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + bytes(10**6))
    refusal(lambda: load_scene(folder, reading=WHOLE), "cameras_sphere.npz")


def test_radiance_maps(tmp_path: Path) -> None:
    file = tmp_path / "a.hdr"
    for width, height in ((30_000, 30_000), (16_384, 2048), (10**9, 10**9)):
        head = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n".encode()
        file.write_bytes(head + bytes([2, 2, width >> 8 & 255, width & 255]) + bytes(1000))
        refusal(lambda: read_radiance(file), str(file))


XML = '<scene version="3.0.0">{}</scene>'


@pytest.mark.slow
def test_xml_that_goes_on_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "scene.xml"
    (tmp_path / "i0.xml").write_text(XML.format(""))
    for k in range(1, 8):
        (tmp_path / f"i{k}.xml").write_text(XML.format(f'<include filename="i{k - 1}.xml"/>' * 10))
    file.write_text(XML.format('<include filename="i7.xml"/>'))
    refusal(lambda: load_scene(file), "1000 files", "again and again")
    # Not many files, but all of them large; and names whose values are names.
    (tmp_path / "i0.xml").write_text(XML.format("<!--" + "x" * 2**22 + "-->"))
    file.write_text(XML.format('<include filename="i0.xml"/>' * 100))
    refusal(lambda: load_scene(file), "characters")
    names = [
        f'<default name="{"a" * (12 - k)}" value="{("$" + "a" * (11 - k) + " ") * 10}"/>' for k in range(11)
    ]
    file.write_text(XML.format("".join(names) + f'<sensor type="${"a" * 12}"/>'))
    refusal(lambda: load_scene(file), "is longer than 1,048,576 characters")
    file.write_text('<!DOCTYPE x [<!ENTITY a "ha">]>' + XML.format("&a;"))
    refusal(lambda: load_scene(file), "expected no document type")
    (tmp_path / "i0.xml").unlink()
    for odd in ("pipe", "device", "holes"):
        put(odd, tmp_path / "i0.xml")
        file.write_text(XML.format('<include filename="i0.xml"/>'))
        refusal(lambda: load_scene(file), "i0.xml")
        (tmp_path / "i0.xml").unlink()


def glb(change: Callable[[dict], object], chunk: bytes = b"") -> bytes:
    """The ball with a change in its JSON."""
    tree, own = glb_parts(BALL.export(file_type="glb"))
    change(tree)
    return packed_glb(tree, own + chunk)


def position(tree: dict) -> dict:
    return tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]


def many_primitives(tree: dict) -> None:
    tree["meshes"][0]["primitives"] *= 30_000


def many_nodes(tree: dict) -> None:
    tree["nodes"] = [{"mesh": 0}] * 30_000
    tree["scenes"] = [{"nodes": list(range(30_000))}]


def ring_of_nodes(tree: dict) -> None:
    tree["nodes"] = [{"mesh": 0, "children": [1]}, {"children": [0]}]
    tree["scenes"] = [{"nodes": [0]}]


def diamonds(tree: dict) -> None:
    tree["nodes"] = [{"children": [k + 1, k + 1]} for k in range(40)] + [{"mesh": 0}]
    tree["scenes"] = [{"nodes": [0]}]


def without_view(tree: dict) -> None:
    position(tree).pop("bufferView")
    position(tree)["count"] = 300_000_000


def compressed(name: str) -> Callable[[dict], object]:
    return lambda tree: tree["bufferViews"][0].update(extensions={name: {"buffer": 0}})


DAMAGE: dict[str, tuple[Callable[[dict], object], str]] = {
    "zeros": (without_view, "300,000,000 POSITION without a bufferView"),
    "count": (lambda tree: position(tree).update(count=300_000_000), "entries need 3,600,000,000 bytes"),
    "negative": (lambda tree: position(tree).update(byteOffset=-12), "expected a whole number from 0 on"),
    "stride": (lambda tree: tree["bufferViews"][position(tree)["bufferView"]].update(byteStride=4), "bytes"),
    "view": (lambda tree: tree["bufferViews"][0].update(byteLength=2**40), "its buffer has"),
    "primitives": (many_primitives, "in all copies of its meshes"),
    "nodes": (many_nodes, "in all copies of its meshes"),
    "ring": (ring_of_nodes, "expected a tree of nodes"),
    "diamonds": (diamonds, "expected a tree of nodes"),
    "meshopt": (compressed("EXT_meshopt_compression"), "compressed with meshopt"),
    "meshopt 2": (compressed("KHR_meshopt_compression"), "compressed with meshopt"),
    "draco": (
        lambda tree: tree["meshes"][0]["primitives"][0].update(extensions={"KHR_draco_mesh_compression": {}}),
        "compressed with Draco",
    ),
    "extension": (lambda tree: tree.update(extensionsRequired=["EXT_new_geometry"]), "needs the extension EXT_new"),
    "copies": (
        lambda tree: tree["nodes"][-1].update(extensions={"EXT_mesh_gpu_instancing": {}}),
        "needs the extension EXT_mesh_gpu_instancing",
    ),
    "version": (lambda tree: tree["asset"].update(version="1.0"), "expected version 2"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGE)
def test_glb(name: str, tmp_path: Path) -> None:
    change, part = DAMAGE[name]
    (tmp_path / "a.glb").write_bytes(glb(change))
    refusal(lambda: load_mesh(tmp_path / "a.glb"), str(tmp_path / "a.glb"), part)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("element vertex 300000000\nproperty float x\nproperty float y\nproperty float z", bytes(36)),
        ("element vertex 3\nproperty list uint float x", b"\xff\xff\xff\x7f" * 9),
        ("element vertex 99999999999999999999\nproperty float x", bytes(36)),
        ("element nothing 99999999999\nelement vertex 3\nproperty float x", bytes(36)),
        ("element vertex -3\nproperty float x", bytes(36)),
    ],
)
def test_ply(head: str, body: bytes, tmp_path: Path) -> None:
    faces = "element face 1\nproperty list uchar int vertex_indices"
    for form in ("binary_little_endian", "ascii"):
        content = f"ply\nformat {form} 1.0\n{head}\n{faces}\nend_header\n".encode()
        (tmp_path / "a.ply").write_bytes(
            content + (body if form != "ascii" else b"0 0 0 0 0 0 0 0 0 3 0 1 2\n")
        )
        refusal(lambda: load_mesh(tmp_path / "a.ply"), str(tmp_path / "a.ply"))


def test_a_word_without_end(tmp_path: Path) -> None:
    """Arrays of words are as wide as the widest."""
    rows = b"0 0 0\n" * 100_000 + b"0" * 10**6 + b" 0 0\n"
    head = b"ply\nformat ascii 1.0\nelement vertex 100001\nproperty float x\nproperty float y\nproperty float z\n"
    (tmp_path / "a.ply").write_bytes(
        head + b"element face 1\nproperty list uchar int vertex_indices\nend_header\n" + rows
    )
    refusal(lambda: load_mesh(tmp_path / "a.ply"), "a word of 1,000,000 characters")


def test_pointers_of_git_lfs_are_told_as_such(tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 12345\n"
    for suffix in ("ply", "obj", "stl", "off", "glb", "gltf"):
        (tmp_path / f"a.{suffix}").write_text(pointer)
        refusal(
            lambda suffix=suffix: load_mesh(tmp_path / f"a.{suffix}"), f"a.{suffix}", "run `git lfs pull`"
        )
    for name, read in (
        ("a.png", read_image),
        ("b.png", read_mask),
        ("c.png", load_light),
        ("d.npy", load_light),
    ):
        (tmp_path / name).write_text(pointer)
        refusal(lambda name=name, read=read: read(tmp_path / name), name, "run `git lfs pull`")
    for number, (name, write) in enumerate(SCENE_FILES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder)
        (folder / name).write_text(pointer)
        refusal(lambda folder=folder: load_scene(folder, reading=WHOLE), "run `git lfs pull`")
