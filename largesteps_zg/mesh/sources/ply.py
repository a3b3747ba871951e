"""PLY as its authors meant it, with lists of any length, text or binary; made into triangles that any reader takes."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .lines import check_numbers
from .polygons import triangulated

_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"int64": "i8", "uint64": "u8", "float": "f4", "float32": "f4", "double": "f8", "float64": "f8"},
}
_CODES = {
    "i1": "b",
    "u1": "B",
    "i2": "h",
    "u2": "H",
    "i4": "i",
    "u4": "I",
    "i8": "q",
    "u8": "Q",
    "f4": "f",
    "f8": "d",
}
_NAMES = {"i1": "char", "u1": "uchar", "i2": "short", "u2": "ushort", "i4": "int", "u4": "uint"}
_NAMES |= {"i8": "int64", "u8": "uint64", "f4": "float", "f8": "double"}
_INDICES = ("vertex_indices", "vertex_index")
_ENDING = re.compile(rb"[\r\n][ \t]*(end_header)[ \t]*(?=[\r\n])")
_LONGEST = 400  # characters of a number: the longest double written without an exponent has 327


@dataclass
class _Element:
    """Lines of one kind: columns of numbers, and lists as their lengths and their content one after the other."""

    name: str
    count: int
    scalars: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, str]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    lengths: dict[str, np.ndarray] = field(default_factory=dict)


def triangle_ply(data: bytes) -> bytes:
    """The vertices and faces of a PLY file as little-endian binary, polygons as triangles.

    Numbers at vertices stay as they are; those at faces are repeated for the triangles of each, and texture coordinates
    follow their corners. Other elements (edges, cameras) and other lists are left out.

    Raises
    ------
    ValueError
        No PLY file, one that is cut off or goes on, or numbers that are none.
    """
    comments, elements = _elements(data)
    found = {element.name: element for element in elements}
    if "tristrips" in found and "face" not in found:
        raise ValueError("expected an element face, got strips of triangles; export it as triangles")
    if "vertex" not in found or "face" not in found or not found["face"].count:
        raise ValueError("expected at least one triangle, got no faces; is this a point cloud?")
    _name_colors(found["vertex"])
    return _written(comments, found["vertex"], found["face"])


def _name_colors(vertex: _Element) -> None:
    """Gives colours that go by other names those that readers know."""
    names = ("red", "green", "blue")
    for others in (("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b")):
        if set(others) <= set(vertex.scalars) and not set(names) & set(vertex.scalars):
            known = dict(zip(others, names, strict=True))
            vertex.scalars = {known.get(name, name): kind for name, kind in vertex.scalars.items()}
            vertex.columns = {known.get(name, name): column for name, column in vertex.columns.items()}


def ply_points(data: bytes) -> tuple[np.ndarray, bool]:
    """(V, 3) float64 positions of the vertices, and whether there are faces or strips; raises as `triangle_ply`."""
    found = {element.name: element for element in _elements(data)[1]}
    if "vertex" not in found or not {"x", "y", "z"} <= set(found["vertex"].scalars):
        raise ValueError("expected vertices with x, y and z")
    columns = found["vertex"].columns if found["vertex"].count else dict.fromkeys("xyz", np.zeros(0))
    positions = np.stack([columns[axis].astype(np.float64) for axis in "xyz"], axis=1)
    return positions, any(name in found and found[name].count > 0 for name in ("face", "tristrips"))


def _elements(data: bytes) -> tuple[list[str], list[_Element]]:
    """Comments, and elements with their content."""
    form, comments, elements, body = _header(data)
    place = 0
    tokens = body.split() if form == "ascii" else []
    if tokens and max(map(len, tokens)) > _LONGEST:
        raise ValueError(f"expected numbers, got a word of {max(map(len, tokens)):,} characters")
    for element in elements:
        if form == "ascii":
            place = _read_text(element, tokens, place)
        else:
            place = _read_binary(element, body, place, "<" if form == "binary_little_endian" else ">")
    size = len(tokens) if form == "ascii" else len(body)
    # A line's end behind binary numbers is harmless, anything else means that they were read askew.
    if place != size and (form == "ascii" or body[place:].strip()):
        unit = "numbers" if form == "ascii" else "bytes"
        raise ValueError(f"expected {place:,} {unit} after the header, got {size:,}; are its counts right?")
    return comments, elements


def _header(data: bytes) -> tuple[str, list[str], list[_Element], bytes]:
    """Form, comments, elements and what follows."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data[:3].lower() != b"ply":
        raise ValueError(
            f"expected `ply` as its first line, got {data[:20]!r}; is it damaged, or no PLY file?"
        )
    ending = _ENDING.search(data)  # a comment may hold the word
    if ending is None:
        raise ValueError("expected a line end_header, got none; is the file complete?")
    end, line_end = ending.start(1), ending.end()
    form, comments, elements = "", [], list[_Element]()
    for line in data[:end].decode("utf-8", errors="replace").splitlines()[1:]:
        words = line.split()
        try:
            if words[:1] == ["format"]:
                form = words[1]
            elif words[:1] == ["element"]:
                elements.append(_Element(words[1], int(words[2])))
            elif words[:2] == ["property", "list"]:
                elements[-1].lists[words[4]] = _TYPES[words[2]], _TYPES[words[3]]
                elements[-1].order.append(words[4])
            elif words[:1] == ["property"]:
                elements[-1].scalars[words[2]] = _TYPES[words[1]]
                elements[-1].order.append(words[2])
            elif words:
                comments.append(" ".join(words))
        except (IndexError, KeyError, ValueError):
            raise ValueError(f"header line {line[:60]!r} is not understood") from None
    if form not in ("ascii", "binary_little_endian", "binary_big_endian"):
        raise ValueError(f"expected format ascii or binary, got {form[:40]!r}")
    names = [element.name for element in elements]
    if len(set(names)) < len(names):
        raise ValueError(f"expected each element once, got {', '.join(names)[:80]}; export it again")
    for element in elements:
        if any(count[0] == "f" for count, _ in element.lists.values()):
            raise ValueError(f"element {element.name[:40]!r}: the length of a list is no whole number")
        if element.count < 0 or len(set(element.order)) < len(element.order):
            raise ValueError(
                f"element {element.name[:40]!r}: a negative number of lines, or a property twice"
            )
    textures = [comment for comment in comments if comment.lower().startswith("comment texturefile")]
    # One that is the only one; which of several a face means other readers don't ask.
    return form, textures if len(textures) == 1 else [], elements, data[line_end + _newline(data, line_end) :]


