"""Cameras found for a surface that stays as it is."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from largesteps_zg.cameras import sphere_of_cameras
from largesteps_zg.cameras.alignment import aligned, similarity
from largesteps_zg.constants import Correcting
from largesteps_zg.images.losses import image_loss
from largesteps_zg.mesh import icosphere
from largesteps_zg.renderers import render


@pytest.mark.slow
def test_a_camera_that_is_off_comes_back() -> None:
    """Half a degree and a hundredth of the distance: three pixels, most of which are found again."""
    ball = icosphere(3)
    vertices = ball.vertices * torch.tensor([0.9, 0.6, 0.4])
    colors = (0.5 + 0.5 * torch.sin(7 * ball.vertices)).contiguous()
    true = sphere_of_cameras(2, distance=3.0, fov_y_degrees=40.0, height=96, width=96)
    targets = render(vertices, ball.faces, colors, true)
    off = true.world_to_camera.clone()
    angle = torch.deg2rad(torch.tensor(0.5))
    turn = torch.eye(4)
    turn[:2, :2] = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    off = turn @ off
    off[:, 0, 3] += 0.03

    def difference(cameras) -> torch.Tensor:
        return image_loss(render(vertices, ball.faces, colors, cameras), targets)

    start = dataclasses.replace(true, world_to_camera=off)
    found = aligned(start, difference)
    missed = [
        float((cameras.project(vertices)[0] - true.project(vertices)[0]).norm(dim=-1).mean())
        for cameras in (start, found)
    ]
    assert missed[0] > 1.0 and missed[1] < 0.1 * missed[0]
    assert float(difference(found)) < 0.1 * float(difference(start))
    same = aligned(true, difference, Correcting(align_steps=3))  # of all steps the best: never worse
    assert float(difference(same)) <= float(difference(true)) + 1e-9


def test_a_movement_of_the_world_is_found(generator: torch.Generator) -> None:
    """Cameras that see ``s Q X + q`` where others see X have rotations R Qᵀ and centres s Q c + q."""
    cameras = sphere_of_cameras(
        7, distance=3.0, fov_y_degrees=40.0, height=96, width=96, dtype=torch.float64
    ).transformed(1.0, torch.tensor([4.0, -2.0, 9.0], dtype=torch.float64))
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64)).Q
    turn = turn * torch.linalg.det(turn)
    scale, shift = 1.7, torch.tensor([0.3, 20.0, -5.0], dtype=torch.float64)
    moved = cameras.world_to_camera.clone()
    moved[:, :3, :3] = cameras.world_to_camera[:, :3, :3] @ turn.T
    centers = scale * cameras.centers @ turn.T + shift
    moved[:, :3, 3] = -(moved[:, :3, :3] @ centers[..., None])[..., 0]
    found = similarity(cameras, dataclasses.replace(cameras, world_to_camera=moved))
    torch.testing.assert_close(found[0], turn)
    assert found[1] == pytest.approx(scale)
    torch.testing.assert_close(found[2], shift)
