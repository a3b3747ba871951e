"""Scenes: what is read is what was written, by hand-made folders and by save_scene; where the object is."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scene_files import POSES, disc, rewrite, ring, views_of_spheres, write_scene

from largesteps_zg.cameras import Cameras, look_at
from largesteps_zg.mesh import Mesh, icosphere, save_mesh
from largesteps_zg.scenes import FORMATS, Scene, Views, bounding_sphere, load_scene, save_scene

# --- reading ---------------------------------------------------------------------------------------------------------


def test_nerf_synthetic_folder(tmp_path: Path) -> None:
    write_scene(tmp_path)
    scene = load_scene(tmp_path)
    assert (scene.path, scene.format, scene.test, scene.mesh) == (tmp_path, "transforms", None, None)
    views = scene.train
    assert views.names == ("r_0", "r_1", "r_2", "r_3")
    for i in range(4):
        np.testing.assert_array_equal(views.images[i].numpy(), disc(value=50 + i))
    # Camera 0 is at (4, 0, 0) with right = y and up = z; (0, 1, 0.5) is 4 ahead, 1 right, 0.5 up.
    # camera_angle_x 0.8 over 32 columns: f = 16 / 0.422793 = 37.8436; u = 16 + f / 4, v = 12 - f / 8.
    pixels, depth = views.cameras.project(torch.tensor([[0.0, 1.0, 0.5]], dtype=torch.float64))
    focal = 37.843559
    assert pixels[0, 0].tolist() == pytest.approx([16 + focal / 4, 12 - focal / 8], abs=1e-5)
    assert depth[0, 0].item() == pytest.approx(4)
    assert views.cameras.world_to_camera.dtype == torch.float64


def test_frames_keep_the_order_of_the_file(tmp_path: Path) -> None:
    content = write_scene(tmp_path)
    content["frames"] = [content["frames"][i] for i in (2, 0, 3, 1)]
    rewrite(tmp_path, content)
    views = load_scene(tmp_path).train
    assert views.names == ("r_2", "r_0", "r_3", "r_1")
    assert views.images[:, 0, 0, 0].tolist() == [52, 50, 53, 51]
    assert views.cameras.centers[0].tolist() == pytest.approx([-4, 0, 0])


@pytest.mark.parametrize(
    ("shared", "fx", "fy", "cx", "cy"),
    [
        ({"camera_angle_x": 2 * math.atan(0.5)}, 32, 32, 16, 12),  # half of 32 over tan
        ({"camera_angle_x": 2 * math.atan(0.5), "camera_angle_y": 2 * math.atan(0.25)}, 32, 48, 16, 12),
        ({"fl_x": 40.5, "fl_y": 41, "cx": 15, "cy": 13, "w": 32, "h": 24}, 40.5, 41, 15, 13),
        ({"fl_x": 40, "camera_angle_x": 0.1}, 40, 40, 16, 12),  # the focal length goes first
        ({"fl_y": 40}, 40, 40, 16, 12),
        # Calibrated at twice the size, as with nerfstudio's images_2 folders.
        ({"fl_x": 80, "fl_y": 82, "cx": 30, "cy": 26, "w": 64.0, "h": 48.0}, 40, 41, 15, 13),
        # 8 times downscaled and rounded: 259 / 8 = 32.375.
        ({"fl_x": 259, "w": 259, "h": 194}, 32, 259 * 24 / 194, 16, 12),
        ({"fl_x": 40, "k1": 0, "k2": 0.0, "p1": 0, "p2": 0, "camera_model": "OPENCV"}, 40, 40, 16, 12),
    ],
)
def test_shared_intrinsics(tmp_path: Path, shared: dict, fx, fy, cx, cy) -> None:
    content = write_scene(tmp_path)
    del content["camera_angle_x"]
    rewrite(tmp_path, {**content, **shared})
    k = load_scene(tmp_path).train.cameras.intrinsics
    expected = torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(k, expected.expand(4, 3, 3))


def test_intrinsics_of_a_frame_go_before_shared_ones(tmp_path: Path) -> None:
    content = write_scene(tmp_path, fl_x=40, cx=14)
    content["frames"][2].update(fl_x=50, cy=5)
    content["frames"][3].update(camera_angle_x=2 * math.atan(0.5))
    rewrite(tmp_path, content)
    k = load_scene(tmp_path).train.cameras.intrinsics
    assert k[:, 0, 0].tolist() == pytest.approx([40, 40, 50, 32])
    assert k[:, 0, 2].tolist() == [14] * 4
    assert k[:, 1, 2].tolist() == [12, 12, 5, 12]


def test_test_split_and_true_mesh(tmp_path: Path) -> None:
    content = write_scene(tmp_path)
    rewrite(tmp_path, {**content, "frames": content["frames"][:1]}, name="transforms_val.json")
    assert load_scene(tmp_path).test.names == ("r_0",)
    rewrite(tmp_path, {**content, "frames": content["frames"][1:3]}, name="transforms_test.json")
    save_mesh(tmp_path / "mesh.obj", icosphere(1))
    scene = load_scene(tmp_path)
    assert scene.test.names == ("r_1", "r_2")
    assert scene.mesh.faces.shape == (80, 3)


def test_one_file_with_lists_of_files(tmp_path: Path) -> None:
    content = write_scene(tmp_path, name="transforms.json")
    assert len(load_scene(tmp_path).train) == 4
    assert load_scene(tmp_path).test is None
    names = [frame["file_path"] for frame in content["frames"]]
    # "./" is left out
    rewrite(tmp_path, {**content, "test_filenames": ["train/r_1"]}, name="transforms.json")
    scene = load_scene(tmp_path)
    assert (scene.train.names, scene.test.names) == (("r_0", "r_2", "r_3"), ("r_1",))
    lists = {"train_filenames": names[2:], "val_filenames": names[:1]}
    rewrite(tmp_path, {**content, **lists}, name="transforms.json")
    scene = load_scene(tmp_path, format="transforms")
    assert (scene.train.names, scene.test.names) == (("r_2", "r_3"), ("r_0",))


@pytest.mark.parametrize(
    "place", ["mask_path", "masks/r_{}.png", "masks/r_{}.jpg.png", "train/masks/r_{}.png"]
)
def test_separate_masks(tmp_path: Path, place: str) -> None:
    content = write_scene(tmp_path, images=False)
    for i, frame in enumerate(content["frames"]):
        pixels = disc(value=50)
        Image.fromarray(pixels[..., :3]).save(tmp_path / "train" / f"r_{i}.jpg")
        file = tmp_path / (f"elsewhere/m{i}.png" if place == "mask_path" else place.format(i))
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 3]).save(file)
        frame["file_path"] = f"train/r_{i}.jpg"
        if place == "mask_path":
            frame["mask_path"] = f"elsewhere/m{i}.png"
    rewrite(tmp_path, content)
    views = load_scene(tmp_path).train
    np.testing.assert_array_equal(views.images[3, ..., 3].numpy(), disc()[..., 3])
    assert abs(int(views.images[3, 0, 0, 0]) - 50) <= 2  # JPEG


@pytest.mark.parametrize(
    "convert",
    [
        lambda mask: Image.fromarray(mask // 255),  # labels 0 and 1
        lambda mask: Image.fromarray(mask > 0),  # one bit
        lambda mask: Image.fromarray(np.dstack([mask, 0 * mask, 0 * mask])),  # red
        lambda mask: Image.fromarray(mask.astype(np.uint16) * 257),
        lambda mask: Image.fromarray(np.dstack([0 * mask] * 3 + [mask])),  # black, with alpha
        lambda mask: Image.fromarray(np.dstack([mask] * 3 + [0 * mask + 255])),  # white on black, opaque
    ],
    ids=["labels", "bits", "red", "sixteen bits", "alpha", "opaque"],
)
def test_masks_in_many_forms(tmp_path: Path, convert) -> None:
    content = write_scene(tmp_path)
    convert(disc()[..., 3]).save(tmp_path / "mask.png")
    content["frames"][1]["mask_path"] = "mask"
    opaque = disc(value=7)
    opaque[..., 3] = 255  # the file that mask_path names goes before alpha
    Image.fromarray(opaque).save(tmp_path / "train" / "r_1.png")
    rewrite(tmp_path, content)
    np.testing.assert_array_equal(load_scene(tmp_path).train.images[1].numpy()[..., 3], disc()[..., 3])


def test_alpha_goes_before_a_mask_that_only_lies_there_unless_it_is_opaque(tmp_path: Path) -> None:
    write_scene(tmp_path)
    (tmp_path / "masks").mkdir()
    left = np.zeros((24, 32), dtype=np.uint8)
    left[:, :10] = 255
    for i in range(2):
        Image.fromarray(left).save(tmp_path / "masks" / f"r_{i}.png")
    opaque = disc()
    opaque[..., 3] = 255
    Image.fromarray(opaque).save(tmp_path / "train" / "r_1.png")
    alpha = load_scene(tmp_path).train.images[..., 3].numpy()
    np.testing.assert_array_equal(alpha[0], disc()[..., 3])
    np.testing.assert_array_equal(alpha[1], left)


def test_sixteen_bit_grey_and_palette_images(tmp_path: Path) -> None:
    content = write_scene(tmp_path)
    for i in range(4):
        Image.fromarray(disc()[..., 3]).save(tmp_path / f"m{i}.png")
        content["frames"][i]["mask_path"] = f"m{i}.png"
    rewrite(tmp_path, content)
    files = [tmp_path / "train" / f"r_{i}.png" for i in range(4)]
    # 200 * 257 is 200 in 8 bits; 100.6 * 257 rounds to 101.
    Image.fromarray(np.full((24, 32), 200 * 257, dtype=np.uint16)).save(files[0])
    Image.fromarray(np.full((24, 32), int(100.6 * 257), dtype=np.uint16)).save(files[1])
    Image.fromarray(np.full((24, 32), 33, dtype=np.uint8)).save(files[2])
    Image.new("RGB", (32, 24), (10, 20, 30)).convert("P", palette=Image.Palette.ADAPTIVE).save(files[3])
    images = load_scene(tmp_path).train.images
    assert images[:3, 0, 0, :3].tolist() == [[200] * 3, [101] * 3, [33] * 3]
    assert images[3, 0, 0, :3].tolist() == [10, 20, 30]


def test_sixteen_bit_colour_with_alpha(tmp_path: Path) -> None:
    write_scene(tmp_path)
    (tmp_path / "train" / "r_0.png").write_bytes(png_of_16_bits(disc(value=77).astype(np.uint16) * 257))
    np.testing.assert_array_equal(load_scene(tmp_path).train.images[0].numpy(), disc(value=77))


def png_of_16_bits(pixels: np.ndarray) -> bytes:
    """(H, W, 4) uint16 as PNG, which Pillow reads but does not write."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_names_tell_files_of_several_folders_apart(tmp_path: Path) -> None:
    content = write_scene(tmp_path)
    for i, place in enumerate(("left/a.png", "left/b.png", "right/a.png", "right/a.1.png")):
        (tmp_path / "images" / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(disc()).save(tmp_path / "images" / place)
        content["frames"][i]["file_path"] = (
            f"images\\{place}".replace("/", "\\") if i == 1 else f"images/{place}"
        )
    content["frames"][3]["file_path"] = "images/right/a.1"  # a dot that begins no suffix
    rewrite(tmp_path, content)
    assert load_scene(tmp_path).train.names == ("left/a", "left/b", "right/a", "right/a.1")


# --- writing ---------------------------------------------------------------------------------------------------------


def random_scene(seed: int, *, height: int = 20, width: int = 30, shared: bool = False) -> Scene:
    generator = torch.Generator().manual_seed(seed)

    def views(count: int, prefix: str) -> Views:
        cameras = ring(count, height=height, width=width, seed=seed).transformed(12.5, (-30, 2, 7))
        wobble = torch.rand(1 if shared else count, 2, 3, generator=generator, dtype=torch.float64)
        k = cameras.intrinsics.clone()
        k[:, :2] += wobble * (k[:, :2] != 0)
        images = torch.randint(0, 256, (count, height, width, 4), generator=generator, dtype=torch.uint8)
        mask = views_of_spheres(cameras, ((375.0, -25.0, -87.5), 8.0)).images[..., 3]
        images[..., 3] = torch.where(mask > 0, images[..., 3] | 128, images[..., 3] & 127)
        names = tuple(f"{prefix}_{i}" for i in range(count))
        return Views(images, Cameras(cameras.world_to_camera, k, height, width), names)

    ball = icosphere(1)
    mesh = Mesh(8 * ball.vertices + torch.tensor([375.0, -25.0, -87.5]), ball.faces)
    return Scene(None, "made", views(5, "a"), views(2, "held.out/b"), mesh)


@pytest.mark.parametrize("shared", [False, True])
def test_a_saved_scene_is_read_back(tmp_path: Path, shared: bool) -> None:
    scene = random_scene(1, shared=shared)
    save_scene(tmp_path / "new" / "folder", scene)
    back = load_scene(tmp_path / "new" / "folder")
    for before, after in ((scene.train, back.train), (scene.test, back.test)):
        assert torch.equal(before.images, after.images)  # also the colour where alpha is 0
        torch.testing.assert_close(
            after.cameras.world_to_camera, before.cameras.world_to_camera, rtol=1e-12, atol=1e-12
        )
        torch.testing.assert_close(
            after.cameras.intrinsics, before.cameras.intrinsics, rtol=1e-12, atol=1e-12
        )
    assert back.train.names == scene.train.names
    torch.testing.assert_close(back.mesh.vertices, scene.mesh.vertices)
    assert torch.equal(back.mesh.faces, scene.mesh.faces)
    content = json.loads((tmp_path / "new" / "folder" / "transforms_train.json").read_text())
    assert "camera_angle_x" in content  # all that programs for NeRF-synthetic scenes know
    assert ("fl_x" in content) is shared
    leftovers = [file.name for file in tmp_path.rglob("*") if file.name.startswith(".")]
    assert leftovers == []


def test_single_precision_cameras_come_back_to_a_millionth(tmp_path: Path) -> None:
    views = views_of_spheres(ring(5), ((0, 0, 0), 1.0))
    views = Views(views.images, views.cameras.to(dtype=torch.float32), views.names)
    save_scene(tmp_path, Scene(None, "made", views))
    back = load_scene(tmp_path).train.cameras
    expected = views.cameras.world_to_camera.double()
    torch.testing.assert_close(back.world_to_camera, expected, rtol=0, atol=1e-6)


def test_saving_again_replaces_what_was_there(tmp_path: Path) -> None:
    save_scene(tmp_path, random_scene(1))
    second = random_scene(2)
    save_scene(tmp_path, Scene(None, "made", second.train[:3], None, second.mesh))
    back = load_scene(tmp_path)
    assert back.test is None
    assert torch.equal(back.train.images, second.train.images[:3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda v: Views(v.images, v.cameras, ("../a", *v.names[1:])),
            "names: expected relative paths.*view 0",
        ),
        (lambda v: Views(v.images, v.cameras, ("/a", *v.names[1:])), "names: expected relative paths"),
        (lambda v: Views(v.images, v.cameras, ("a", "b", "a", "d", "e")), "'a' for views 0 and 2"),
        (
            lambda v: Views(
                v.images, Cameras(v.cameras.world_to_camera, v.cameras.intrinsics + skew(), 20, 30), v.names
            ),
            "skew 0.5",
        ),
    ],
)
def test_what_cannot_be_saved_is_refused_before_anything_is_written(
    tmp_path: Path, change, message: str
) -> None:
    scene = random_scene(1)
    with pytest.raises(ValueError, match=message):
        save_scene(tmp_path / "out", Scene(None, "made", change(scene.train)))
    assert not (tmp_path / "out").exists()


