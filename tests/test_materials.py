"""Materials for other programs: what is solved for, what files hold, and that a normal map gives the normals back."""

from __future__ import annotations

import json
import math
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from largesteps_zg.cameras import look_at
from largesteps_zg.geometry import vertex_normals
from largesteps_zg.images import linear_to_srgb
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.mesh.file_parts import read_parts, unread_files
from largesteps_zg.output.export import (
    Material,
    TexturedMesh,
    render_lit,
    save_glb,
    save_obj,
    with_fewer_faces,
)
from largesteps_zg.output.export.atlas import chart_fragments, filled
from largesteps_zg.output.export.exr import exr_bytes
from largesteps_zg.output.export.glossy import glossy, material_of
from largesteps_zg.output.export.tangents import decoded_normals, encoded_normals, place_tangents
from largesteps_zg.rasterizer import interpolate
from largesteps_zg.reconstruct.appearance.gloss import octahedral
from largesteps_zg.reconstruct.appearance.reflectance import (
    fitted_roughness,
    least_reflectance,
    octahedral_directions,
    straight_reflectance,
)
from largesteps_zg.renderers.light import from_environment_map

# A square that faces +z, all of the image on it; v grows with y.
CORNERS = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], dtype=torch.float64)
FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])
UV = 0.5 + 0.5 * CORNERS[:, :2]


def grey(value: int, size: int = 8) -> Tensor:
    return torch.full((size, size), value, dtype=torch.uint8)


def square(material: Material | None, color: int = 128) -> TexturedMesh:
    return TexturedMesh(Mesh(CORNERS, FACES), UV, FACES, grey(color)[..., None].expand(-1, -1, 3), material)


@pytest.fixture(scope="module")
def ball() -> TexturedMesh:
    """A unit sphere that came down from 20,480 faces to 320, its colours those of its normals."""
    full = icosphere(5, dtype=torch.float64)
    return with_fewer_faces(Mesh(full.vertices, full.faces, 0.5 + 0.5 * full.vertices), 320, size=256).surface


def texels(textured: TexturedMesh) -> tuple[Tensor, Tensor]:
    """Covered texels, and (P, 12) points, normals, tangents with signs and places there."""
    size, owners = len(textured.image), textured.owners
    points = textured.mesh.vertices[owners]
    normals = vertex_normals(textured.mesh.vertices, textured.mesh.faces)[owners]
    uv = textured.uv.double()
    frames = torch.cat([points, normals, place_tangents(points, normals, uv, textured.faces_uv), uv], dim=1)
    places = torch.stack([size * uv[:, 0], size * (1 - uv[:, 1])], dim=1).float()
    atlas = chart_fragments(places, textured.faces_uv, size)
    return atlas.pixels.long(), interpolate(frames.float().contiguous(), atlas).double()


def degrees_off(textured: TexturedMesh) -> tuple[Tensor, Tensor]:
    """(P,) degrees between the normals of a unit sphere at texels, and those with the normal map and without it."""
    assert textured.material is not None and textured.material.normals is not None
    pixels, at = texels(textured)
    x, y, z = decoded_normals(textured.material.normals).view(-1, 3)[pixels].unbind(1)
    normal, tangent, sign = at[:, 3:6], at[:, 6:9], at[:, 9]
    bitangent = sign[:, None] * torch.linalg.cross(normal, tangent)
    shaded = x[:, None] * tangent + y[:, None] * bitangent + z[:, None] * normal
    truth = torch.nn.functional.normalize(at[:, :3], dim=1)
    cosines = ((torch.nn.functional.normalize(found, dim=1) * truth).sum(1) for found in (shaded, normal))
    with_map, without = (cosine.clamp(-1, 1).acos().rad2deg() for cosine in cosines)
    return with_map, without


