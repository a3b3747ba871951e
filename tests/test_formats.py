"""IDR, MVSNet, Middlebury and Mitsuba: known points are projected onto where they were drawn; what is wrong is said."""

from __future__ import annotations

import math
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from format_files import (
    COUNT,
    HEIGHT,
    MIDDLE,
    POINTS,
    WIDTH,
    Truth,
    as_matrix,
    draw,
    mitsuba_scene,
    mitsuba_sensor,
    save,
    truths,
    worst_miss,
    write_idr,
    write_middlebury,
    write_mitsuba,
    write_mvsnet,
)
from PIL import Image

from largesteps_zg.images.radiance import read_radiance
from largesteps_zg.mesh import Mesh, icosphere, save_mesh
from largesteps_zg.scenes import Reading, Scene, Views, load_scene
from largesteps_zg.scenes.formats import idr, middlebury, mitsuba, mvsnet
from largesteps_zg.scenes.sanity import check_mesh_fits, check_scene, check_views

WRITERS = {idr: write_idr, mvsnet: write_mvsnet, middlebury: write_middlebury, mitsuba: write_mitsuba}
FORMATS = pytest.mark.parametrize("module", WRITERS, ids=lambda module: module.__name__.rsplit(".", 1)[1])
WHOLE = Reading(hold_out=0)


def refused(module, path: Path, *words: str) -> None:
    """One line that has all the words in it."""
    with pytest.raises((ValueError, OSError)) as caught:
        scene = module.load(path, WHOLE)
        check_scene(scene)
    message = str(caught.value)
    assert "\n" not in message
    for part in words:
        assert part in message, message


def replace(file: Path, old: str, new: str) -> None:
    content = file.read_text()
    assert old in content
    file.write_text(content.replace(old, new, 1))


# --- reprojection ----------------------------------------------------------------------------------------------------


@FORMATS
def test_points_are_projected_onto_where_they_were_drawn(module, tmp_path: Path) -> None:
    path = WRITERS[module](tmp_path)
    assert module.recognises(path)
    assert [other.recognises(path) for other in WRITERS].count(True) == 1
    scene = module.load(path, WHOLE)
    assert (
        scene.path == path
        and len(scene.train) == COUNT
        and scene.train.cameras.world_to_camera.dtype == torch.float64
    )
    # A tenth of a pixel: half a pixel, a flipped axis or another camera's lens is at least four times that.
    assert worst_miss(scene.train) < 0.1
    check_scene(scene)


@FORMATS
def test_found_by_folder_or_file(module, tmp_path: Path) -> None:
    path = WRITERS[module](tmp_path)
    name = module.__name__.rsplit(".", 1)[1]
    files = {idr: "cameras_sphere.npz", middlebury: "dots_par.txt", mitsuba: "scene.xml"}
    for place in (path, *([path / files[module]] if module in files else [])):
        scene = load_scene(place)
        assert (scene.format, len(scene.train), scene.path) == (name, COUNT, place)
    with pytest.raises((ValueError, OSError), match=r"not a scene in a known format|expected "):
        load_scene(next(path.rglob("*.png")))


@FORMATS
def test_masks_are_those_of_the_files(module, tmp_path: Path) -> None:
    views = module.load(WRITERS[module](tmp_path), WHOLE).train
    for image, truth in zip(views.images, truths(), strict=True):
        np.testing.assert_array_equal(image[..., 3].numpy(), draw(truth)[..., 3])


@FORMATS
def test_smaller_images_on_request(module, tmp_path: Path) -> None:
    views = module.load(WRITERS[module](tmp_path), Reading(max_size=28, hold_out=0)).train
    assert max(views.images.shape[1:3]) == 28
    assert worst_miss(views) < 0.15


@FORMATS
def test_an_empty_folder_is_not_recognised_and_says_what_was_looked_for(module, tmp_path: Path) -> None:
    assert not module.recognises(tmp_path)
    refused(module, tmp_path, str(tmp_path), module.LOOKS_FOR.split(" ")[0])


@pytest.mark.parametrize("module", [mvsnet, middlebury], ids=["mvsnet", "middlebury"])
def test_a_missing_image_is_named(module, tmp_path: Path) -> None:
    path = WRITERS[module](tmp_path)
    image = next(file for file in path.rglob("*.png") if file.stem.endswith("3"))
    image.unlink()
    refused(module, path, "image not found", image.stem)


