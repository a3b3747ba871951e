"""COLMAP models in both forms, written here by hand and by pycolmap: points are where the photographs show them."""

from __future__ import annotations

import math
import shutil
import struct
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from format_files import write_colmap, write_colmap_binary
from PIL import Image
from scene_files import ring, sphere_mask

from largesteps_zg.scenes import Reading, Views, load_scene
from largesteps_zg.scenes.formats import colmap
from largesteps_zg.scenes.formats.colmap import load, recognises
from largesteps_zg.scenes.provenance import Record

BALL = (0.4, -0.3, 0.2), 0.6
WIDTH, HEIGHT = 96, 72
K = np.array([[110.0, 0, 50], [0, 108, 35], [0, 0, 1]])
PINHOLE = 1, WIDTH, HEIGHT, (110.0, 108.0, 50.0, 35.0)
NAMES = ("b.png", "a.png", "c.png", "d.png")


def poses(count: int = 4) -> np.ndarray:
    return ring(6).world_to_camera[:count].numpy()


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """w x y z: the eigenvector of the largest eigenvalue of Bar-Itzhack's matrix."""
    (a, b, c), (d, e, f), (g, h, i) = rotation
    matrix = np.array(
        [
            [a + e + i, h - f, c - g, d - b],
            [h - f, a - e - i, b + d, c + g],
            [c - g, b + d, e - a - i, f + h],
            [d - b, c + g, f + h, i - a - e],
        ]
    )
    return np.linalg.eigh(matrix)[1][:, -1]


def draw(folder: Path, names=NAMES, k: np.ndarray = K, size=(WIDTH, HEIGHT)) -> None:
    for name, matrix in zip(names, poses(len(names)), strict=True):
        pixels = np.full((size[1], size[0], 4), 80, dtype=np.uint8)
        pixels[..., 3] = 255 * sphere_mask(matrix, k, size[::-1], *BALL)
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)


def write_text(folder: Path, names=NAMES, *, camera: str = "1 PINHOLE 96 72 110 108 50 35") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Image list"]
    for number, (name, matrix) in enumerate(zip(names, poses(len(names)), strict=True), start=1):
        numbers = [*quaternion(matrix[:3, :3]), *matrix[:3, 3]]
        lines += [f"{number} {' '.join(f'{x:.17g}' for x in numbers)} 1 {name}", "10.5 20.5 -1 3 4 7"]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    (folder / "cameras.txt").write_text(f"# Cameras\n{camera}\n")


