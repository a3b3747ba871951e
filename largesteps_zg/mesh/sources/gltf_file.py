"""What a glTF or GLB file holds: its JSON, and the numbers of its accessors, checked against its bytes."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import numpy as np

from .gltf_fields import TYPES, WIDTHS, checked

# What is required of a reader beside materials and light, and is done here or changes no triangle.
_READ = (
    "KHR_mesh_quantization",
    "KHR_texture_transform",
    "KHR_texture_basisu",
    "EXT_texture_webp",
    "EXT_texture_avif",
)
_HARMLESS = ("KHR_materials_", "KHR_lights_", "KHR_xmp", "KHR_animation_", "EXT_lights_")

Read = Callable[[str], bytes]


class GltfFile:
    """The file's `tree`, and what its entries stand for.

    Parameters
    ----------
    data : bytes
        Of a .glb or .gltf file.
    read : callable
        Gives the bytes of a file that it names.

    Raises
    ------
    ValueError
        It is damaged, compressed, of another version, or needs an extension that is not known here.
    """

    def __init__(self, data: bytes, read: Read) -> None:
        self.tree, self._chunk = _container(data)
        _check_extensions(self.tree)
        self._read = read
        self._buffers: dict[int, bytes] = {}
        self._beside: dict[str, bytes] = {}
        self._numbers: dict[int, np.ndarray] = {}

    def values(self, index: int, what: str) -> np.ndarray:
        """(count, width) numbers of an accessor, fractions where it is normalized."""
        index = self.index(index, "accessors")
        if index in self._numbers:
            return self._numbers[index]
        accessor = self.tree["accessors"][index]
        if accessor["type"] not in WIDTHS:
            raise ValueError(
                f"accessor {index}: expected {', '.join(WIDTHS)} for {what}, got {accessor['type']}"
            )
        dtype, width = np.dtype(TYPES[accessor["componentType"]]), WIDTHS[accessor["type"]]
        count = self.index(accessor["count"])
        if "bufferView" not in accessor:
            raise ValueError(
                f"accessor {index}: {count:,} {what} without a bufferView; is it compressed, or damaged?"
            )
        place = self.index(accessor.get("byteOffset", 0))
        values = self._strided(accessor["bufferView"], place, count, width, dtype, f"accessor {index}")
        if "sparse" in accessor:
            values = self._replaced(values, accessor["sparse"], f"accessor {index}: sparse")
        if accessor.get("normalized") and dtype.kind in "iu":
            values = np.maximum(values / np.float64(np.iinfo(dtype).max), -1.0)  # 3.11 in the specification
        self._numbers[index] = values
        return values

    def _replaced(self, values: np.ndarray, sparse: dict[str, Any], where: str) -> np.ndarray:
        """A copy with the rows that differ."""
        count, (rows, new) = self.index(sparse["count"]), (sparse["indices"], sparse["values"])
        kind = np.dtype(TYPES[rows["componentType"]])
        at = self._strided(rows["bufferView"], rows.get("byteOffset", 0), count, 1, kind, where)[:, 0]
        if at.dtype.kind != "u" or (count and at.max() >= len(values)):
            raise ValueError(f"{where}: expected indices in [0, {len(values)})")
        values = values.copy()
        values[at] = self._strided(
            new["bufferView"], new.get("byteOffset", 0), count, values.shape[1], values.dtype, where
        )
        return values

    def _strided(
        self, view: int, place: int, count: int, width: int, dtype: np.dtype, where: str
    ) -> np.ndarray:
        """(count, width) numbers in a view of a buffer."""
        data, stride = self.content(view)
        row = width * dtype.itemsize
        stride = stride or row
        place = self.index(place)
        needed = place + (count - 1) * stride + row if count else 0
        if stride < row or needed > len(data):
            raise ValueError(
                f"{where}: {count:,} entries need {needed:,} bytes, its bufferView has {len(data):,}"
            )
        array: np.ndarray = np.ndarray((count, width), dtype, data, place, (stride, dtype.itemsize))
        return array

    def content(self, view: int) -> tuple[memoryview, int]:
        """What a view shows of its buffer, and the distance of its entries or 0."""
        number = self.index(view, "bufferViews")
        entry = self.tree["bufferViews"][number]
        buffer = self._buffer(self.index(entry["buffer"], "buffers"))
        start, size = self.index(entry.get("byteOffset", 0)), self.index(entry["byteLength"])
        if start + size > len(buffer):
            raise ValueError(
                f"bufferView {view}: ends at {start + size:,}, its buffer has {len(buffer):,} bytes"
            )
        return memoryview(buffer)[start : start + size], self.index(entry.get("byteStride", 0))

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            uri = self.tree["buffers"][index].get("uri")
            if uri is None and self._chunk is None:
                raise ValueError(f"buffer {index}: there are no bytes in the file, and no uri")
            self._buffers[index] = self._chunk or b"" if uri is None else self.uri(uri)
        return self._buffers[index]

    def uri(self, uri: str) -> bytes:
        """The bytes in a data URI, or of a file beside this one."""
        if not uri.startswith("data:"):
            if uri not in self._beside:  # many buffers may name one file
                self._beside[uri] = self._read(unquote(uri))
            return self._beside[uri]
        head, _, content = uri.partition(",")
        if not head.endswith(";base64"):
            raise ValueError(f"expected base64 in a data URI, got {head[:40]!r}")
        try:
            return base64.b64decode(content)
        except binascii.Error as error:
            raise ValueError(f"a data URI is damaged ({error})") from None

    def index(self, value: Any, among: str | None = None) -> int:
        """A whole number from 0 on, below the length of a list of the file."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            if among is None or value < len(self.tree.get(among, [])):
                return value
        wanted = "a whole number from 0 on" if among is None else f"the number of one of {among}"
        raise ValueError(f"expected {wanted}, got {str(value)[:20]}")