def skew() -> torch.Tensor:
    return torch.tensor([[0.0, 0.5, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)


def test_a_foreign_mesh_is_not_taken_for_the_truth(tmp_path: Path) -> None:
    save_mesh(tmp_path / "mesh.ply", icosphere(0))
    with pytest.raises(ValueError, match=r"mesh\.ply: would be read as the surface"):
        save_scene(tmp_path, Scene(None, "made", random_scene(1).train))
    assert (tmp_path / "mesh.ply").exists()


# --- views -----------------------------------------------------------------------------------------------------------


def test_linear_is_premultiplied() -> None:
    # sRGB 128 / 255 is 0.21586 in linear light (IEC 61966-2-1); alpha 51 / 255 = 0.2 is linear already.
    pixels = torch.tensor([[128, 0, 255, 51], [255, 128, 10, 0]], dtype=torch.uint8)
    cameras = ring(3, height=1, width=2)
    views = Views(pixels.expand(3, 1, 2, 4).clone(), cameras, ("a", "b", "c"))
    linear = views.linear()
    assert linear.dtype == torch.float32
    assert linear.shape == (3, 1, 2, 4)
    expected = torch.tensor([[0.2158605 * 0.2, 0, 0.2, 0.2], [0, 0, 0, 0]])
    torch.testing.assert_close(linear[1, 0], expected, rtol=0, atol=1e-6)
    for index, count in ((1, 1), (slice(0, 2), 2), ([2, 0], 2), (torch.tensor([1]), 1)):
        assert views.linear(index).shape == (count, 1, 2, 4)


def test_views_are_chosen_together() -> None:
    views = random_scene(1).train
    for index, expected in (
        (2, [2]),
        (-1, [4]),
        (slice(1, 3), [1, 2]),
        ([3, 0], [3, 0]),
        (torch.tensor([4]), [4]),
    ):
        chosen = views[index]
        assert torch.equal(chosen.images, views.images[expected])
        assert torch.equal(chosen.cameras.intrinsics, views.cameras.intrinsics[expected])
        assert chosen.names == tuple(views.names[i] for i in expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: {"images": v.images.float()}, "uint8 of shape"),
        (lambda v: {"images": v.images[..., :3]}, r"\(B, H, W, 4\), got .*\(5, 20, 30, 3\)"),
        (lambda v: {"cameras": v.cameras[:3]}, "got 5 images, 3 cameras and 5 names"),
        (lambda v: {"names": v.names[:2]}, "5 cameras and 2 names"),
        (lambda v: {"images": v.images[:, 1:]}, "images are 30x19 pixels but cameras 30x20"),
    ],
)
def test_views_that_do_not_fit_are_refused(change, message: str) -> None:
    views = random_scene(1).train
    parts = {"images": views.images, "cameras": views.cameras, "names": views.names}
    with pytest.raises(ValueError, match=message):
        Views(**{**parts, **change(views)})


