"""From photographs to views: sizes, canvas, lenses, cuts; points stay where they are drawn, whatever is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
import pytest
import torch
from PIL import Image
from scene_files import rewrite, ring, sphere_mask, write_scene

from largesteps_zg.cameras import Cameras
from largesteps_zg.images.resampling import covered, sampled, shrunk
from largesteps_zg.scenes import Reading, Views, load_scene
from largesteps_zg.scenes.formats import transforms
from largesteps_zg.scenes.photographs.assemble import assemble
from largesteps_zg.scenes.photographs.lenses import fisheye_lens, opencv_lens
from largesteps_zg.scenes.photographs.mask_files import MaskFile, MaskFinder
from largesteps_zg.scenes.shots import Shot

CENTER, RADIUS = (0.3, -0.2, 0.1), 0.5
OFF_AXIS = (0.7, -0.6, 0.6)  # where lenses bend more


def photographs(
    folder: Path, sizes: list[tuple[int, int]], *, alpha: bool = True, center=CENTER, radius: float = RADIUS
) -> list[Shot]:
    """Shots of one ball, (width, height) each; without alpha the ball is white on black."""
    folder.mkdir(exist_ok=True)
    shots = []
    for i, (width, height) in enumerate(sizes):
        camera = ring(max(len(sizes), 6), height=height, width=width)[i]
        matrix, k = camera.world_to_camera[0].numpy(), camera.intrinsics[0].numpy()
        mask = sphere_mask(matrix, k, (height, width), center, radius)
        pixels = np.full((height, width, 4), 100 + i, dtype=np.uint8)
        pixels[..., 3] = 255 * mask
        if not alpha:
            pixels = np.where(mask[..., None], np.uint8(230), np.uint8(0)).repeat(3, axis=-1)
        file = folder / f"v{i}.png"
        Image.fromarray(pixels).save(file)
        shots.append(Shot(file, f"v{i}", matrix, k, f"cameras.txt: line {i}"))
    return shots


def check_ball(views: Views, *, center=CENTER, radius: float = RADIUS, overlap: float = 0.97) -> None:
    """Each mask must be the ball as its camera sees it."""
    for image, matrix, k, name in zip(
        views.images.numpy(), views.cameras.world_to_camera.numpy(), views.cameras.intrinsics.numpy(), views.names,
        strict=True,
    ):  # fmt: skip
        mask = image[..., 3] >= 128
        expected = sphere_mask(matrix, k, mask.shape, center, radius)
        assert (mask & expected).sum() / (mask | expected).sum() > overlap, name


# --- the canvas ------------------------------------------------------------------------------------------------------


def test_photographs_of_one_size_stay_as_they_are(tmp_path: Path) -> None:
    shots = photographs(tmp_path, [(40, 30)] * 3)
    views = assemble(shots, Reading())
    assert views.known is None
    assert views.names == ("v0", "v1", "v2")
    for i, shot in enumerate(shots):
        np.testing.assert_array_equal(views.images[i].numpy(), np.array(Image.open(shot.image)))
        np.testing.assert_array_equal(views.cameras.intrinsics[i].numpy(), shot.intrinsics)
        np.testing.assert_array_equal(views.cameras.world_to_camera[i].numpy(), shot.world_to_camera)


def test_photographs_of_several_sizes_share_a_canvas(tmp_path: Path) -> None:
    sizes = [(40, 30), (64, 24), (30, 50)]
    shots = photographs(tmp_path, sizes)
    views = assemble(shots, Reading())
    assert (views.cameras.width, views.cameras.height) == (64, 50)
    for i, (width, height) in enumerate(sizes):
        known = np.zeros((50, 64), dtype=bool)
        known[:height, :width] = True
        np.testing.assert_array_equal(views.known[i].numpy(), known)
        np.testing.assert_array_equal(
            views.images[i, :height, :width].numpy(), np.array(Image.open(shots[i].image))
        )
        assert not views.images[i].numpy()[~known].any()
    check_ball(views, overlap=0.999)
    assert torch.equal(views[[2, 0]].known, views.known[[2, 0]])


def test_large_photographs_become_smaller(tmp_path: Path) -> None:
    shots = photographs(tmp_path, [(300, 200), (120, 160), (40, 30)], radius=1.2)
    views = assemble(shots, Reading(max_size=60))
    assert max(views.cameras.width, views.cameras.height) == 60
    sizes = [(int(known.any(0).sum()), int(known.any(1).sum())) for known in views.known]
    assert sizes == [(60, 40), (45, 60), (40, 30)]
    assert views.cameras.intrinsics[0, 0, 2].item() == pytest.approx(30)
    check_ball(views, radius=1.2, overlap=0.95)
    assert (views.images[0, ..., 3] % 255 > 0).any()  # the outline is antialiased
    inside = views.images[0, ..., 3] == 255
    assert (views.images[0][inside][:, :3] == 100).all()


@pytest.mark.slow
def test_a_small_object_is_cut_out(tmp_path: Path) -> None:
    shots = photographs(tmp_path, [(600, 500)] * 3, alpha=False, radius=0.2)
    views = assemble(shots, Reading())
    # The ball is 0.4 wide at 4 units, f = 250 / tan 20 = 687: 69 pixels and, with a quarter on each side, 105.
    assert 102 < views.cameras.width < 114
    assert 102 < views.cameras.height < 114
    assert views.known is None
    check_ball(views, radius=0.2, overlap=0.97)


@pytest.mark.slow
def test_the_cut_keeps_the_pixels_that_the_object_has(tmp_path: Path) -> None:
    shots = photographs(tmp_path, [(900, 600), (300, 200), (300, 200)], alpha=False, radius=0.4)
    views = assemble(shots, Reading(max_size=120))
    boxes = [int((image[..., 3] >= 128).any(0).sum()) for image in views.images]
    assert boxes[0] > 75  # of 165 in the photograph, which as a whole would have been shrunk to 22
    assert boxes[1] > 50  # smaller from the start
    assert max(views.cameras.width, views.cameras.height) == 120
    check_ball(views, radius=0.4, overlap=0.95)


@pytest.mark.slow
def test_a_cut_that_saves_little_is_not_made(tmp_path: Path) -> None:
    views = assemble(
        photographs(tmp_path, [(500, 500)] * 2, alpha=False, center=(0, 0, 0), radius=0.9), Reading()
    )
    assert (views.cameras.width, views.cameras.height) == (500, 500)


# --- lenses ----------------------------------------------------------------------------------------------------------

LENSES = [
    ("SIMPLE_RADIAL", [0.15]),
    ("RADIAL", [-0.2, 0.05]),
    ("OPENCV", [0.1, -0.05, 0.02, -0.015]),
    ("FULL_OPENCV", [0.2, 0.1, 0.01, -0.01, 0.05, 0.3, 0.1, 0.02]),
    ("OPENCV_FISHEYE", [0.05, -0.01, 0.003, -0.001]),
]


def camera_of(model: str, coefficients: list[float], width: int = 160, height: int = 120):
    focal = [150.0] if "SIMPLE" in model or model == "RADIAL" else [150.0, 146.0]
    params = [*focal, width / 2 + 3, height / 2 - 2, *coefficients]
    return pycolmap.Camera(model=model, width=width, height=height, params=params)


def our_lens(camera):
    k, c = camera.calibration_matrix(), list(camera.params[4:])
    if camera.model_name == "OPENCV_FISHEYE":
        return fisheye_lens(k, c)
    if camera.model_name == "FULL_OPENCV":
        return opencv_lens(k, [c[0], c[1], c[4]], c[2:4], c[5:])
    if camera.model_name == "OPENCV":
        return opencv_lens(k, c[:2], c[2:4])
    return opencv_lens(k, list(camera.params[3:]))


@pytest.mark.parametrize(("model", "coefficients"), LENSES)
def test_lenses_are_those_of_colmap(model: str, coefficients: list) -> None:
    camera = camera_of(model, coefficients)
    points = np.random.default_rng(1).uniform(-0.6, 0.6, (50, 2))
    expected = camera.img_from_cam(np.concatenate([points, np.ones((50, 1))], axis=1))
    np.testing.assert_allclose(our_lens(camera)(points), expected, rtol=0, atol=1e-9)
    axis = our_lens(camera)(np.zeros((1, 2)))
    np.testing.assert_allclose(axis[0], camera.calibration_matrix()[:2, 2], atol=1e-12)


def distorted_photograph(camera, matrix: np.ndarray) -> np.ndarray:
    """The ball as this lens shows it: each pixel's ray by COLMAP's inverse of the lens."""
    v, u = np.mgrid[: camera.height, : camera.width] + 0.5
    ideal = camera.cam_from_img(np.stack([u.ravel(), v.ravel()], axis=1))
    rays = np.concatenate([ideal, np.ones((len(ideal), 1))], axis=1)
    c = matrix[:3, :3] @ np.array(OFF_AXIS) + matrix[:3, 3]
    along = rays @ c / np.linalg.norm(rays, axis=1)
    mask = (c @ c - along**2 < RADIUS**2) & (along > 0)
    pixels = np.full((camera.height, camera.width, 4), 90, dtype=np.uint8)
    pixels[..., 3] = 255 * mask.reshape(camera.height, camera.width)
    return pixels


@pytest.mark.slow
@pytest.mark.parametrize(("model", "coefficients"), LENSES)
def test_distortion_is_undone(tmp_path: Path, model: str, coefficients: list) -> None:
    camera = camera_of(model, coefficients)
    shots, plain = [], []
    for i in range(3):
        matrix = ring(8)[i].world_to_camera[0].numpy()
        Image.fromarray(distorted_photograph(camera, matrix)).save(tmp_path / f"{i}.png")
        k = camera.calibration_matrix()
        shots.append(Shot(tmp_path / f"{i}.png", f"{i}", matrix, k, f"{i}", lens=our_lens(camera)))
        plain.append(replace(shots[-1], lens=None))
    views = assemble(shots, Reading())
    assert views.known is None or views.known.float().mean() > 0.7
    check_ball(views, center=OFF_AXIS, overlap=0.97)
    with pytest.raises(AssertionError):  # so the lens does matter
        check_ball(assemble(plain, Reading()), center=OFF_AXIS, overlap=0.97)
    half = assemble(shots, Reading(max_size=100))  # the lens still counts in pixels of the photograph on disk
    check_ball(half, center=OFF_AXIS, overlap=0.95)


def test_what_the_lens_does_not_show_is_not_known(tmp_path: Path) -> None:
    # f 40 over 80 columns: the border is at 1, and r (1 + 0.4 r^2) = 1 at r = 0.7972.
    (shot,) = photographs(tmp_path, [(80, 80)], center=(0, 0, 0), radius=0.4)
    k = np.array([[40.0, 0, 40], [0, 40, 40], [0, 0, 1]])
    views = assemble([replace(shot, intrinsics=k, lens=opencv_lens(k, [0.4]))], Reading())
    row = views.known[0, views.cameras.height // 2]
    assert int(row.sum()) == 64  # 2 * 0.7972 * 40 = 63.8
    assert views.images[0][~views.known[0]].sum() == 0


def test_a_lens_that_folds_shows_nothing_twice(tmp_path: Path) -> None:
    # r (1 - r^2 / 3) grows until r = 1 and then falls: beyond, the photograph's middle would appear once more.
    (shot,) = photographs(tmp_path, [(80, 80)], center=(0, 0, 0), radius=0.4)
    k = np.array([[25.0, 0, 40], [0, 25, 40], [0, 0, 1]])
    views = assemble([replace(shot, intrinsics=k, lens=opencv_lens(k, [-1 / 3]))], Reading())
    v, u = np.mgrid[: views.cameras.height, : views.cameras.width] + 0.5
    center = views.cameras.intrinsics[0, :2, 2].numpy()
    radius = np.hypot(u - center[0], v - center[1]) / 25
    np.testing.assert_array_equal(
        views.known[0].numpy()[np.abs(radius - 1) > 0.06], (radius < 1)[np.abs(radius - 1) > 0.06]
    )


def test_distorted_frames_of_a_transforms_file(tmp_path: Path) -> None:
    content = write_scene(tmp_path, images=False, camera_model="OPENCV", k1=0.1, k2=-0.05, p1=0.02, p2=-0.015)
    content |= {"fl_x": 150.0, "fl_y": 146.0, "cx": 83.0, "cy": 58.0, "w": 160, "h": 120}
    rewrite(tmp_path, content)
    matrices = [
        np.linalg.inv(np.array(f["transform_matrix"]) @ np.diag([1, -1, -1, 1])) for f in content["frames"]
    ]
    camera = camera_of("OPENCV", [0.1, -0.05, 0.02, -0.015])
    for i, matrix in enumerate(matrices):
        Image.fromarray(distorted_photograph(camera, matrix)).save(tmp_path / "train" / f"r_{i}.png")
    check_ball(load_scene(tmp_path).train, center=OFF_AXIS, overlap=0.97)
    rewrite(tmp_path, {**content, "k1": 0.0})
    with pytest.raises(AssertionError):
        check_ball(load_scene(tmp_path).train, center=OFF_AXIS, overlap=0.97)


# --- masks -----------------------------------------------------------------------------------------------------------


def test_the_folder_of_masks_goes_before_everything(tmp_path: Path) -> None:
    shots = photographs(tmp_path / "photos", [(40, 30)] * 2)
    masks = tmp_path / "my masks"
    masks.mkdir()
    left = np.zeros((30, 40), dtype=np.uint8)
    left[:, :10] = 255
    Image.fromarray(left).save(masks / "v0.png")
    with pytest.raises(FileNotFoundError, match=r"my masks: no mask for .*v1\.png; looked for v1\.png"):
        assemble(shots, Reading(masks=masks))
    Image.fromarray(left).save(masks / "v1.png.png")  # as COLMAP names masks
    named = [replace(shot, mask=shot.image) for shot in shots]
    alpha = assemble(named, Reading(masks=masks)).images[..., 3].numpy()
    np.testing.assert_array_equal(alpha, np.stack([left, left]))
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        assemble(shots, Reading(masks=tmp_path / "nowhere"))


def test_where_masks_are_looked_for(tmp_path: Path) -> None:
    image = tmp_path / "images" / "left" / "a.jpg"
    for place in ("masks/a.png", "masks/left/a.png", "images/masks/a.png"):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    finder = MaskFinder(tmp_path)
    found = finder.beside(image)
    assert found == MaskFile(tmp_path / "masks/left/a.png", "masks/left/NAME.png")
    for below, file in (("left", "masks/left/a.png"), ("", "masks/a.png")):
        (named,) = finder.in_folder(tmp_path / "masks", [image], [Path(below)])
        assert named.file == tmp_path / file
    assert finder.in_folder(tmp_path / "other", [image], [Path()]) == [None]


@pytest.mark.slow
def test_photographs_on_black_get_masks(tmp_path: Path) -> None:
    shots = photographs(tmp_path, [(90, 70)] * 5, alpha=False)
    check_ball(assemble(shots, Reading()), overlap=0.97)
    check_ball(assemble(shots, Reading(background=(0, 0, 0))), overlap=0.97)
    with pytest.raises(ValueError, match=r"v0\.png: image has no alpha channel and no mask"):
        assemble(shots, Reading(background="none"))


def test_photographs_before_anything_are_refused(tmp_path: Path) -> None:
    shots = photographs(tmp_path, [(60, 60)] * 2, alpha=False)
    noise = np.random.default_rng(1).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(shots[1].image)
    Image.fromarray(noise).save(shots[0].image)
    with pytest.raises(ValueError, match="no background of one colour could be told apart; give alpha 0"):
        assemble(shots, Reading())


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {"world_to_camera": 2 * s.world_to_camera}, "line 1: .*rotation times 2"),
        (lambda s: {"world_to_camera": np.diag([-1.0, 1, 1, 1])}, "line 1: .*mirrors the world"),
        (lambda s: {"intrinsics": np.diag([0.0, 50, 1])}, "line 1: expected focal lengths > 0"),
        (
            lambda s: {"intrinsics": np.full((3, 3), np.nan)},
            "line 1: intrinsics have numbers that are not finite",
        ),
        (lambda s: {"lens": lambda points: points + 1e9}, "line 1: lens: .*check the coefficients"),
        (lambda s: {"lens": lambda points: points * np.nan}, "line 1: lens: .*check the coefficients"),
    ],
)
def test_cameras_that_are_none_are_named(tmp_path: Path, change, message: str) -> None:
    shots = photographs(tmp_path, [(40, 30)] * 2)
    shots[1] = replace(shots[1], **change(shots[1]))
    with pytest.raises(ValueError, match=message):
        assemble(shots, Reading())


def test_no_photograph() -> None:
    with pytest.raises(ValueError, match="at least one photograph"):
        assemble([], Reading())


# --- resampling ------------------------------------------------------------------------------------------------------


def linear(level: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, written out once more."""
    x = level / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def test_averages_are_of_areas_in_linear_light() -> None:
    # 3 columns to 2: each new one covers one old and half of the middle one.
    row = np.array([[[0, 200, 30, 255], [90, 100, 30, 255], [255, 0, 30, 255]]], dtype=np.uint8)
    new = shrunk(row, (2, 1))[0]
    for part, of in ((0, 0), (1, 2)):
        expected = (2 * linear(row[0, of, :3]) + linear(row[0, 1, :3])) / 3
        np.testing.assert_allclose(linear(new[part, :3].astype(float)), expected, atol=0.004)
    assert new[:, 2].tolist() == [30, 30]


