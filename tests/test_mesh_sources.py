"""What mesh files hold, read as they mean it: polygons, mixed lists, other counting, encodings, packed numbers."""

from __future__ import annotations

import base64
import copy
import json
import logging
import re
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mesh_files import BALL, MESHES, TRIANGLES, VERTICES, glb_parts, obj, packed_glb, ply, with_quads
from mesh_files import off as off_file
from PIL import Image

from largesteps_zg.geometry import topology
from largesteps_zg.mesh import Mesh, load_mesh
from largesteps_zg.reconstruct.starts import start_from_file

# A flat arrowhead whose first corner turns inward: the fan of that corner leaves the polygon.
ARROW = [[0.5, 1.0], [0, 2], [2, 1], [0, 0]]
# The same with one corner more, so that it is no quad.
ARROW_OF_FIVE = [[0.0, 0], [0.5, 1.0], [0, 2], [2, 2], [2, 0]]


def area(mesh: Mesh) -> tuple[float, float]:
    """Of its triangles with their signs, seen from +z, and without."""
    a, b, c = mesh.vertices.double()[mesh.faces].unbind(1)
    signed = torch.linalg.cross(b - a, c - a)[:, 2] / 2
    return float(signed.sum()), float(signed.abs().sum())


def shoelace(flat: list[list[float]]) -> float:
    x, y = np.array(flat).T
    return 0.5 * float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())


def polygon_file(kind: str, flat: list[list[float]], path: Path) -> Path:
    rows, count = [f"{x} {y} 0" for x, y in flat], len(flat)
    corners = " ".join(map(str, range(count)))
    if kind == "obj":
        text = "\n".join(
            [*(f"v {row}" for row in rows), "f " + " ".join(str(k + 1) for k in range(count)), ""]
        )
    elif kind == "off":
        text = "\n".join(["OFF", f"{count} 1 0", *rows, f"{count} {corners}", ""])
    else:
        head = ["ply", "format ascii 1.0", f"element vertex {count}", *(f"property float {x}" for x in "xyz")]
        head += ["element face 1", "property list uchar int vertex_index", "end_header"]
        text = "\n".join([*head, *rows, f"{count} {corners}", ""])
    file = path / f"a.{kind}"
    file.write_text(text)
    return file


@pytest.mark.parametrize("kind", ["obj", "off", "ply"])
@pytest.mark.parametrize("flat", [ARROW, ARROW_OF_FIVE, ARROW_OF_FIVE[::-1]])
def test_polygons_that_are_not_convex(kind, flat, tmp_path):
    mesh = load_mesh(polygon_file(kind, flat, tmp_path))
    assert mesh.faces.shape == (len(flat) - 2, 3)
    assert area(mesh) == pytest.approx((shoelace(flat), abs(shoelace(flat))))


@pytest.mark.parametrize("name", MESHES)
def test_every_kind_of_file_holds_the_ball(name, tmp_path):
    (tmp_path / name).write_bytes(MESHES[name])
    mesh = load_mesh(tmp_path / name, dtype=torch.float64)
    counts = topology(mesh.faces, len(mesh.vertices))
    assert (counts.vertices, counts.faces, counts.watertight) == (42, 80, True)
    # Quads that are not flat get either diagonal, which changes the volume by 4 % and never the side.
    size = 1e-4 if name == "quantized.glb" else 1e-6
    assert torch.cdist(mesh.vertices, torch.from_numpy(VERTICES)).min(dim=1).values.max() < size
    corners = mesh.vertices[mesh.faces]
    assert float(torch.linalg.det(corners).sum()) / 6 == pytest.approx(BALL.volume, rel=0.05)


# --- PLY -------------------------------------------------------------------------------------------------------------


def test_numbers_at_faces_follow_their_triangles(tmp_path):
    faces = with_quads()
    (tmp_path / "a.ply").write_bytes(ply(faces))
    start = start_from_file(tmp_path / "a.ply")
    expected = [k % 5 for k, face in enumerate(faces) for _ in range(len(face) - 2)]
    assert start.attributes.face["kind"].tolist() == expected and start.done == []