def test_every_format_has_what_load_scene_needs() -> None:
    for module in FORMATS.values():
        assert callable(module.recognises)
        assert callable(module.load)
        assert module.LOOKS_FOR


# --- where the object is ---------------------------------------------------------------------------------------------


def check_sphere(views: Views, center: tuple, radius: float, tolerance: float = 0.05) -> None:
    found, found_radius = bounding_sphere(views)
    assert found.dtype == torch.float64
    assert (found - torch.tensor(center, dtype=torch.float64)).norm() < tolerance * radius
    assert abs(found_radius - radius) < tolerance * radius


@pytest.mark.slow
def test_sphere_is_found_whatever_its_size_and_place() -> None:
    views = views_of_spheres(ring(40, height=200, width=240), ((0.2, -0.1, 0.1), 0.8))
    check_sphere(views, (0.2, -0.1, 0.1), 0.8)
    # (x - (-3e5, 1e5, 20)) * 0.01: a scene that floats could not hold
    shift = torch.tensor([-3e5, 1e5, 20.0], dtype=torch.float64)
    moved = Views(views.images, views.cameras.transformed(0.01, shift), views.names)
    center = 0.01 * (torch.tensor([0.2, -0.1, 0.1], dtype=torch.float64) - shift)
    check_sphere(moved, tuple(center.tolist()), 0.008)