def _newline(data: bytes, at: int) -> int:
    """How many bytes the line's end at a place takes."""
    return 2 if data[at : at + 2] == b"\r\n" else 1


def _read_binary(element: _Element, body: bytes, place: int, order: str) -> int:
    """Fills an element; returns where the next one begins."""
    if not element.order or not element.count:
        return place
    lengths = _first_lengths(element, body, place, order)
    kinds: list[tuple] = []
    for name in element.order:
        if name in element.scalars:
            kinds.append((name, order + element.scalars[name]))
        else:
            count, item = element.lists[name]
            kinds += [(f"#{name}", order + count), (name, order + item, (lengths[name],))]
    row = np.dtype(kinds)
    if element.count * row.itemsize <= len(body) - place:
        rows = np.frombuffer(body, row, element.count, place)
        if all(
            (rows[f"#{name}"] == lengths[name]).all() for name in element.lists
        ):  # as in a mesh of triangles
            element.columns = {name: rows[name].reshape(-1) for name in element.order}
            element.lengths = {name: np.full(element.count, lengths[name]) for name in element.lists}
            return place + element.count * row.itemsize
    if not element.lists:
        raise ValueError(f"ends within the element {element.name[:40]!r}")
    return _read_mixed(element, body, place, order)


def _first_lengths(element: _Element, body: bytes, place: int, order: str) -> dict[str, int]:
    """How long the lists of an element's first line are."""
    lengths = {}
    for name in element.order:
        if name in element.scalars:
            place += np.dtype(element.scalars[name]).itemsize
            continue
        count, item = (np.dtype(order + kind) for kind in element.lists[name])
        if place + count.itemsize > len(body):
            raise ValueError(f"ends within the element {element.name[:40]!r}")
        lengths[name] = max(0, int(np.frombuffer(body, count, 1, place)[0]))
        place += count.itemsize + lengths[name] * item.itemsize
        if place > len(body):
            raise ValueError(f"ends within the element {element.name[:40]!r}")
    return lengths


