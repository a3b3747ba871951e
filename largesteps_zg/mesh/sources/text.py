"""Text of mesh files in any encoding, and STL files, text or binary."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .lines import check_numbers

_VERTEX = re.compile(r"^[ \t]*vertex[ \t]+(.*)$", re.MULTILINE | re.IGNORECASE)
_WORDS = re.compile(r"[ \t]+(facet|outer|vertex|endloop|endfacet|endsolid)\b", re.IGNORECASE)
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
    if not _VERTEX.search(text):  # all in one line
        text = _WORDS.sub(r"\n\1", text)
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
