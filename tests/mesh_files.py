"""One ball of 42 vertices and 80 triangles in every kind of mesh file, and one small picture in every kind of image."""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import trimesh
from PIL import Image

BALL = trimesh.creation.icosphere(1)
VERTICES, TRIANGLES = np.array(BALL.vertices), np.array(BALL.faces)


def with_quads() -> list[list[int]]:
    """The triangles, of which every third pair of neighbours is one quad."""
    faces: list[list[int]] = []
    k = 0
    rows = TRIANGLES.tolist()
    while k < len(rows):
        a, b = rows[k], rows[k + 1] if k + 1 < len(rows) else []
        shared = set(a) & set(b)
        if len(shared) == 2 and len(faces) % 3:
            apex = next(x for x in a if x not in shared)
            j = a.index(apex)
            faces.append([apex, a[(j + 1) % 3], next(x for x in b if x not in shared), a[(j + 2) % 3]])
            k += 2
        else:
            faces.append(a)
            k += 1
    return faces


def ply(faces: Sequence[Sequence[int]], order: str = "<", *, comment: str = "") -> bytes:
    """A binary PLY; order "" makes it text."""
    form = {"<": "binary_little_endian", ">": "binary_big_endian", "": "ascii"}[order]
    head = ["ply", f"format {form} 1.0", *([comment] if comment else []), f"element vertex {len(VERTICES)}"]
    head += [*(f"property float {axis}" for axis in "xyz"), "property uchar red", "property uchar green"]
    head += ["property uchar blue", f"element face {len(faces)}", "property uchar kind"]
    head += ["property list uchar int vertex_indices", "end_header", ""]
    if not order:
        rows = [f"{x} {y} {z} 10 20 30" for x, y, z in VERTICES]
        rows += [f"{k % 5} {len(face)} {' '.join(map(str, face))}" for k, face in enumerate(faces)]
        return "\n".join([*head, *rows, ""]).encode()
    body = b"".join(struct.pack(f"{order}3f3B", *vertex, 10, 20, 30) for vertex in VERTICES)
    body += b"".join(
        struct.pack(f"{order}BB{len(face)}i", k % 5, len(face), *face) for k, face in enumerate(faces)
    )
    return "\n".join(head).encode() + body


def obj(faces: Sequence[Sequence[int]], *, relative: bool = False) -> bytes:
    """An OBJ with texture coordinates."""
    lines = [f"v {x} {y} {z}" for x, y, z in VERTICES] + [
        f"vt {x / 2 + 0.5} {y / 2 + 0.5}" for x, y, _ in VERTICES
    ]
    shift = -len(VERTICES) if relative else 1
    lines += ["f " + " ".join(f"{k + shift}/{k + shift}" for k in face) for face in faces]
    return "\n".join(["# Größe", *lines, ""]).encode("latin-1")


def off(faces: Sequence[Sequence[int]]) -> bytes:
    """A COFF file."""
    lines = ["COFF", f"{len(VERTICES)} {len(faces)} 0", *(f"{x} {y} {z} 255 0 0 255" for x, y, z in VERTICES)]
    return "\n".join([*lines, *(f"{len(face)} {' '.join(map(str, face))}" for face in faces), ""]).encode()


def glb_parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """JSON and bytes of a GLB."""
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def packed_glb(tree: dict[str, Any], chunk: bytes) -> bytes:
    """A GLB of JSON and bytes."""
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunk += bytes(-len(chunk) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(chunk), len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(chunk), b"BIN\0") + chunk


def quantized_glb() -> bytes:
    """Positions as normalized 16-bit numbers, undone by the node's scale and translation (KHR_mesh_quantization)."""
    tree, chunk = glb_parts(BALL.export(file_type="glb"))
    levels = np.round((VERTICES + 1) / 2 * 65535)
    packed = np.hstack([levels, np.zeros((len(levels), 1))]).astype("<u2").tobytes()
    position = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    tree["bufferViews"].append(
        {"buffer": 0, "byteOffset": len(chunk), "byteLength": len(packed), "byteStride": 8}
    )
    position.update(
        bufferView=len(tree["bufferViews"]) - 1, componentType=5123, normalized=True, byteOffset=0
    )
    tree["buffers"][0]["byteLength"] = len(chunk) + len(packed)
    tree["extensionsUsed"] = tree["extensionsRequired"] = ["KHR_mesh_quantization"]
    tree["nodes"][-1].update(scale=[2, 2, 2], translation=[-1, -1, -1])
    return packed_glb(tree, chunk + packed)


def textured_gltf() -> bytes:
    """A glTF whose bytes are in the JSON, with an image."""
    ball = BALL.copy()
    picture = Image.fromarray(np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3))
    ball.visual = trimesh.visual.TextureVisuals(uv=VERTICES[:, :2] / 2 + 0.5, image=picture)
    tree, chunk = glb_parts(ball.export(file_type="glb"))
    tree["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(chunk).decode()
    return json.dumps(tree).encode()


def picture(kind: str, mode: str) -> bytes:
    """A picture of 24 x 16 pixels."""
    values = np.arange(16 * 24).reshape(16, 24)
    channels = {"RGBA": 4, "RGB": 3}.get(mode, 1)
    pixels = (values[..., None] * np.arange(3, 3 + channels) % 256).astype(np.uint8)
    image = Image.fromarray((values * 170).astype(np.uint16) if mode == "I;16" else pixels.squeeze())
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def radiance(*, packed: bool) -> bytes:
    """A .hdr file of 16 x 8 pixels, plain or run-length encoded."""
    rows = np.arange(8 * 16 * 4, dtype=np.uint8).reshape(8, 16, 4)
    body = rows.tobytes()
    if packed:
        body = b"".join(
            bytes([2, 2, 0, 16]) + b"".join(bytes([144, row[0, channel]]) for channel in range(4))
            for row in rows
        )
    return b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 8 +X 16\n" + body


def array() -> bytes:
    """An .npy file."""
    file = io.BytesIO()
    np.save(file, np.ones((4, 8, 3), dtype=np.float32))
    return file.getvalue()


MESHES = {
    "binary.ply": ply(TRIANGLES.tolist()),
    "binary_mixed.ply": ply(with_quads()),
    "binary_big.ply": ply(with_quads(), ">"),
    "text.ply": ply(with_quads(), ""),
    "triangles.obj": obj(TRIANGLES.tolist()),
    "relative.obj": obj(with_quads(), relative=True),
    "binary.stl": BALL.export(file_type="stl"),
    "text.stl": BALL.export(file_type="stl_ascii").encode(),
    "text.off": off(with_quads()),
    "plain.glb": BALL.export(file_type="glb"),
    "quantized.glb": quantized_glb(),
    "textured.gltf": textured_gltf(),
}
PICTURES = {
    "color.png": picture("PNG", "RGBA"),
    "grey16.png": picture("PNG", "I;16"),
    "color.jpg": picture("JPEG", "RGB"),
    "color.webp": picture("WEBP", "RGBA"),
    "color.tif": picture("TIFF", "RGBA"),
    "grey.bmp": picture("BMP", "L"),
    "plain.hdr": radiance(packed=False),
    "packed.hdr": radiance(packed=True),
    "map.npy": array(),
}