def _read_mixed(element: _Element, body: bytes, place: int, order: str) -> int:
    """Fills an element whose lists differ in length, line by line."""
    scalars = {
        name: (struct.Struct(order + _CODES[kind]), list[float]()) for name, kind in element.scalars.items()
    }
    heads = {name: struct.Struct(order + _CODES[count]) for name, (count, _) in element.lists.items()}
    lengths: dict[str, list[int]] = {name: [] for name in element.lists}
    chunks: dict[str, list[bytes]] = {name: [] for name in element.lists}
    sizes = {name: np.dtype(item).itemsize for name, (_, item) in element.lists.items()}
    try:
        for _ in range(element.count):
            for name in element.order:
                if name in scalars:
                    reader, values = scalars[name]
                    values.append(reader.unpack_from(body, place)[0])
                    place += reader.size
                    continue
                length = int(heads[name].unpack_from(body, place)[0])
                start = place + heads[name].size
                place = start + length * sizes[name]
                if length < 0 or place > len(body):
                    raise struct.error
                lengths[name].append(length)
                chunks[name].append(body[start:place])
    except struct.error:
        raise ValueError(f"ends within the element {element.name[:40]!r}") from None
    for name, (_, values) in scalars.items():
        element.columns[name] = np.array(values, dtype=element.scalars[name])
    for name, (_, item) in element.lists.items():
        element.columns[name] = np.frombuffer(b"".join(chunks[name]), dtype=order + item)
        element.lengths[name] = np.array(lengths[name], dtype=np.int64)
    return place


def _read_text(element: _Element, tokens: Sequence[bytes], place: int) -> int:
    """Fills an element from words; returns the place of the next one's first."""
    if not element.order or not element.count:
        return place
    width = len(element.order)
    if element.count * width > len(tokens) - place:
        raise ValueError(f"ends within the element {element.name[:40]!r}")
    if not element.lists:
        rows = np.array(tokens[place : place + element.count * width]).reshape(-1, width)
        for column, name in enumerate(element.order):
            element.columns[name] = _column(element, name, rows[:, column])
        return place + element.count * width
    words: dict[str, list[bytes]] = {name: [] for name in element.order}
    lengths: dict[str, list[int]] = {name: [] for name in element.lists}
    try:
        for _ in range(element.count):
            for name in element.order:
                length = 1
                if name in lengths:
                    length = int(tokens[place])
                    lengths[name].append(length)
                    place += 1
                if not 0 <= length <= len(tokens) - place:
                    raise IndexError
                words[name] += tokens[place : place + length]
                place += length
    except (IndexError, ValueError):
        raise ValueError(f"ends within the element {element.name[:40]!r}, or a length is no number") from None
    for name in element.order:
        element.columns[name] = _column(element, name, np.array(words[name], dtype=bytes))
    element.lengths = {name: np.array(values, dtype=np.int64) for name, values in lengths.items()}
    return place


