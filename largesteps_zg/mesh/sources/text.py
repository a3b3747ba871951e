"""Mesh files of text (OBJ, OFF, STL): in any 8-bit encoding, with any polygons, counted from either end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .polygons import triangulated

# A face of four corners or more, one that counts from the end, and one that counts from zero.
_TO_REWRITE = re.compile(r"^f(?:[ \t]+[^\s]+){4}|^f[^\n]*[ \t/]-|^f[^\n]*?[ \t/]0+(?![0-9])", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_TAB = re.compile(r"^(v|vt|vn|f)\t", re.MULTILINE)
_OFF = re.compile(r"^\s*(ST)?(C)?(N)?OFF\b", re.ASCII)
_VERTEX = re.compile(r"^[ \t]*vertex[ \t]+(.*)$", re.MULTILINE | re.IGNORECASE)
_FACET_END = re.compile(r"^[ \t]*endfacet\b", re.MULTILINE | re.IGNORECASE)


def decoded(data: bytes) -> str:
    """Text of a mesh file; where it is not UTF-8 only names and comments depend on which other encoding it is."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise ValueError("expected text, got bytes that are none")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def triangle_obj(data: bytes) -> bytes:
    """An OBJ file with triangles that count from 1, as UTF-8.

    Raises
    ------
    ValueError
        A face that names what the file does not have.
    """
    # A line may go on behind a backslash; other readers miss lines that are indented.
    text = _TAB.sub(r"\1 ", _INDENT.sub("", decoded(data).replace("\\\n", " ")))
    if not _TO_REWRITE.search(text):
        return text.encode()
    lines = text.split("\n")
    positions = np.array([_three(line) for line in lines if line.startswith("v ")]).reshape(-1, 3)
    faces, corners, sizes = [], list[list[str]](), list[int]()
    seen = {"v": 0, "vt": 0, "vn": 0}
    for at, line in enumerate(lines):
        word = line.split(" ", 1)[0]
        if word in seen:
            seen[word] += 1
        elif word == "f":
            face = [_absolute(corner, seen, at + 1) for corner in line.split("#", 1)[0].split()[1:]]
            faces.append(at)
            corners += face
            sizes.append(len(face))
    for place, (kind, count) in enumerate(seen.items()):
        largest = max((int(corner[place] or 0) for corner in corners if len(corner) > place), default=0)
        if largest > count:
            raise ValueError(
                f"expected a face to count up to {count}, the lines {kind!r} of the file, got {largest}"
            )
    index = np.array([int(corner[0]) for corner in corners], dtype=np.int64)
    triangles, owners = triangulated(positions[index - 1], np.array(sizes, dtype=np.int64))
    names = ["/".join(corner).rstrip("/") for corner in corners]
    replaced: list[list[str]] = [[] for _ in faces]
    for (a, b, c), owner in zip(triangles.tolist(), owners.tolist(), strict=True):
        replaced[owner].append(f"f {names[a]} {names[b]} {names[c]}")
    for at, new in zip(faces, replaced, strict=True):
        lines[at] = "\n".join(new)
    return "\n".join(lines).encode()


def _three(line: str) -> list[float]:
    """The position on a vertex line; NaN where it is none, which is told when the mesh is checked."""
    try:
        x, y, z = (float(word) for word in line.split()[1:4])
        return [x, y, z]
    except ValueError:
        return [np.nan] * 3


def _absolute(corner: str, seen: dict[str, int], line: int) -> list[str]:
    """Numbers of a corner, `v`, `v/vt`, `v//vn` or `v/vt/vn`, counted from 1."""
    found = []
    for kind, word in zip(seen, corner.split("/"), strict=False):
        try:
            number = int(word) if word or kind == "v" else None
        except ValueError:
            raise ValueError(f"line {line}: expected a face of whole numbers, got {corner[:40]!r}") from None
        if number == 0 and kind != "v":  # some programs mean none
            number = None
        elif number is not None and number < 0:
            number += seen[kind] + 1
        if number is not None and number < 1:
            raise ValueError(
                f"line {line}: expected indices from 1 on, or from -1 backwards, got {corner[:40]!r}; is it 0-indexed?"
            )
        found.append("" if number is None else str(number))
    return found