def test_thin_parts_far_apart_are_all_inside() -> None:
    # Two balls of radius 0.05 at distance 2: smaller than a cell of the first grid. The smallest sphere around both
    # has its centre between them and radius 1.05.
    spheres = ((1.0, 0, 0.3), 0.05), ((-1.0, 0, 0.3), 0.05)
    views = views_of_spheres(ring(24, height=120, width=120), *spheres)
    found, radius = bounding_sphere(views)
    for center, r in spheres:
        assert (found - torch.tensor(center, dtype=torch.float64)).norm() + r < radius
    assert radius < 1.05 * 1.05


def test_the_object_may_leave_the_image() -> None:
    # From distance 4 under 40 degrees the images end at 4 tan 20 = 1.46; a ball of radius 1.8 goes on beyond them.
    views = views_of_spheres(ring(20, height=80, width=80), ((0, 0, 0), 0.9), ((1.1, 0, 0), 0.6))
    assert (views.images[:, :, [0, -1], 3] > 0).any()
    found, radius = bounding_sphere(views)
    far_end = torch.tensor([1.7, 0, 0], dtype=torch.float64)
    assert (found - far_end).norm() < 1.05 * radius
    assert (found + torch.tensor([0.9, 0, 0])).norm() < 1.05 * radius
    assert radius < 2