def _column(element: _Element, name: str, words: np.ndarray) -> np.ndarray:
    """A property's words as numbers; ValueError with the first that is none."""
    try:
        return _parsed(words, element.scalars.get(name) or element.lists[name][1])
    except (ValueError, OverflowError) as error:
        for index, word in enumerate(words.tolist()):
            place = f"number {index + 1} in all rows" if name in element.lists else f"row {index + 1}"
            where = f"element {element.name[:40]!r}, {name[:40]}, {place}"
            check_numbers(where, [word.decode("latin-1")], 1)
        raise ValueError(f"element {element.name[:40]!r}, {name[:40]}: {error}") from None


def _parsed(words: np.ndarray, kind: str) -> np.ndarray:
    """Words as numbers; whole ones too may be written with a point."""
    if kind in ("i8", "u8"):  # more digits than a double holds
        return words.astype(kind)
    values = words.astype(np.float64)
    if kind in ("f4", "f8"):
        with np.errstate(over="ignore"):
            return values.astype(kind)
    wrong = np.flatnonzero(~((values >= np.iinfo(kind).min) & (values <= np.iinfo(kind).max)))
    if len(wrong):
        raise ValueError(f"expected numbers of the type {_NAMES[kind]}, got {values[wrong[0]]:g}")
    return values.astype(kind)


def _written(comments: Sequence[str], vertex: _Element, face: _Element) -> bytes:
    """Both elements as a file, the faces as triangles."""
    name = next((name for name in _INDICES if name in face.lists), None)
    if name is None:
        raise ValueError(
            f"expected a list {' or '.join(_INDICES)} of its faces, got {', '.join(face.order)[:60]}"
        )
    if face.lists[name][1][0] == "f":
        raise ValueError(
            f"expected whole numbers in {name}, got numbers of the type {_NAMES[face.lists[name][1]]}; export it again"
        )
    if not {"x", "y", "z"} <= set(vertex.scalars):
        raise ValueError(f"expected vertices with x, y and z, got {', '.join(vertex.order)[:60]}")
    corners = face.columns[name].astype(np.int64)
    wrong = np.flatnonzero((corners < 0) | (corners >= vertex.count))
    if len(wrong):
        row = int(np.searchsorted(face.lengths[name].cumsum(), wrong[0], side="right")) + 1
        raise ValueError(
            f"element 'face', row {row:,}: expected indices in [0, {vertex.count}), got {corners[wrong[0]]}"
        )
    positions = np.stack([vertex.columns[axis].astype(np.float64) for axis in "xyz"], axis=1)
    triangles, owners = triangulated(positions[corners], face.lengths[name])
    kinds: list[tuple] = [("#", "u1"), (_INDICES[0], "<i4", (3,))]
    kinds += [(key, "<" + kind) for key, kind in face.scalars.items()]
    coordinates = face.lengths.get("texcoord")
    mapped = coordinates is not None and (coordinates == 2 * face.lengths[name]).all()
    if mapped:
        kinds += [("#uv", "u1"), ("texcoord", "<f4", (6,))]
    rows = np.zeros(len(triangles), dtype=kinds)
    rows["#"], rows[_INDICES[0]] = 3, corners[triangles]
    for key in face.scalars:
        rows[key] = face.columns[key][owners]
    if mapped:
        rows["#uv"] = 6
        rows["texcoord"] = face.columns["texcoord"].reshape(-1, 2)[triangles].reshape(-1, 6)
    points = np.zeros(vertex.count, dtype=[(key, "<" + kind) for key, kind in vertex.scalars.items()])
    for key in vertex.scalars:
        points[key] = vertex.columns[key]
    lines = ["ply", "format binary_little_endian 1.0", *comments, f"element vertex {len(points)}"]
    lines += [f"property {_NAMES[kind]} {key}" for key, kind in vertex.scalars.items()]
    lines += [f"element face {len(rows)}", f"property list uchar int {_INDICES[0]}"]
    lines += [f"property {_NAMES[kind]} {key}" for key, kind in face.scalars.items()]
    lines += ["property list uchar float texcoord"] if mapped else []
    return "\n".join([*lines, "end_header", ""]).encode() + points.tobytes() + rows.tobytes()