@pytest.mark.slow
def test_a_normal_map_gives_the_normals_of_the_full_surface_back(ball: TexturedMesh) -> None:
    """8 bits are good for 0.3 degrees, and coarse normals are off by 8."""
    with_map, without = degrees_off(ball)
    assert with_map.max() < 1.0 and with_map.mean() < 0.3 and without.max() > 4.0


@pytest.mark.slow
def test_a_surface_far_from_the_origin_keeps_its_detail() -> None:
    full, shift = icosphere(5, dtype=torch.float64), torch.tensor([5e5, -4e6, 100.0], dtype=torch.float64)
    made = with_fewer_faces(Mesh(full.vertices + shift, full.faces), 320, size=128)
    back = replace(made.surface, mesh=Mesh(made.surface.mesh.vertices - shift, made.surface.mesh.faces))
    assert degrees_off(back)[0].max() < 1.0 and made.farthest < 0.03


@pytest.mark.slow
def test_colours_come_from_the_closest_points(ball: TexturedMesh) -> None:
    pixels, at = texels(ball)
    truth = 255 * linear_to_srgb(0.5 + 0.5 * torch.nn.functional.normalize(at[:, :3], dim=1))
    assert float((ball.image.view(-1, 3)[pixels].double() - truth).abs().mean()) < 1.5
    assert ball.mesh.colors is not None
    expected = 0.5 + 0.5 * torch.nn.functional.normalize(ball.mesh.vertices, dim=1)
    torch.testing.assert_close(ball.mesh.colors, expected, atol=0.01, rtol=0)


@pytest.mark.slow
def test_with_its_normal_map_a_coarse_surface_shades_like_the_full_one() -> None:
    """A bumpy ball, all of whose 5,120 faces are kept once, and 300 of them with the map and without it."""
    full = icosphere(4, dtype=torch.float64)
    bumps = 1 + 0.03 * (9 * full.vertices).sin().prod(dim=1, keepdim=True)
    given = Mesh(bumps * full.vertices, full.faces)
    whole, coarse = (with_fewer_faces(given, count, size=256).surface for count in (5120, 300))
    assert coarse.material is not None
    bare = replace(coarse, material=replace(coarse.material, normals=None))
    camera = look_at(torch.tensor([[0.0, -3, 1]]), fov_y_degrees=40.0, height=96, width=96)
    lamp = torch.nn.functional.normalize(torch.tensor([[0.5, -0.7, 0.9]]), dim=1)
    pictures = [render_lit(made, camera, lamp, torch.full((1, 3), 3.0))[0] for made in (whole, coarse, bare)]
    inside = torch.stack(pictures)[..., 3].amin(dim=0) > 0.99
    with_map, without = ((picture - pictures[0])[inside].abs().mean() for picture in pictures[1:])
    assert with_map < 0.2 * without


@pytest.mark.slow
def test_a_texture_is_carried_over_with_its_material(ball: TexturedMesh) -> None:
    """Down again, to 200 faces: roughness that was 0.2 below and 0.8 above stays there."""
    pixels, at = texels(ball)
    rough = torch.zeros(256 * 256, dtype=torch.uint8)
    rough[pixels] = torch.where(at[:, 2] > 0, 204, 51).to(torch.uint8)
    known = torch.zeros(256 * 256, dtype=torch.bool)
    known[pixels] = True
    layer = filled(rough.view(256, 256, 1), known.view(256, 256))[..., 0]
    given = replace(ball, material=Material(layer, grey(0, 256), 1.7))
    made = with_fewer_faces(given, 200).surface
    assert made.material is not None and made.material.index == 1.7 and len(made.image) == 256
    assert made.material.normals is not None and len(made.faces_uv) == 200
    pixels, at = texels(made)
    far = at[:, 2].abs() > 0.2
    right = made.material.roughness.view(-1)[pixels[far]] == torch.where(at[far, 2] > 0, 204, 51)
    assert float(right.double().mean()) > 0.97


