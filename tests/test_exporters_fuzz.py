"""What other programs write and people bring, in odd combinations: read, or refused in one line.

`test_scene_fuzz` damages files byte by byte. Here files are whole and odd: each family draws from one kind of report.
`pytest -m fuzz tests/test_exporters_fuzz.py` draws thousands.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_files import (
    HEIGHT,
    WIDTH,
    draw,
    truths,
    write_colmap,
    write_colmap_binary,
    write_idr,
    write_middlebury,
    write_mitsuba,
    write_mvsnet,
    write_transforms,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mesh_files import BALL, MESHES, glb_parts, packed_glb
from PIL import Image
from test_scene_fuzz import LONG, ODD, SHORT, WHOLE, fuzz, limits, other_bytes, other_word, read_or_one_line

from largesteps_zg.images.files import image_header, read_image, read_mask
from largesteps_zg.mesh import load_mesh
from largesteps_zg.reconstruct.starts import start_from_file
from largesteps_zg.renderers import load_light
from largesteps_zg.scenes import Scene, load_scene
from largesteps_zg.scenes.sanity import check_scene

__all__ = ["limits"]  # a fixture that all tests here use
Draw = st.DataObject


def scene_of(path: Path) -> Scene | str:
    def read() -> Scene:
        scene = load_scene(path, reading=WHOLE)
        check_scene(scene)
        return scene

    return read_or_one_line(read)


def anew(folder: Path, write: Callable[[Path], Any]) -> Path:
    """The folder with nothing but what is written."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write(folder)
    return folder


# --- masks under all kinds of names -----------------------------------------------------------------------------------

FOLDERS = (
    "masks",
    "mask",
    "Masks",
    "images/masks",
    "images",
    "",
    ".mask",
    "masks_2",
    "silhouettes",
    "alpha",
    "segmentation",
)
NAMES = (
    *("{s}.png", "{n}.png", "{s}_mask.png", "{n}.mask.png", "{s}.mask.png", "{s}-mask.png", "mask_{s}.png"),
    *(
        "{s}_MASK.PNG",
        "{n}_mask.jpg",
        "{s}_seg.png",
        "m{i}.png",
        "{i:04d}.png",
        "{s} mask.png",
        "mask-{s}.bmp",
    ),
    *("{s}.png.png", "{s}_matte.png", "mask.png", "{s}.mask.mask.png", "_mask.png", "{s}_mask.tif"),
)
COUNT = len(truths())


def masks(folder: Path, data: Draw) -> None:
    """Photographs without alpha, and masks under one rule or two, for all photographs or some."""
    anew(folder, write_transforms)
    names = [
        f"{stem}{i}"
        for i, stem in enumerate(
            [data.draw(st.sampled_from(["", "IMG_", "é", "a b", "x.y_", "mask_"]))] * COUNT
        )
    ]
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    for i, truth in enumerate(truths()):
        (folder / "images" / f"{i}.png").unlink()
        Image.fromarray(draw(truth)[..., :3]).save(folder / "images" / f"{names[i]}.png")
        frames[i]["file_path"] = f"images/{names[i]}.png"
    (folder / "transforms.json").write_text(json.dumps({"frames": frames}))
    for _ in range(data.draw(st.integers(1, 2))):
        place, rule = folder / data.draw(st.sampled_from(FOLDERS)), data.draw(st.sampled_from(NAMES))
        size = data.draw(
            st.sampled_from([(WIDTH, HEIGHT)] * 4 + [(HEIGHT, WIDTH), (1, 1), (2 * WIDTH, 2 * HEIGHT)])
        )
        mode = data.draw(st.sampled_from(["L", "1", "RGB", "RGBA", "P", "LA", "I;16", "I"]))
        place.mkdir(parents=True, exist_ok=True)
        for i in range(data.draw(st.sampled_from([COUNT, COUNT, COUNT - 1, 1, COUNT + 1]))):
            alpha = draw(truths()[i % COUNT])[..., 3]
            mask = Image.fromarray(alpha).resize(size)
            file = place / rule.format(s=names[i % COUNT], n=f"{names[i % COUNT]}.png", i=i)
            try:
                mask.convert(mode).save(file)
            except (OSError, ValueError):  # a mode that this kind of file has not
                mask.save(file)
    before = {file for file in folder.rglob("*") if file.is_file() and file.suffix != ".json"}
    scene = scene_of(folder)
    if isinstance(scene, str):
        return
    told = "\n".join(scene.notes)
    for file in before:  # used, or said not to be
        relative = file.relative_to(folder)
        assert (
            relative.parts[0] == "images"
            or file.parent.name in told
            or relative.name in told
            or (relative.parent == Path() and "beside the scene" in told)
        ), (relative, told)