def test_nothing_is_behind_a_camera() -> None:
    # Two cameras 170 degrees apart at distance 4, and a ball of radius 0.7, which they see 10 degrees wide to either
    # side. As double cones these would meet far behind the cameras too, and the object have no end.
    tilt = math.radians(10)
    eyes = torch.tensor([[4.0, 0, 0], [-4 * math.cos(tilt), 4 * math.sin(tilt), 0]], dtype=torch.float64)
    cameras = look_at(eyes, fov_y_degrees=40, height=80, width=80)
    _, radius = bounding_sphere(views_of_spheres(cameras, ((0, 0, 0), 0.7)))
    assert 0.7 < radius < 4.2


def test_a_view_that_contradicts_the_others_is_named() -> None:
    views = views_of_spheres(ring(12), ((0, 0, 0), 0.5))
    images = views.images.clone()
    images[7, ..., 3] = 0
    images[7, 2:6, 2:6, 3] = 255  # where no other view has anything
    with pytest.raises(ValueError, match=r"inside all masks; 11 of 12 .*stand r_007; check"):
        bounding_sphere(Views(images, views.cameras, views.names))


def test_views_from_one_side_only_are_refused() -> None:
    views = views_of_spheres(ring(12), ((0, 0, 0), 0.5))
    for index in ([0], [3, 3, 3]):
        with pytest.raises(ValueError, match="look the same way"):
            bounding_sphere(views[index])


def test_cameras_that_look_away_are_told_so() -> None:
    views = views_of_spheres(ring(12), ((0, 0, 0), 0.5))
    turned = views.cameras.world_to_camera.clone()
    turned[:, [0, 2]] *= -1  # half a turn about the vertical axis
    cameras = Cameras(turned, views.cameras.intrinsics, 64, 64)
    with pytest.raises(ValueError, match=r"12 of 12 cameras \(r_000 first\) look away"):
        bounding_sphere(Views(views.images, cameras, views.names))


def test_poses_of_the_hand_made_scene_look_at_the_origin(tmp_path: Path) -> None:
    assert len(POSES) == 4
    write_scene(tmp_path)
    # Discs of radius 6 pixels at focal length 37.84, seen from 4: a ball of radius 4 sin(atan(6 / 37.84)) = 0.626.
    # Four views around leave more than the ball in between: the smallest sphere around two crossed cones.
    center, radius = bounding_sphere(load_scene(tmp_path).train)
    assert center.norm() < 0.05
    assert 0.626 < radius < 0.626 * 1.6
