"""OBJ as its many writers meant it: any polygons, counted from either end, lines that go on; made into triangles."""

from __future__ import annotations

import re

import numpy as np

from .lines import check_obj
from .polygons import triangulated
from .text import decoded

_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_TAB = re.compile(r"^(v|vt|vn|f)\t", re.MULTILINE)
# A line goes on behind a backslash; one in a comment or at the end of a file's name means nothing.
_GOES_ON = re.compile(r"^(?!(?:mtllib|usemtl|o)\b)(?:[^\n#]*\\[ \t]*\n)+[^\n]*", re.MULTILINE)
_BACKSLASH = re.compile(r"\\[ \t]*\n")
# Microsoft's 1.#IND is a number that went wrong, not a comment.
_COMMENT_BEHIND = re.compile(r"^(f[ \t][^\n#]*|v[tn]?[ \t][^\n]*?[ \t])#[^\n]*", re.MULTILINE)
_FACE = re.compile(r"^f(?![^ \t\n])", re.MULTILINE)
_KINDS = ("v", "vt", "vn")


def triangle_obj(data: bytes) -> tuple[bytes, list[str]]:
    """An OBJ file with triangles that count from 1, all corners written alike, as UTF-8.

    Returns
    -------
    data : bytes
    unread : list of str
        What the file has besides and is not used, a phrase each.

    Raises
    ------
    ValueError
        A line that is no vertex or face, or a face that names what the file does not have.
    """
    text = _plain_lines(decoded(data))
    check_obj(text)
    counts = {kind: f"\n{text}".count(f"\n{kind} ") for kind in _KINDS}
    if not counts["v"]:
        first = text.strip().split("\n", 1)[0][:40]
        raise ValueError(
            f"expected lines of vertices, `v x y z`, got none, and {first!r} as its first; is it an OBJ file?"
        )
    unread = _unread(f"\n{text}")
    if not _is_plain(text, counts):
        text, few = _rewritten(text, counts)
        unread += [f"faces of fewer than three corners are not used ({few:,})"] if few else []
    return text.encode(), unread


def _plain_lines(text: str) -> str:
    """Without indents, tabs behind the first word, and comments behind numbers.

    Lines that go on are joined, and blank ones follow, so that every line keeps its number.
    """
    text = _INDENT.sub("", text)
    if "\\" in text:
        text = _GOES_ON.sub(lambda line: _BACKSLASH.sub(" ", line[0]) + "\n" * line[0].count("\n"), text)
        text = _BACKSLASH.sub("\n", text)  # other readers join these lines
    if "#" in text:
        text = _COMMENT_BEHIND.sub(r"\1", text)
    return _TAB.sub(r"\1 ", text)


def _unread(text: str) -> list[str]:
    """Phrases about what is in the file for other programs only."""
    found = []
    if "\n#MRGB " in text:
        found.append("colours in lines #MRGB, as ZBrush writes them, are not used")
    widths = {len(line.split()) for line in re.findall(r"\nv ([^\n]*)", text)}
    if min(widths) <= 4 and max(widths) >= 6:
        found.append("colours of vertices are not used, for some vertices have none")
    return found


def _is_plain(text: str, counts: dict[str, int]) -> bool:
    """Whether all faces are triangles, written alike, that count from 1 up to what is there."""
    first = _FACE.search(text)
    if first is None:
        return True
    corner = text[first.end() :].split("\n", 1)[0].split(" ")[1:2] or [""]
    number = "[0-9]{1,18}"  # as many digits as 64 bits surely hold
    styles = {(0,): number, (0, 1): f"{number}/{number}", (0, 2): f"{number}//{number}"}
    styles[0, 1, 2] = f"{number}/{number}/{number}"
    style = next((style for style, pattern in styles.items() if re.fullmatch(pattern, corner[0])), None)
    if style is None:
        return False
    faces = re.findall(rf"^f((?: +{styles[style]}){{3}}) *$", text, re.MULTILINE)
    if len(faces) < len(_FACE.findall(text)):
        return False
    index = np.fromstring(" ".join(faces).replace("/", " "), dtype=np.int64, sep=" ").reshape(-1, len(style))
    most = np.array([counts[_KINDS[place]] for place in style])
    return bool((index >= 1).all() and (index <= most).all())


def _rewritten(text: str, counts: dict[str, int]) -> tuple[str, int]:
    """With triangles in place of polygons, and how many faces have fewer than three corners.

    Raises ValueError that names the line of a face.
    """
    lines = text.split("\n")
    points = [line.split()[1:4] for line in lines if line.startswith("v ")]
    positions = np.array(points, dtype=np.float64).reshape(-1, 3)
    places, corners, sizes = list[int](), list[list[int]](), list[int]()
    seen = dict.fromkeys(_KINDS, 0)
    for at, line in enumerate(lines):
        word = line.split(" ", 1)[0]
        if word in seen:
            seen[word] += 1
        elif word == "f":
            face = [_absolute(corner, seen, counts, at + 1) for corner in line.split()[1:]]
            places.append(at)
            corners += face
            sizes.append(len(face))
    index = np.array([corner[0] for corner in corners], dtype=np.int64)
    triangles, owners = triangulated(positions[index - 1], np.array(sizes, dtype=np.int64))
    # Other readers take texture coordinates at all corners or at none; they don't need normals.
    mapped = all(corner[1] for corner in corners)
    names = [f"{v}/{vt}" if mapped else f"{v}" for v, vt, _ in corners]
    replaced: list[list[str]] = [[] for _ in places]
    for (a, b, c), owner in zip(triangles.tolist(), owners.tolist(), strict=True):
        replaced[owner].append(f"f {names[a]} {names[b]} {names[c]}")
    for at, new in zip(places, replaced, strict=True):
        lines[at] = "\n".join(new)
    return "\n".join(lines), sum(size < 3 for size in sizes)


def _absolute(corner: str, seen: dict[str, int], counts: dict[str, int], line: int) -> list[int]:
    """Numbers of a corner, `v`, `v/vt`, `v//vn` or `v/vt/vn`, counted from 1; 0 where it has none."""
    found = []
    for kind, word in zip(_KINDS, [*corner.split("/"), "", ""], strict=False):
        try:
            number = int(word) if word or kind == "v" else 0
        except ValueError:
            raise ValueError(
                f"line {line} (f): expected a face of whole numbers, got {corner[:40]!r}; is it damaged?"
            ) from None
        given = number != 0 or kind == "v"  # some programs write 0 for none
        if number < 0:
            number += seen[kind] + 1
        if given and number < 1:
            raise ValueError(
                f"line {line} (f): expected indices from 1 on, or from -1 backwards, got {corner[:40]!r}; is it "
                "0-indexed?"
            )
        if number > counts[kind] and kind != "v":
            number = 0  # the surface is whole without it
        elif number > counts[kind]:
            raise ValueError(
                f"line {line} (f): expected indices up to {counts[kind]:,}, as many as there are lines 'v', got "
                f"{corner[:40]!r}; is the file complete?"
            )
        found.append(number)
    return found