# --- lenses as lists, objects and words -------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.floats(-2, 2),
    st.just(0.0),
    st.sampled_from([1e-9, -0.1, 5.0, 1e30, -1e308, None, "0.1", "x", True, [], {}, [0.1]]),
)
LENSES = """
    distortion distortion_params dist_coeffs D k1 k2 k3 k4 k5 k6 p1 p2 is_fisheye camera_model
    camera_angle_x camera_angle_y fl_x fl_y cx cy w h ortho rolling_shutter aabb_scale scale offset
    s1 b1 K intrinsics camera_matrix sensor_width xi
""".split()
MODELS = (
    "OPENCV",
    "OPENCV_FISHEYE",
    "PINHOLE",
    "SIMPLE_RADIAL",
    "EQUIRECTANGULAR",
    "ortho",
    "perspective",
    "fisheye",
    "BROWN",
    3,
)


def lenses(folder: Path, data: Draw) -> None:
    """Coefficients under many names, in any number, of the scene or of frames."""
    anew(folder, write_transforms)
    content = json.loads((folder / "transforms.json").read_text())
    for _ in range(data.draw(st.integers(1, 4))):
        where = content if data.draw(st.booleans()) else data.draw(st.sampled_from(content["frames"]))
        name = data.draw(st.sampled_from(LENSES))
        if name == "camera_model":
            where[name] = data.draw(st.sampled_from(MODELS))
        elif name.startswith("dist") or name in ("D", "K", "intrinsics", "camera_matrix"):
            where[name] = data.draw(st.one_of(st.lists(NUMBERS, max_size=16), NUMBERS))
        else:
            where[name] = data.draw(NUMBERS)
    (folder / "transforms.json").write_text(json.dumps(content))
    scene_of(folder)


# --- text in other encodings ------------------------------------------------------------------------------------------

TEXTS = {
    "transforms.json": write_transforms,
    "sparse/0/images.txt": write_colmap,
    "sparse/0/cameras.txt": write_colmap,
    "cams/00000003_cam.txt": write_mvsnet,
    "dots_par.txt": write_middlebury,
    "scene.xml": write_mitsuba,
}
ENCODINGS = (
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-8-sig",
    "latin-1",
    "cp1252",
    "shift-jis",
    "utf-7",
    "cp037",
)
ENDS = ("\n", "\r\n", "\r", "\n\n", "\x85", "\u2028", "\x0c", "\n\x00", "\n\x1a")


def encodings(folder: Path, data: Draw) -> None:
    """The same text in another encoding, with other ends of lines, and a letter or a word that the encoding has not."""
    name = data.draw(
        st.sampled_from(
            [*TEXTS, *(name for name in MESHES if name.startswith(("text", "triangles", "relative")))]
        )
    )
    encoding, end = data.draw(st.sampled_from(ENCODINGS)), data.draw(st.sampled_from(ENDS))
    if name in TEXTS:
        anew(folder, TEXTS[name])
        content = (folder / name).read_bytes()
    else:
        anew(folder, lambda _: None)
        content = MESHES[name]
    if data.draw(st.booleans()):
        content = other_word(content, data)
    text = content.decode("latin-1").replace("\n", end)
    (folder / name).write_bytes(text.encode(encoding, errors="replace"))
    if data.draw(st.booleans()):
        (folder / name).write_bytes(other_bytes((folder / name).read_bytes(), data))
    if name in TEXTS:
        scene_of(folder)
    else:
        read_or_one_line(lambda: start_from_file(folder / name))


# --- archives ---------------------------------------------------------------------------------------------------------

