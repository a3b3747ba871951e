"""Cameras of what turned before one camera at rest."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_outlines import ring

from largesteps_zg.cameras.placement import look_at
from largesteps_zg.cameras.turning import see_an_axis_alike
from largesteps_zg.constants import DEFAULTS
from largesteps_zg.scenes.from_photographs.mapping import settled
from largesteps_zg.scenes.from_photographs.turned import turned
from largesteps_zg.scenes.from_photographs.work import unwatched


def test_cameras_on_a_circle_see_its_axis_alike_and_walkers_do_not() -> None:
    circle = ring(20, 40, 60, (2.2,))
    assert see_an_axis_alike(circle)
    generator = np.random.default_rng(0)
    shaken = circle.centers.numpy() * generator.uniform(0.9, 1.1, (20, 1))
    walked = look_at(torch.from_numpy(shaken), (0.0, 0.8, 0.0), up=(0.0, 1.0, 0.0), fov_y_degrees=42.0, height=40,
                     width=60)  # fmt: skip
    assert not see_an_axis_alike(walked)
    assert not see_an_axis_alike(ring(20, 40, 60, (1.6, 3.0)))  # half of them at each height
    assert not see_an_axis_alike(circle[:6])  # a third of a turn


@pytest.mark.parametrize(("shaken", "right"), [(0.0, True), (0.01, False), (0.1, False)])
def test_a_camera_at_rest_has_one_place_if_photographs_say_so(shaken: float, right: bool) -> None:
    """Cameras on a circle, or a hundredth or a tenth of the distance beside it, with a focal length that is off."""
    import pycolmap

    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_frames_per_rig, options.num_points3D = 1, 20, 100
    pycolmap.set_random_seed(0)
    model = pycolmap.synthesize_dataset(options)
    camera = next(iter(model.cameras.values()))
    focal, generator = float(camera.params[0]), np.random.default_rng(0)
    for point in model.points3D.values():
        point.xyz = generator.uniform(-0.5, 0.5, 3)
    centers = ring(20, 40, 60, (2.2,)).centers.numpy() * generator.uniform(1 - shaken, 1 + shaken, (20, 1))
    matrices = look_at(
        torch.from_numpy(centers),
        (0.0, 0.0, 0.0),
        up=(0.0, 1.0, 0.0),
        fov_y_degrees=40.0,
        height=40,
        width=60,
    ).world_to_camera.numpy()
    for image, matrix in zip(model.images.values(), matrices, strict=True):
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(matrix[:3, :3]), matrix[:3, 3])
        image.frame.set_cam_from_world(camera.camera_id, pose)
        for seen in (point for point in image.points2D if point.has_point3D()):
            xyz = model.points3D[seen.point3D_id].xyz
            seen.xy = image.project_point(xyz) + generator.normal(0, 0.2, 2)
    if right:
        camera.params = camera.params * np.array([1.03, 1.0, 1.0, 1.0])
    else:
        settled(model, unwatched, pycolmap)
    before = model.images[1].cam_from_world().matrix()
    assert turned(model, DEFAULTS.structure, pycolmap) is right
    if right:
        assert abs(camera.params[0] / focal - 1) < 0.003
        model.update_point_3d_errors()
        assert model.compute_mean_reprojection_error() < 0.3
    else:
        assert np.array_equal(model.images[1].cam_from_world().matrix(), before)
