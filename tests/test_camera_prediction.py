"""Corrections of cameras that nothing has corrected."""

from __future__ import annotations

import math

import pytest
import torch

from largesteps_zg.cameras import Cameras, look_at, sphere_of_cameras
from largesteps_zg.cameras.model import rigid
from largesteps_zg.cameras.prediction import predicted
from largesteps_zg.cameras.refinement import CameraCorrections


def orbit(degrees: list[float], *, upside_down: bool = False) -> Cameras:
    """Cameras on a circle of radius 3 that look at the origin, like a turntable's."""
    angles = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    eyes = torch.stack([3 * angles.cos(), 3 * angles.sin(), torch.full_like(angles, 0.5)], dim=1)
    up = torch.tensor([0.0, 0.0, -1.0 if upside_down else 1.0], dtype=torch.float64)
    return look_at(eyes, torch.zeros(3, dtype=torch.float64), up, fov_y_degrees=40.0, height=48, width=64)


def joined(a: Cameras, b: Cameras) -> Cameras:
    world = torch.cat([a.world_to_camera, b.world_to_camera])
    return Cameras(world, torch.cat([a.intrinsics, b.intrinsics]), a.height, a.width)


def corrected(given: Cameras, turns: torch.Tensor, shifts: torch.Tensor) -> CameraCorrections:
    made = CameraCorrections(given)
    made.turns.copy_(turns)
    made.shifts.copy_(shifts)
    return made


def rolls(degrees: torch.Tensor) -> torch.Tensor:
    """(N, 3, 3): about the viewing direction."""
    a, zero = torch.deg2rad(degrees), torch.zeros_like(degrees)
    rows = [[a.cos(), -a.sin(), zero], [a.sin(), a.cos(), zero], [zero, zero, zero + 1]]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def seen_apart(a: Cameras, b: Cameras) -> float:
    """Mean distance in pixels between where two sets of cameras see some points."""
    points = 0.5 * torch.eye(3, dtype=torch.float64)
    return float((a.project(points)[0] - b.project(points)[0]).norm(dim=-1).mean())


def test_what_changes_slowly_along_an_orbit_is_foretold() -> None:
    """Shift and roll follow a sine of the angle; views between two that are 30° apart are foretold to a seventh."""

    def errors(degrees: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
        angles = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
        shift = torch.stack([0.01 + 0 * angles, 0.02 * angles.sin(), 0 * angles], dim=1)
        return rolls(0.5 + 0.5 * angles.cos()), shift

    known, other = [30.0 * i for i in range(12)], [15.0, 195.0]
    corrections = corrected(orbit(known), *errors(known))
    given, true = (
        orbit(other),
        corrected(joined(orbit(other), orbit([80.0])), *errors([*other, 80.0])).cameras(),
    )
    found = predicted(corrections, given)
    assert found is not None
    off, left = seen_apart(given, true[[0, 1]]), seen_apart(found, true[[0, 1]])
    assert off > 0.4 and left < 0.15 * off


def test_a_camera_upside_down_is_told_by_those_that_are_so_too() -> None:
    """Half of the views were taken with the camera turned over, and shifted the other way: each follows its own."""
    some = [20.0 * i for i in range(18)]
    given = joined(orbit(some), orbit(some, upside_down=True))
    side = torch.tensor([1.0] * 18 + [-1.0] * 18, dtype=torch.float64)
    shifts = 0.01 * side[:, None] * torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    corrections = corrected(given, torch.eye(3, dtype=torch.float64).expand(36, 3, 3), shifts)
    for upside_down, sign in ((False, 1.0), (True, -1.0)):
        other = orbit([33.0], upside_down=upside_down)
        found = predicted(corrections, other)
        assert found is not None
        moved = (found.world_to_camera - other.world_to_camera)[0, :3, 3]
        distance = float(other.world_to_camera[0, :3, 3].norm())
        assert torch.allclose(
            moved / distance, torch.tensor([0.0, 0.01 * sign, 0.0], dtype=torch.float64), atol=1e-5
        )


@pytest.mark.parametrize("count", [3, 14, 40])
def test_errors_that_have_nothing_to_do_with_each_other_foretell_nothing(count, generator) -> None:
    given = sphere_of_cameras(
        count, distance=3.0, fov_y_degrees=40.0, height=48, width=64, dtype=torch.float64
    )
    shifts = 0.01 * torch.randn(count, 3, generator=generator, dtype=torch.float64)
    turns = rolls(torch.randn(count, generator=generator, dtype=torch.float64))
    assert predicted(corrected(given, turns, shifts), orbit([10.0])) is None


def test_the_focal_length_is_everybodys() -> None:
    """All cameras off alike: others get the very same correction, the focal length included."""
    given = orbit([40.0 * i for i in range(9)])
    turns = rolls(torch.full((9,), 0.3, dtype=torch.float64))
    shift = torch.tensor([0.01, -0.005, 0.002], dtype=torch.float64)
    corrections = corrected(given, turns, shift.expand(9, 3))
    corrections.log_focal += math.log(1.02)
    other = orbit([10.0])
    found = predicted(corrections, other)
    assert found is not None
    wanted = other.world_to_camera[0]
    distance = wanted[:3, 3].norm()
    top = rigid(turns[0] @ wanted[:3, :3], wanted[:3, 3] + distance * shift)
    assert torch.allclose(found.world_to_camera[0], top, atol=1e-12)
    assert math.isclose(float(found.intrinsics[0, 0, 0]), 1.02 * float(other.intrinsics[0, 0, 0]))
    assert math.isclose(float(found.intrinsics[0, 0, 2]), float(other.intrinsics[0, 0, 2]))