def test_only_what_shows_counts_in_averages() -> None:
    pixels = np.zeros((2, 2, 4), dtype=np.uint8)
    pixels[0, 0] = (200, 10, 60, 255)
    pixels[1, 1] = (0, 0, 0, 0)
    np.testing.assert_array_equal(shrunk(pixels, (1, 1))[0, 0], (200, 10, 60, 64))


def test_a_photograph_of_any_size_keeps_its_mean() -> None:
    generator = np.random.default_rng(2)
    pixels = generator.integers(0, 256, (37, 53, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    for size in ((52, 36), (20, 30), (53, 1), (7, 37)):
        new = shrunk(pixels, size)
        assert new.shape == (size[1], size[0], 4)
        assert linear(new[..., :3].astype(float)).mean() == pytest.approx(
            linear(pixels[..., :3].astype(float)).mean(), abs=0.002
        )
    np.testing.assert_array_equal(shrunk(pixels, (53, 37)), pixels)
    known = np.ones((37, 53), dtype=bool)
    known[10, 20] = False
    assert (~covered(known, (20, 30))).sum() in (1, 2, 4)


def test_looking_up_where_the_pixels_are_changes_nothing() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (9, 14, 4), dtype=np.uint8)
    pixels[..., 3] |= 1
    v, u = np.mgrid[:9, :14] + 0.5
    new = sampled(pixels, np.stack([u, v], axis=-1))
    assert np.abs(new.astype(int) - pixels).max() <= 1
    ramp = np.zeros((4, 60, 4), dtype=np.uint8)
    ramp[..., :3], ramp[..., 3] = 128, 255
    ramp[:, 30:, :3] = 200
    moved = sampled(ramp, np.stack([u[:4] + 20, v[:4]], axis=-1))
    assert moved[0, 0, 0] == 128
    assert moved[0, -1, 0] == 200


def test_resized_cameras_and_photographs_agree(tmp_path: Path) -> None:
    shots = photographs(tmp_path, [(120, 100)], radius=1.2)
    cameras = assemble(shots, Reading(max_size=60)).cameras
    expected = Cameras(
        torch.from_numpy(shots[0].world_to_camera)[None],
        torch.from_numpy(shots[0].intrinsics)[None],
        100,
        120,
    ).resized(50, 60)
    torch.testing.assert_close(cameras.intrinsics, expected.intrinsics)


LISTS = [
    ("distortion_params", lambda k1, k2, p1, p2: [k1, k2, 0.0, 0.0, p1, p2]),  # nerfstudio
    ("distortion_coefficients", lambda k1, k2, p1, p2: [k1, k2, p1, p2, 0.0]),  # OpenCV, five of them
    ("dist_coeffs", lambda k1, k2, p1, p2: [[k1, k2, p1, p2]]),  # as cv2 gives them
    ("distortion", lambda k1, k2, p1, p2: [[k1], [k2], [p1], [p2]]),
]


@pytest.mark.parametrize(("name", "order"), LISTS)
@pytest.mark.parametrize("in_frames", [False, True])
def test_coefficients_in_lists(tmp_path: Path, name: str, order, in_frames: bool) -> None:
    content = write_scene(tmp_path)
    values = order(0.1, -0.05, 0.02, -0.015)
    for frame in content["frames"] if in_frames else [content]:
        frame[name] = values
    rewrite(tmp_path, content)
    points = np.array([[0.3, -0.2], [-0.4, 0.1]])
    (frames, _) = transforms._frames(tmp_path / "transforms_train.json")
    k = np.array([[150.0, 0, 83], [0, 146, 58], [0, 0, 1]])
    lens, model = transforms._lens(frames[0], k)
    theirs = camera_of("OPENCV", [0.1, -0.05, 0.02, -0.015]).img_from_cam(
        np.column_stack([points, np.ones(2)])
    )
    np.testing.assert_allclose(lens(points), theirs, atol=1e-9)
    assert model == "OPENCV"


def test_lists_of_coefficients_that_contradict_or_are_too_long(tmp_path: Path) -> None:
    for shared, part in (
        ({"distortion_params": [0.1, 0, 0, 0, 0, 0], "k1": 0.2}, "says 0.1 for k1, but k1 is 0.2"),
        ({"distortion_params": 0.1}, "expected a list of numbers for distortion_params, got 0.1"),
        ({"distortion_coefficients": [0.1, 0, 0, 0, 0, 0, 0, 0, 0.3]}, "at most 8 coefficients"),
        ({"distortion_params": [0.1, "x"]}, "expected a number for distortion_params"),
    ):
        write_scene(tmp_path, **shared)
        with pytest.raises(ValueError, match=part):
            load_scene(tmp_path)


@pytest.mark.parametrize("model", ["SIMPLE_FISHEYE", "FISHEYE", "OPENCV_FISHEYE", "fisheye"])
def test_fisheyes_of_transforms_without_coefficients(tmp_path: Path, model: str) -> None:
    write_scene(tmp_path, camera_model=model)
    (frames, _) = transforms._frames(tmp_path / "transforms_train.json")
    lens, name = transforms._lens(frames[0], np.diag([60.0, 60.0, 1.0]))
    np.testing.assert_allclose(lens(np.array([[1.0, 0.0]])), [[60 * np.pi / 4, 0]], rtol=1e-9)
    assert name == model.upper()
