"""Files for other programs, read back by a reader that is not ours and looked at byte by byte."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from largesteps_zg.cameras.upright import upright_rotation
from largesteps_zg.images import linear_to_srgb
from largesteps_zg.mesh import Mesh, icosphere, load_mesh
from largesteps_zg.output.export import TexturedMesh, save_glb, save_obj

# Two triangles of a square in the plane z = 0, cut along the diagonal: six places in the image for four vertices.
SQUARE = Mesh(
    torch.tensor([[0.0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0]], dtype=torch.float64),
    torch.tensor([[0, 1, 2], [0, 2, 3]]),
    torch.tensor([[0.0, 0, 0], [1, 0, 0], [0.01, 0.2, 0.7], [1, 1, 1]], dtype=torch.float64),
)
UV = torch.tensor([[0.1, 0.1], [0.4, 0.1], [0.4, 0.3], [0.6, 0.6], [0.9, 0.8], [0.6, 0.8]])
PICTURE = torch.arange(8 * 16 * 3, dtype=torch.uint8).view(8, 16, 3)
TEXTURED = TexturedMesh(SQUARE, UV, torch.tensor([[0, 1, 2], [3, 4, 5]]), PICTURE)


def read(path: Path) -> trimesh.Trimesh:
    """One mesh as trimesh reads it, placed as the file says."""
    (part,) = trimesh.load_scene(path, process=False).dump()
    return part


def chunks(path: Path) -> tuple[dict, bytes]:
    """The JSON and the numbers of a GLB, by the layout in section 4 of glTF 2.0."""
    content = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    first, kind = struct.unpack_from("<I4s", content, 12)
    assert kind == b"JSON" and first % 4 == 0
    second, kind = struct.unpack_from("<I4s", content, 20 + first)
    assert kind == b"BIN\0" and second % 4 == 0 and 28 + first + second == length
    return json.loads(content[20 : 20 + first]), content[28 + first :]


def attribute(tree: dict, numbers: bytes, name: str) -> np.ndarray:
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"][name]]
    view = tree["bufferViews"][accessor["bufferView"]]
    assert accessor["componentType"] == 5126 and view["byteOffset"] % 4 == 0
    return np.frombuffer(numbers, "<f4", view["byteLength"] // 4, view["byteOffset"]).reshape(
        accessor["count"], -1
    )


def corners(part: trimesh.Trimesh) -> np.ndarray:
    return part.vertices[part.faces]


def test_an_obj_keeps_its_coordinates_and_its_vertices_whole(tmp_path: Path) -> None:
    save_obj(tmp_path / "a.obj", TEXTURED)
    lines = (tmp_path / "a.obj").read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == 4
    assert sum(line.startswith("vt ") for line in lines) == 6
    assert "mtllib a.mtl" in lines and "f 1/4/1 3/5/3 4/6/4" in lines
    part = read(tmp_path / "a.obj")
    np.testing.assert_allclose(corners(part), SQUARE.vertices[SQUARE.faces].numpy(), atol=1e-6)
    np.testing.assert_allclose(part.visual.uv[part.faces], UV[TEXTURED.faces_uv].numpy(), atol=1e-6)
    assert np.array_equal(np.asarray(part.visual.material.image), PICTURE.numpy())
    assert {file.name for file in tmp_path.iterdir()} == {"a.obj", "a.mtl", "a.png"}


def test_an_obj_without_texture_has_srgb_colours_at_its_vertices(tmp_path: Path) -> None:
    save_obj(tmp_path / "a.obj", SQUARE)
    rows = [line.split()[1:] for line in (tmp_path / "a.obj").read_text().splitlines() if line[:2] == "v "]
    values = np.array(rows, dtype=float)
    np.testing.assert_allclose(values[:, :3], SQUARE.vertices.numpy(), atol=1e-6)
    np.testing.assert_allclose(values[:, 3:], linear_to_srgb(SQUARE.colors).numpy(), atol=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["a.obj"]


@pytest.mark.parametrize(("scale", "shift"), [(1e-4, 0.0), (1.0, 5e5), (1e4, 0.0)])
def test_digits_of_an_obj_follow_the_size(tmp_path: Path, scale: float, shift: float) -> None:
    ball = icosphere(1, dtype=torch.float64)
    save_obj(tmp_path / "a.obj", Mesh(scale * ball.vertices + shift, ball.faces))
    apart = read(tmp_path / "a.obj").vertices - (scale * ball.vertices + shift).numpy()
    assert np.abs(apart).max() < 2e-7 * scale


def test_a_glb_stands_upright_and_its_colours_are_linear(tmp_path: Path) -> None:
    save_glb(tmp_path / "a.glb", SQUARE)
    tree, numbers = chunks(tmp_path / "a.glb")
    # z is up: (x, y, z) is (x, z, -y) in glTF, and the normal +z of the square points up.
    expected = [[0, 0, 0], [2, 0, 0], [2, 0, -1], [0, 0, -1]]
    np.testing.assert_allclose(attribute(tree, numbers, "POSITION"), expected, atol=1e-6)
    np.testing.assert_allclose(attribute(tree, numbers, "NORMAL"), [[0, 1, 0]] * 4, atol=1e-6)
    np.testing.assert_allclose(attribute(tree, numbers, "COLOR_0"), SQUARE.colors.numpy(), atol=1e-6)
    position = tree["accessors"][0]
    np.testing.assert_allclose([position["min"], position["max"]], [[0, 0, -1], [2, 0, 0]], atol=1e-6)
    surface = tree["materials"][0]["pbrMetallicRoughness"]
    assert surface == {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    np.testing.assert_allclose(corners(read(tmp_path / "a.glb")), np.array(expected)[SQUARE.faces], atol=1e-6)


def test_a_glb_holds_its_texture_with_v_from_above(tmp_path: Path) -> None:
    save_glb(tmp_path / "a.glb", TEXTURED, up=torch.tensor([0.0, 5.0, 0.0]))
    tree, numbers = chunks(tmp_path / "a.glb")
    assert "COLOR_0" not in tree["meshes"][0]["primitives"][0]["attributes"]  # it would be multiplied in
    places = attribute(tree, numbers, "TEXCOORD_0")
    np.testing.assert_allclose(places, np.stack([UV[:, 0], 1 - UV[:, 1]], axis=1), atol=1e-6)
    part = read(tmp_path / "a.glb")
    np.testing.assert_allclose(corners(part), SQUARE.vertices[SQUARE.faces].numpy(), atol=1e-6)
    np.testing.assert_allclose(part.visual.uv[part.faces], UV[TEXTURED.faces_uv].numpy(), atol=1e-6)
    assert np.array_equal(np.asarray(part.visual.material.baseColorTexture), PICTURE.numpy())
    view = tree["bufferViews"][tree["images"][0]["bufferView"]]
    assert numbers[view["byteOffset"] :].startswith(b"\x89PNG")


def test_a_glb_far_from_the_origin_keeps_its_detail(tmp_path: Path) -> None:
    shift = torch.tensor([5e5, -4e6, 100.0], dtype=torch.float64)  # map coordinates, in metres
    save_glb(tmp_path / "a.glb", Mesh(SQUARE.vertices + shift, SQUARE.faces))
    tree, numbers = chunks(tmp_path / "a.glb")
    placed = attribute(tree, numbers, "POSITION").astype(np.float64) + tree["nodes"][0]["translation"]
    expected = (SQUARE.vertices + shift).numpy() @ upright_rotation(torch.tensor([0.0, 0.0, 1.0])).numpy().T
    np.testing.assert_allclose(placed, expected, atol=1e-6)
    np.testing.assert_allclose(corners(read(tmp_path / "a.glb")), expected[SQUARE.faces], atol=1e-5)


@pytest.mark.parametrize(
    "up", [(0, 0, 1), (0, 1, 0), (0, -2, 0), (1, 0, 0), (0.3, -0.8, 0.1), (0, -1, 1e-7), (-1, -1, -1)]
)
def test_the_upright_rotation_is_one_and_takes_up_to_y(up: tuple) -> None:
    direction = torch.tensor(up, dtype=torch.float64)
    rotation = upright_rotation(direction)
    identity = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(rotation @ rotation.T, identity, atol=1e-9, rtol=0)
    assert float(torch.linalg.det(rotation)) == pytest.approx(1)
    torch.testing.assert_close(rotation @ (direction / direction.norm()), identity[1], atol=1e-6, rtol=0)
    # The shortest: its axis is at right angles to both directions, so its trace is 1 + 2 cos of the angle between them.
    assert float(rotation.trace()) == pytest.approx(1 + 2 * float(direction[1] / direction.norm()), abs=1e-6)


def test_vertices_without_a_face_and_no_colours_are_written(tmp_path: Path) -> None:
    lonely = Mesh(torch.cat([SQUARE.vertices, torch.ones(1, 3).double()]), SQUARE.faces)
    save_glb(tmp_path / "a.glb", lonely)
    save_obj(tmp_path / "a.obj", lonely)
    tree, numbers = chunks(tmp_path / "a.glb")
    np.testing.assert_allclose(np.linalg.norm(attribute(tree, numbers, "NORMAL"), axis=1), 1, atol=1e-6)
    assert len(read(tmp_path / "a.obj").faces) == 2


def test_an_image_keeps_its_rows(tmp_path: Path) -> None:
    save_obj(tmp_path / "b.obj", TEXTURED)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), PICTURE.numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: save_obj(p / "a.ply", SQUARE), "expected the suffix .obj, got '.ply'"),
        (lambda p: save_glb(p / "a.obj", SQUARE), "expected the suffix .glb, got '.obj'"),
        (lambda p: save_glb(p / "a.glb", SQUARE, up=torch.zeros(3)), "up: expected a direction"),
        (
            lambda p: save_obj(p / "a.obj", Mesh(SQUARE.vertices, SQUARE.faces, torch.ones(1, 3))),
            r"colors: expected shape \(4, 3\), like the vertices, got \(1, 3\)",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uv": UV[:5]}, r"faces_uv: expected indices in \[0, 5\), got 0 to 5"),
        ({"uv": UV[:, :1]}, "uv: expected floats"),
        ({"faces_uv": torch.tensor([[0, 1, 2]])}, "faces_uv: expected the shape of the faces"),
        ({"faces_uv": torch.tensor([[0, 1, 2], [1, 4, 5]])}, "a uv that several vertices share"),
        ({"image": PICTURE.float()}, "image: expected uint8"),
    ],
)
def test_textures_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    parts = {"mesh": SQUARE, "uv": UV, "faces_uv": TEXTURED.faces_uv, "image": PICTURE}
    with pytest.raises(ValueError, match=message):
        TexturedMesh(**{**parts, **change})


def test_colours_of_a_glb_are_read_back_as_they_were(tmp_path) -> None:
    """It has a material beside them, so that trimesh keeps them as an attribute."""
    ball = icosphere(2)
    colors = (0.5 + 0.5 * ball.vertices).clamp(0, 1)
    save_glb(tmp_path / "ball.glb", Mesh(ball.vertices, ball.faces, colors), up=torch.tensor([0.0, 1.0, 0.0]))
    read = load_mesh(tmp_path / "ball.glb")
    assert read.colors is not None
    torch.testing.assert_close(read.colors.float(), colors, atol=1e-4, rtol=0)