def off_mesh(data: bytes) -> dict[str, Any]:
    """Vertices, triangles and colours of an OFF file, COFF and NOFF too.

    Raises
    ------
    ValueError
        No such file, one that is cut off, or a face that names what it does not have.
    """
    text = re.sub(r"#[^\n]*", "", decoded(data))
    header = _OFF.match(text)
    if header is None:
        raise ValueError("expected OFF, COFF or NOFF as its first word")
    lines = [words for line in text[header.end() :].split("\n") if (words := line.split())]
    try:
        vertices, faces = (int(word) for word in lines[0][:2])
    except (IndexError, ValueError):
        raise ValueError("expected the numbers of vertices and faces behind OFF") from None
    if vertices < 0 or faces < 0 or vertices + faces > len(lines) - 1:
        raise ValueError(f"expected {vertices:,} vertices and {faces:,} faces, got {len(lines) - 1:,} lines")
    rows, polygons = lines[1 : 1 + vertices], lines[1 + vertices : 1 + vertices + faces]
    try:
        positions = np.array([[float(word) for word in row[:3]] for row in rows]).reshape(vertices, 3)
        corners = [[int(word) for word in row[1 : 1 + int(row[0])]] for row in polygons]
    except ValueError:
        raise ValueError("expected three numbers for each vertex, and whole ones for each face") from None
    sizes = np.array([len(face) for face in corners], dtype=np.int64)
    if any(size != int(row[0]) for size, row in zip(sizes, polygons, strict=True)):
        raise ValueError("a face has fewer corners than it says")
    index = np.array([corner for face in corners for corner in face], dtype=np.int64)
    if index.size and not 0 <= index.min() <= index.max() < vertices:
        raise ValueError(f"expected indices in [0, {vertices}), got {index.min()} to {index.max()}")
    triangles, _ = triangulated(positions[index], sizes)
    mesh: dict[str, Any] = {"vertices": positions, "faces": index[triangles]}
    colors = _off_colors(rows, 6 if header[3] else 3) if header[2] else None
    return mesh if colors is None else {**mesh, "vertex_colors": colors}


def _off_colors(rows: Sequence[list[str]], place: int) -> np.ndarray | None:
    """(V, 3) uint8, from whole numbers up to 255 or fractions; None where they are neither."""
    words = [row[place : place + 3] for row in rows]
    try:
        values = np.array([[float(word) for word in row] for row in words]).reshape(len(rows), 3)
    except ValueError:
        return None
    whole = all(word.isdigit() for row in words for word in row)
    if not (values >= 0).all() or not (values <= (255 if whole else 1)).all():
        return None
    return np.rint(values * (1 if whole else 255)).astype(np.uint8)


def stl_mesh(data: bytes) -> dict[str, Any]:
    """Vertices and faces of an STL file, text or binary, three vertices for each face.

    Raises
    ------
    ValueError
        It is cut off, goes on, or has faces of another number of corners.
    """
    count = int.from_bytes(data[80:84], "little")
    binary = len(data) >= 84 and len(data) == 84 + 50 * count
    if not binary and _begins_with_solid(data[:512]):
        text = decoded(data)
        found = _VERTEX.findall(text)
        facets = len(_FACET_END.findall(text))
        if len(found) != 3 * facets:
            raise ValueError(f"expected 3 vertices for each of {facets:,} faces, got {len(found):,} in all")
        try:
            corners = np.array([[float(word) for word in line.split()] for line in found]).reshape(-1, 3)
        except ValueError:
            raise ValueError("expected three numbers for each vertex") from None
    elif binary:
        row = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
        corners = np.frombuffer(data, row, count, 84)["corners"].reshape(-1, 3).astype(np.float64)
    else:
        raise ValueError(f"expected {84 + 50 * count:,} bytes for {count:,} faces, got {len(data):,}")
    return {"vertices": corners, "faces": np.arange(len(corners)).reshape(-1, 3)}


def _begins_with_solid(data: bytes) -> bool:
    try:
        return decoded(data).lstrip()[:5].lower() == "solid"
    except ValueError:
        return False