def write_binary(folder: Path, names=NAMES, *, cameras=((1, PINHOLE),), camera_of=lambda number: 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = struct.pack("<Q", len(names))
    for number, (name, matrix) in enumerate(zip(names, poses(len(names)), strict=True), start=1):
        data += struct.pack("<I7dI", number, *quaternion(matrix[:3, :3]), *matrix[:3, 3], camera_of(number))
        data += name.encode() + b"\0" + struct.pack("<Qddq", 1, 10.5, 20.5, -1)
    (folder / "images.bin").write_bytes(data)
    data = struct.pack("<Q", len(cameras))
    for number, (model, width, height, params) in cameras:
        data += struct.pack(f"<IiQQ{len(params)}d", number, model, width, height, *params)
    (folder / "cameras.bin").write_bytes(data)


def check(views: Views, overlap: float = 0.98) -> None:
    for image, matrix, k in zip(
        views.images.numpy(),
        views.cameras.world_to_camera.numpy(),
        views.cameras.intrinsics.numpy(),
        strict=True,
    ):
        mask, expected = image[..., 3] >= 128, sphere_mask(matrix, k, image.shape[:2], *BALL)
        assert (mask & expected).sum() / (mask | expected).sum() > overlap


@pytest.mark.parametrize("place", ["sparse/0", "sparse", "colmap/sparse/0", "."])
@pytest.mark.parametrize("write", [write_text, write_binary])
def test_both_forms_wherever_they_lie(tmp_path: Path, place: str, write) -> None:
    draw(tmp_path / "images")
    write(tmp_path / place)
    assert recognises(tmp_path)
    scene = load(tmp_path)
    assert (scene.format, scene.path, scene.test) == ("colmap", tmp_path, None)
    assert scene.train.names == ("a", "b", "c", "d")  # in the order of names, not of the file
    np.testing.assert_allclose(scene.train.cameras.world_to_camera.numpy(), poses()[[1, 0, 2, 3]], atol=1e-12)
    np.testing.assert_array_equal(scene.train.cameras.intrinsics[0].numpy(), K)
    check(scene.train, overlap=0.999)


def test_the_folder_of_the_model_is_a_scene_too(tmp_path: Path) -> None:
    draw(tmp_path / "images")
    write_binary(tmp_path / "sparse" / "0")
    check(load(tmp_path / "sparse" / "0").train)


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n\n\n"])
def test_the_last_image_counts_although_an_editor_took_its_empty_line(tmp_path: Path, end: str) -> None:
    draw(tmp_path / "images")
    model = tmp_path / "sparse" / "0"
    write_text(model)
    lines = (model / "images.txt").read_text().splitlines()
    lines[2::2] = [""] * len(lines[2::2])  # no points, so an empty line after each image
    (model / "images.txt").write_text("\n".join(lines).rstrip("\n") + end)
    assert set(load(tmp_path).train.names) == {Path(name).stem for name in NAMES}


def test_the_part_with_most_images_is_taken(tmp_path: Path) -> None:
    draw(tmp_path / "images")
    write_binary(tmp_path / "sparse" / "0", NAMES[:2])
    write_binary(tmp_path / "sparse" / "1")
    assert len(load(tmp_path).train) == 4


def test_models_of_pycolmap_with_rigs_and_points(tmp_path: Path) -> None:
    """Two cameras on one rig, the second beside the first: the poses in the files of images hold the rig's."""
    model, matrices = pycolmap.Reconstruction(), poses()
    cameras = [
        pycolmap.Camera(
            model="PINHOLE", width=WIDTH, height=HEIGHT, params=[110, 108, 50, 35], camera_id=i + 1
        )
        for i in range(2)
    ]
    rig = pycolmap.Rig(rig_id=1)
    rig.add_ref_sensor(cameras[0].sensor_id)
    rig.add_sensor(cameras[1].sensor_id, pycolmap.Rigid3d((matrices[1] @ np.linalg.inv(matrices[0]))[:3]))
    for camera in cameras:
        model.add_camera(camera)
    model.add_rig(rig)
    frame = pycolmap.Frame(frame_id=1, rig_id=1)
    frame.rig_from_world = pycolmap.Rigid3d(matrices[0][:3])
    images = [
        pycolmap.Image(name=NAMES[i], camera_id=i + 1, image_id=i + 1, keypoints=np.ones((2, 2)))
        for i in range(2)
    ]
    for image in images:
        frame.add_data_id(image.data_id)
    model.add_frame(frame)
    for image in images:
        image.frame_id = 1
        model.add_image(image)
    track = pycolmap.Track()
    track.add_element(1, 0)
    track.add_element(2, 1)
    model.add_point3D(np.zeros(3), track, np.zeros(3, dtype=np.uint8))
    draw(tmp_path / "images", NAMES[:2])
    for kind, write in (("sparse/0", model.write_binary), ("sparse/1", model.write_text)):
        (tmp_path / kind).mkdir(parents=True)
        write(str(tmp_path / kind))
        check(load(tmp_path / kind).train, overlap=0.999)


def test_several_cameras_and_sizes(tmp_path: Path) -> None:
    small = np.diag([0.5, 0.5, 1]) @ K
    write_binary(
        tmp_path / "sparse", cameras=((1, PINHOLE), (7, (0, 48, 36, (54.5, 25.0, 17.5)))),
        camera_of=lambda number: 1 if number < 3 else 7,
    )  # fmt: skip
    draw(tmp_path / "images")
    draw(tmp_path / "images", NAMES[:2])
    small = np.array([[54.5, 0, 25], [0, 54.5, 17.5], [0, 0, 1]])
    for name, matrix in zip(NAMES[2:], poses()[2:], strict=True):
        pixels = np.full((36, 48, 4), 80, dtype=np.uint8)
        pixels[..., 3] = 255 * sphere_mask(matrix, small, (36, 48), *BALL)
        Image.fromarray(pixels).save(tmp_path / "images" / name)
    views = load(tmp_path).train
    assert (views.cameras.width, views.cameras.height) == (96, 72)
    assert views.known.flatten(1).sum(1).tolist() == [96 * 72] * 2 + [48 * 36] * 2
    check(views, overlap=0.999)


def test_photographs_smaller_than_the_calibration(tmp_path: Path) -> None:
    draw(tmp_path / "images", k=np.diag([0.5, 0.5, 1]) @ K, size=(48, 36))
    write_text(tmp_path / "sparse")
    check(load(tmp_path).train, overlap=0.99)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("SIMPLE_RADIAL", (110.0, 50.0, 35.0, 0.5)),
        ("OPENCV", (110.0, 108.0, 50.0, 35.0, 0.4, 0.1, 0.02, -0.03)),
        ("OPENCV_FISHEYE", (110.0, 108.0, 50.0, 35.0, -0.3, 0.1, 0.0, 0.0)),
        ("FOV", (110.0, 108.0, 50.0, 35.0, 1.2)),
        ("THIN_PRISM_FISHEYE", (110.0, 108.0, 50.0, 35.0, -0.2, 0.0, 0.01, 0.01, 0.0, 0.0, 0.02, 0.03)),
    ],
)
def test_every_lens_is_undone(tmp_path: Path, model: str, params: tuple) -> None:
    camera = pycolmap.Camera(model=model, width=WIDTH, height=HEIGHT, params=params)
    write_text(tmp_path / "sparse", camera=f"1 {model} 96 72 {' '.join(map(str, params))}")
    camera.rescale(2 * WIDTH, 2 * HEIGHT)  # photographs larger than the calibration's
    v, u = np.mgrid[: camera.height, : camera.width] + 0.5
    ideal = camera.cam_from_img(np.stack([u.ravel(), v.ravel()], axis=1))
    rays = np.concatenate([ideal, np.ones((len(ideal), 1))], axis=1)
    (tmp_path / "images").mkdir()
    for name, matrix in zip(NAMES, poses(), strict=True):
        center = matrix[:3, :3] @ np.array((0.9, -0.5, 0.3)) + matrix[:3, 3]
        along = rays @ center / np.linalg.norm(rays, axis=1)
        mask = (center @ center - along**2 < 0.16).reshape(u.shape)
        pixels = np.full((*u.shape, 4), 70, dtype=np.uint8)
        pixels[..., 3] = 255 * mask
        Image.fromarray(pixels).save(tmp_path / "images" / name)
    views = load(tmp_path).train
    for image, matrix, k in zip(
        views.images.numpy(),
        views.cameras.world_to_camera.numpy(),
        views.cameras.intrinsics.numpy(),
        strict=True,
    ):
        mask = image[..., 3] >= 128
        expected = sphere_mask(matrix, k, mask.shape, (0.9, -0.5, 0.3), 0.4)
        assert (mask & expected).sum() / (mask | expected).sum() > 0.96