def test_sensors_without_their_image(tmp_path: Path) -> None:
    (write_mitsuba(tmp_path) / "images" / "3.png").unlink()
    refused(mitsuba, tmp_path, "scene.xml: 7 sensors but 6 images")


@FORMATS
def test_an_unreadable_image_is_named(module, tmp_path: Path) -> None:
    path = WRITERS[module](tmp_path)
    image = next(file for file in sorted(path.rglob("*.png")) if file.parent.name != "mask")
    image.write_bytes(image.read_bytes()[:60])
    refused(module, path, str(image), "cannot be read")


# --- IDR -------------------------------------------------------------------------------------------------------------


def change_arrays(folder: Path, **changes) -> None:
    with np.load(folder / "cameras_sphere.npz") as content:
        arrays = {**content, **changes}
    np.savez(
        folder / "cameras_sphere.npz", **{name: array for name, array in arrays.items() if array is not None}
    )


def test_idr_pairs_images_by_number_when_some_are_gone(tmp_path: Path) -> None:
    write_idr(tmp_path, masks=False)
    (tmp_path / "image" / "000002.png").unlink()
    views = idr.load(tmp_path, WHOLE).train
    assert views.names == tuple(f"{i:06d}" for i in range(COUNT) if i != 2)
    assert worst_miss(views) < 0.1


def test_idr_numbers_that_begin_at_one_go_by_order(tmp_path: Path) -> None:
    write_idr(tmp_path)
    for i in reversed(range(COUNT)):
        (tmp_path / "image" / f"{i:06d}.png").rename(tmp_path / "image" / f"shot{i + 4}.png")  # 4 to 10
    assert worst_miss(idr.load(tmp_path, WHOLE).train) < 0.1


def test_idr_file_by_its_own_path_and_one_of_several(tmp_path: Path) -> None:
    write_idr(tmp_path)
    shutil.move(tmp_path / "cameras_sphere.npz", tmp_path / "cameras_a.npz")
    assert worst_miss(idr.load(tmp_path, WHOLE).train) < 0.1
    shutil.copy(tmp_path / "cameras_a.npz", tmp_path / "cameras_b.npz")
    refused(idr, tmp_path, "cameras_a.npz, cameras_b.npz", "give the path of the right one")
    assert idr.recognises(tmp_path / "cameras_b.npz")
    assert len(idr.load(tmp_path / "cameras_b.npz", WHOLE).train) == COUNT


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"world_mat_3": np.zeros((4, 4))}, ("world_mat_3", "singular")),
        ({"world_mat_3": np.eye(3)}, ("world_mat_3", "expected a 4x4 matrix", "(3, 3)")),
        ({"world_mat_3": np.full((4, 4), np.nan)}, ("world_mat_3", "finite")),
        ({"world_mat_3": np.array([["a"] * 4] * 4)}, ("world_mat_3", "expected a 4x4 matrix")),
        ({"world_mat_3": None}, ("6 cameras for 7 images",)),
        ({"world_mat_3": np.eye(4)}, ("world_mat_3", "focal length 1, 1 pixels")),
        ({"scale_mat_0": np.diag([900.0, 900, 900, 1])}, ("scale_mat_0", "times the size", "millimetres and metres")),
        ({"scale_mat_0": np.diag([1.0, 1, 1, 1]) + np.diag([500.0], 3)}, ("scale_mat_0", "away from where")),
    ],
)  # fmt: skip
def test_idr_wrong_arrays_are_named(tmp_path: Path, changes: dict, words: tuple) -> None:
    write_idr(tmp_path)
    change_arrays(tmp_path, **changes)
    refused(idr, tmp_path, "cameras_sphere.npz", *words)


def test_idr_scale_mat_is_the_ball_that_holds_the_object(tmp_path: Path) -> None:
    write_idr(tmp_path)
    scene = idr.load(tmp_path, WHOLE)
    ball = scene.train.ball
    assert (
        ball is not None
        and ball.center.tolist() == pytest.approx(MIDDLE.tolist())
        and ball.radius == pytest.approx(0.9)
    )
    assert "bounds: scale_mat_0, a ball of radius 0.9 that holds the object" in scene.notes