@pytest.mark.parametrize("order", ["<", ">", ""])
def test_texture_coordinates_at_the_corners_of_polygons(order, tmp_path):
    """Three squares in a row, as quads with coordinates at their corners (MeshLab), one of them as two triangles."""
    points = [[x, y, 0.0] for x in range(4) for y in range(2)]
    faces = [[0, 2, 3, 1], [2, 4, 5], [2, 5, 3], [4, 6, 7, 5]]
    form = {"<": "binary_little_endian", ">": "binary_big_endian", "": "ascii"}[order]
    head = [f"format {form} 1.0", "element vertex 8", *(f"property double {axis}" for axis in "xyz")]
    head += [
        "element face 4",
        "property list uchar uint vertex_indices",
        "property list uchar float texcoord",
    ]
    uv = [[x / 4 for k in face for x in points[k][:2]] for face in faces]
    if order:
        body = b"".join(struct.pack(f"{order}3d", *point) for point in points)
        for face, at in zip(faces, uv, strict=True):
            body += struct.pack(f"{order}B{len(face)}IB{len(at)}f", len(face), *face, len(at), *at)
    else:
        rows = [" ".join(map(str, point)) for point in points]
        pairs = zip(faces, uv, strict=True)
        rows += [" ".join(map(str, [len(face), *face, len(at), *at])) for face, at in pairs]
        body = "\n".join([*rows, ""]).encode()
    file = tmp_path / "a.ply"
    file.write_bytes("\n".join(["ply", *head, "end_header", ""]).encode() + body)
    start = start_from_file(file)
    assert start.layout is not None and start.mesh.faces.shape == (6, 3)
    places = start.mesh.vertices[start.mesh.faces][..., :2] / 4
    torch.testing.assert_close(start.layout.corners, places)


def test_ply_that_says_what_it_does_not_hold(tmp_path):
    file = tmp_path / "a.ply"
    whole = ply(with_quads())
    for content, part in (
        (whole[:-3], "ends within the element 'face'"),
        (whole + b"1234", "bytes after the header"),
        (whole.replace(b"vertex_indices", b"vertex_iridices"), "expected a list vertex_indices"),
        (ply([[0, 1, 2, 3], [0, 1, 99]]), "element 'face', row 2: expected indices in [0, 42), got 99"),
        (
            whole.replace(b"element face", b"element vertex 0\nproperty int a\nelement face"),
            "each element once",
        ),
        (
            whole.replace(b"uchar int vertex", b"uchar float vertex"),
            "expected whole numbers in vertex_indices, got",
        ),
        (whole.replace(b"float z", b"float w"), "expected vertices with x, y and z, got x, y, w"),
        (whole.replace(b"end_header", b"the_header"), "expected a line end_header, got none"),
        (ply([[0, 1, 2]], "").replace(b" 10 20 30", b" 10 20 300", 1), "of the type uchar, got 300"),
        (
            ply([[0, 1, 2]], "").replace(b" 10 20 30", b" 10 20 red", 1),
            "blue, row 1: expected a number, got 'red'",
        ),
        (whole.replace(b"property float x", b"property quad x"), "'property quad x' is not understood"),
    ):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.ply: ") as caught:
            load_mesh(file)
        assert part in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b")])
def test_other_names_of_colours(names, tmp_path):
    """Those of Bundler, PMVS and older programs."""
    data = ply(TRIANGLES.tolist())
    (tmp_path / "known.ply").write_bytes(data)
    for old, new in zip(("red", "green", "blue"), names, strict=True):
        data = data.replace(f"uchar {old}\n".encode(), f"uchar {new}\n".encode())
    (tmp_path / "a.ply").write_bytes(data)
    assert torch.equal(load_mesh(tmp_path / "a.ply").colors, load_mesh(tmp_path / "known.ply").colors)


def test_the_end_of_a_header_is_a_line(tmp_path):
    text = ply(with_quads(), "", comment="comment no end_header here")
    (tmp_path / "a.ply").write_bytes(b"\xef\xbb\xbf" + text)
    assert load_mesh(tmp_path / "a.ply").faces.shape == (80, 3)


def test_big_numbers_in_lists_of_different_lengths_keep_their_width(tmp_path):
    """8-byte integers beside the lists: a struct's `l` is 4 bytes."""
    head = [
        "ply",
        "format binary_little_endian 1.0",
        "element vertex 4",
        *(f"property float {x}" for x in "xyz"),
    ]
    head += [
        "element face 2",
        "property int64 id",
        "property list uchar int vertex_indices",
        "end_header",
        "",
    ]
    body = struct.pack("<12f", 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0)
    body += struct.pack("<qB3i", 2**40, 3, 0, 1, 2) + struct.pack("<qB4i", -7, 4, 0, 1, 2, 3)
    (tmp_path / "a.ply").write_bytes("\n".join(head).encode() + body)
    assert start_from_file(tmp_path / "a.ply").done  # three faces at an edge
    from largesteps_zg.mesh.file_parts import ply_attributes, read_parts

    found = ply_attributes(read_parts(tmp_path / "a.ply"))
    assert found.face["id"].tolist() == [2**40, -7, -7]


# --- OBJ, OFF, STL ---------------------------------------------------------------------------------------------------


