"""A mesh as the content of a GLB file: glTF 2.0 in one piece."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._version import __version__
from .material import USUAL_INDEX, Material

_TEXTURES = ("albedo", "metallic_roughness", "normals")


def glb_bytes(
    parts: dict[str, NDArray[Any]],
    faces: NDArray[np.int64],
    *,
    images: dict[str, bytes] | None = None,
    material: Material | None = None,
    translation: NDArray[np.float64] | None = None,
) -> bytes:
    """A mesh as the content of a GLB file: a header, a chunk of JSON and a chunk of numbers (glTF 2.0, section 4).

    Parameters
    ----------
    parts : dict of str to (V, n) float
        By their names in glTF: POSITION, NORMAL (unit), TANGENT, COLOR_0 (linear), TEXCOORD_0.
    faces : (F, 3) int
    images : dict of str to bytes, optional
        PNGs: "albedo", the base colour, in sRGB; "metallic_roughness", in green and blue, and "normals", both linear.
    material : Material, optional
        What the images don't hold; matt by default.
    translation : (3,) float, optional
        What is to be added to the positions.
    """
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    numbers = bytearray()

    def add_view(content: bytes, **more: Any) -> int:
        numbers.extend(bytes(-len(numbers) % 4))  # each array begins at a multiple of four
        views.append({"buffer": 0, "byteOffset": len(numbers), "byteLength": len(content), **more})
        numbers.extend(content)
        return len(views) - 1

    def add_accessor(content: bytes, **more: Any) -> int:
        target = 34963 if more["type"] == "SCALAR" else 34962  # ELEMENT_ARRAY_BUFFER, ARRAY_BUFFER
        accessors.append({"bufferView": add_view(content, target=target), **more})
        return len(accessors) - 1

    attributes = {}
    for name, values in parts.items():
        floats = np.ascontiguousarray(values, dtype="<f4")
        shape: dict[str, Any] = {"componentType": 5126, "count": len(floats), "type": f"VEC{floats.shape[1]}"}
        if name == "POSITION":
            shape |= {"min": floats.min(axis=0).tolist(), "max": floats.max(axis=0).tolist()}
        attributes[name] = add_accessor(floats.tobytes(), **shape)
    indices = np.ascontiguousarray(faces, dtype="<u4").tobytes()
    corners = add_accessor(indices, componentType=5125, count=faces.size, type="SCALAR")
    tree: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"largesteps_zg {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "surface"}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": corners, "material": 0}]}],
        "materials": [_material(material, images or {})],
    }
    if translation is not None:
        tree["nodes"][0]["translation"] = translation.tolist()
    if images:
        tree["textures"] = [{"source": number, "sampler": 0} for number in range(len(images))]
        tree["samplers"] = [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}]
        tree["images"] = [
            {"bufferView": add_view(images[name]), "mimeType": "image/png", "name": name}
            for name in _TEXTURES
            if name in images
        ]
    if "extensions" in tree["materials"][0]:
        tree["extensionsUsed"] = list(tree["materials"][0]["extensions"])
    numbers.extend(bytes(-len(numbers) % 4))
    tree |= {"accessors": accessors, "bufferViews": views, "buffers": [{"byteLength": len(numbers)}]}
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(numbers), b"BIN\0") + bytes(numbers)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _material(material: Material | None, images: dict[str, bytes]) -> dict[str, Any]:
    """The material, with the numbers of its textures."""
    place = {name: {"index": number} for number, name in enumerate(n for n in _TEXTURES if n in images)}
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    made: dict[str, Any] = {"name": "surface", "doubleSided": True, "pbrMetallicRoughness": surface}
    if material is not None and material.uniform:
        surface["metallicFactor"] = int(material.metalness) / 255
        surface["roughnessFactor"] = int(material.roughness) / 255
    if "albedo" in place:
        surface["baseColorTexture"] = place["albedo"]
    if "metallic_roughness" in place:
        surface |= {"metallicFactor": 1.0, "metallicRoughnessTexture": place["metallic_roughness"]}
    if "normals" in place:
        made["normalTexture"] = place["normals"]
    if material is not None and material.index != USUAL_INDEX:
        made["extensions"] = {"KHR_materials_ior": {"ior": material.index}}
    return made