def test_idr_other_files_and_masks(tmp_path: Path) -> None:
    write_idr(tmp_path)
    change_arrays(tmp_path, scale_mat_0=np.eye(4))  # says nothing
    scene = idr.load(tmp_path, WHOLE)
    assert len(scene.train) == COUNT and scene.train.ball is None
    (tmp_path / "mask" / "003.png").unlink()
    refused(idr, tmp_path, "000003.png", "no mask of its name or number", "6 masks for 7 images")
    shutil.rmtree(tmp_path / "image")
    refused(idr, tmp_path, "no images", "image, images, rgb")
    np.savez(tmp_path / "cameras_sphere.npz", poses=np.eye(4))
    save(tmp_path / "image" / "0.png", draw(truths()[0]))
    refused(idr, tmp_path, "expected arrays world_mat_0, ..., got poses")


# --- MVSNet ----------------------------------------------------------------------------------------------------------


def test_blended_images_and_their_masked_form(tmp_path: Path) -> None:
    write_mvsnet(tmp_path, images="blended_images")
    assert worst_miss(mvsnet.load(tmp_path, WHOLE).train) < 0.1
    for i, truth in enumerate(truths()):
        save(tmp_path / "blended_images" / f"{i:08d}_masked.png", draw(truth)[..., [1, 0, 2, 3]])
    views = mvsnet.load(tmp_path, WHOLE).train
    assert views.names[3] == "00000003"
    # The masked image is the one that was read: its red and green channels are exchanged.
    assert worst_miss(Views(views.images[..., [1, 0, 2, 3]], views.cameras, views.names)) < 0.1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("extrinsic", "extrinsics", ("expected the word 'extrinsic' once",)),
        ("intrinsic\n", "intrinsic\nx ", ("expected a number for intrinsic, got the text 'x'",)),
        ("intrinsic\n", "intrinsic\nnan ", ("expected a number for intrinsic",)),
        ("0.000000000 0.000000000 0.000000000 1.000000000", "0 0 1 1", ("last row of extrinsic, got 0 0 1 1",)),
        ("1.000000\n\n2.0", "2.000000\n\n2.0", ("expected intrinsics", "00000002_cam.txt")),
    ],
)  # fmt: skip
def test_mvsnet_wrong_files_are_named(tmp_path: Path, old: str, new: str, words: tuple) -> None:
    write_mvsnet(tmp_path)
    replace(tmp_path / "cams" / "00000002_cam.txt", old, new)
    refused(mvsnet, tmp_path, "00000002_cam.txt", *words)


def test_intrinsics_of_a_quarter_of_the_size(tmp_path: Path) -> None:
    """As in MVSNet's training files: the pose is right, the image four times as large as what K is for."""
    write_mvsnet(tmp_path)
    for i, truth in enumerate(truths()):
        large = Image.fromarray(draw(truth)).resize((4 * WIDTH, 4 * HEIGHT))
        large.save(tmp_path / "images" / f"{i:08d}.png")
    refused(
        mvsnet,
        tmp_path,
        "0.13 of the images' width and height",
        "calibrated for images 0.2",
        "Bring the images",
    )


# --- Middlebury ------------------------------------------------------------------------------------------------------


def test_up_is_the_axis_of_the_gantry(tmp_path: Path) -> None:
    assert middlebury.load(write_middlebury(tmp_path), WHOLE).up.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("7\n", "8\n", ("expected 8 lines of cameras, got 7",)),
        ("7\n", "seven\n", ("expected the number of images on the first line, got the text 'seven'",)),
        ("dots0003.png ", "dots0003.png 1 ", ("line 5", "expected 21 numbers", "got 22")),
        ("dots0003.png ", "dots3.png ", ("line 5", "image not found", "dots3.png")),
        ("dots0003.png ", "dots0002.png ", ("line 5", "is named dots0002 as well")),
        ("dots0003.png 55", "dots0003.png fifty-five ", ("line 5",)),
    ],
)
def test_middlebury_wrong_lines_are_named(tmp_path: Path, old: str, new: str, words: tuple) -> None:
    write_middlebury(tmp_path)
    replace(tmp_path / "dots_par.txt", old, new)
    refused(middlebury, tmp_path, "dots_par.txt", *words)


