"""Mesh files of text (OBJ, OFF, STL): in any 8-bit encoding, with any polygons, counted from either end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .lines import check_numbers, check_obj
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
        A line that is no vertex or face, or a face that names what the file does not have.
    """
    # A line may go on behind a backslash; other readers miss lines that are indented.
    text = _TAB.sub(r"\1 ", _INDENT.sub("", decoded(data).replace("\\\n", " ")))
    check_obj(text)
    if not _TO_REWRITE.search(text):
        return text.encode()
    lines = text.split("\n")
    points = [line.split("#", 1)[0].split()[1:4] for line in lines if line.startswith("v ")]
    positions = np.array(points, dtype=np.float64).reshape(-1, 3)
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
    first = text.count("\n", 0, header.end()) + 1
    numbered = enumerate(text[header.end() :].split("\n"), start=first)
    lines = [(number, words) for number, line in numbered if (words := line.split())]
    vertices = _off_vertices(lines)
    rows, polygons = lines[1 : 1 + vertices], lines[1 + vertices :]
    try:
        positions = np.array([words[:3] for _, words in rows], dtype=np.float64).reshape(vertices, 3)
        corners = [_corners(words) for _, words in polygons]
    except ValueError:
        _check_off(rows, polygons)
        raise
    sizes = np.array([len(face) for face in corners], dtype=np.int64)
    index = np.array([corner for face in corners for corner in face], dtype=np.int64)
    if index.size and not 0 <= index.min() <= index.max() < vertices:
        raise ValueError(f"expected indices in [0, {vertices}), got {index.min()} to {index.max()}")
    triangles, _ = triangulated(positions[index], sizes)
    mesh: dict[str, Any] = {"vertices": positions, "faces": index[triangles]}
    colors = _off_colors([words for _, words in rows], 6 if header[3] else 3) if header[2] else None
    return mesh if colors is None else {**mesh, "vertex_colors": colors}


def _corners(words: Sequence[str]) -> list[int]:
    """As many as the first word says."""
    face = [int(word) for word in words[1 : 1 + int(words[0])]]
    if len(face) != int(words[0]):
        raise ValueError("a face has fewer corners than it says")
    return face


def _check_off(rows: Sequence[tuple[int, list[str]]], polygons: Sequence[tuple[int, list[str]]]) -> None:
    """ValueError that names the first line that is no vertex, or no face."""
    for number, words in rows:
        check_numbers(f"line {number}", words, 3)
    for number, words in polygons:
        check_numbers(f"line {number}", words, 1, whole=True)
        if int(words[0]) < 0:
            raise ValueError(f"line {number}: expected the number of a face's corners, got {words[0]}")
        check_numbers(f"line {number}", words[1:], int(words[0]), whole=True)


def _off_vertices(lines: Sequence[tuple[int, list[str]]]) -> int:
    """Their number; ValueError where vertices and faces are not as many as there are lines."""
    try:
        vertices, faces = (int(word) for word in lines[0][1][:2])
    except (IndexError, ValueError):
        raise ValueError("expected the numbers of vertices and faces behind OFF") from None
    if vertices < 0 or faces < 0 or vertices + faces != len(lines) - 1:
        raise ValueError(
            f"line {lines[0][0]}: expected {vertices:,} vertices and {faces:,} faces, got {len(lines) - 1:,} lines; "
            "is the file complete, and are the counts right?"
        )
    return vertices


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
    if len(data) >= 84 and len(data) == 84 + 50 * count:
        row = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
        corners = np.frombuffer(data, row, count, 84)["corners"].reshape(-1, 3).astype(np.float64)
    elif _begins_with_solid(data[:512]):
        corners = _text_stl(decoded(data))
    else:
        raise ValueError(_stl_fault(data, count))
    return {"vertices": corners, "faces": np.arange(len(corners)).reshape(-1, 3)}


def _text_stl(text: str) -> np.ndarray:
    """(3 F, 3) corners."""
    found = [line.split() for line in _VERTEX.findall(text)]
    if len(found) == 3 * len(_FACET_END.findall(text)) and all(len(words) == 3 for words in found):
        try:
            return np.array(found, dtype=np.float64).reshape(-1, 3)
        except ValueError:
            pass
    corners, number = 0, 0
    for number, words in enumerate((line.split() for line in text.split("\n")), start=1):
        word = words[0].lower() if words else ""
        if word == "vertex":
            corners += 1
            check_numbers(f"line {number} (vertex)", words[1:], 3)
            if len(words) > 4:
                raise ValueError(
                    f"line {number} (vertex): expected 3 numbers, got {len(words) - 1}; is it damaged?"
                )
        elif word == "endfacet":
            if corners != 3:
                raise ValueError(
                    f"line {number}: expected 3 vertices before endfacet, got {corners}; export it as triangles"
                )
            corners = 0
    raise ValueError(
        f"line {number}: expected endfacet before the file ends, got {corners} vertices; is it complete?"
    )


def _stl_fault(data: bytes, count: int) -> str:
    """What is wrong with a binary STL whose size is not that of its faces."""
    size, needed = len(data), 84 + 50 * count
    if b"\0" not in data[:512]:
        return (
            f"line 1: expected the word solid, or a binary STL, got {decoded(data[:40]).split(chr(10))[0]!r}"
        )
    if size < 84:
        return f"expected a header of 84 bytes, got {size} bytes; is the file complete?"
    if (size - 84) % 50 == 0:
        return (
            f"bytes 80 to 83: expected {(size - 84) // 50:,} faces, as many as there are, got {count:,}; is the file "
            "complete? If it is, correct these bytes or export it again"
        )
    many = f"{size - needed:,} too many; cut them off or export it again"
    off = many if size > needed else f"{needed - size:,} missing; is the file complete?"
    return f"expected {needed:,} bytes for {count:,} faces, got {size:,}, {off}"


def _begins_with_solid(data: bytes) -> bool:
    try:
        return decoded(data).lstrip()[:5].lower() == "solid"
    except ValueError:
        return False