def test_tangents_lie_along_u_and_bitangents_along_v() -> None:
    normals = torch.tensor([0.0, 0, 1]).double().expand(4, 3)
    for turn, sign in (
        (lambda u, v: (u, v), 1.0),
        (lambda u, v: (1 - u, v), -1.0),
        (lambda u, v: (v, 1 - u), 1.0),
        (lambda u, v: (v, u), -1.0),
    ):
        uv = torch.stack(turn(*UV.unbind(1)), dim=1)
        found = place_tangents(CORNERS, normals, uv, FACES)
        # u and v are affine in x and y: the directions in which they grow, by differences between corners.
        gradient = torch.linalg.lstsq(CORNERS[:, :2] - CORNERS[0, :2], uv - uv[0]).solution  # (xy, uv)
        along = torch.nn.functional.normalize(gradient, dim=0)
        torch.testing.assert_close(found[:, :2], along[:, 0].expand(4, 2))
        assert found[:, 3].tolist() == [sign] * 4
        bitangent = found[:, 3:] * torch.linalg.cross(normals, found[:, :3])
        torch.testing.assert_close(bitangent[:, :2], along[:, 1].expand(4, 2))


def test_tangents_of_a_globe_point_east() -> None:
    """On a map of longitude and latitude; at the middles of wide and narrow faces alike."""
    longitude, latitude = torch.meshgrid(
        torch.linspace(-1, 1, 33, dtype=torch.float64),
        torch.linspace(-0.9, 0.9, 19, dtype=torch.float64),
        indexing="ij",
    )
    uv = torch.stack([longitude, latitude], dim=-1).view(-1, 2)
    cell = (torch.arange(32)[:, None] * 19 + torch.arange(18)).view(-1)
    faces = torch.cat(
        [torch.stack([cell, cell + 19, cell + 20], 1), torch.stack([cell, cell + 20, cell + 1], 1)]
    )
    points = torch.stack(
        [uv[:, 0].cos() * uv[:, 1].cos(), uv[:, 0].sin() * uv[:, 1].cos(), uv[:, 1].sin()], dim=1
    )
    east = torch.stack([-uv[:, 0].sin(), uv[:, 0].cos(), torch.zeros(len(uv))], dim=1)
    found = place_tangents(points, points, 0.5 + 0.5 * uv, faces)
    assert float(found[:, 3].min()) == 1
    inner = (uv[:, 0].abs() < 1) & (uv[:, 1].abs() < 0.9)
    assert float((found[inner, :3] * east[inner]).sum(1).min()) > math.cos(math.radians(0.2))
    assert float((found[:, :3] * points).sum(1).abs().max()) < 1e-12


def test_places_without_an_area_in_the_image_get_some_frame() -> None:
    normals = torch.nn.functional.normalize(
        torch.tensor([[0.0, 0, 1], [1, 1, 1], [1, 0, 0], [0, -1, 0]]).double(), dim=1
    )
    found = place_tangents(CORNERS, normals, torch.zeros(4, 2).double(), FACES)
    torch.testing.assert_close(found[:, :3].norm(dim=1), torch.ones(4).double())
    assert float((found[:, :3] * normals).sum(1).abs().max()) < 1e-12


def test_directions_survive_eight_bits(generator: torch.Generator) -> None:
    given = torch.nn.functional.normalize(
        torch.randn(1000, 3, generator=generator, dtype=torch.float64), dim=1
    )
    back = decoded_normals(encoded_normals(3 * given))
    assert float((back - given).norm(dim=1).max()) < math.sqrt(3) / 255
    assert encoded_normals(torch.tensor([0.0, 0.0, 1.0])).tolist() == [128, 128, 255]


