"""OFF files: polygons as triangles, with colours at vertices or faces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .lines import check_numbers
from .polygons import triangulated
from .text import decoded

# The numbers may follow at once, as in all files of ModelNet.
_HEADER = re.compile(r"^\s*(ST)?(C)?(N)?OFF(?=[\s\d]|$)", re.ASCII | re.IGNORECASE)
_BINARY = re.compile(rb"\s*\w*OFF[ \t]+BINARY\b", re.IGNORECASE)
_Line = tuple[int, list[str]]  # its number and words


def off_mesh(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """Vertices, triangles and colours of an OFF file, COFF and NOFF too.

    Returns
    -------
    mesh : dict
        Arguments of a `trimesh.Trimesh`.
    unread : list of str
        What the file has besides and is not used, a phrase each.

    Raises
    ------
    ValueError
        No such file, one that is cut off, or a face that names what it does not have.
    """
    if _BINARY.match(data):
        raise ValueError("a binary OFF, which is not read here; export it as text, or as PLY")
    text = re.sub(r"#[^\n]*", "", decoded(data))
    header = _HEADER.match(text)
    if header is None:
        word = (text.split() or ["nothing"])[0][:20]
        raise ValueError(f"expected OFF, COFF or NOFF as its first word, got {word!r}; is it an OFF file?")
    first = text.count("\n", 0, header.end()) + 1
    numbered = enumerate(text[header.end() :].split("\n"), start=first)
    lines = [(number, words) for number, line in numbered if (words := line.split())]
    vertices = _vertices(lines)
    rows, polygons = lines[1 : 1 + vertices], lines[1 + vertices :]
    try:
        positions = np.array([words[:3] for _, words in rows], dtype=np.float64).reshape(vertices, 3)
        corners = [_corners(words) for _, words in polygons]
    except ValueError:
        _check(rows, polygons)
        raise
    sizes = np.array([len(face) for face in corners], dtype=np.int64)
    try:
        index = np.array([corner for face in corners for corner in face], dtype=np.int64)
    except OverflowError:
        index = np.array([-1])
    if index.size and not 0 <= index.min() <= index.max() < vertices:
        number, wrong = next(
            (number, corner)
            for (number, _), face in zip(polygons, corners, strict=True)
            for corner in face
            if not 0 <= corner < vertices
        )
        raise ValueError(
            f"line {number}: expected indices in [0, {vertices:,}), got {wrong}; is the file complete?"
        )
    triangles, owners = triangulated(positions[index], sizes)
    mesh: dict[str, Any] = {"vertices": positions, "faces": index[triangles]}
    unread = []
    place = 6 if header[3] else 3
    colors = _colors([words[place : place + 3] for _, words in rows]) if header[2] else None
    painted = _colors(
        [words[1 + len(face) :][:3] for (_, words), face in zip(polygons, corners, strict=True)]
    )
    if colors is not None:
        mesh["vertex_colors"] = colors
    elif painted is not None:
        mesh["face_colors"] = painted[owners]
    if header[2] and colors is None:
        unread.append("colours of vertices are not used, for they are no numbers in [0, 1] or up to 255")
    elif not header[2] and not header[1] and any(len(words) > place for _, words in rows):
        unread.append(
            "what follows the coordinates of vertices is not used; are these colours? Then write COFF in its first line"
        )
    few = int((sizes < 3).sum())
    if few:
        unread.append(f"faces of fewer than three corners are not used ({few:,})")
    return mesh, unread


def _corners(words: Sequence[str]) -> list[int]:
    """As many as the first word says."""
    face = [int(word) for word in words[1 : 1 + int(words[0])]]
    if len(face) != int(words[0]):
        raise ValueError("a face has fewer corners than it says")
    return face


def _check(rows: Sequence[_Line], polygons: Sequence[_Line]) -> None:
    """ValueError that names the first line that is no vertex, or no face."""
    for number, words in rows:
        check_numbers(f"line {number}", words, 3)
    for number, words in polygons:
        check_numbers(f"line {number}", words, 1, whole=True)
        if int(words[0]) < 0:
            raise ValueError(f"line {number}: expected the number of a face's corners, got {words[0]}")
        check_numbers(f"line {number}", words[1:], int(words[0]), whole=True)


def _vertices(lines: Sequence[_Line]) -> int:
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


def _colors(rows: Sequence[Sequence[str]]) -> np.ndarray | None:
    """(N, 3) uint8, from whole numbers up to 255 or fractions; None where they are neither, or not for all."""
    try:
        values = np.array([[float(word) for word in row] for row in rows]).reshape(len(rows), 3)
    except ValueError:
        return None
    # Whole numbers of which none is above 1 are fractions, for else all would be as good as black.
    whole = bool((values > 1).any()) and all(word.isdigit() for row in rows for word in row)
    if not (values >= 0).all() or not (values <= (255 if whole else 1)).all():
        return None
    return np.rint(values * (1 if whole else 255)).astype(np.uint8)
