"""Cameras: known points reprojected, with pixels worked out by hand in the comments."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from largesteps_zg.cameras import (
    Cameras,
    from_colmap,
    from_idr,
    from_mitsuba,
    from_opencv,
    from_opengl,
    from_pytorch3d,
    look_at,
    pinhole,
    sphere_of_cameras,
)
from largesteps_zg.cameras.model import rotation_fault

HALF = math.sqrt(0.5)
# Not square, pixels not square, principal point off the middle.
HEIGHT, WIDTH = 200, 400
K = pinhole(100, 120, 210, 90, dtype=torch.float64)


def tensor(*rows: object) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def pose(right: tuple, up_or_down: tuple, third: tuple, center: tuple) -> Tensor:
    """Camera-to-world matrix from its columns."""
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3] = tensor(right, up_or_down, third, center).T
    return matrix


def check(cameras: Cameras, point: tuple, pixel: tuple, depth: float) -> None:
    pixels, depths = cameras.project(tensor(point))
    assert pixels.shape == (len(cameras), 1, 2)
    torch.testing.assert_close(pixels[0, 0], tensor(*pixel), rtol=0, atol=1e-9)
    torch.testing.assert_close(depths[0, 0], torch.tensor(depth, dtype=torch.float64), rtol=0, atol=1e-9)


# --- conventions -----------------------------------------------------------------------------------------------------


def test_opengl_camera_without_rotation_looks_along_minus_z() -> None:
    # At (0, 0, 5) towards the origin; (1, 0.5, 0) is 1 to the right, 0.5 up and 5 ahead:
    # u = 210 + 100 * 1 / 5 = 230, v = 90 - 120 * 0.5 / 5 = 78 (up is a smaller row).
    matrix = pose((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 5))
    check(from_opengl(matrix, K, height=HEIGHT, width=WIDTH), (1, 0.5, 0), (230, 78), 5)


def test_opengl_camera_beside_the_object() -> None:
    # At (4, 0, 0), looking along -x with z up, so right is +y and the third column, backward, is +x.
    # (1, 0.6, -0.3) is 3 ahead, 0.6 right, 0.3 down: u = 210 + 100 * 0.2 = 230, v = 90 + 120 * 0.1 = 102.
    matrix = pose((0, 1, 0), (0, 0, 1), (1, 0, 0), (4, 0, 0))
    cameras = from_opengl(matrix, K, height=HEIGHT, width=WIDTH)
    check(cameras, (1, 0.6, -0.3), (230, 102), 3)
    torch.testing.assert_close(cameras.centers, tensor((4, 0, 0)))
    torch.testing.assert_close(cameras.forward, tensor((-1, 0, 0)))


def test_colmap_quaternion_is_scalar_first_and_world_to_camera() -> None:
    # (cos 45, sin 45, 0, 0) turns by 90 degrees about x: (x, y, z) -> (x, -z, y).
    # (1, 2, 3) -> (1, -3, 2) + (0.1, 0.2, 2) = (1.1, -2.8, 4): u = 210 + 27.5, v = 90 - 84.
    for length in (1, 3):
        quaternion = length * tensor(HALF, HALF, 0, 0)
        cameras = from_colmap(quaternion, tensor(0.1, 0.2, 2), K, height=HEIGHT, width=WIDTH)
        check(cameras, (1, 2, 3), (237.5, 6), 4)


@pytest.mark.parametrize(
    ("quaternion", "image_of_123"),
    [
        ((HALF, 0, HALF, 0), (3, 2, -1)),  # 90 degrees about y: z -> x, x -> -z
        ((HALF, 0, 0, HALF), (-2, 1, 3)),  # 90 degrees about z: x -> y, y -> -x
        ((0.5, 0.5, 0.5, 0.5), (3, 1, 2)),  # 120 degrees about the diagonal: x -> y -> z -> x
        ((0, 0, 1, 0), (-1, 2, -3)),  # half a turn about y
    ],
)
def test_colmap_quaternions_about_all_axes(quaternion: tuple, image_of_123: tuple) -> None:
    cameras = from_colmap(tensor(*quaternion), tensor(0, 0, 0), K, height=HEIGHT, width=WIDTH)
    turned = cameras.world_to_camera[0, :3, :3] @ tensor(1, 2, 3)
    torch.testing.assert_close(turned, tensor(*image_of_123))


def test_opencv_counts_from_the_middle_of_the_first_pixel() -> None:
    # Calibrated so that the axis meets the middle of pixel (210, 90); counted from the corner that is (210.5, 90.5).
    # R turns by 90 degrees about z, (x, y, z) -> (-y, x, z); (1, 2, 3) -> (-2, 1, 3) + (0, 0, 1) = (-2, 1, 4):
    # u = 210.5 - 100 * 2 / 4 = 160.5, v = 90.5 + 120 / 4 = 120.5.
    rotation, translation = tensor((0, -1, 0), (1, 0, 0), (0, 0, 1)), tensor(0, 0, 1)
    cameras = from_opencv(rotation, translation, K, height=HEIGHT, width=WIDTH)
    check(cameras, (1, 2, 3), (160.5, 120.5), 4)
    together = torch.cat([rotation, translation[:, None]], dim=1)
    check(from_opencv(together, None, K, height=HEIGHT, width=WIDTH), (1, 2, 3), (160.5, 120.5), 4)
    column = from_opencv(rotation[None], translation[None, :, None], K[None], height=HEIGHT, width=WIDTH)
    check(column, (1, 2, 3), (160.5, 120.5), 4)


@pytest.mark.parametrize(
    ("fov_axis", "height", "width", "fov", "focal"),
    [
        ("x", 200, 400, 90.0, 200.0),  # half the width over tan 45
        ("y", 200, 400, 90.0, 100.0),
        ("smaller", 200, 400, 90.0, 100.0),
        ("larger", 200, 400, 90.0, 200.0),
        ("smaller", 400, 200, 90.0, 100.0),
        ("diagonal", 300, 400, 90.0, 250.0),  # 3-4-5: the diagonal is 500
        ("x", 200, 400, 2 * math.degrees(math.atan(0.5)), 400.0),
    ],
)
def test_mitsuba_looks_along_z_with_x_to_the_left(fov_axis, height, width, fov, focal) -> None:
    # At (0, 0, -4) towards the origin; (1, 0.5, 0) is 1 to the LEFT, 0.5 up, 4 ahead.
    matrix = pose((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, -4))
    cameras = from_mitsuba(matrix, fov_degrees=fov, fov_axis=fov_axis, height=height, width=width)
    check(cameras, (1, 0.5, 0), (width / 2 - focal / 4, height / 2 - focal / 8), 4)


def test_mitsuba_principal_point_moves_against_the_offset() -> None:
    # Seen in Mitsuba 3.9: with offsets (0.1, -0.2) the ray through film position (0.2, 0.7) leaves where without them
    # (0.3, 0.5) would, so the axis, else in the middle, is at (0.4, 0.7): pixels (160, 140).
    matrix = pose((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, -4))
    offset = (0.1, -0.2)
    cameras = from_mitsuba(matrix, fov_degrees=50, principal_point_offset=offset, height=200, width=400)
    check(cameras, (0, 0, 3), (160, 140), 7)


def test_pytorch3d_short_side_and_left_up_axes() -> None:
    # The short side, 100, spans 2: one unit is 50 pixels. Focal length 2 -> 100 pixels.
    # Principal point (0.2, -0.1): 0.2 to the left of 150 -> 140, 0.1 below 50 -> 55.
    # (1, 1, 0) is at depth 4, one to the left, one up: u = 140 - 25 = 115, v = 55 - 25 = 30.
    cameras = from_pytorch3d(
        torch.eye(3, dtype=torch.float64),
        tensor(0, 0, 4),
        focal_length=2.0,
        principal_point=(0.2, -0.1),
        height=100,
        width=300,
    )
    check(cameras, (1, 1, 0), (115, 30), 4)


def test_pytorch3d_multiplies_rows_from_the_left() -> None:
    # (1, 0, 0) R is the first row of R, (0, 1, 0): up. As a column it would be (0, -1, 0): down.
    # Upright image, 300 x 100 (H x W): again 50 pixels a unit. u = 50, v = 150 - 100 / 4 = 125.
    rotation = tensor((0, 1, 0), (-1, 0, 0), (0, 0, 1))
    cameras = from_pytorch3d(rotation, tensor(0, 0, 4), focal_length=2.0, height=300, width=100)
    check(cameras, (1, 0, 0), (50, 125), 4)
    # The same camera in pixels; focal lengths differ here: (0.2, 1, 0) R = (-1, 0.2, 0), one to the right.
    in_pixels = from_pytorch3d(
        rotation[None],
        tensor((0, 0, 4)),
        focal_length=tensor((100, 80)),
        principal_point=tensor((40, 160)),
        in_ndc=False,
        height=300,
        width=100,
    )
    check(in_pixels, (0.2, 1, 0), (40 + 25, 160 - 80 * 0.05), 4)


def test_idr_unit_sphere_to_pixels() -> None:
    # The world's camera: R turns by 90 degrees about z, t = (0, 0, 6). The sphere has radius 2 and centre (1, 2, 3).
    # The centre, (0, 0, 0) in the sphere's coordinates, is (1, 2, 3) -> (-2, 1, 9): counted from the middle of the
    # first pixel u = 60 - 100 * 2 / 9, v = 40 + 110 / 9; from the corner half a pixel more.
    # The depth 9 is in the world's units, 9 / 2 in the sphere's.
    k = tensor((100, 0, 60, 0), (0, 110, 40, 0), (0, 0, 1, 0), (0, 0, 0, 1))
    extrinsics = tensor((0, -1, 0, 0), (1, 0, 0, 0), (0, 0, 1, 6), (0, 0, 0, 1))
    scale = tensor((2, 0, 0, 1), (0, 2, 0, 2), (0, 0, 2, 3), (0, 0, 0, 1))
    for factor in (1.0, -0.25):  # projection matrices have no scale and no sign
        cameras = from_idr(factor * k @ extrinsics, scale, height=80, width=120)
        check(cameras, (0, 0, 0), (60.5 - 200 / 9, 40.5 + 110 / 9), 4.5)
        # (0.5, 0, 0) is (2, 2, 3) in the world -> (-2, 2, 9).
        check(cameras, (0.5, 0, 0), (60.5 - 200 / 9, 40.5 + 220 / 9), 4.5)
        torch.testing.assert_close(cameras.intrinsics[0], tensor((100, 0, 60.5), (0, 110, 40.5), (0, 0, 1)))
    world = from_idr(k @ extrinsics, height=80, width=120)
    check(world, (1, 2, 3), (60.5 - 200 / 9, 40.5 + 110 / 9), 9)


def test_idr_takes_a_batch_apart_again() -> None:
    cameras = sphere_of_cameras(
        7, distance=3, fov_y_degrees=40, height=20, width=30, seed=1, dtype=torch.float64
    )
    k = tensor((50, 0.7, 12), (0, 60, 9), (0, 0, 1))
    projections = k @ cameras.world_to_camera[:, :3]
    found = from_idr(
        projections * torch.linspace(-2, 2, 7)[[0, 1, 2, 4, 5, 6, 0], None, None], height=20, width=30
    )
    torch.testing.assert_close(found.world_to_camera, cameras.world_to_camera)
    torch.testing.assert_close(
        found.intrinsics[0], tensor((50, 0.7, 12.5), (0, 60, 9.5), (0, 0, 1)), rtol=0, atol=1e-9
    )


# --- the class -------------------------------------------------------------------------------------------------------


def some_cameras(count: int = 5) -> Cameras:
    cameras = sphere_of_cameras(
        count, distance=4, fov_y_degrees=50, height=30, width=50, seed=3, dtype=torch.float64
    )
    k = cameras.intrinsics + tensor((2, 0.3, -3), (0, -1, 2), (0, 0, 0))
    return Cameras(cameras.world_to_camera, k, 30, 50)


def test_clip_space_has_row_0_on_top_and_z_from_near_to_far() -> None:
    # 90 degrees across 200 rows: focal length 100. Seen from (0, 0, -2) along z, y down.
    k = pinhole(100, 100, 200, 100)
    cameras = Cameras(torch.eye(4)[None], k[None], 200, 400)
    corner = torch.tensor([-4.0, -2.0, 2.0, 1.0])  # u = 200 - 200 = 0, v = 100 - 100 = 0: top left
    clip = cameras.clip_from_world(near=1, far=3)[0]
    x, y, z, w = (clip @ corner).tolist()
    # z between planes 1 and 3 at depth 2: (4 * 2 - 2 * 3) / 2 / 2 = 0.5
    assert (x / w, y / w, w, z / w) == pytest.approx((-1, -1, 2, 0.5))
    for depth, expected in ((1.0, -1.0), (3.0, 1.0)):
        *_, z, w = (clip @ torch.tensor([0.3, 0.1, depth, 1.0])).tolist()
        assert z / w == pytest.approx(expected, abs=1e-6)


def test_clip_space_and_projection_agree_on_pixels(generator) -> None:
    cameras = some_cameras()
    points = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    clip = torch.cat([points, torch.ones(20, 1)], dim=1) @ cameras.clip_from_world().mT
    pixels = (clip[..., :2] / clip[..., 3:] + 1) / 2 * tensor(50, 30)
    torch.testing.assert_close(pixels, cameras.project(points)[0])


def test_resized_keeps_borders_and_the_place_in_the_image(generator) -> None:
    cameras = some_cameras()
    points = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    pixels, depth = cameras.project(points)
    larger, same_depth = cameras.resized(90, 100).project(points)
    torch.testing.assert_close(larger, pixels * tensor(2, 3))
    torch.testing.assert_close(same_depth, depth)
    # The middle of the first pixel of 4, 0.5, lies at 1 in an image of 8: between its first two pixels.
    k = Cameras(torch.eye(4)[None], pinhole(4, 4, 0.5, 0.5)[None], 4, 4).resized(8, 8).intrinsics
    assert k[0, :2, 2].tolist() == [1, 1]


def test_transformed_world_gives_the_same_images(generator) -> None:
    cameras = some_cameras()
    points = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    shift = tensor(3, -1, 2)
    moved = cameras.transformed(0.25, shift)
    pixels, depth = moved.project(0.25 * (points - shift))
    torch.testing.assert_close(pixels, cameras.project(points)[0])
    torch.testing.assert_close(depth, 0.25 * cameras.project(points)[1])
    torch.testing.assert_close(moved.centers, 0.25 * (cameras.centers - shift))
    back = moved.transformed(4, -0.25 * shift)
    torch.testing.assert_close(back.world_to_camera, cameras.world_to_camera)


def test_project_takes_a_set_of_points_per_camera(generator) -> None:
    cameras = some_cameras(3)
    points = torch.randn(3, 4, 3, generator=generator, dtype=torch.float64)
    pixels, _ = cameras.project(points)
    for i in range(3):
        torch.testing.assert_close(pixels[i], cameras[i].project(points[i])[0][0])


def test_indexing_keeps_the_batch() -> None:
    cameras = some_cameras(5)
    for index, expected in (
        (3, [3]),
        (-1, [4]),
        (slice(1, 4, 2), [1, 3]),
        ([4, 0], [4, 0]),
        (torch.tensor([2, 2]), [2, 2]),
        (torch.tensor([True, False, False, False, True]), [0, 4]),
    ):
        chosen = cameras[index]
        assert torch.equal(chosen.world_to_camera, cameras.world_to_camera[torch.tensor(expected)])
        assert len(chosen) == len(expected)
        assert (chosen.height, chosen.width) == (30, 50)
    assert len(list(cameras)) == 5  # iteration ends
    with pytest.raises(IndexError, match="got 5"):
        cameras[5]
    assert cameras.to(dtype=torch.float32).intrinsics.dtype == torch.float32


def test_projection_is_differentiable_in_pose_and_intrinsics() -> None:
    cameras = some_cameras(2)
    points = tensor((0.1, 0.2, 0.3), (-0.4, 0.1, 0.0))

    def skew(w: Tensor) -> Tensor:
        zero = torch.zeros_like(w[:, 0])
        rows = [(zero, -w[:, 2], w[:, 1]), (w[:, 2], zero, -w[:, 0]), (-w[:, 1], w[:, 0], zero)]
        return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)

    def outputs(twist: Tensor, top: Tensor) -> Tensor:
        turn = torch.zeros(2, 4, 4, dtype=torch.float64) + torch.eye(4)
        turn[:, :3, :3] = torch.linalg.matrix_exp(skew(twist))  # stays a rotation
        k = torch.cat([top * tensor((1, 1, 1), (0, 1, 1)), tensor((0, 0, 1)).expand(2, 1, 3)], dim=1)
        moved = Cameras(turn @ cameras.world_to_camera, k, 30, 50)
        return torch.cat(
            [x.flatten() for x in (*moved.project(points), moved.centers, moved.clip_from_world())]
        )

    twist = torch.full((2, 3), 0.1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(outputs, (twist, cameras.intrinsics[:, :2].clone().requires_grad_()))


def test_gradients_pass_through_the_conversions() -> None:
    matrix = pose((0, 1, 0), (0, 0, 1), (1, 0, 0), (4, 0, 0)).requires_grad_()
    from_opengl(matrix, K, height=HEIGHT, width=WIDTH).project(tensor((1, 0.6, -0.3)))[0][0, 0, 0].backward()
    # u = 210 + 100 x / z with x = 0.6 - c_y; moving the camera along +y by 1 moves the point by -100 / 3.
    assert matrix.grad[1, 3].item() == pytest.approx(-100 / 3)
    quaternion = tensor(HALF, HALF, 0, 0).requires_grad_()
    cameras = from_colmap(quaternion, tensor(0, 0, 9), K, height=HEIGHT, width=WIDTH)
    cameras.project(tensor((1, 2, 3)))[0].sum().backward()
    assert torch.isfinite(quaternion.grad).all()
    assert quaternion.grad.abs().max() > 0


# --- made cameras ----------------------------------------------------------------------------------------------------


def test_look_at_puts_target_in_the_middle_and_up_on_top() -> None:
    # From (5, 0, 0) at (1, 0, 0): 4 ahead. 100 rows at 90 degrees: focal length 50; right is +y, up +z.
    cameras = look_at(tensor((5, 0, 0)), (1, 0, 0), fov_y_degrees=90, height=100, width=300)
    check(cameras, (1, 0, 0), (150, 50), 4)
    check(cameras, (1, 1, 2), (150 + 50 / 4, 50 - 2 * 50 / 4), 4)


def test_look_at_along_the_up_axis_still_gives_a_rotation() -> None:
    eyes = tensor((0, 0, 3), (0, 0, -3), (1e-9, 0, 3))
    cameras = look_at(eyes, fov_y_degrees=40, height=10, width=10)
    rotation = cameras.world_to_camera[:, :3, :3]
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3, dtype=torch.float64).expand(3, 3, 3))
    torch.testing.assert_close(cameras.forward[:2], tensor((0, 0, -1), (0, 0, 1)))


def test_sphere_of_cameras_is_even_and_looks_at_the_origin() -> None:
    cameras = sphere_of_cameras(100, distance=3, fov_y_degrees=40, height=20, width=30, dtype=torch.float64)
    centers = cameras.centers
    torch.testing.assert_close(centers.norm(dim=1), torch.full((100,), 3.0, dtype=torch.float64))
    torch.testing.assert_close(cameras.forward, -centers / 3)
    assert centers.mean(dim=0).norm() < 0.05
    # 100 caps that cover the sphere have chords of about 3 * sqrt(4 pi / 100) = 1.06 between neighbours.
    nearest = torch.cdist(centers, centers).fill_diagonal_(9).amin(dim=1)
    assert nearest.min() > 0.7
    assert nearest.max() < 1.2


def test_seed_turns_the_sphere_and_repeats() -> None:
    def make(seed):
        return sphere_of_cameras(6, distance=1, fov_y_degrees=40, height=8, width=8, seed=seed).centers

    assert torch.equal(make(1), make(1))
    assert (make(1) - make(2)).norm() > 0.1
    # A rotation: distances between the cameras stay.
    torch.testing.assert_close(
        torch.cdist(make(1), make(1)), torch.cdist(make(None), make(None)), rtol=0, atol=1e-3
    )
    before = torch.get_rng_state()
    make(5)
    assert torch.equal(torch.get_rng_state(), before)


# --- what is refused -------------------------------------------------------------------------------------------------


def broken(change, field: str = "world_to_camera") -> dict:
    cameras = some_cameras(3)
    parts = {
        "world_to_camera": cameras.world_to_camera.clone(),
        "intrinsics": cameras.intrinsics.clone(),
        "height": 30,
        "width": 50,
    }
    parts[field] = change(parts[field])
    return parts


def changed(index, value):
    def change(x: Tensor) -> Tensor:
        x[index] = value
        return x

    return change


def flipped(x: Tensor) -> Tensor:
    x[2, 0] *= -1
    return x


def scaled(x: Tensor) -> Tensor:
    x[1, :3, :3] *= 2
    return x


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (broken(changed((1, 0, 0), 3.0)), r"cameras\[1\]: .* not a rotation .* by [0-9.]+\): .*mixed up"),
        (broken(scaled), r"cameras\[1\]: .* by 3\): .*rotation times 2"),
        (broken(flipped), r"cameras\[2\]: .*mirrors.*from_opengl"),
        (broken(changed((0, 1, 3), math.nan)), r"cameras\[0\]: world_to_camera .*not finite"),
        (broken(changed((0, 3, 0), 0.5)), r"cameras\[0\]: .*last row.*transposed"),
        (broken(lambda x: x[:, :3]), r"world_to_camera: expected .*\(B, 4, 4\), got .*\(3, 3, 4\)"),
        (broken(lambda x: x.long()), r"world_to_camera: expected floats"),
        (broken(lambda x: x[:2], "intrinsics"), r"intrinsics: expected one matrix per camera \(3\), got 2"),
        (broken(lambda x: x[0], "intrinsics"), r"intrinsics: expected .*\(B, 3, 3\), got .*\(3, 3\)"),
        (
            broken(changed((2, 0, 0), 0.0), "intrinsics"),
            r"cameras\[2\]: expected focal lengths > 0 pixels, got 0 and",
        ),
        (broken(changed((1, 1, 1), -5.0), "intrinsics"), r"cameras\[1\]: .* and -5; flipped axes"),
        (broken(changed((1, 0, 2), math.inf), "intrinsics"), r"cameras\[1\]: intrinsics .*not finite"),
        (broken(changed((0, 2, 2), 2.0), "intrinsics"), r"cameras\[0\]: expected intrinsics .*divide"),
        (broken(lambda _: 0, "height"), "height: expected a whole number of pixels > 0, got 0"),
        (broken(lambda _: -3, "width"), "width: .* got -3"),
    ],
)
def test_wrong_cameras_are_refused_in_one_line(parts: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Cameras(**parts)
    assert "\n" not in str(caught.value)


def test_small_rounding_is_no_fault() -> None:
    cameras = some_cameras(4)
    rounded = (cameras.world_to_camera * 1e3).round() / 1e3
    assert len(Cameras(rounded, cameras.intrinsics, 30, 50)) == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: look_at(tensor((1, 0, 0), (0, 0, 0)), fov_y_degrees=40, height=8, width=8),
            "camera 1 is at its own",
        ),
        (
            lambda: look_at(tensor((1, 0, 0)), up=(0, 0, 0), fov_y_degrees=40, height=8, width=8),
            "up: expected",
        ),
        (
            lambda: look_at(tensor((1, 0, 0)), fov_y_degrees=180, height=8, width=8),
            r"angle in \(0, 180\), got 180",
        ),
        (
            lambda: sphere_of_cameras(0, distance=1, fov_y_degrees=40, height=8, width=8),
            "at least one camera",
        ),
        (lambda: sphere_of_cameras(3, distance=0, fov_y_degrees=40, height=8, width=8), "distance: expected"),
        (lambda: some_cameras().clip_from_world(1, 1), "0 < near < far"),
        (lambda: some_cameras().resized(0, 4), "height: expected"),
        (lambda: some_cameras().transformed(0.0, (0, 0, 0)), "scale: expected"),
        (
            lambda: from_colmap(tensor(0, 0, 0, 0), tensor(0, 0, 0), K, height=8, width=8),
            "quaternion: .*camera 0",
        ),
        (lambda: from_opencv(torch.eye(3), None, K.float(), height=8, width=8), "translation: needed"),
        (lambda: from_opencv(torch.eye(4), torch.zeros(3), K.float(), height=8, width=8), "rotation: .*None"),
        (
            lambda: from_opengl(2 * torch.eye(4), K.float(), height=8, width=8),
            r"camera_to_world is not .*times 2",
        ),
        (
            lambda: from_opengl(torch.zeros(4, 4), K.float(), height=8, width=8),
            "camera_to_world is not a rotation",
        ),
        (
            lambda: from_mitsuba(torch.diag(tensor(-1, 1, 1, 1)), fov_degrees=40, height=8, width=8),
            "to_world mirrors",
        ),
        (
            lambda: from_mitsuba(torch.eye(4), fov_degrees=40, fov_axis="z", height=8, width=8),
            "diagonal.*got 'z'",
        ),
        (lambda: from_mitsuba(torch.eye(4), fov_degrees=0, height=8, width=8), "fov_degrees"),
        (lambda: from_idr(torch.zeros(4, 4), height=8, width=8), "singular matrix at camera 0"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(call, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [1e100, 1e160, 1e300])
def test_a_matrix_of_huge_numbers_is_no_rotation(size: float) -> None:
    """Its products overflow to infinity and, with both signs, to what is no number and compares with nothing."""
    rotation = size * torch.tensor([[[1.0, -1, 0], [1, 1, 0], [0, 0, 1]]], dtype=torch.float64)
    fault = rotation_fault(rotation)
    assert fault is not None and fault[0] == 0 and "not a rotation" in fault[1]


@pytest.mark.parametrize(("far", "refused"), [(5e6, False), (1e18, False), (1e20, True), (-1e200, True)])
def test_a_camera_beyond_what_can_be_squared_is_refused(far: float, refused: bool) -> None:
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[1, 3] = far
    if not refused:
        assert Cameras(matrix[None], K[None], HEIGHT, WIDTH).centers[0, 1] == -far
        return
    with pytest.raises(
        ValueError, match=r"^cameras\[0\]: world_to_camera has the translation .* expected less"
    ):
        Cameras(matrix[None], K[None], HEIGHT, WIDTH)