def test_gold_is_a_metal_in_the_colour_of_all_that_it_sends_back() -> None:
    """Whatever share of it the run took for diffuse."""
    gold = torch.tensor([1.0, 0.77, 0.34])
    for share in (0.0, 0.7):
        base, material = material_of(share * gold.expand(2, 2, 3), 0.3, (1 - share) * gold, metal=True)
        assert (material.metalness == 255).all() and (material.roughness == round(0.3 * 255)).all()
        torch.testing.assert_close(base, gold.expand(2, 2, 3), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("mirrored", "index"), [(0.0, 1.5), (0.02, 1.5), (0.04, 1.5), (1 / 9, 2.0), (0.17, 2.404), (0.5, 2.417)]
)
def test_what_is_no_metal_keeps_its_colour_and_has_an_index(mirrored: float, index: float) -> None:
    """F0 = ((n - 1) / (n + 1))²: 1/9 of n = 2. Below 0.04 it is 1.5, as nearly everything has."""
    diffuse = torch.rand(3, 4, 3, generator=torch.Generator().manual_seed(1))
    base, material = material_of(diffuse, 0.7, torch.full((3,), mirrored), metal=False)
    assert torch.equal(base, diffuse) and not material.metalness.any()
    assert material.index == pytest.approx(index, abs=2e-3)
    assert material.reflectance == pytest.approx(min(max(mirrored, 0.04), 0.172), abs=1e-6)


def test_colours_at_vertices_get_one_material_for_all() -> None:
    gloss = {"roughness": 0.4, "reflectance": [0.9, 0.9, 0.9], "straight": 0.6}
    surface, material = glossy(Mesh(CORNERS, FACES, torch.zeros(4, 3).double()), gloss)
    assert isinstance(surface, Mesh) and surface.colors is not None and material.uniform
    assert int(material.metalness) == 255 and int(material.roughness) == 102
    torch.testing.assert_close(surface.colors, torch.full((4, 3), 0.9).double())


def blurred_lamp(roughness: float, size: int = 32) -> Tensor:
    """(3, N, N) how a small lamp in grey surroundings is mirrored, by GGX's D of the half vector (Walter, eq. 33)."""
    directions, _ = octahedral_directions(size)
    lamp = torch.nn.functional.normalize(torch.tensor([0.3, -0.5, 0.8]).double(), dim=0)
    half = torch.nn.functional.normalize(directions + lamp, dim=1)
    cosine, alpha = (half * directions).sum(1), roughness**2
    tangent2 = (1 - cosine**2) / cosine**2
    density = alpha**2 / (math.pi * cosine**4 * (alpha**2 + tangent2) ** 2)
    return (0.2 + density).view(1, size, size).expand(3, -1, -1)


@pytest.mark.parametrize("roughness", [0.25, 0.4, 0.6, 0.9])
def test_the_roughness_of_a_highlight_is_found(roughness: float) -> None:
    """Texels of 6 degrees miss the middle of the lamp, so the sharpest is not exact."""
    assert fitted_roughness(0.01 * blurred_lamp(roughness)) == pytest.approx(roughness, abs=0.02)


@pytest.mark.parametrize("mirrored", [0.04, 0.2, 0.9])
def test_the_rise_towards_grazing_angles_gives_the_reflectance(mirrored: float) -> None:
    """Of Schlick's law, to which a gloss is fitted by NumPy over the pixels of a ball's picture."""
    x, y = np.meshgrid(*[np.linspace(-1, 1, 401)] * 2)
    inside = x**2 + y**2 < 1
    rest = 1 - np.sqrt(1 - (x**2 + y**2)[inside])
    schlick = (1 - mirrored) / mirrored * rest**5
    grazing = float(np.linalg.lstsq(rest[:, None] ** 3, schlick, rcond=None)[0][0])
    assert straight_reflectance(grazing, 3) == pytest.approx(mirrored, rel=0.01)


def test_nothing_mirrored_is_rough() -> None:
    assert fitted_roughness(torch.zeros(3, 8, 8)) == 1.0