def test_masks_as_colmap_names_them(tmp_path: Path) -> None:
    names = ("left/a.jpg", "right/a.jpg", "right/b.jpg")
    write_binary(tmp_path / "sparse", names)
    draw(tmp_path / "drawn", tuple(f"{name}.png" for name in names))
    for name in names:
        pixels = np.array(Image.open(tmp_path / "drawn" / f"{name}.png"))
        for place, part in ((f"images/{name}", pixels[..., :3]), (f"masks/{name}.png", pixels[..., 3])):
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(part).save(tmp_path / place)
    views = load(tmp_path).train
    assert views.names == ("left/a", "right/a", "right/b")
    check(views, overlap=0.999)
    (tmp_path / "masks").rename(tmp_path / "elsewhere")
    check(load(tmp_path, Reading(masks=tmp_path / "elsewhere")).train, overlap=0.999)


# --- errors ----------------------------------------------------------------------------------------------------------


def refused(path: Path, *parts: str) -> None:
    with pytest.raises((ValueError, OSError)) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message


def test_missing_images_are_named(tmp_path: Path) -> None:
    write_binary(tmp_path / "sparse")
    refused(tmp_path, "images of the model not found; looked for a.png in", "images")
    draw(tmp_path / "images")
    (tmp_path / "images" / "c.png").unlink()
    refused(tmp_path, "images.bin: image c.png of the model not found; looked for", "images/c.png")
    assert not recognises(tmp_path / "images")
    refused(tmp_path / "images", "expected cameras.bin and images.bin")


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        ((72, 96), ("image has 72x96 pixels but its camera says 96x72", "EXIF")),
        ((96, 60), ("96x60", "cropped")),
    ],
)
def test_images_of_another_shape(tmp_path: Path, size: tuple, parts: tuple) -> None:
    write_text(tmp_path)
    draw(tmp_path / "images", size=size)
    refused(tmp_path, "images.txt: a.png", *parts)