def test_middlebury_one_of_two_files_by_its_path(tmp_path: Path) -> None:
    write_middlebury(tmp_path)
    shutil.copy(tmp_path / "dots_par.txt", tmp_path / "other_par.txt")
    refused(middlebury, tmp_path, "dots_par.txt, other_par.txt")
    assert worst_miss(middlebury.load(tmp_path / "other_par.txt", WHOLE).train) < 0.1


# --- wrong rotations, in all formats ---------------------------------------------------------------------------------


def turned(truth: Truth, change: np.ndarray) -> Truth:
    return Truth(change @ truth.rotation, change @ truth.translation, truth.focal, truth.cx, truth.cy)


@pytest.mark.parametrize("module", [mvsnet, middlebury, mitsuba], ids=["mvsnet", "middlebury", "mitsuba"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (np.diag([-1.0, 1, 1]), ("mirrors the world",)),
        (2 * np.eye(3), ("rotation times", "divide by that")),
        (np.array([[1.0, 0.1, 0], [0, 1, 0], [0, 0, 1]]), ("is not a rotation",)),
    ],
    ids=["mirrored", "scaled", "sheared"],
)
def test_what_is_no_rotation_is_refused(module, tmp_path: Path, monkeypatch, change, words) -> None:
    wrong = [turned(truth, change) if i == 2 else truth for i, truth in enumerate(truths())]
    monkeypatch.setattr("format_files.truths", lambda: wrong)
    place = {mvsnet: "00000002_cam.txt", middlebury: "line 4", mitsuba: "sensor 2"}[module]
    refused(module, WRITERS[module](tmp_path), place, *words)


# --- Mitsuba ---------------------------------------------------------------------------------------------------------


def as_lookat(truth: Truth) -> str:
    origin, target, up = truth.center, truth.center + 2.5 * truth.rotation[2], -truth.rotation[1]
    words = (", ".join(f"{x:.12f}" for x in vector) for vector in (origin, target, up))
    return '<lookat origin="{}" target="{}" up="{}"/>'.format(*words)


def as_steps(truth: Truth) -> str:
    """Rotations about z, x and z by Euler's angles, then a translation, as in the Large Steps paper's scenes."""
    right, down, forward = truth.rotation
    columns = np.column_stack([-right, -down, forward])
    # Rz(a) Rx(b) Rz(c): last column (sin a sin b, -cos a sin b, cos b), last row (sin b sin c, sin b cos c, cos b).
    a, b = math.atan2(columns[0, 2], -columns[1, 2]), math.acos(columns[2, 2])
    c = math.atan2(columns[2, 0], columns[2, 1])
    degrees = [f"{math.degrees(angle):.12f}" for angle in (c, b, a)]
    x, y, z = truth.center
    return (
        f'<rotate z="1" angle="{degrees[0]}"/><rotate x="1" angle="{degrees[1]}"/>'
        f'<rotate x="0" y="0" z="2" angle="{degrees[2]}"/>'
        f'<translate x="{x}"/><translate value="0 {y:.12f} {z:.12f}"/>'
    )


@pytest.mark.parametrize("transform", [as_lookat, as_steps])
def test_mitsuba_lookat_and_steps_give_the_same_cameras(tmp_path: Path, transform) -> None:
    views = mitsuba.load(write_mitsuba(tmp_path / "a", transform=transform), WHOLE).train
    expected = mitsuba.load(write_mitsuba(tmp_path / "b"), WHOLE).train
    assert worst_miss(views) < 0.1
    torch.testing.assert_close(
        views.cameras.world_to_camera, expected.cameras.world_to_camera, atol=1e-8, rtol=0
    )


def test_mitsuba_in_the_spelling_of_older_versions(tmp_path: Path) -> None:
    folder = write_mitsuba(tmp_path, transform=as_lookat)
    file = folder / "scene.xml"
    content = file.read_text().replace("to_world", "toWorld").replace("<lookat", "<lookAt")
    content = content.replace("principal_point_offset_x", "principalPointOffsetX")
    file.write_text(content.replace("principal_point_offset_y", "principalPointOffsetY"))
    assert worst_miss(mitsuba.load(file, WHOLE).train) < 0.1