def test_octahedral_directions_undo_the_map_and_cover_the_sphere() -> None:
    directions, weights = octahedral_directions(32)
    middle = (torch.arange(32, dtype=torch.float64) + 0.5) / 16 - 1
    places = octahedral(directions).view(32, 32, 2)
    torch.testing.assert_close(places[..., 0], middle.expand(32, 32))
    torch.testing.assert_close(places[..., 1], middle[:, None].expand(32, 32))
    assert float(weights.sum()) == pytest.approx(4 * math.pi)
    second = torch.einsum("n,ni,nj->ij", weights, directions, directions)  # 4 pi / 3 times the identity
    torch.testing.assert_close(second, 4 * math.pi / 3 * torch.eye(3).double(), atol=0.02, rtol=0)


def test_what_is_mirrored_of_known_surroundings_gives_the_reflectance() -> None:
    """A sky that differs by channel and height: the light is that of its map, the mirrored picture is read off it."""

    def sky(height: Tensor) -> Tensor:
        return torch.stack([1 + height, 2 + 0.5 * height**2, 0.5 + height**3 * 0.3], dim=-1)

    polar = (torch.arange(64, dtype=torch.float64) + 0.5) * math.pi / 64
    light = from_environment_map(sky(polar.cos())[:, None].expand(64, 128, 3))
    directions, _ = octahedral_directions(32)
    picture = (torch.tensor([0.1, 0.3, 0.9]) * sky(directions[:, 2])).T.view(3, 32, 32)
    found = least_reflectance(picture, light.coefficients)
    torch.testing.assert_close(found, torch.tensor([0.1, 0.3, 0.9]).double(), atol=2e-3, rtol=0)


def test_a_square_that_faces_lamp_and_camera_is_as_bright_as_its_formula() -> None:
    """Straight on, D = 1 / (pi alpha²), V = 1/4, F = F0."""
    camera = look_at(torch.tensor([[0.0, 0, 4]]), up=(0.0, 1, 0), fov_y_degrees=20.0, height=9, width=9)
    lamp = torch.tensor([[0.0, 0, 1]])
    for metal in (0, 255):
        material = Material(grey(153), grey(metal))  # roughness 0.6
        made = render_lit(square(material), camera, lamp, torch.full((1, 3), 2.0))[0, 4, 4]
        base, m = ((128 / 255 + 0.055) / 1.055) ** 2.4, metal / 255
        straight = 0.04 * (1 - m) + m * base
        expected = 2 * ((1 - straight) * base * (1 - m) / math.pi + straight / (4 * math.pi * 0.6**4))
        assert made[:3].tolist() == pytest.approx([expected] * 3, rel=1e-4) and float(made[3]) == 1


@pytest.mark.parametrize("tilt", [(0.6, 0.0), (0.0, 0.6)])
def test_a_normal_map_turns_the_light(tilt: tuple[float, float]) -> None:
    """Turned towards +x by its red, towards +y by its green, a square shades as if it faced there."""
    direction = torch.tensor([*tilt, 0.8])
    normals = encoded_normals(direction).expand(8, 8, 3).contiguous()
    camera = look_at(torch.tensor([[0.0, 0, 4]]), up=(0.0, 1, 0), fov_y_degrees=20.0, height=9, width=9)
    made = square(Material(grey(255), grey(0), normals=normals))
    for lamp, cosine in ((direction, 1.0), (direction * torch.tensor([-1.0, -1, 1]), 0.64 - 0.36)):
        with_map = render_lit(made, camera, lamp[None], torch.ones(1, 3))[0, 4, 4, 0]
        base = ((128 / 255 + 0.055) / 1.055) ** 2.4
        assert float(with_map) == pytest.approx(0.96 * base * cosine / math.pi, rel=0.15)