def test_relative_indices_count_from_where_they_stand(tmp_path):
    """Two triangles, each after its own vertices; counted from the end of the file both would be the second one."""
    lines = [
        "v 0 0 0",
        "v 1 0 0",
        "v 0 1 0",
        "f -3 -2 -1",
        "v 0 0 5",
        "v 1 0 5",
        "v 0 1 5",
        "f -3 -2 -1",
        "f 1 2 -1",
    ]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    mesh = load_mesh(tmp_path / "a.obj")
    assert sorted(mesh.vertices[mesh.faces][..., 2].tolist()) == [[0, 0, 0], [0, 0, 5], [5, 5, 5]]


def test_obj_as_other_programs_write_it(tmp_path):
    """Indented, with tabs, carriage returns, a line that goes on, and a comment behind a face."""
    lines = ["\tv 0 0 0", "  v\t1 0 0", "v 1 1 0", "v 0 1 0", "  f\t1 2 \\", " 3 4 # a square"]
    for end in ("\n", "\r\n", "\r"):
        (tmp_path / "a.obj").write_bytes(end.join(lines).encode("utf-8-sig"))
        mesh = load_mesh(tmp_path / "a.obj")
        assert mesh.faces.shape == (2, 3) and area(mesh) == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize(
    ("face", "part"),
    [
        ("f 0 1 2", "indices from 1 on"),
        ("f 1 2 0", "is it 0-indexed"),
        ("f -4 -2 -1", "indices from 1 on"),
        ("f 1 2 3 9", "line 4 (f): expected indices up to 3, as many as there are lines 'v', got '9'"),
        ("f 1 2 3 x", "whole numbers"),
        ("f 1 2 9", "line 4 (f): expected indices up to 3, as many as there are lines 'v', got '9'"),
        ("f 1 2 99999999999999999999", "line 4 (f): expected indices up to 3"),
        ("f 1 2 \\\n 3\nf 1 2 9", "line 6 (f): "),
        ("f 1\u00a02 3", "line 4 (f): expected a face of whole numbers"),
        ("v \u0661 0 0\nf 1 2 3", "line 4 (v): expected 3 numbers"),
    ],
)
def test_faces_that_name_what_is_not_there(face, part, tmp_path):
    (tmp_path / "a.obj").write_text(f"v 0 0 0\nv 1 0 0\nv 0 1 0\n{face}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.obj: ") as caught:
        load_mesh(tmp_path / "a.obj")
    assert part in str(caught.value)


@pytest.mark.parametrize("face", ["vt 0 0\nf 1/1 2/1 3/2", "f 1//1 2//1 3//1", "f 1/1/1 2/1/1 3/1/1"])
def test_a_surface_is_whole_without_the_coordinates_and_normals_that_its_faces_name(face, tmp_path):
    (tmp_path / "a.obj").write_text(f"v 0 0 0\nv 1 0 0\nv 0 1 0\n{face}\n")
    assert load_mesh(tmp_path / "a.obj").faces.tolist() == [[0, 1, 2]]


def test_lines_that_go_on_keep_the_numbers_of_the_others(tmp_path):
    """Of a decimal comma behind two lines that are three and two in the file."""
    lines = ["v 0 \\", "0 \\ ", "0", "v 1 0 \\", "0", "v 0,5 1 0", "f 1 2 3"]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"a\.obj: .*line 6 \(v\): .*got '0,5 1 0'; is that a decimal comma"):
        load_mesh(tmp_path / "a.obj")


@pytest.mark.parametrize("line", ["# from C:\\scans\\", "mtllib C:\\scans\\", "f 1 2 3 # or \\"])
def test_a_backslash_in_a_comment_or_a_path_swallows_no_line(line, tmp_path):
    """The vertex below it would be lost, and all faces would count from the next one."""
    lines = [line, "v 0 0 0", "v 1 0 0", "v 0 2 0", "v 9 9 9", "f 1 2 3"]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    mesh = load_mesh(tmp_path / "a.obj")
    assert len(mesh.vertices) == 4 and mesh.vertices[mesh.faces].amax(dim=(0, 1)).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    "faces",
    [
        ["f 1/1 2/2 3", "f 1 3 4"],
        ["f 1/1 2/2 3/3", "f 1 3 4"],
        ["f 1//1 2//1 3/1/1", "f 1/1/1 3//1 4//1"],
        ["f 1/1/ 2/2/ 3/3/", "f 1// 3// 4//"],
        ["f 1/1 2/2 3/3 4", "# f 1 2 9"],
    ],
)
def test_corners_of_which_only_some_have_texture_coordinates(faces, tmp_path):
    """A unit square. Readers that count numbers and not slashes take the place in the image for a vertex."""
    lines = ["v 0 0 0", "v 1 0 0", "v 1 1 0", "v 0 1 0", "vt 0 0", "vt 1 0", "vt 1 1", "vn 0 0 1", *faces]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    start = start_from_file(tmp_path / "a.obj")
    assert start.mesh.faces.shape == (2, 3) and area(start.mesh) == pytest.approx((1.0, 1.0))
    assert start.layout is None and start.fault == "not all corners of its faces have them"