TYPES = (
    "<f8",
    "<f4",
    ">f8",
    "<i4",
    "<c16",
    "|b1",
    "|O",
    "<U9",
    "<M8[s]",
    "|V8",
    "<f2",
    "|S4",
    "(2,2)<f8",
    "f8,f4",
    "x",
)
SHAPES = (
    (4, 4),
    (3, 4),
    (3, 3),
    (1, 4, 4),
    (4,),
    (),
    (0, 4),
    (4, 4, 2**40),
    (-4, 4),
    (2**62, 2**62),
    (24_000, 24_000),
    (16,),
)
FORMS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def archives(folder: Path, data: Draw) -> None:
    """An .npz whose members say one thing and hold another; an archive where a mesh is expected."""
    if data.draw(st.booleans()):
        anew(folder, lambda _: None)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", data.draw(st.sampled_from(FORMS))) as archive:
            archive.writestr(
                data.draw(st.sampled_from(["a.obj", "3D/3dmodel.model", "../a.ply"])), MESHES["triangles.obj"]
            )
        file = (
            folder
            / f"a.{data.draw(st.sampled_from(['ply', 'obj', 'stl', 'off', 'glb', 'gltf', 'zip', '3mf', 'usdz', 'gz']))}"
        )
        file.write_bytes(
            data.draw(st.sampled_from([b"", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00"])) + content.getvalue()
        )
        assert isinstance(read_or_one_line(lambda: load_mesh(file)), str)
        return
    anew(folder, write_idr)
    file = folder / "cameras_sphere.npz"
    arrays = dict(np.load(file))
    odd = data.draw(st.sampled_from(sorted(arrays)))
    with zipfile.ZipFile(file, "w", data.draw(st.sampled_from(FORMS))) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            if name == odd:
                kind, shape = data.draw(st.sampled_from(TYPES)), data.draw(st.sampled_from(SHAPES))
                text = f"{{'descr': {kind!r}, 'fortran_order': {data.draw(st.booleans())}, 'shape': {shape!r}, }}"
                head = (text.ljust(data.draw(st.sampled_from([117, 60, 10**5]))) + "\n").encode()
                version = data.draw(st.sampled_from([(1, "<H"), (2, "<I"), (3, "<I"), (9, "<H")]))
                size = struct.pack(version[1], min(len(head), 2**16 - 1 if version[1] == "<H" else 2**32 - 1))
                body = data.draw(st.binary(max_size=200)) if data.draw(st.booleans()) else array.tobytes()
                member = io.BytesIO(b"\x93NUMPY" + bytes([version[0], 0]) + size + head + body)
            archive.writestr(
                data.draw(st.sampled_from([f"{name}.npy", f"{name}.npy", name, f"../{name}.npy"])),
                member.getvalue(),
            )
    scene_of(folder)


# --- glTF's accessors -------------------------------------------------------------------------------------------------


def _sparse(count: int, kind: int, offset: int) -> dict[str, Any]:
    indices = {"bufferView": 0, "componentType": kind, "byteOffset": offset}
    return {"count": count, "indices": indices, "values": {"bufferView": 1}}


FIELDS: dict[str, st.SearchStrategy] = {
    "componentType": st.sampled_from([5120, 5121, 5122, 5123, 5124, 5125, 5126, 5130, 0, "5126"]),
    "type": st.sampled_from(["SCALAR", "VEC2", "VEC3", "VEC4", "MAT4", "VEC9", None, 3]),
    "count": st.sampled_from([0, 1, 2, 41, 42, 43, 80, 240, 3 * 10**8, 2**63, -1, 42.0, "42"]),
    "normalized": st.sampled_from([True, False, 1, "true"]),
    "byteOffset": st.sampled_from([0, 1, 2, 4, 12, 500, 2**31, -4, 0.5]),
    "bufferView": st.sampled_from([0, 1, 2, -1, 99, None, "0"]),
    "sparse": st.sampled_from([{}, {"count": 1}, _sparse(10**9, 5123, 0), _sparse(3, 5125, 8), 7]),
    "min": st.sampled_from([[0], [], "x"]),
}
VIEWS: dict[str, st.SearchStrategy] = {
    "buffer": st.sampled_from([0, 1, -1, None]),
    "byteOffset": st.sampled_from([0, 3, 4, 500, 2**40, -8]),
    "byteLength": st.sampled_from([0, 1, 12, 504, 2**31, 2**62, -1]),
    "byteStride": st.sampled_from([0, 1, 3, 8, 12, 16, 252, 256, 2**31, -12]),
    "extensions": st.sampled_from(
        [{"EXT_meshopt_compression": {}}, {"x": 1}, [], {"EXT_meshopt_compression": 7}]
    ),
}
NEEDED = """
    KHR_draco_mesh_compression EXT_meshopt_compression KHR_mesh_quantization KHR_texture_basisu
    EXT_texture_webp KHR_materials_unlit EXT_mesh_gpu_instancing FB_ngon_encoding
    KHR_texture_transform X_unknown
""".split()


def accessors(folder: Path, data: Draw) -> None:
    """Fields of accessors and views that contradict each other, and extensions."""
    anew(folder, lambda _: None)
    tree, chunk = glb_parts(MESHES[data.draw(st.sampled_from(["plain.glb", "quantized.glb"]))])
    for _ in range(data.draw(st.integers(1, 4))):
        kind, fields = data.draw(st.sampled_from([("accessors", FIELDS), ("bufferViews", VIEWS)]))
        item = data.draw(st.sampled_from(tree[kind]))
        name = data.draw(st.sampled_from(sorted(fields)))
        item[name] = data.draw(fields[name])
    if data.draw(st.booleans()):
        key = data.draw(st.sampled_from(["extensionsUsed", "extensionsRequired"]))
        tree[key] = [data.draw(st.sampled_from(NEEDED))]
    if data.draw(st.booleans()):
        tree["meshes"][0]["primitives"][0]["mode"] = data.draw(st.sampled_from([0, 1, 4, 5, 6, 7, "4", -1]))
    if data.draw(st.integers(0, 3)) == 0:  # one node below the other, and round
        tree["nodes"] = [
            {"mesh": 0, "children": data.draw(st.lists(st.integers(0, 3), max_size=3))} for _ in range(4)
        ]
    (folder / "a.glb").write_bytes(packed_glb(tree, chunk))
    read_or_one_line(lambda: start_from_file(folder / "a.glb"))


# --- XML --------------------------------------------------------------------------------------------------------------

TAGS = """
    scene sensor shape bsdf emitter transform float integer string rgb matrix include ref default
    lookat rotate scale translate alias path boolean point film sampler spectrum texture x
""".split()
KEYS = (
    "name",
    "value",
    "type",
    "id",
    "filename",
    "x",
    "y",
    "z",
    "angle",
    "origin",
    "target",
    "up",
    "version",
)
WORDS = [
    *(
        "$resx $none $$ scene.xml ../scene.xml ball.ply perspective thinlens orthographic hdrfilm to_world fov 0,0,1"
    ).split(),
    *("focal_length 35mm fov_axis smaller principal_point_offset_x width envmap").split(),
    *("1 0 0", "1 2", *ODD),
]


def xml(folder: Path, data: Draw) -> None:
    """Elements added, doubled, nested and renamed; entities; includes of itself."""
    import xml.etree.ElementTree as trees

    anew(folder, write_mitsuba)
    file = folder / "scene.xml"
    tree = trees.parse(file)
    nodes = list(tree.getroot().iter())
    for _ in range(data.draw(st.integers(1, 4))):
        node = data.draw(st.sampled_from(nodes))
        key, word = data.draw(st.sampled_from(KEYS)), data.draw(st.sampled_from(WORDS)).replace("\x00", "")
        way = data.draw(st.integers(0, 4))
        if way == 0:
            node.set(key, word)
        elif way == 1:
            node.tag = data.draw(st.sampled_from(TAGS))
        elif way == 2:
            node.append(trees.Element(data.draw(st.sampled_from(TAGS)), {key: word}))
        elif way == 3:
            node.append(
                data.draw(st.sampled_from(nodes[1:]))
                if node is nodes[0]
                else trees.Element("include", {"filename": word})
            )
        elif node.attrib:
            node.attrib.pop(data.draw(st.sampled_from(sorted(node.attrib))))
    try:
        text = trees.tostring(tree.getroot(), encoding="unicode")
    except RecursionError:  # a node within itself
        return
    doors = [
        "",
        '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]>',
        '<!DOCTYPE a SYSTEM "/etc/passwd">',
        '<!DOCTYPE a [<!ENTITY % b SYSTEM "/dev/zero">%b;]>',
    ]
    file.write_text('<?xml version="1.0"?>' + data.draw(st.sampled_from(doors)) + text)
    scene_of(folder)


# --- what is no regular file ------------------------------------------------------------------------------------------


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = os.getcwd()
        os.chdir(path.parent)  # a socket's path may have 108 characters
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


THINGS: dict[str, Callable[[Path], Any]] = {
    "pipe": os.mkfifo,
    "zero": lambda path: path.symlink_to("/dev/zero"),
    "random": lambda path: path.symlink_to("/dev/urandom"),
    "full": lambda path: path.symlink_to("/dev/full"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "link to above": lambda path: path.symlink_to(".."),
    "folder": lambda path: path.mkdir(),
    "socket": _socket,
    "empty": lambda path: path.touch(),
    "holes": lambda path: (path.touch(), os.truncate(path, 2**36)),
    "process": lambda path: path.symlink_to("/proc/self/mem"),
}
WRITERS = (
    write_transforms,
    write_colmap,
    write_colmap_binary,
    write_idr,
    write_mvsnet,
    write_middlebury,
    write_mitsuba,
)


def things(folder: Path, data: Draw) -> None:
    """One file of a scene, or a folder, in place of which lies something else."""
    anew(folder, data.draw(st.sampled_from(WRITERS)))
    paths = sorted(path for path in folder.rglob("*"))
    path = data.draw(st.sampled_from(paths))
    thing = data.draw(st.sampled_from(sorted(THINGS)))
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    THINGS[thing](path)
    scene_of(folder)
    if path.suffix in (".png", ".xml", ".json") and not path.is_dir():
        for read in (read_image, read_mask, load_light, image_header):
            read_or_one_line(lambda read=read: read(path))


# --- images of 16 bits, of several pictures, and under false names ----------------------------------------------------


def chunked(header: tuple[int, ...], raw: bytes, more: bytes = b"") -> bytes:
    """A PNG."""
    parts = ((b"IHDR", struct.pack(">IIBBBBB", *header)), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    made = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + made[0] + more + made[1] + made[2]


def deep(data: Draw) -> bytes:
    """A PNG of any depth, kind, size and interlacing that its header names, right or wrong; or a TIFF of 16 bits."""
    if data.draw(st.booleans()):
        kind = data.draw(st.sampled_from(["u2", "i2", "u4", "i4", "f4", ">u2"]))
        values = np.arange(16 * 24).reshape(16, 24).astype(kind) * np.asarray(170).astype(kind)
        file = io.BytesIO()
        try:
            Image.fromarray(values).save(
                file, "TIFF", compression=data.draw(st.sampled_from(["raw", "tiff_lzw", "tiff_deflate"]))
            )
        except (TypeError, OSError, ValueError):  # none of Pillow's modes
            Image.fromarray(values.astype("u2")).save(file, "TIFF")
        return file.getvalue()
    depth = data.draw(st.sampled_from([16, 16, 16, 8, 4, 2, 1, 3, 0, 32]))
    kind = data.draw(st.sampled_from([0, 2, 3, 4, 6, 5]))
    width, height = data.draw(
        st.sampled_from([(24, 16), (1, 1), (0, 4), (2**31 - 1, 1), (5000, 4000), (2**16, 2**16)])
    )
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(kind, 1)
    row = 1 + (min(width, 5000) * channels * depth + 7) // 8
    value = data.draw(st.sampled_from([0, 1, 255, 3]))
    raw = (bytes([data.draw(st.integers(0, 5))]) + bytes([value]) * (row - 1)) * min(height, 4000)
    more = struct.pack(">I", 2) + b"tRNS\0\1" + struct.pack(">I", zlib.crc32(b"tRNS\0\1"))
    return chunked(
        (width, height, depth, kind, 0, 0, data.draw(st.integers(0, 1))),
        raw,
        more * data.draw(st.integers(0, 1)),
    )


def several(data: Draw) -> bytes:
    """An animation, pages, or two photographs in one file."""
    kind = data.draw(st.sampled_from(["GIF", "TIFF", "WEBP", "PNG", "MPO"]))
    modes = ["RGB", "L"] if kind == "MPO" else ["RGB", "RGBA", "P", "L"]
    first = Image.fromarray((np.arange(16 * 24 * 3) % 251).astype(np.uint8).reshape(16, 24, 3))
    others = [
        Image.new("RGB", data.draw(st.sampled_from([(24, 16), (24, 16), (9, 99)])), k)
        for k in range(data.draw(st.integers(1, 3)))
    ]
    if kind in ("GIF", "WEBP", "PNG"):  # all of one size
        others = [other.resize((24, 16)) for other in others]
    file = io.BytesIO()
    mode = data.draw(st.sampled_from(modes))
    first.convert(mode).save(
        file, kind, save_all=True, append_images=[other.convert(mode) for other in others]
    )
    return file.getvalue()


STARTS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 32\n",
    b"\xc5\xd0\xd3\xc6\x20\0\0\0\xff\0\0\0",
    b"%PDF-1.7\n",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    b"8BPS\0\1",
    b"\x89HDF\r\n\x1a\n",
    b"SIMPLE  =                    T",
    b"#define a_width 9\n",
    b"\xd7\xcd\xc6\x9a",
    b"\0\0\0\x18ftypheic",
    b"\0\0\0\x18ftypavif",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
    b"P6\n24 16\n255\n",
    b"P5 99999999 99999999 255 ",
    b"GIF89a\xff\xff\xff\xff\xf7\0\0",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"II+\0\x08\0",
    b"RIFF\0\0\0\0WEBPVP8X",
    b"\xff\xd8\xff\xe0",
    b"\0\0\2\0",
    b"DDS |\0\0\0",
    b"icns",
    b"\0\0\1\0",
    b"\x0a\5\1\x08",
    b"#?RADIANCE\n",
    b"v/1\x01",
    b"PK\3\4",
    b"qoif",
)


def disguised(data: Draw) -> bytes:
    """The start of another kind of file, and anything after it."""
    return data.draw(st.sampled_from(STARTS)) + data.draw(st.binary(max_size=400)) * data.draw(
        st.sampled_from([1, 1, 50])
    )


def pictures(folder: Path, data: Draw) -> None:
    """An odd image as a photograph, a mask, a light, a texture."""
    anew(folder, lambda _: None)
    content = data.draw(st.sampled_from([deep, several, disguised]))(data)
    if data.draw(st.integers(0, 2)) == 0:
        content = other_bytes(content, data)
    file = (
        folder / f"a{data.draw(st.sampled_from(['.png', '.jpg', '.tif', '.webp', '.bmp', '.eps', '.gif']))}"
    )
    file.write_bytes(content)
    for read in (read_image, read_mask, load_light, image_header):
        read_or_one_line(lambda read=read: read(file))
    (folder / "a.mtl").write_text(f"newmtl skin\nmap_Kd {file.name}\n")
    (folder / "a.obj").write_bytes(b"mtllib a.mtl\nusemtl skin\n" + MESHES["relative.obj"])
    read_or_one_line(lambda: start_from_file(folder / "a.obj"))


# --- PLY of any layout ------------------------------------------------------------------------------------------------

# Names of types in PLY files -> those of `struct`; the last three are no names of PLY.
KINDS = dict(
    zip(
        "char uchar short ushort int uint float double int8 uint8 float32 float64 int32 uint32".split(),
        "bBhHiIfdbBfdiI",
        strict=True,
    )
)
KINDS |= {"long": "q", "half": "e", "int64": "q"}


def layouts(folder: Path, data: Draw) -> None:
    """Properties of any type in any order, elements before and after, polygons of any size, in three forms."""
    anew(folder, lambda _: None)
    order = data.draw(st.sampled_from(["<", ">", ""]))
    form = {"<": "binary_little_endian", ">": "binary_big_endian", "": "ascii"}[order]
    whole = [name for name in KINDS if KINDS[name] not in "fde"]
    columns = data.draw(
        st.permutations(
            [
                "x",
                "y",
                "z",
                *data.draw(
                    st.lists(st.sampled_from(["nx", "red", "quality", "s", "alpha", "x"]), max_size=3)
                ),
            ]
        )
    )
    kinds = [
        data.draw(st.sampled_from(sorted(KINDS)))
        if name not in "xyz"
        else data.draw(st.sampled_from(["float", "double", "float32", "int", "half"]))
        for name in columns
    ]
    length, index = data.draw(st.sampled_from(whole)), data.draw(st.sampled_from(whole))
    faces = data.draw(st.lists(st.lists(st.integers(0, len(BALL.vertices) - 1), max_size=6), max_size=12)) + [
        list(map(int, f)) for f in BALL.faces
    ]

    def packed(kinds: list[str], values: list[Any]) -> bytes:
        if not order:
            return (" ".join(str(value) for value in values) + "\n").encode()
        return struct.pack(
            order + "".join(KINDS[kind] for kind in kinds),
            *(float(v) if KINDS[k] in "fde" else int(v) for k, v in zip(kinds, values, strict=True)),
        )

    def wrapped(value: int, kind: str) -> int:
        bits = 8 * struct.calcsize(KINDS[kind])
        return value % 2 ** (bits - 1)

    rows = [
        packed(kinds, [dict(zip("xyz", vertex, strict=True)).get(name, 1) for name in columns])
        for vertex in BALL.vertices
    ]
    lists = [
        packed([length, *[index] * len(face)], [len(face), *(wrapped(at, index) for at in face)])
        for face in faces
    ]
    name = data.draw(st.sampled_from(["vertex_indices", "vertex_index", "vertex_indexes", "texcoord"]))
    vertex = [
        f"element vertex {len(rows)}",
        *(f"property {kind} {column}" for kind, column in zip(kinds, columns, strict=True)),
    ]
    face = [f"element face {len(lists)}", f"property list {length} {index} {name}"]
    extra = ["element extra 2", "property list uchar float weights", "property int id"]
    extras = [packed(["uchar", "float", "int"], [1, 0.5, 7])] * 2
    parts = data.draw(st.permutations([(vertex, rows), (face, lists), (extra, extras)]))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    head = [
        "ply",
        f"format {form} 1.0",
        "comment é",
        *(line for part, _ in parts for line in part),
        "end_header",
    ]
    content = (end.join(head) + end).encode("latin-1") + b"".join(row for _, rows in parts for row in rows)
    if data.draw(st.integers(0, 2)) == 0:
        content = other_bytes(content, data)
    (folder / "a.ply").write_bytes(content)
    read_or_one_line(lambda: start_from_file(folder / "a.ply"))


# --- COLMAP's folders -------------------------------------------------------------------------------------------------

PLACES = """
    sparse/0 sparse/1 sparse/10 sparse colmap/sparse/0 dense/sparse dense/0/sparse dense/3/sparse .
    distorted/sparse/0 sparse/aligned colmap/text sparse_geo models/0
""".split()
IMAGES = ("images", "input", "dense/images", "dense/0/images", ".", "images_2", "photos", "colmap/images")


def models(folder: Path, data: Draw) -> None:
    """Several models in several places, text and binary, whole or in parts, with images here or there."""
    source = anew(folder.with_name("source"), write_colmap)
    binary = anew(folder.with_name("binary"), write_colmap_binary)
    anew(folder, lambda _: None)
    for place in data.draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3, unique=True)):
        kind, suffix = data.draw(st.sampled_from([(source, ".txt"), (binary, ".bin")]))
        (folder / place).mkdir(parents=True, exist_ok=True)
        for name in ("cameras", "images", "points3D"):
            if data.draw(st.integers(0, 9)):
                shutil.copy(kind / "sparse" / "0" / f"{name}{suffix}", folder / place)
        images = folder / place / "images.txt"
        if images.exists() and data.draw(st.booleans()):
            lines = images.read_text().splitlines(keepends=True)
            cut = data.draw(st.integers(0, len(lines)))
            odd = data.draw(
                st.sampled_from(
                    ["", "\n", "# x\n", "1\n", "9 1 0 0 0 0 0 4 1 none.png\n\n", "x y z\n", "\ufeff"]
                )
            )
            images.write_text(
                "".join(lines[:cut]) + odd + "".join(lines[cut + data.draw(st.integers(0, 2)) :])
            )
    for place in data.draw(st.lists(st.sampled_from(IMAGES), min_size=1, max_size=2, unique=True)):
        shutil.copytree(source / "images", folder / place, dirs_exist_ok=True)
    scene_of(folder)


FAMILIES: dict[str, Callable[[Path, Draw], None]] = {
    "masks": masks,
    "lenses": lenses,
    "encodings": encodings,
    "archives": archives,
    "accessors": accessors,
    "xml": xml,
    "things": things,
    "pictures": pictures,
    "layouts": layouts,
    "models": models,
}
EVERY = pytest.mark.parametrize("family", FAMILIES)
# Without making failures smaller, which takes hours of examples that read whole scenes.
QUIET: dict[str, Any] = {"suppress_health_check": list(HealthCheck), "phases": [Phase.generate]}


@pytest.mark.slow
@EVERY
@settings(max_examples=SHORT, **QUIET)
@given(data=st.data())
def test_odd_ones(family: str, tmp_path_factory: pytest.TempPathFactory, data: Draw) -> None:
    FAMILIES[family](tmp_path_factory.getbasetemp() / "odd", data)


@fuzz
@EVERY
@settings(max_examples=4 * LONG, **QUIET)
@given(data=st.data())
def test_odd_ones_for_long(family: str, tmp_path_factory: pytest.TempPathFactory, data: Draw) -> None:
    FAMILIES[family](tmp_path_factory.getbasetemp() / "odd", data)
