"""Polygons to triangles: their area, their side, and every corner in use."""

from __future__ import annotations

import numpy as np
import pytest

from largesteps_zg.mesh.sources.polygons import MOST_CORNERS, triangulated


def star(corners: int, seed: int) -> np.ndarray:
    """A polygon with corners at random distances all around, counter-clockwise: never one that crosses itself."""
    random = np.random.default_rng(seed)
    angle = 2 * np.pi * (np.arange(corners) + random.random(corners) * 0.9) / corners
    return (random.random(corners) + 0.05)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def spiral(corners: int) -> np.ndarray:
    """A band wound ten times."""
    turn = np.linspace(0, 20 * np.pi, corners // 2)
    unit = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    radius = np.linspace(1, 10, corners // 2)[:, None]
    return np.concatenate([radius * unit, ((radius + 0.2) * unit)[::-1]])[::-1]


def in_space(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """On a plane aslant, and its normal."""
    right, up = np.array([2.0, 1, 2]) / 3, np.array([-2.0, 2, 1]) / 3
    return flat @ np.stack([right, up]) + [5.0, -3, 1], np.cross(right, up)


def shoelace(flat: np.ndarray) -> float:
    x, y = flat.T
    return 0.5 * float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())


def areas(points: np.ndarray, triangles: np.ndarray, normal: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a) @ normal / 2


DART = np.array([[0.0, 0], [2, 1], [0, 2], [0.5, 1]])  # the last corner turns inward
ARROW = np.array([[0.5, 1.0], [0, 0], [2, 1], [0, 2]])  # the same, counted from the inward corner
NOTCHED = np.array([[0.0, 0], [1, 0], [2, 0], [2, 2], [1, 0.5], [0, 2]])  # with a corner on a straight line


@pytest.mark.slow
@pytest.mark.parametrize(
    "flat",
    [DART, np.roll(DART, 1, axis=0), ARROW, NOTCHED, spiral(400), *(star(n, n) for n in (5, 6, 9, 30, 200))],
)
def test_triangles_cover_a_polygon_once(flat):
    for turned in (flat, np.roll(flat, 2, axis=0)):
        points, normal = in_space(turned)
        triangles, owners = triangulated(points, np.array([len(points)]))
        assert triangles.shape == (len(points) - 2, 3) and not owners.any()
        assert np.unique(triangles).tolist() == list(range(len(points)))
        # Each the right way round, and their areas add up: so none overlaps another, and none lies outside.
        found = areas(points, triangles, normal)
        assert found.min() > 0
        assert found.sum() == pytest.approx(shoelace(flat), rel=1e-9)


def test_a_mirrored_polygon_gives_triangles_that_face_the_other_way():
    points, normal = in_space(star(12, 3)[::-1])
    triangles, _ = triangulated(points, np.array([12]))
    assert areas(points, triangles, normal).max() < 0


def test_sizes_mix_and_owners_follow():
    shapes = [
        star(3, 0),
        DART,
        star(7, 1),
        star(3, 2),
        star(2, 0),
        np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]),
    ]
    points, normal = in_space(np.concatenate(shapes))
    sizes = np.array([len(shape) for shape in shapes])
    triangles, owners = triangulated(points, sizes)
    assert owners.tolist() == [0, 1, 1, *[2] * 5, 3, 5, 5]
    ends = np.cumsum(sizes)
    assert (triangles < ends[owners, None]).all() and (triangles >= (ends - sizes)[owners, None]).all()
    found = np.bincount(owners, areas(points, triangles, normal), minlength=6)
    np.testing.assert_allclose(found, [abs(shoelace(s)) if len(s) > 2 else 0 for s in shapes], atol=1e-12)


def test_what_crosses_itself_or_is_not_finite_still_gives_its_number_of_triangles():
    bow = np.array([[0.0, 0], [2, 2], [2, 0], [0, 2], [-1, 1]])
    for flat in (bow, np.zeros((6, 2)), np.full((6, 2), np.nan), star(6, 0) * 1e200):
        triangles, _ = triangulated(in_space(flat)[0], np.array([len(flat)]))
        assert triangles.shape == (len(flat) - 2, 3)


def test_a_polygon_that_would_take_minutes_is_refused():
    triangulated(in_space(spiral(1000))[0], np.array([1000]))
    large = in_space(spiral(MOST_CORNERS + 2))[0]
    with pytest.raises(ValueError, match=r"at most 4,096 corners .* got one of 4,098; triangulate it"):
        triangulated(large, np.array([len(large)]))