def test_what_a_file_has_and_is_not_used_is_said(tmp_path):
    square = ["v 0 0 0", "v 1 0 0", "v 1 1 0", "v 0 1 0"]
    half = ["v 0 0 0 1 0 0", *square[1:]]
    for name, lines, phrase in (
        ("a.obj", [*square, "f 1 2 3", "f 1 3 4"], None),
        ("a.obj", [*square, "#MRGB ffff0000ffff0000", "f 1 2 3", "f 1 3 4"], "#MRGB"),
        ("a.obj", [*half, "f 1 2 3", "f 1 3 4"], "some vertices have none"),
        (
            "a.obj",
            [*square, "f 1 2 3", "f 1 3 4", "f 1 2", "f 3"],
            "fewer than three corners are not used (2)",
        ),
        ("a.off", ["OFF", "3 1 0", *(f"{row[2:]} 255 0 0" for row in square[:3]), "3 0 1 2"], "write COFF"),
        (
            "a.off",
            ["COFF", "3 1 0", *(f"{row[2:]} 7" for row in square[:3]), "3 0 1 2"],
            "colours of vertices",
        ),
        ("a.off", ["OFF", "3 2 0", *(row[2:] for row in square[:3]), "3 0 1 2", "2 0 1"], "not used (1)"),
    ):
        (tmp_path / name).write_text("\n".join(lines))
        unread = start_from_file(tmp_path / name).unread
        assert unread == [] if phrase is None else len(unread) == 1 and phrase in unread[0], unread