@pytest.mark.parametrize(
    ("camera", "parts"),
    [
        ("1 EQUIRECTANGULAR 96 72 96 72", ("EQUIRECTANGULAR is a panorama", "perspective")),
        (
            "1 HOLGA 96 72 110 50 35",
            ("cameras.txt: line 2: camera model 'HOLGA' is not known, expected one of SIMPLE_",),
        ),
        ("2 PINHOLE 96 72 110 108 50 35", ("not readable as a COLMAP model",)),
        (
            "# none\n1 PINHOLE 96 72 110 108 50",
            ("cameras.txt: line 3: ", "HEIGHT and 4 numbers, got", "damaged?"),
        ),
        ("1 PINHOLE 96 72 110 108 50 35 0.1", ("cameras.txt: line 2: ", "HEIGHT and 4 numbers, got")),
        (
            "1 PINHOLE 96 72 110,5 108 50 35",
            ("cameras.txt: line 2: ", "is that a decimal comma? Write points"),
        ),
        ("1 PINHOLE 96.5 72 110 108 50 35", ("cameras.txt: line 2: ", "got '1 PINHOLE 96.5")),
        ("1", ("cameras.txt: line 2: expected CAMERA_ID MODEL",)),
        ("1 PINHOLE 96 72 -110 108 50 35", ("images.txt: a.png: expected focal lengths > 0",)),
        ("", ("not readable as a COLMAP model",)),
    ],
)
def test_cameras_that_are_none(tmp_path: Path, camera: str, parts: tuple) -> None:
    write_text(tmp_path / "sparse", camera=camera)
    draw(tmp_path / "images")
    refused(tmp_path, *parts)


def test_a_model_without_images(tmp_path: Path) -> None:
    write_text(tmp_path / "sparse", ())
    refused(tmp_path, "images.txt: no image has a pose")