def test_mitsuba_film_crop_field_of_view_and_include(tmp_path: Path) -> None:
    """A film of 80x60 of which 56x44 pixels from (10, 6) are the image; the angle spans the diagonal."""
    body = ""
    for i, truth in enumerate(truths(same_lens=True)):
        offsets = 0.5 - (truth.cx + 10) / 80, 0.5 - (truth.cy + 6) / 60
        fov = math.degrees(2 * math.atan(50 / truth.focal))  # the diagonal of 80x60 is 100
        body += f"""<sensor type="thinlens" id="cam{6 - i}"><float name="fov" value="{fov:.10f}"/>
            <string name="fov_axis" value="diagonal"/><ref id="shared"/>
            <float name="principal_point_offset_x" value="{offsets[0]:.12f}"/>
            <float name="principal_point_offset_y" value="{offsets[1]:.12f}"/>
            <transform name="to_world">{as_matrix(truth)}</transform></sensor>"""
        save(tmp_path / "images" / f"cam{6 - i}.png", draw(truth))  # by id, in the opposite order of names
    film = """<film type="hdrfilm" id="shared"><integer name="width" value="80"/><integer name="height" value="60"/>
        <integer name="crop_offset_x" value="10"/><integer name="crop_offset_y" value="6"/>
        <integer name="crop_width" value="56"/><integer name="crop_height" value="44"/></film>"""
    (tmp_path / "film.xml").write_text(f'<scene version="3.0.0">{film}</scene>')
    (tmp_path / "scene.xml").write_text(mitsuba_scene('<include filename="film.xml"/>' + body))
    views = mitsuba.load(tmp_path, WHOLE).train
    assert views.names == tuple(f"cam{6 - i}" for i in range(COUNT))
    assert worst_miss(views) < 0.1


def test_mitsuba_focal_length_is_that_of_35_mm_film(tmp_path: Path) -> None:
    # 36 x 24 mm have a diagonal of 43.27 mm, 56 x 44 pixels one of 71.22: 50 mm are 82.3 pixels.
    sensor = mitsuba_sensor(truths()[0], as_matrix(truths()[0]))
    sensor = sensor.replace('<float name="fov"', '<float name="unused"')
    (tmp_path / "scene.xml").write_text(mitsuba_scene(sensor))
    save(tmp_path / "images" / "0.png", draw(truths()[0]))
    k = mitsuba.load(tmp_path, WHOLE).train.cameras.intrinsics[0]
    assert float(k[0, 0]) == pytest.approx(82.30, abs=0.01)


# Red light from above, green from the front, where the film's middle is, blue from the left of it.
def directional_map(up: int = 0) -> np.ndarray:
    sky = np.full((32, 64, 3), 0.02, dtype=np.float32)
    sky[:6, :, 0] = 3.0
    sky[12:20, 28:36, 1] = 6.0
    sky[12:20, 12:20, 2] = 6.0
    return sky


def rendered_scene(folder: Path, body: str = "", transform: str = "") -> Scene:
    """Without images: an ellipsoid as the target, a ball as the source, which is not the target."""
    ball = icosphere(3)
    save_mesh(folder / "target.ply", Mesh(ball.vertices * torch.tensor([0.8, 0.5, 0.5]), ball.faces))
    save_mesh(folder / "source.ply", ball)
    x, y, z = MIDDLE
    sensors = "".join(mitsuba_sensor(truth, as_lookat(truth)) for truth in truths())
    shapes = f"""
        <shape type="ply" id="mesh-source"><string name="filename" value="source.ply"/></shape>
        <shape type="ply" id="mesh-target"><string name="filename" value="target.ply"/>
            <transform name="to_world">{transform}<translate x="{x}" y="{y}" z="{z}"/></transform></shape>"""
    (folder / "scene.xml").write_text(mitsuba_scene(sensors + shapes + body))
    scene = mitsuba.load(folder, WHOLE)
    check_scene(scene)
    return scene


