"""The fields of a glTF file that are read, and of which type each has to be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._support.kinds import kind


@dataclass(frozen=True)
class _Plain:
    """A value that is neither list nor object."""

    name: str
    types: tuple[type, ...]


@dataclass(frozen=True)
class _List:
    """Entries of one type, and how many where that is fixed."""

    of: Any
    length: int | None = None


@dataclass(frozen=True)
class _Choice:
    """One of some values."""

    among: Mapping[Any, Any]


# Of an accessor: how a number is stored, and how many belong together.
TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
# Matrices are of joints and morphs, which nobody looks at here.
_SHAPE = _Choice({**WIDTHS, "MAT2": 4, "MAT3": 9, "MAT4": 16})
_STORED = _Choice(TYPES)
_WHOLE = _Plain("a whole number", (int,))
_NUMBER = _Plain("a finite number", (int, float))
_TEXT = _Plain("a text", (str,))
_TRUTH = _Plain("true or false", (bool,))
_PLACE = {"bufferView!": _WHOLE, "byteOffset": _WHOLE}
_TRANSFORM = {
    "rotation": _NUMBER,
    "offset": _List(_NUMBER, 2),
    "scale": _List(_NUMBER, 2),
    "texCoord": _WHOLE,
}
_SOURCE: dict[str, Any] = {"source": _WHOLE}
_TEXTURE = {"index!": _WHOLE, "texCoord": _WHOLE, "extensions": {"KHR_texture_transform": _TRANSFORM}}
_TEXTURES = ("normalTexture", "occlusionTexture", "emissiveTexture")
_PRIMITIVE = {
    "attributes!": {"POSITION!": _WHOLE, "*": _WHOLE},
    "indices": _WHOLE,
    "material": _WHOLE,
    "mode": _WHOLE,
    "extensions": {},
}

# Objects by their fields; "!" marks those that must be there, "*" stands for all others.
_FILE: dict[str, Any] = {
    "asset!": {},
    "scene": _WHOLE,
    "scenes": _List({"nodes": _List(_WHOLE)}),
    "nodes": _List(
        {
            "mesh": _WHOLE,
            "children": _List(_WHOLE),
            "matrix": _List(_NUMBER, 16),
            "translation": _List(_NUMBER, 3),
            "rotation": _List(_NUMBER, 4),
            "scale": _List(_NUMBER, 3),
            "extensions": {},
        }
    ),
    "meshes": _List({"primitives!": _List(_PRIMITIVE)}),
    "accessors": _List(
        {
            **{"bufferView": _WHOLE, "byteOffset": _WHOLE, "normalized": _TRUTH},
            **{"componentType!": _STORED, "count!": _WHOLE, "type!": _SHAPE},
            "sparse": {
                "count!": _WHOLE,
                "indices!": {**_PLACE, "componentType!": _STORED},
                "values!": _PLACE,
            },
        }
    ),
    "bufferViews": _List(
        {
            **{"buffer!": _WHOLE, "byteLength!": _WHOLE, "byteOffset": _WHOLE, "byteStride": _WHOLE},
            "extensions": {},
        }
    ),
    "buffers": _List({"byteLength": _WHOLE, "uri": _TEXT}),
    "images": _List({"bufferView": _WHOLE, "uri": _TEXT, "mimeType": _TEXT, "name": _TEXT}),
    "textures": _List(
        {
            **{"source": _WHOLE, "sampler": _WHOLE},
            "extensions": {"KHR_texture_basisu": _SOURCE, "EXT_texture_webp": _SOURCE, "EXT_texture_avif": _SOURCE},
        }
    ),
    "samplers": _List({}),
    "materials": _List(
        {
            "pbrMetallicRoughness": {
                "baseColorTexture": _TEXTURE,
                "metallicRoughnessTexture": _TEXTURE,
                "baseColorFactor": _List(_NUMBER, 4),
                "metallicFactor": _NUMBER,
                "roughnessFactor": _NUMBER,
            },
            **dict.fromkeys(_TEXTURES, _TEXTURE),
            "emissiveFactor": _List(_NUMBER, 3),
            **{"alphaMode": _TEXT, "alphaCutoff": _NUMBER, "doubleSided": _TRUTH, "name": _TEXT},
            "extensions": {},
        }
    ),
    "extensionsUsed": _List(_TEXT),
    "extensionsRequired": _List(_TEXT),
}  # fmt: skip


def checked(tree: Any) -> dict[str, Any]:
    """The JSON of a glTF file without fields that are null, as some exporters leave those that they have no use for.

    Raises
    ------
    ValueError
        A field of another type, or one that is missing; it names the field.
    """
    found: dict[str, Any] = _checked(tree, _FILE, "")
    return {**{name: [] for name, of in _FILE.items() if isinstance(of, _List)}, **found}


def _checked(value: Any, wanted: Any, where: str) -> Any:
    if isinstance(wanted, _Plain):
        return _plain(value, wanted, where)
    if isinstance(wanted, _Choice):
        if isinstance(value, (list, dict, bool)) or value not in wanted.among:
            names = ", ".join(str(name) for name in wanted.among)
            raise ValueError(f"{where}: expected one of {names}, got {kind(value)}")
        return int(value) if isinstance(value, float) else value
    if isinstance(wanted, _List):
        if not isinstance(value, list) or wanted.length not in (None, len(value)):
            many = "a list" if wanted.length is None else f"a list of {wanted.length} numbers"
            raise ValueError(f"{where}: expected {many}, got {kind(value)}")
        return [_checked(entry, wanted.of, f"{where}[{number}]") for number, entry in enumerate(value)]
    return _object(value, wanted, where)


def _plain(value: Any, wanted: _Plain, where: str) -> Any:
    # True is a number to Python. JSON of Python has infinities, and whole numbers that no float holds.
    fits = isinstance(value, wanted.types) and (isinstance(value, bool) == (bool in wanted.types))
    if fits and wanted is _NUMBER:
        try:
            fits = math.isfinite(value)
        except OverflowError:
            fits = False
    if wanted is _WHOLE and isinstance(value, float) and value.is_integer():  # as JavaScript may write them
        return int(value)
    if not fits:
        raise ValueError(f"{where}: expected {wanted.name}, got {kind(value)}")
    return value


def _object(value: Any, wanted: Mapping[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where or 'its JSON'}: expected an object, got {kind(value)}")
    found = {name: entry for name, entry in value.items() if entry is not None}
    for key, of in wanted.items():
        name = key.rstrip("!")
        if name in found:
            found[name] = _checked(found[name], of, f"{where}.{name}" if where else name)
        elif key != name:
            raise ValueError(f"{where or 'its JSON'}: expected a field {name}, got none")
    if "*" in wanted:
        named = {key.rstrip("!") for key in wanted}
        rest = {
            name: _checked(entry, wanted["*"], f"{where}.{name[:40]}")
            for name, entry in found.items()
            if name not in named
        }
        found |= rest
    return found