def test_what_is_cut_off_or_announces_too_much_is_refused(tmp_path: Path) -> None:
    write_binary(tmp_path / "sparse")
    draw(tmp_path / "images")
    file = tmp_path / "sparse" / "images.bin"
    whole = file.read_bytes()
    for keep in (0, 7, 40, 100, len(whole) - 1):
        file.write_bytes(whole[:keep])
        refused(tmp_path, "images.bin: ends in the middle of an image")
    points = whole.index(b"b.png\0") + 6
    file.write_bytes(whole[:points] + struct.pack("<Q", 2**40) + whole[points + 8 :])
    refused(tmp_path, "images.bin: ends in the middle of an image")
    file.write_bytes(struct.pack("<Q", 2**62) + whole[8:])
    refused(tmp_path, "images.bin: ends in the middle of an image")
    file.write_bytes(whole.replace(b"c.png\0", b"c\npng\0"))
    refused(tmp_path, "image name 'c\\npng'")
    file.write_bytes(whole + b"1234")
    refused(tmp_path, "images.bin: expected its end behind the last image, got 4 bytes more")
    file.write_bytes(whole)
    cameras = tmp_path / "sparse" / "cameras.bin"
    data = cameras.read_bytes()
    for keep in (0, 20, len(data) - 4):
        cameras.write_bytes(data[:keep])
        refused(tmp_path, "cameras.bin: ends in the middle of a camera; is the file complete?")
    cameras.write_bytes(data + b"1")
    refused(tmp_path, "cameras.bin: expected its end behind the last camera, got 1 bytes more")
    cameras.write_bytes(data.replace(struct.pack("<ii", 1, 1), struct.pack("<ii", 1, 99)))
    refused(tmp_path, "cameras.bin: camera model number 99 is not known")


def test_nan_in_a_pose(tmp_path: Path) -> None:
    write_binary(tmp_path / "sparse")
    draw(tmp_path / "images")
    file = tmp_path / "sparse" / "images.bin"
    data = bytearray(file.read_bytes())
    struct.pack_into("<d", data, 8 + 4 + 32, math.nan)  # TX of the first image
    file.write_bytes(data)
    refused(tmp_path, "images.bin: b.png", "not finite")


# --- what other programs write as COLMAP ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "camera",
    ["SIMPLE_FISHEYE 96 72 60 50 35", "FISHEYE 96 72 60 60 50 35", "OPENCV_FISHEYE 96 72 60 60 50 35 0 0 0 0",
     "SIMPLE_RADIAL_FISHEYE 96 72 60 50 35 0", "THIN_PRISM_FISHEYE 96 72 60 60 50 35 0 0 0 0 0 0 0 0"],
)  # fmt: skip
def test_a_fisheye_without_coefficients_is_a_fisheye(tmp_path: Path, camera: str) -> None:
    """A ray at 45 degrees arrives at f pi / 4 from the principal point; a pinhole would show it at f."""
    write_text(tmp_path / "sparse", camera=f"1 {camera}")
    draw(tmp_path / "images")
    (shot, *_) = colmap._shots(tmp_path, tmp_path / "sparse", Record(tmp_path), Reading())
    assert shot.lens is not None and shot.lens_name == camera.split()[0]
    np.testing.assert_allclose(shot.lens(np.array([[1.0, 0.0]])), [[50 + 60 * np.pi / 4, 35]], rtol=1e-9)


@pytest.mark.parametrize(
    "camera",
    ["PINHOLE 96 72 110 108 50 35", "OPENCV 96 72 110 108 50 35 0 0 0 0", "SIMPLE_DIVISION 96 72 110 50 35 0",
     "FULL_OPENCV 96 72 110 108 50 35 0 0 0 0 0 0 0 0"],
)  # fmt: skip
def test_a_lens_without_coefficients_that_is_a_pinhole_is_none(tmp_path: Path, camera: str) -> None:
    write_text(tmp_path / "sparse", camera=f"1 {camera}")
    draw(tmp_path / "images")
    assert all(
        shot.lens is None
        for shot in colmap._shots(tmp_path, tmp_path / "sparse", Record(tmp_path), Reading())
    )


SPACED = ("DJI 2024 (1).png", "DJI 2024 (2).png", "2 b.png", "3 c.png")


@pytest.mark.parametrize("points", ["10.5 20.5 -1 3 4 7\n", "\n", ""])
@pytest.mark.parametrize("place", ["sparse/0", "."])
def test_names_with_spaces_in_text_models(tmp_path: Path, points: str, place: str) -> None:
    """RealityScan names images after their files; some programs leave out the lines of points."""
    draw(tmp_path / "images", SPACED)
    write_text(tmp_path / place, SPACED)
    file = tmp_path / place / "images.txt"
    lines = file.read_text().splitlines()[1::2]
    file.write_text("".join(f"{line}\n{points}" for line in lines))
    scene = load(tmp_path)
    assert set(scene.train.names) == {Path(name).stem for name in SPACED}
    check(scene.train)