def test_mitsuba_scene_without_photographs_is_rendered(tmp_path: Path) -> None:
    scene = rendered_scene(tmp_path)
    assert scene.light is None and scene.train.images.shape == (COUNT, HEIGHT, WIDTH, 4)
    extent = scene.mesh.vertices.amax(0) - scene.mesh.vertices.amin(0)
    assert extent.tolist() == pytest.approx([1.6, 1.0, 1.0], rel=0.01)
    for image, truth in zip(scene.train.images, truths(), strict=True):
        seen = (image[..., 3] > 127).nonzero().double() + 0.5
        corners = np.array([truth.pixel(point) for point in scene.mesh.vertices.double().numpy()])
        assert seen.amin(0).flip(0).tolist() == pytest.approx(corners.min(axis=0).tolist(), abs=1.2)
        assert seen.amax(0).flip(0).tolist() == pytest.approx(corners.max(axis=0).tolist(), abs=1.2)


def test_mitsuba_shapes_that_are_mirrored_keep_their_outside_outside(tmp_path: Path) -> None:
    mesh = rendered_scene(tmp_path, transform='<scale x="-1"/><scale value="1.2"/>').mesh
    corners = (mesh.vertices.double() - torch.from_numpy(MIDDLE))[mesh.faces]
    assert float(torch.linalg.det(corners).sum()) / 6 == pytest.approx(
        1.2**3 * 4 / 3 * math.pi * 0.2, rel=0.03
    )


