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
    numbers, attributes = _Numbers(), {}
    for name, values in parts.items():
        floats = np.ascontiguousarray(values, dtype="<f4")
        shape: dict[str, Any] = {"componentType": 5126, "count": len(floats), "type": f"VEC{floats.shape[1]}"}
        if name == "POSITION":
            shape |= {"min": floats.min(axis=0).tolist(), "max": floats.max(axis=0).tolist()}
        attributes[name] = numbers.accessor(floats.tobytes(), **shape)
    indices = np.ascontiguousarray(faces, dtype="<u4").tobytes()
    corners = numbers.accessor(indices, componentType=5125, count=faces.size, type="SCALAR")
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
            {"bufferView": numbers.view(images[name]), "mimeType": "image/png", "name": name}
            for name in _TEXTURES
            if name in images
        ]
    if "extensions" in tree["materials"][0]:
        tree["extensionsUsed"] = list(tree["materials"][0]["extensions"])
    return _packed(tree, numbers)


class _Numbers:
    """The chunk of numbers, and what the JSON says of the arrays in it."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def pad(self) -> None:
        """Each array begins at a multiple of four."""
        self.content.extend(bytes(-len(self.content) % 4))

    def view(self, content: bytes, **more: Any) -> int:
        """Add bytes; gives their number."""
        self.pad()
        place = {"buffer": 0, "byteOffset": len(self.content), "byteLength": len(content)}
        self.views.append({**place, **more})
        self.content.extend(content)
        return len(self.views) - 1

    def accessor(self, content: bytes, **more: Any) -> int:
        """Add an array; gives its number."""
        target = 34963 if more["type"] == "SCALAR" else 34962  # ELEMENT_ARRAY_BUFFER, ARRAY_BUFFER
        self.accessors.append({"bufferView": self.view(content, target=target), **more})
        return len(self.accessors) - 1


def _packed(tree: dict[str, Any], numbers: _Numbers) -> bytes:
    """Header and chunks."""
    numbers.pad()
    size = len(numbers.content)
    tree |= {
        "accessors": numbers.accessors,
        "bufferViews": numbers.views,
        "buffers": [{"byteLength": size}],
    }
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", size, b"BIN\0") + bytes(numbers.content)
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
