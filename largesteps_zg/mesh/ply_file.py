"""A mesh as binary PLY, with positions of 64 bits where 32 would lose detail; trimesh writes 32 alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# PLY's name of a type by NumPy's.
_TYPES = {
    "i1": "char", "u1": "uchar", "i2": "short", "u2": "ushort", "i4": "int", "u4": "uint",
    "f4": "float", "f8": "double",
}  # fmt: skip

_Fields = list[tuple[str, np.ndarray]]


def ply_bytes(
    vertices: np.ndarray,
    faces: np.ndarray,
    colors: np.ndarray | None = None,
    *,
    double: bool = False,
    vertex_attributes: Mapping[str, np.ndarray] | None = None,
    face_attributes: Mapping[str, np.ndarray] | None = None,
) -> bytes:
    """The content of a PLY file.

    Parameters
    ----------
    vertices : (V, 3) float
    faces : (F, 3) int
    colors : (V, 3) uint8, optional
        sRGB; written with an alpha of 255, as most programs expect them.
    double : bool
        Positions of 64 bits.
    vertex_attributes, face_attributes : mapping, optional
        Further numbers, (V,) or (V, N) and (F,) or (F, N); N at most 255.

    Raises
    ------
    ValueError
        An attribute of a type that PLY has no name for.
    """
    kind = "<f8" if double else "<f4"
    points: _Fields = [(axis, vertices[:, index].astype(kind)) for index, axis in enumerate("xyz")]
    if colors is not None:
        rgba = np.column_stack([colors, np.full(len(colors), 255, dtype=np.uint8)])
        points += [(name, rgba[:, index]) for index, name in enumerate(("red", "green", "blue", "alpha"))]
    points += _named(vertex_attributes)
    corners: _Fields = [("vertex_indices", faces.astype("<i4")), *_named(face_attributes)]
    parts = [_element("vertex", points), _element("face", corners)]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(line for lines, _ in parts for line in lines),
        "end_header",
    ]
    return ("\n".join(header) + "\n").encode() + b"".join(body for _, body in parts)


def _named(attributes: Mapping[str, np.ndarray] | None) -> _Fields:
    return [(name, np.asarray(values)) for name, values in (attributes or {}).items()]


def _element(name: str, fields: _Fields) -> tuple[list[str], bytes]:
    """Lines of the header and rows of numbers; what has several numbers in a row is a list."""
    lines = [f"element {name} {len(fields[0][1])}"]
    columns: list[tuple[str, Any]] = []
    types: list[Any] = []
    for index, (field, values) in enumerate(fields):
        values = values.astype(values.dtype.newbyteorder("<"))
        kind = _TYPES.get(values.dtype.str[1:])
        if kind is None:
            raise ValueError(f"{field}: expected numbers of a type that PLY has, got {values.dtype}")
        if values.ndim == 1:
            lines.append(f"property {kind} {field}")
            types.append((f"{index}", values.dtype))
            columns.append((f"{index}", values))
        else:
            lines.append(f"property list uchar {kind} {field}")
            types += [(f"{index} count", np.dtype("u1")), (f"{index}", values.dtype, values.shape[1:])]
            columns += [(f"{index} count", np.uint8(values.shape[1])), (f"{index}", values)]
    rows: Any = np.zeros(len(fields[0][1]), dtype=types)
    for column, values in columns:
        rows[column] = values
    return lines, rows.tobytes()