def write_hdr(file: Path, image: np.ndarray, *, packed: bool) -> None:
    """Radiance's RGBE: the exponent is that of the largest channel, plus 128."""
    height, width, _ = image.shape
    exponent = np.floor(np.log2(image.max(axis=-1))) + 1
    rgbe = np.dstack([np.floor(image / np.exp2(exponent)[..., None] * 256), exponent + 128]).astype(np.uint8)
    body = b""
    for row in rgbe:
        if packed:
            body += struct.pack(">BBH", 2, 2, width)
            for channel in row.T:  # one run of the first value as far as it goes, then the others one by one
                run = next((i for i in range(width) if channel[i] != channel[0]), width)
                run = min(run, 127)
                body += bytes([128 + run, channel[0]])
                for start in range(run, width, 100):
                    piece = channel[start : start + 100].tobytes()
                    body += bytes([len(piece)]) + piece
        else:
            body += row.tobytes()
    file.write_bytes(f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n".encode() + body)


@pytest.mark.parametrize("packed", [True, False])
def test_radiance_files_hold_what_was_written(tmp_path: Path, packed: bool) -> None:
    image = np.random.default_rng(3).uniform(0.01, 40.0, (5, 200, 3)).astype(np.float32)
    image[:, :150] = image[:1, :1]
    write_hdr(tmp_path / "a.hdr", image, packed=packed)
    found = read_radiance(tmp_path / "a.hdr")
    assert np.abs(found - image).max(axis=-1).max() <= image.max() / 128
    np.testing.assert_allclose(found, image, atol=0.5, rtol=0.02)
    (tmp_path / "b.hdr").write_bytes((tmp_path / "a.hdr").read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"b\.hdr: not a readable \.hdr file"):
        read_radiance(tmp_path / "b.hdr")


def test_open_exr_files_hold_what_was_written(tmp_path: Path) -> None:
    openexr = pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")
    image = np.random.default_rng(3).uniform(0, 40.0, (5, 12, 3)).astype(np.float32)
    header = {"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage}
    with openexr.File(header, {"RGB": image}) as file:
        file.write(str(tmp_path / "a.exr"))
    np.testing.assert_allclose(read_radiance(tmp_path / "a.exr"), image)
    (tmp_path / "b.exr").write_bytes((tmp_path / "a.exr").read_bytes()[:300])
    with pytest.raises(ValueError, match=r"b\.exr: no readable RGB channels"):
        read_radiance(tmp_path / "b.exr")


def test_the_environment_map_shines_from_where_mitsuba_has_it(tmp_path: Path) -> None:
    """Row 0 is +y, the middle column +z, a quarter of the width from the left +x."""
    np.save(tmp_path / "sky.npy", directional_map())
    light = (
        '<emitter type="envmap"><string name="filename" value="sky.npy"/><float name="scale" value="2"/>{}'
    )
    light += "</emitter>"
    found = rendered_scene(tmp_path, light.format("")).light
    axes = torch.eye(3)
    shade = found(torch.cat([axes, -axes]))  # rows +x, +y, +z, -x, -y, -z
    assert shade.argmax(dim=0).tolist() == [1, 2, 0]  # red from +y, green from +z, blue from +x
    doubled = rendered_scene(tmp_path, light.format("").replace('"2"', '"4"')).light
    torch.testing.assert_close(doubled.coefficients, 2 * found.coefficients)
    # y to z, as for a world with z up: (x, y, z) -> (x, -z, y).
    turn = '<transform name="to_world"><rotate x="1" angle="90"/></transform>'
    turned_light = rendered_scene(tmp_path, light.format(turn)).light
    normals = torch.nn.functional.normalize(
        torch.randn(20, 3, generator=torch.Generator().manual_seed(1)), dim=1
    )
    x, y, z = normals.unbind(1)
    torch.testing.assert_close(turned_light(torch.stack([x, -z, y], 1)), found(normals), atol=1e-5, rtol=0)


def test_constant_light_and_lights_that_are_not_distant(tmp_path: Path) -> None:
    constant = '<emitter type="constant"><rgb name="radiance" value="0.5, 1, 0"/></emitter>'
    scene = rendered_scene(tmp_path, constant)
    assert scene.light(torch.eye(3))[2].tolist() == pytest.approx([0.5, 1.0, 0.0], abs=1e-6)
    assert scene.train.images[..., 2].max() == 0 and scene.train.images[..., 1].max() > 200
    assert rendered_scene(tmp_path, constant + '<emitter type="point"/>').light is None


def test_up_is_what_all_lookats_share(tmp_path: Path) -> None:
    def upright(truth: Truth) -> str:
        words = (" ".join(str(x) for x in vector) for vector in (truth.center, MIDDLE))
        return '<lookat origin="{}" target="{}" up="0 0 2"/>'.format(*words)

    assert mitsuba.load(write_mitsuba(tmp_path / "a", transform=upright), WHOLE).up.tolist() == [0, 0, 1]
    assert mitsuba.load(write_mitsuba(tmp_path / "b", transform=as_lookat), WHOLE).up is None
    assert mitsuba.load(write_mitsuba(tmp_path / "c"), WHOLE).up is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("</scene>", "", ("line", "not valid XML")),
        ("<scene", "<!DOCTYPE a><scene", ("expected no document type",)),
        ('"perspective"', '"orthographic"', ("sensor 0", "perspective or thinlens, got orthographic")),
        ('name="resx" value="56"', 'name="rx" value="56"', ("'$resx' has no value",)),
        ('name="resx" value="56"', 'name="resx" value="57.5"', ("expected a whole number for width",)),
        ('name="resx" value="56"', 'name="resx" value="-5"', ("expected a film with a crop inside it",)),
        ('name="resx" value="56"', 'name="resx" value="72"', ("56x44 pixels but the film 72x44", "cropped or turned")),
        ('name="fov" value="', 'name="fov" value="9', ("sensor 0", "fov_degrees: expected an angle in (0, 180)")),
        ('name="fov" value="', 'name="fov" value="wide', ("sensor 0", "expected a number for fov")),
        ("<matrix", "<shear", ("sensor 0: expected translate, rotate", "got <shear>")),
        ('<matrix value="', '<matrix value="1 ', ("to_world: matrix", "expected 16 numbers for value, got 17")),
        ("<matrix", '<lookat origin="1 2 3" target="1 2 3" up="0 1 0"/><matrix', ("expected a direction",)),
        ("<integrator", '<include filename="scene.xml"/><integrator', ("does one include itself?",)),
        ("<integrator", '<include filename="lost.xml"/><integrator', ("lost.xml",)),
    ],
)  # fmt: skip
def test_mitsuba_wrong_files_are_named(tmp_path: Path, old: str, new: str, words: tuple) -> None:
    write_mitsuba(tmp_path)
    replace(tmp_path / "scene.xml", old, new)
    refused(mitsuba, tmp_path, *words)