def test_a_line_without_a_name_is_refused(tmp_path: Path) -> None:
    write_text(tmp_path / "sparse")
    draw(tmp_path / "images")
    file = tmp_path / "sparse" / "images.txt"
    file.write_text(file.read_text().replace(" 1 a.png", ""))
    refused(tmp_path, "images.txt: line 4: expected IMAGE_ID", "is it complete?")
    write_text(tmp_path / "sparse")
    head, line, *rest = file.read_text().split("\n")
    number, _, *words = line.split(" ")
    file.write_text("\n".join([head, " ".join([number, "0,5", *words]), *rest]))
    refused(
        tmp_path, "images.txt: line", "expected 9 numbers and a name, got '0,5'; is that a decimal comma?"
    )


def test_models_under_other_names_are_taken_where_there_is_no_numbered_one(tmp_path: Path) -> None:
    draw(tmp_path / "images")
    write_text(tmp_path / "sparse" / "aligned")
    assert "model: sparse/aligned, 4 images" in load(tmp_path).notes
    write_binary(tmp_path / "sparse" / "10", NAMES[:3])
    write_binary(tmp_path / "sparse" / "2", NAMES[:3])
    scene = load(tmp_path)
    assert "model: sparse/2, 3 images" in scene.notes
    assert "not used: model sparse/10, 3 images: one model is taken" in scene.notes
    assert "not used: model sparse/aligned, 4 images: one model is taken" in scene.notes
    assert "not used: images/: 1 image without a camera (d.png)" in scene.notes