def test_text_that_is_no_mesh(tmp_path):
    for name, text, part in (
        (
            "a.obj",
            "<!DOCTYPE html>\n<p>Not found",
            "expected lines of vertices, `v x y z`, got none, and '<!DOCTYPE",
        ),
        ("a.off", "<!DOCTYPE html>\n<p>Not found", "as its first word, got '<!DOCTYPE'"),
        ("a.ply", "<!DOCTYPE html>\n<p>Not found", "as its first line, got b'<!DOCTYPE html>"),
        ("a.off", "OFF BINARY\n", "a binary OFF, which is not read here"),
        ("a.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n", "line 6: expected indices in [0, 3), got 7"),
        ("a.off", f"OFF\n1 1 0\n0 0 0\n1 {'9' * 30}\n", "line 4: expected indices in [0, 1), got 999"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=re.escape(f"{name}: ")) as caught:
            load_mesh(tmp_path / name)
        assert part in str(caught.value) and "\n" not in str(caught.value), caught.value


def test_zero_for_no_texture_coordinate(tmp_path):
    lines = ["v 0 0 0", "v 1 0 0", "v 0 1 0", "vt 0 0", "f 1/0 2/0 3/0"]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    start = start_from_file(tmp_path / "a.obj")
    assert len(start.mesh.faces) == 1 and start.layout is None


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8"])
def test_text_in_any_encoding(encoding, tmp_path):
    """Only names and comments have letters that differ."""
    for name in ("triangles.obj", "text.stl", "text.off"):
        text = MESHES[name].decode("latin-1")
        first, rest = text.split("\n", 1)
        first = f"{first}\n# Größe" if "off" in name else f"{first} Größe"
        (tmp_path / name).write_bytes(f"{first}\n{rest}".encode(encoding))
        assert load_mesh(tmp_path / name).faces.shape == (80, 3)


def test_colours_of_off(tmp_path):
    rows = ["COFF", "3 1 0", "0 0 0 255 0 0 255", "1 0 0 0 255 0 255", "0 1 0 0 0 255 255", "3 0 1 2"]
    (tmp_path / "a.off").write_text("\n".join(rows))
    assert torch.equal(load_mesh(tmp_path / "a.off").colors, torch.eye(3))
    for one in ("1.0", "1"):
        fractions = [row.replace("255", one) for row in rows]
        (tmp_path / "a.off").write_text("\n".join(fractions))
        assert torch.equal(load_mesh(tmp_path / "a.off").colors, torch.eye(3))
    faces = ["OFF", "4 2 0", "0 0 0", "1 0 0", "0 1 0", "0 0 1", "3 0 1 2 255 0 0", "3 0 2 3 255 0 0"]
    (tmp_path / "a.off").write_text("\n".join(faces))
    assert load_mesh(tmp_path / "a.off").colors.tolist() == [[1, 0, 0]] * 4


def test_headers_of_off(tmp_path):
    """ModelNet's numbers follow the word at once; some write it small."""
    rest = ["0 0 0", "1 0 0", "0 1 0", "3 0 1 2"]
    for head in (["OFF3 1 0"], ["OFF 3 1 0"], ["off", "3 1"], ["# made by hand", "OFF", "", "3 1 0"]):
        (tmp_path / "a.off").write_text("\n".join([*head, *rest]))
        assert load_mesh(tmp_path / "a.off").faces.tolist() == [[0, 1, 2]]


def test_stl_in_one_line(tmp_path):
    """White space is all that the format asks for between words; the name may hold any of them."""
    text = MESHES["text.stl"].decode()
    name, rest = text.split("\n", 1)
    (tmp_path / "a.stl").write_text(f"{name} " + " ".join(rest.split()))
    assert load_mesh(tmp_path / "a.stl").faces.shape == (80, 3)


def test_stl_that_is_not_of_triangles_or_not_whole(tmp_path):
    text = MESHES["text.stl"]
    binary = MESHES["binary.stl"]
    size, first = len(binary), text.index(b"vertex")
    end = text.index(b"\n", first)
    fourth = text[: text.index(b"endfacet")].count(b"\n") + 2
    many = binary[:80] + (81).to_bytes(4, "little") + binary[84:]
    named = b"solid by a program".ljust(80) + binary[80:]
    for content, parts in (
        (
            text[:end] + b"\n" + text[first:],
            (f"line {fourth}: ", "3 vertices before endfacet, got 4", "triangles"),
        ),
        (
            text[:first] + b"vertex 0 zero 0" + text[end:],
            ("line 4 (vertex): expected 3 numbers, got '0 zero 0'",),
        ),
        (text[: text.rindex(b"vertex")], ("endfacet before the file ends, got 2 vertices", "complete?")),
        (text.replace(b"solid", b"body", 1), ("line 1: expected the word solid", "got 'body")),
        (binary[:-10], (f"expected {size:,} bytes for 80 faces, got {size - 10:,}, 10 missing", "complete?")),
        (
            binary + b"1234",
            (f"expected {size:,} bytes for 80 faces, got {size + 4:,}, 4 too many", "cut them off"),
        ),
        (named + b"1234", (f"expected {size:,} bytes", "4 too many")),
        (binary[:-50], ("bytes 80 to 83: expected 79 faces, as many as there are, got 80", "complete?")),
        (many, ("bytes 80 to 83: expected 80 faces, as many as there are, got 81", "export it again")),
        (binary[:60], ("expected a header of 84 bytes, got 60", "complete?")),
    ):
        (tmp_path / "a.stl").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.stl: ") as caught:
            load_mesh(tmp_path / "a.stl")
        assert all(part in str(caught.value) for part in parts), caught.value


@pytest.mark.parametrize("name", ["triangles.obj", "relative.obj", "text.off", "text.stl", "text.ply"])
@pytest.mark.parametrize(
    ("word", "cure"), [("0,5", "is that a decimal comma? Write points"), ("O.5", "is it damaged?")]
)
def test_a_line_of_numbers_that_are_none_is_named(name, word, cure, tmp_path):
    """The seventh vertex of each file, written as programs with a comma in their locale do, or read by a scanner."""
    lines = MESHES[name].decode("latin-1").split("\n")
    at = vertex_lines(name, lines)[6]
    front = lines[at].split()[:-3] if name.endswith(("obj", "stl")) else []
    rest = lines[at].split()[len(front) + 3 :]
    lines[at] = " ".join([*front, word, "1.25", "-2", *rest])
    (tmp_path / name).write_bytes("\n".join(lines).encode("latin-1"))
    with pytest.raises(ValueError) as caught:
        load_mesh(tmp_path / name)
    message = str(caught.value)
    place = "x, row 7:" if name.endswith("ply") else f"line {at + 1}"
    assert message.startswith(str(tmp_path / name)) and "\n" not in message
    assert place in message and f"got '{word}" in message and cure in message, message


def vertex_lines(name, lines):
    """Where the vertices of a text file are, by its format's first words."""
    if name.endswith(("obj", "stl")):
        word = "v" if name.endswith("obj") else "vertex"
        return [at for at, line in enumerate(lines) if line.split()[:1] == [word]]
    start = lines.index("end_header") + 2 if name.endswith("ply") else 2
    return list(range(start, start + len(VERTICES)))


def test_counts_that_are_not_those_of_the_file(tmp_path):
    """What follows the last face that a file announces, or is missing, would be lost without a word."""
    off, glb = off_file(TRIANGLES.tolist()), MESHES["plain.glb"]
    for name, content, part in (
        (
            "a.off",
            off.replace(b"42 80", b"42 79"),
            "line 2: expected 42 vertices and 79 faces, got 122 lines",
        ),
        (
            "a.off",
            off.replace(b"42 80", b"42 81"),
            "line 2: expected 42 vertices and 81 faces, got 122 lines",
        ),
        ("a.ply", MESHES["text.ply"] + b"3 0 1 2\n", "numbers after the header"),
        ("a.glb", glb + b"1234", f"expected {len(glb) + 4:,}, the length of the file, got {len(glb):,}"),
        ("a.glb", glb[:-4], f"expected {len(glb) - 4:,}, the length of the file, got {len(glb):,}"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=r"[;?]") as caught:
            load_mesh(tmp_path / name)
        assert part in str(caught.value), caught.value


def test_numbers_that_end_early_are_not_passed_over(tmp_path):
    """NumPy gives what it read before a word that is no number; three of these vertices would have been dropped."""
    lines = obj(TRIANGLES.tolist()).decode("latin-1").split("\n")
    at = next(k for k, line in enumerate(lines) if line.startswith("v "))
    lines[at + 20] = "v 0.1 O.2 0.3"
    (tmp_path / "a.obj").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"a\.obj: "):
        load_mesh(tmp_path / "a.obj")


# --- glTF ------------------------------------------------------------------------------------------------------------


def one_primitive(mode: int, points: list, indices: list[int] | None, **attributes: tuple) -> bytes:
    """A GLB of one primitive; attributes are (component type, type, normalized, bytes)."""
    tree: dict = {"asset": {"version": "2.0"}, "nodes": [{"mesh": 0}], "bufferViews": [], "accessors": []}
    chunk = b""

    def add(component: int, kind: str, count: int, data: bytes, **more) -> int:
        nonlocal chunk
        view = {"buffer": 0, "byteOffset": len(chunk), "byteLength": len(data)}
        tree["bufferViews"].append(view)
        accessor = {"bufferView": len(tree["bufferViews"]) - 1, "componentType": component, "count": count}
        tree["accessors"].append({**accessor, "type": kind, **more})
        chunk += data + bytes(-len(data) % 4)
        return len(tree["accessors"]) - 1

    data = np.array(points, dtype="<f4").tobytes()
    part: dict = {"mode": mode, "attributes": {"POSITION": add(5126, "VEC3", len(points), data)}}
    if indices is not None:
        part["indices"] = add(5121, "SCALAR", len(indices), bytes(indices))
    for name, (component, kind, normalized, packed) in attributes.items():
        part["attributes"][name] = add(component, kind, len(points), packed, normalized=normalized)
    tree["meshes"] = [{"primitives": [part]}]
    tree["buffers"] = [{"byteLength": len(chunk)}]
    return packed_glb(tree, chunk)


def test_what_a_gltf_has_and_is_not_used_is_said(tmp_path):
    whole, chunk = glb_parts(MESHES["plain.glb"])
    part = whole["meshes"][0]["primitives"][0]
    for edit, phrase in (
        (lambda tree: None, None),
        (lambda tree: tree["scenes"].append({"nodes": []}), "other scenes than the one to show first"),
        (lambda tree: tree["nodes"][-1].update(skin=0), "skins"),
        (lambda tree: tree.update(animations=[{"channels": []}]), "animations"),
        (lambda tree: tree["meshes"][0]["primitives"].append({**part, "mode": 1}), "points and lines"),
        (lambda tree: tree["meshes"][0]["primitives"][0].update(targets=[{"POSITION": 1}]), "morph targets"),
    ):
        tree = copy.deepcopy(whole)
        edit(tree)
        (tmp_path / "a.glb").write_bytes(packed_glb(tree, chunk))
        unread = start_from_file(tmp_path / "a.glb").unread
        assert unread == [] if phrase is None else len(unread) == 1 and phrase in unread[0], unread


def paths_to(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """To everything in a tree of lists and objects."""
    yield path
    for key, entry in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from paths_to(entry, *path, key)


def named(path: tuple[Any, ...]) -> str:
    """As messages name a field."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


READ_OR_HARMLESS = (
    "asset",
    "version",
    "name",
    "mimeType",
    "min",
    "max",
    "target",
    "samplers",
    "generator",
    "doubleSided",
)


@pytest.mark.slow
@pytest.mark.parametrize("other", ["x", 7.5, True, [], {}, [[]], None])
@pytest.mark.parametrize("name", ["plain.glb", "textured.gltf", "quantized.glb"])
def test_fields_of_another_type_are_named(name: str, other: Any, tmp_path: Path) -> None:
    """Each field of the file by itself; one that is read as before is not missed, or may be as it is."""
    whole = MESHES[name]
    tree, chunk = glb_parts(whole) if name.endswith(".glb") else (json.loads(whole), b"")
    file = tmp_path / name
    shape = load_mesh_of(file, whole)
    refused = 0
    for path in paths_to(tree):
        if not path or path[-1] in READ_OR_HARMLESS:
            continue
        changed = copy.deepcopy(tree)
        place = changed
        for key in path[:-1]:
            place = place[key]
        if type(place[path[-1]]) is type(other):
            continue
        place[path[-1]] = other
        text = json.dumps(changed).encode()
        try:
            found = load_mesh_of(file, text if name.endswith(".gltf") else packed_glb(changed, chunk))
            assert found == shape or other is None  # as if it were not there
        except ValueError as error:
            message = str(error)
            refused += 1
            assert message.startswith(f"{file}: ") and "\n" not in message
            assert not re.search("[A-Z][A-Za-z]*Error|NoneType|object is not|has no attr", message), (
                path,
                message,
            )
            if other in ("x", 7.5):
                assert f"{named(path)}: expected " in message and "got " in message, (path, message)
    assert refused > 10


def load_mesh_of(file: Path, content: bytes) -> tuple[int, ...]:
    file.write_bytes(content)
    return tuple(load_mesh(file).faces.shape)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("scenes", "x", "scenes: expected a list, got the text 'x'"),
        ("nodes", {"a": 1}, "nodes: expected a list, got an object of length 1"),
        ("nodes", [[]], "nodes[0]: expected an object, got a list of length 0"),
        ("meshes", [{"primitives": [{}]}], "meshes[0].primitives[0]: expected a field attributes, got none"),
        ("meshes", [{}], "meshes[0]: expected a field primitives, got none"),
        ("accessors", 3, "accessors: expected a list, got 3"),
        ("asset", "2.0", "asset: expected an object, got the text '2.0'"),
        (
            "nodes",
            [{"mesh": 0, "scale": [1, 1]}],
            "nodes[0].scale: expected a list of 3 numbers, got a list of length 2",
        ),
        (
            "nodes",
            [{"mesh": 0, "scale": [1, 1, 1e999]}],
            "nodes[0].scale[2]: expected a finite number, got inf",
        ),
        ("nodes", [{"mesh": True}], "nodes[0].mesh: expected a whole number, got true"),
    ],
)
def test_a_file_of_wrong_types_says_field_expected_and_got(
    field: str, value: Any, message: str, tmp_path: Path
) -> None:
    tree, chunk = glb_parts(MESHES["plain.glb"])
    tree[field] = value
    with pytest.raises(ValueError, match=r"a\.glb: ") as caught:
        load_mesh_of(tmp_path / "a.glb", packed_glb(tree, chunk))
    assert message in str(caught.value)


SQUARES = [[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0], [2, 0, 0], [2, 1, 0]]


@pytest.mark.parametrize("indexed", [True, False])
def test_strips_and_fans(indexed, tmp_path):
    """Two squares: as a strip, and as a fan around the middle of their border. No `scenes`: all nodes are meant."""
    fan = [[1.0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0], [0, 0, 0]]
    strip = [[x, 1 - y, 0] for x, y, _ in SQUARES]
    for mode, points, faces in ((5, strip, 4), (6, fan, 3)):
        indices = list(range(len(points))) if indexed else None
        (tmp_path / "a.glb").write_bytes(one_primitive(mode, points, indices))
        mesh = load_mesh(tmp_path / "a.glb")
        assert mesh.faces.shape == (faces, 3) and area(mesh) == pytest.approx((2.0, 2.0))


def test_colours_of_16_bits_and_sparse_positions(tmp_path):
    levels = np.array([[0, 32768, 65535], [65535, 0, 0], [13107, 26214, 39321]], dtype="<u2")
    data = one_primitive(4, SQUARES[:3], [0, 2, 1], COLOR_0=(5123, "VEC3", True, levels.tobytes()))
    (tmp_path / "a.glb").write_bytes(data)
    expected = torch.from_numpy(levels / 65535).float()
    torch.testing.assert_close(load_mesh(tmp_path / "a.glb").colors, expected, rtol=0, atol=0.6 / 255)
    tree, chunk = glb_parts(data)
    new = np.array([[7, 8, 9]], dtype="<f4").tobytes()
    for extra in (bytes([1, 0, 0, 0]), new):
        view = {"buffer": 0, "byteOffset": len(chunk), "byteLength": len(extra)}
        tree["bufferViews"].append(view)
        chunk += extra
    views = len(tree["bufferViews"])
    indices = {"bufferView": views - 2, "componentType": 5121}
    tree["accessors"][0]["sparse"] = {"count": 1, "indices": indices, "values": {"bufferView": views - 1}}
    tree["buffers"][0]["byteLength"] = len(chunk)
    (tmp_path / "a.glb").write_bytes(packed_glb(tree, chunk))
    assert load_mesh(tmp_path / "a.glb").vertices.tolist() == [[0, 0, 0], [7, 8, 9], [1, 0, 0]]


def test_texture_coordinates_are_turned_and_scaled_as_the_material_says(tmp_path):
    """The example of KHR_texture_transform: the lower left quarter of the image, a quarter turn."""
    uv = np.array([[0, 0], [0, 255], [255, 0], [255, 255]], dtype="u1")
    packed = np.hstack([uv, np.zeros((4, 2), dtype="u1")]).tobytes()
    data = one_primitive(4, SQUARES[:4], [0, 2, 1, 1, 2, 3], TEXCOORD_1=(5121, "VEC2", True, packed))
    tree, chunk = glb_parts(data)
    tree["bufferViews"][-1]["byteStride"] = 4
    image = b"data:image/png;base64," + base64.b64encode(_png())
    transform = {"offset": [0, 1], "rotation": np.pi / 2, "scale": [0.5, 0.5]}
    texture = {"index": 0, "texCoord": 1, "extensions": {"KHR_texture_transform": transform}}
    tree |= {"images": [{"uri": image.decode()}], "textures": [{"source": 0}]}
    tree["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": texture}}]
    tree["meshes"][0]["primitives"][0]["material"] = 0
    (tmp_path / "a.glb").write_bytes(packed_glb(tree, chunk))
    start = start_from_file(tmp_path / "a.glb")
    corners = start.layout.corners.reshape(-1, 2)
    # By hand: (u, v) -> (v / 2, 1 - u / 2) counted downwards, so (v / 2, u / 2) counted upwards.
    expected = uv[[0, 2, 1, 1, 2, 3]][:, ::-1] / 255 / 2
    torch.testing.assert_close(corners.double(), torch.from_numpy(expected), rtol=0, atol=1e-6)
    assert start.layout.size == 8 and start.unread == []


def _png() -> bytes:
    import io

    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 100, 50)).save(file, "PNG")
    return file.getvalue()


# --- manners ---------------------------------------------------------------------------------------------------------


def test_other_packages_are_not_heard(tmp_path, caplog, recwarn, capfd):
    """A texture that is no image, a normal that is no number, a material that is missing."""
    (tmp_path / "a.png").write_text("no image")
    (tmp_path / "a.ply").write_bytes(ply(TRIANGLES.tolist(), comment="comment TextureFile a.png"))
    (tmp_path / "a.stl").write_bytes(MESHES["text.stl"].replace(b"facet normal ", b"facet normal a ", 1))
    (tmp_path / "a.obj").write_bytes(b"mtllib none.mtl\nusemtl skin\n" + obj(with_quads()))
    with caplog.at_level(logging.DEBUG):
        for suffix in ("ply", "stl", "obj"):
            assert len(load_mesh(tmp_path / f"a.{suffix}").faces) == 80
    assert caplog.records == [] and list(recwarn) == [] and capfd.readouterr() == ("", "")
    assert all(
        not logging.getLogger(name).filters for name in logging.root.manager.loggerDict if "trimesh" in name
    )
    logging.getLogger("trimesh.util").warning("heard")
    assert [record.message for record in caplog.records] == ["heard"]


def test_what_could_not_be_read_is_said(tmp_path):
    (tmp_path / "a.obj").write_bytes(b"mtllib none.mtl\nusemtl skin\n" + obj(with_quads()))
    (said,) = start_from_file(tmp_path / "a.obj").unread
    assert said == "none.mtl is not used (no file 'none.mtl' in the folder of the mesh; copy it there)"
    tree, chunk = glb_parts(BALL.export(file_type="glb"))
    (tmp_path / "a.gltf").write_text(json.dumps({**tree, "images": [{"uri": "none.png"}]}))
    tree["buffers"][0]["uri"] = "a.bin"
    (tmp_path / "a.bin").write_bytes(chunk)
    (tmp_path / "a.gltf").write_text(json.dumps({**tree, "images": [{"uri": "none.png"}]}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (said,) = start_from_file(tmp_path / "a.gltf").unread
    assert said.startswith("none.png is not used (no file")


def test_further_pictures_of_a_texture_are_not_used_and_that_is_said(tmp_path):
    first, second = Image.new("RGB", (8, 8), (200, 100, 50)), Image.new("RGB", (8, 8))
    first.save(tmp_path / "skin.tif", save_all=True, append_images=[second])
    (tmp_path / "a.mtl").write_text("newmtl skin\nmap_Kd skin.tif\n")
    (tmp_path / "a.obj").write_bytes(b"mtllib a.mtl\nusemtl skin\n" + obj(with_quads()))
    (said,) = start_from_file(tmp_path / "a.obj").unread
    assert said == "more pictures than the first in skin.tif are not used"
    tree, chunk = glb_parts(BALL.export(file_type="glb"))
    tree["buffers"][0]["uri"] = "a.bin"
    (tmp_path / "a.bin").write_bytes(chunk)
    (tmp_path / "a.gltf").write_text(json.dumps({**tree, "images": [{"uri": "skin.tif"}]}))
    assert start_from_file(tmp_path / "a.gltf").unread == [said]