def maps() -> Material:
    """Each texel another roughness, metalness and normal."""
    ramp = torch.arange(64, dtype=torch.uint8).view(8, 8)
    normals = torch.stack([128 + ramp // 2, 128 - ramp // 2, 255 - ramp // 4], dim=-1)
    return Material(3 * ramp, 255 - ramp, 1.8, normals)


def test_a_glb_holds_all_maps_in_one_layout(tmp_path: Path) -> None:
    given = square(maps())
    save_glb(tmp_path / "a.glb", given, up=torch.tensor([0.0, 1.0, 0.0]))
    (part,) = trimesh.load_scene(tmp_path / "a.glb", process=False).dump()
    found, material = part.visual.material, given.material
    assert material is not None
    assert np.array_equal(np.asarray(found.baseColorTexture), given.image.numpy())
    assert np.array_equal(np.asarray(found.metallicRoughnessTexture)[..., 1], material.roughness.numpy())
    assert np.array_equal(np.asarray(found.metallicRoughnessTexture)[..., 2], material.metalness.numpy())
    assert np.array_equal(np.asarray(found.normalTexture), material.normals)
    assert (found.metallicFactor, found.roughnessFactor) == (1.0, None) or found.roughnessFactor == 1.0
    content = (tmp_path / "a.glb").read_bytes()
    tree = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
    assert tree["materials"][0]["extensions"] == {"KHR_materials_ior": {"ior": 1.8}}
    assert tree["extensionsUsed"] == ["KHR_materials_ior"] and "extensionsRequired" not in tree
    for texture in ("baseColorTexture", "metallicRoughnessTexture"):
        assert tree["materials"][0]["pbrMetallicRoughness"][texture].get("texCoord", 0) == 0
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["TANGENT"]]
    view = tree["bufferViews"][accessor["bufferView"]]
    start = 28 + int.from_bytes(content[12:16], "little") + view["byteOffset"]
    tangents = np.frombuffer(content, "<f4", 4 * accessor["count"], start).reshape(-1, 4)
    np.testing.assert_allclose(tangents, [[1, 0, 0, 1]] * 4, atol=1e-6)


def test_a_material_without_images_is_numbers(tmp_path: Path) -> None:
    surface = Mesh(CORNERS, FACES, torch.full((4, 3), 0.5).double())
    material = Material(grey(51, 1), grey(255, 1))
    save_glb(tmp_path / "a.glb", surface, material=material)
    save_obj(tmp_path / "a.obj", surface, material=material)
    content = (tmp_path / "a.glb").read_bytes()
    tree = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
    assert tree["materials"][0]["pbrMetallicRoughness"] == {"metallicFactor": 1.0, "roughnessFactor": 0.2}
    assert "extensions" not in tree["materials"][0] and "textures" not in tree
    lines = (tmp_path / "a.mtl").read_text().splitlines()
    assert "Pr 0.2" in lines and "Pm 1.0" in lines and not [line for line in lines if "map" in line]
    assert "usemtl surface" in (tmp_path / "a.obj").read_text().splitlines()


def exr_pixels(data: bytes) -> np.ndarray:
    """(H, W, 3) of half floats in deflated blocks of 16 rows, byte by byte."""
    assert struct.unpack_from("<ii", data) == (20000630, 2)
    at, head = 8, {}
    while data[at]:
        name, kind, rest = data[at:].split(b"\0", 2)
        (size,) = struct.unpack_from("<i", rest)
        at += len(name) + len(kind) + 6
        head[name.decode()] = data[at : at + size]
        at += size
    low_x, low_y, high_x, high_y = struct.unpack("<4i", head["dataWindow"])
    width, height = high_x - low_x + 1, high_y - low_y + 1
    assert head["channels"][::18] == b"BGR\0" and head["compression"] == b"\3"
    made = np.empty((height, width, 3))
    for offset in struct.unpack_from(f"<{-(-height // 16)}Q", data, at + 1):
        top, size = struct.unpack_from("<ii", data, offset)
        block = data[offset + 8 : offset + 8 + size]
        rows = min(16, height - top)
        raw = bytearray(6 * width * rows)
        if size < len(raw):
            steps = zlib.decompress(block)
            sums = [steps[0]]
            for step in steps[1:]:
                sums.append((sums[-1] + step - 128) % 256)
            half = len(raw) // 2
            raw[::2], raw[1::2] = sums[:half], sums[half:]
        else:
            raw[:] = block
        halves = struct.unpack(f"<{3 * width * rows}e", raw)
        for row in range(rows):
            for channel in range(3):  # blue comes first
                begin = (3 * row + channel) * width
                made[top - low_y + row, :, 2 - channel] = halves[begin : begin + width]
    return made


@pytest.mark.parametrize("size", [(1, 1), (16, 5), (37, 40)])
def test_an_exr_file_holds_the_numbers(size: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: size[0], : size[1]]
    smooth = np.stack([rows / 40, columns / 40, np.full(size, 0.5)], axis=-1)
    noise = np.random.default_rng(1).random((*size, 3))
    for image in (smooth, noise):
        np.testing.assert_allclose(exr_pixels(exr_bytes(image)), image, atol=3e-4)


def test_an_mtl_suits_old_and_new_readers(tmp_path: Path) -> None:
    """Roughness 0.6: alpha 0.36, Ns = 2 / 0.1296 - 2 = 13.4, Ks = 0.04 x 21.4 / 8 = 0.107."""
    rough = Material(grey(153), grey(0), normals=maps().normals)
    save_obj(tmp_path / "a.obj", square(rough))
    lines = dict(line.split(" ", 1) for line in (tmp_path / "a.mtl").read_text().splitlines())
    assert float(lines["Ns"]) == pytest.approx(13.43, abs=0.05) and lines["illum"] == "2"
    assert [float(word) for word in lines["Ks"].split()] == pytest.approx([0.1072] * 3, abs=2e-4)
    root = (float(lines["Ni"]) - 1) / (float(lines["Ni"]) + 1)
    # As Blender multiplies.
    assert 2 * float(lines["Ks"].split()[0]) * root**2 == pytest.approx(0.04, rel=1e-3)
    assert (lines["Pr"], lines["Pm"]) == ("0.6", "0.0") and "map_Pr" not in lines
    assert (lines["map_Kd"], lines["norm"]) == ("a.png", "a_normal.png")
    assert lines["map_Bump"] == "-bm 1 a_normal.exr"
    np.testing.assert_allclose(
        exr_pixels((tmp_path / "a_normal.exr").read_bytes()), rough.normals / 255, atol=3e-4
    )
    save_obj(tmp_path / "b.obj", square(maps()))
    lines = dict(line.split(" ", 1) for line in (tmp_path / "b.mtl").read_text().splitlines())
    assert (lines["Pr"], lines["map_Pr"], lines["map_Pm"]) == ("1", "b_roughness.png", "b_metalness.png")
    assert all((tmp_path / lines[key]).is_file() for key in ("map_Kd", "map_Pr", "map_Pm", "norm"))


def test_readers_say_what_they_leave_out(tmp_path: Path) -> None:
    save_glb(tmp_path / "a.glb", square(maps()))
    save_obj(tmp_path / "a.obj", square(maps()))
    for name in ("a.glb", "a.obj"):
        told = " ".join(unread_files(read_parts(tmp_path / name)))
        assert "normal" in told and "roughness and metalness are not used" in told
    save_glb(tmp_path / "b.glb", square(None))
    save_obj(tmp_path / "b.obj", square(None))
    assert [unread_files(read_parts(tmp_path / name)) for name in ("b.glb", "b.obj")] == [[], []]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"roughness": torch.zeros(8, 8)}, "roughness: expected uint8"),
        ({"metalness": grey(0, 4)}, r"metalness: expected uint8 of shape \(H, W\), as roughness has"),
        ({"index": 0.9}, "index: expected a number >= 1, got 0.9"),
        ({"normals": grey(0)}, r"normals: expected uint8 of shape \(H, W, 3\)"),
    ],
)
def test_materials_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(maps(), **change)