@pytest.mark.slow
@pytest.mark.parametrize("undistorted", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_the_folders_of_gaussian_splatting(tmp_path: Path, undistorted: bool, whole: bool) -> None:
    """distorted/sparse/0 is of the photographs in input/; `images` are others of the same names, and smaller."""
    write_colmap(tmp_path)
    expected = load(tmp_path, Reading(hold_out=0))
    (tmp_path / "images").rename(tmp_path / "input")
    (tmp_path / "distorted").mkdir()
    (tmp_path / "sparse").rename(tmp_path / "distorted" / "sparse")
    if undistorted:
        (tmp_path / "images").mkdir()
        for file in (tmp_path / "input").iterdir():
            Image.open(file).resize((20, 30)).save(tmp_path / "images" / file.name)
    if whole:  # a second model, of the images without distortion
        other = write_colmap(tmp_path / "other")
        (other / "sparse").rename(tmp_path / "sparse")
        if undistorted:
            shutil.rmtree(tmp_path / "images")
            (other / "images").rename(tmp_path / "images")
    scene = load_scene(tmp_path, reading=Reading(hold_out=0))
    assert np.array_equal(scene.train.cameras.world_to_camera, expected.train.cameras.world_to_camera)
    assert np.array_equal(scene.train.images, expected.train.images)
    taken, left = ("sparse/0", "distorted/sparse/0") if whole else ("distorted/sparse/0", "")
    assert f"model: {taken}, 7 images" in scene.notes
    assert not left or f"not used: model {left}, 7 images: one model is taken" in scene.notes
    if not whole:
        again = load_scene(tmp_path / "distorted", reading=Reading(hold_out=0))
        assert np.array_equal(again.train.images, expected.train.images)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_text_models_in_any_encoding_of_unicode(tmp_path: Path, encoding: str) -> None:
    folder = write_colmap(tmp_path)
    expected = load(folder, Reading(hold_out=0)).train
    for file in (folder / "sparse" / "0").glob("*.txt"):
        file.write_bytes(file.read_text().replace("\n", "\r\n").encode(encoding))
    found = load(folder, Reading(hold_out=0)).train
    assert np.array_equal(found.cameras.world_to_camera, expected.cameras.world_to_camera)


@pytest.mark.slow
@pytest.mark.parametrize("length", [1e-3, 3.0, 1e100])
@pytest.mark.parametrize("binary", [False, True])
def test_quaternions_of_any_length_are_normalised_as_colmap_does(
    tmp_path: Path, binary: bool, length: float
) -> None:
    folder = (write_colmap_binary if binary else write_colmap)(tmp_path)
    expected = load(folder, Reading(hold_out=0)).train.cameras.world_to_camera
    file = folder / "sparse" / "0" / ("images.bin" if binary else "images.txt")
    if binary:
        content = bytearray(file.read_bytes())
        numbers = struct.unpack_from("<4d", content, 12)
        struct.pack_into("<4d", content, 12, *(length * number for number in numbers))
        file.write_bytes(content)
    else:
        first, *rest = file.read_text().split("\n")
        words = first.split()
        words[1:5] = [repr(length * float(word)) for word in words[1:5]]
        file.write_text("\n".join([" ".join(words), *rest]))
    found = load(folder, Reading(hold_out=0)).train.cameras.world_to_camera
    assert float((found - expected).abs().max()) < 1e-9


@pytest.mark.parametrize(
    ("at", "numbers", "words"),
    [
        (0, (1e200, -1e200, 1e200, 1e200), "expected a unit quaternion, got"),
        (0, (1e154,) * 4, "expected a unit quaternion, got"),
        (0, (float("nan"),) * 4, "expected a unit quaternion, got"),
        (0, (0.0,) * 4, "expected a unit quaternion, got"),
        (32, (1e308, -1e308, 1e308), "expected less than"),
        (32, (1e30,) * 3, "expected less than"),
    ],
)
def test_damaged_poses_of_a_binary_model_are_named(tmp_path: Path, at, numbers, words, recwarn) -> None:
    file = write_colmap_binary(tmp_path) / "sparse" / "0" / "images.bin"
    content = bytearray(file.read_bytes())
    # The first image's, after count and number.
    struct.pack_into(f"<{len(numbers)}d", content, 8 + 4 + at, *numbers)
    file.write_bytes(content)
    refused(tmp_path, "images.bin: dots1.png: ", words)
    assert list(recwarn) == []


def test_a_dense_workspace_goes_with_its_own_images(tmp_path: Path) -> None:
    """COLMAP's automatic reconstruction: photographs as taken, and others without a lens under the same names."""
    taken = K + np.array([[0.0, 0, 15], [0, 0, 0], [0, 0, 0]])
    write_text(tmp_path / "dense" / "0" / "sparse")
    draw(tmp_path / "dense" / "0" / "images")
    draw(tmp_path / "images", k=taken)
    assert recognises(tmp_path)
    check(load(tmp_path).train)
    write_text(tmp_path / "sparse" / "0", camera="1 PINHOLE 96 72 110 108 65 35")
    scene = load(tmp_path)  # the photographs themselves are there
    np.testing.assert_array_equal(scene.train.cameras.intrinsics[0].numpy(), taken)
    check(scene.train)
    assert "model: sparse/0, 4 images" in scene.notes
    assert "not used: model dense/0/sparse, 4 images: one model is taken" in scene.notes
    shutil.rmtree(tmp_path / "images")
    scene = load(tmp_path)  # they are elsewhere
    check(scene.train)
    assert "model: dense/0/sparse, 4 images" in scene.notes
    assert "not used: model sparse/0, 4 images: one model is taken" in scene.notes


def test_of_several_dense_workspaces_that_with_most_images(tmp_path: Path) -> None:
    for number, names in (("0", NAMES[:2]), ("10", NAMES), ("9", NAMES[:3])):
        write_text(tmp_path / "dense" / number / "sparse", names)
        draw(tmp_path / "dense" / number / "images", names)
    scene = load(tmp_path)
    check(scene.train)
    assert "model: dense/10/sparse, 4 images" in scene.notes
    left = [note for note in scene.notes if note.startswith("not used: model dense/")]
    assert len(left) == 2