def _container(data: bytes) -> tuple[dict[str, Any], bytes | None]:
    """The JSON, and the chunk of bytes of a GLB."""
    text, chunk = data, None
    if data[:4] == b"glTF":
        if len(data) < 20 or int.from_bytes(data[4:8], "little") != 2:
            raise ValueError("expected version 2 of glTF; export it again")
        said = int.from_bytes(data[8:12], "little")
        if said != len(data):
            raise ValueError(
                f"bytes 8 to 11: expected {len(data):,}, the length of the file, got {said:,}; is the file complete?"
            )
        parts, place = [], 12
        while place + 8 <= len(data):
            size, kind = struct.unpack_from("<I4s", data, place)
            if place + 8 + size > len(data):
                raise ValueError(f"ends {place + 8 + size - len(data):,} bytes early")
            parts.append((kind, data[place + 8 : place + 8 + size]))
            place += 8 + size
        if not parts or parts[0][0] != b"JSON":
            raise ValueError("expected JSON as its first chunk")
        text = parts[0][1]
        chunk = next((part for kind, part in parts[1:] if kind == b"BIN\0"), None)
    try:
        tree = json.loads(text.decode(json.detect_encoding(text)))
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ValueError(f"its JSON is not readable ({str(error).splitlines()[0][:60]})") from None
    tree = checked(tree)
    if not str(tree["asset"].get("version", "2.0")).startswith("2."):
        raise ValueError(
            f"expected version 2 of glTF, got {str(tree['asset'].get('version'))[:20]}; export it again"
        )
    return tree, chunk


def _check_extensions(tree: dict[str, Any]) -> None:
    """ValueError where the triangles can't be right without an extension that is not known here."""
    used = {str(name) for key in ("extensionsUsed", "extensionsRequired") for name in tree.get(key) or []}
    required = {str(name) for name in tree.get("extensionsRequired") or []}
    used |= {
        name
        for mesh in _dicts(tree, "meshes")
        for part in _dicts(mesh, "primitives")
        for name in extensions(part)
    }
    used |= {name for view in _dicts(tree, "bufferViews") for name in extensions(view)}
    if "KHR_draco_mesh_compression" in used:
        raise ValueError(
            "it is compressed with Draco, which is not read here; export without compression, or run "
            "`gltf-transform copy` on it"
        )
    if any("meshopt_compression" in name for name in used):
        raise ValueError(
            "it is compressed with meshopt, which is not read here; export it without compression"
        )
    copied = {name for node in _dicts(tree, "nodes") for name in extensions(node)} & {
        "EXT_mesh_gpu_instancing"
    }
    unknown = {name for name in required if name not in _READ and not name.startswith(_HARMLESS)} | copied
    if unknown:
        names = ", ".join(sorted(unknown))[:100]
        raise ValueError(f"it needs the extension {names}, which is not read here; export it without")


def _dicts(tree: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in a list of an object."""
    return [entry for entry in tree.get(key) or [] if isinstance(entry, dict)]


def extensions(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Extensions of an object of the file, by name."""
    return entry.get("extensions") or {}