def test_mitsuba_with_nothing_to_see(tmp_path: Path) -> None:
    write_mitsuba(tmp_path)
    shutil.rmtree(tmp_path / "images")
    refused(mitsuba, tmp_path, "expected photographs in", "or a shape of type ply or obj")
    (tmp_path / "other.xml").write_text("<scene/>")
    (tmp_path / "scene.xml").rename(tmp_path / "third.xml")
    refused(mitsuba, tmp_path, "other.xml, third.xml", "give the path of the right one")
    refused(mitsuba, tmp_path / "other.xml", "expected at least one <sensor>, got none")


# --- sanity ----------------------------------------------------------------------------------------------------------


def test_a_mesh_in_other_units_or_elsewhere_is_refused(tmp_path: Path) -> None:
    views = middlebury.load(write_middlebury(tmp_path), WHOLE).train
    ball = icosphere(2)
    place = torch.from_numpy(MIDDLE).float()
    for scale in (0.2, 0.7, 5.0):
        check_mesh_fits(Mesh(scale * ball.vertices + place, ball.faces), views, name="ball.ply")
    with pytest.raises(ValueError, match=r"ball\.ply: .* times the size of what the masks and cameras show"):
        check_mesh_fits(Mesh(1000 * (0.7 * ball.vertices + place), ball.faces), views, name="ball.ply")
    with pytest.raises(ValueError, match=r"ball\.ply: .* times the size .* millimetres and metres"):
        check_mesh_fits(Mesh(0.001 * ball.vertices + place, ball.faces), views, name="ball.ply")
    with pytest.raises(ValueError, match=r"ball\.ply: 22\.9 away .* in the coordinates of the cameras"):
        check_mesh_fits(Mesh(0.7 * ball.vertices, ball.faces), views, name="ball.ply")


def test_cameras_in_one_place_are_refused(tmp_path: Path) -> None:
    views = middlebury.load(write_middlebury(tmp_path), WHOLE).train
    check_views(views)
    matrices = views.cameras.world_to_camera.clone()
    matrices[:, :3, 3] = -(matrices[:, :3, :3] @ torch.tensor([4.0, 5.0, 6.0], dtype=torch.float64))
    cameras = type(views.cameras)(
        matrices, views.cameras.intrinsics, views.cameras.height, views.cameras.width
    )
    with pytest.raises(
        ValueError, match=r"all 7 cameras are in one place \(4, 5, 6\).*turned before a fixed camera"
    ):
        check_views(Views(views.images, cameras, views.names))
    matrices[:, :3, 3] = 0  # translations that were forgotten
    cameras = type(cameras)(matrices, cameras.intrinsics, cameras.height, cameras.width)
    with pytest.raises(ValueError, match=r"one place \(.*are translations missing"):
        check_views(Views(views.images, cameras, views.names))


def test_cameras_that_hardly_move_are_refused(tmp_path: Path) -> None:
    views = middlebury.load(write_middlebury(tmp_path), WHOLE).train
    matrices = views.cameras.world_to_camera[:1].repeat(COUNT, 1, 1)
    matrices[:, 0, 3] += 3e-3 * torch.arange(COUNT, dtype=torch.float64)
    # Turned so that the same pixel's rays meet at a distance of about 3.
    same = views.images[:1].repeat(COUNT, 1, 1, 1)
    k = views.cameras.intrinsics[:1].repeat(COUNT, 1, 1)
    k[:, 0, 2] -= 3e-3 * torch.arange(COUNT, dtype=torch.float64) * k[0, 0, 0] / 3
    cameras = type(views.cameras)(matrices, k, views.cameras.height, views.cameras.width)
    with pytest.raises(ValueError, match="too near to each other to tell its depth"):
        check_views(Views(same, cameras, views.names))


def test_the_points_are_seen_by_the_middle_of_their_discs() -> None:
    """The oracle itself: with focal length 10, one unit to the right at a depth of two is 5 pixels to the right."""
    truth = Truth(np.eye(3), np.array([0.0, 0.0, 2.0]) - POINTS[0], 10.0, 30.0, 20.0)
    assert truth.pixel(POINTS[0] + [1.0, 0, 0]).tolist() == pytest.approx([35.0, 20.0])
    assert truth.center.tolist() == pytest.approx((POINTS[0] - [0, 0, 2]).tolist())
