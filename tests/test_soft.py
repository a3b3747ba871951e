"""The soft rasterizer: against loops over pixels and triangles, finite differences, and the hard silhouette."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from raster_oracle import soup_faces, triangle_soup
from torch import Tensor

from largesteps_zg.cameras import Cameras, sphere_of_cameras
from largesteps_zg.mesh import icosphere
from largesteps_zg.renderers import HardRasterizer, homogeneous_pixels, render_soft

SIZE = 20, 24


def looking(height: int = SIZE[0], width: int = SIZE[1]) -> Cameras:
    """One camera at the origin whose pixels are x / z and y / z."""
    return Cameras(torch.eye(4)[None].double(), torch.eye(3)[None].double(), height, width)


def soup(seed: int = 0, triangles: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Vertices, faces and two channels of random triangles before that camera."""
    colors = torch.rand(3 * triangles, 2, generator=torch.Generator().manual_seed(seed)).double()
    return triangle_soup(seed, triangles, SIZE, (1.0, 2.0))[0], soup_faces(triangles), colors


def by_loops(vertices: np.ndarray, faces: np.ndarray, colors: np.ndarray, sigma: float, gamma: float):
    """The formulas of the docstring, one pixel and one triangle after the other."""
    image = np.zeros((*SIZE, colors.shape[1] + 1))
    for row in range(SIZE[0]):
        for column in range(SIZE[1]):
            pixel, missed, sums, total = np.array([column + 0.5, row + 0.5]), 1.0, 0.0, 0.0
            for face in faces:
                flat = vertices[face, :2] / vertices[face, 2:]
                share = np.linalg.solve(np.vstack([flat.T, np.ones(3)]), np.array([*pixel, 1.0]))
                inside = share.min() > 0
                found = []
                for i, j in ((0, 1), (1, 2), (2, 0)):
                    along = flat[j] - flat[i]
                    t = np.clip(np.dot(pixel - flat[i], along) / np.dot(along, along), 0, 1)
                    edge = np.zeros(3)
                    edge[i], edge[j] = 1 - t, t
                    found.append((np.linalg.norm(pixel - edge @ flat), tuple(edge)))
                distance, edge = min(found)
                if not inside and distance >= 3 * sigma:
                    continue
                share = share if inside else np.array(edge)
                covers = 1 / (1 + math.exp((-1 if inside else 1) * distance**2 / sigma**2))
                depth = 1 / (share @ (1 / vertices[face, 2]))
                part = covers * depth ** (-1 / gamma)
                missed *= 1 - covers
                total += part
                sums = sums + part * depth * (share / vertices[face, 2]) @ colors[face]
            image[row, column, -1] = 1 - missed
            if total:
                image[row, column, :-1] = (1 - missed) * sums / total
    return image


@pytest.mark.parametrize("sigma", [0.7, 2.5])
def test_pixels_are_those_of_loops_over_triangles(sigma: float) -> None:
    vertices, faces, colors = soup()
    made = render_soft(vertices, faces, colors, looking(), sigma=sigma, gamma=0.2)
    expected = by_loops(vertices.numpy(), faces.numpy(), colors.numpy(), sigma, 0.2)
    assert np.abs(made[0].numpy() - expected).max() < 1e-12
    alone = render_soft(vertices, faces, None, looking(), sigma=sigma)
    assert np.abs(alone[0].numpy() - expected[..., -1:]).max() < 1e-12
    assert 0.2 < expected[..., -1].mean() < 0.95  # there is something to see


@pytest.mark.parametrize("with_colors", [True, False])
def test_the_derivative_is_that_of_finite_differences(with_colors: bool) -> None:
    vertices, faces, colors = soup(1)
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(1, *SIZE, 3 if with_colors else 1, generator=generator).double()
    intrinsics = torch.eye(3)[None].double()

    def value(*given: Tensor) -> Tensor:
        cameras = Cameras(torch.eye(4)[None].double(), given[2], *SIZE)
        paint = given[1] if with_colors else None
        return (render_soft(given[0], faces, paint, cameras, sigma=1.5, gamma=0.3) * weights).sum()

    given = [part.clone().requires_grad_() for part in (vertices, colors, intrinsics)]
    slopes = torch.autograd.grad(value(*given), given, allow_unused=True)
    for place in range(3):
        if place == 1 and not with_colors:
            continue
        move = torch.randn(given[place].shape, generator=generator).double()
        if place == 2:
            move[:, 2] = 0.0  # the last row of an intrinsic matrix is no parameter
        ends = []
        for sign in (1, -1):
            moved = [part.detach() for part in given]
            moved[place] = moved[place] + sign * 1e-6 * move
            ends.append(float(value(*moved)))
        assert float((slopes[place] * move).sum()) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_without_blur_the_silhouette_is_the_hard_one() -> None:
    """Everywhere but where an edge passes within three hundredths of a pixel."""
    ball = icosphere(2)
    cameras = sphere_of_cameras(3, distance=3.0, fov_y_degrees=45.0, height=40, width=48)
    vertices = ball.vertices.double()
    hard = HardRasterizer()(vertices, ball.faces, torch.ones_like(vertices), cameras).images[..., 3:].double()
    wrong = [
        float(((render_soft(vertices, ball.faces, None, cameras, sigma=sigma) - hard).abs() > 1e-6).double().mean())
        for sigma in (0.3, 0.1, 0.01)
    ]  # fmt: skip
    assert wrong[0] > wrong[1] > wrong[2] and wrong[2] < 0.01
    colors = torch.rand(len(vertices), 3, generator=torch.Generator().manual_seed(0)).double()
    shaded = HardRasterizer()(vertices, ball.faces, colors, cameras).images.double()
    soft = render_soft(vertices, ball.faces, colors, cameras, sigma=0.01, gamma=1e-4)
    assert float(((soft - shaded).abs() > 1e-4).double().mean()) < 0.02  # and near the edges of triangles


def test_a_silhouette_beside_its_target_feels_it() -> None:
    """A ball of 4 pixels, 12 pixels off: blur alone gives its overlap with the target a slope."""
    ball, cameras = icosphere(2), sphere_of_cameras(1, distance=8.0, fov_y_degrees=45.0, height=64, width=64)
    shift = torch.tensor([0.0, 0.0, 1.3])
    points = homogeneous_pixels(torch.stack([torch.zeros(3), shift]), cameras)[0]
    flat = points[:, :2] / points[:, 2:]
    assert 11 < float((flat[0] - flat[1]).norm()) < 13
    ones = torch.ones_like(ball.vertices)
    target = HardRasterizer()(0.4 * ball.vertices, ball.faces, ones, cameras).images[..., 3:]
    slopes = {}
    for sigma in (0.2, 4.0):
        moved = shift.clone().requires_grad_()
        seen = render_soft(0.4 * ball.vertices + moved, ball.faces, None, cameras, sigma=sigma)
        [slopes[sigma]] = torch.autograd.grad((seen * target).sum(), moved)
    assert not slopes[0.2].any() and slopes[4.0][2] < -1.0


def test_views_share_colours_or_have_their_own() -> None:
    ball, cameras = (
        icosphere(1),
        sphere_of_cameras(2, distance=3.0, fov_y_degrees=45.0, height=24, width=24),
    )
    colors = torch.rand(2, len(ball.vertices), 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    both = render_soft(ball.vertices, ball.faces, colors, cameras)
    for view in range(2):
        alone = render_soft(ball.vertices, ball.faces, colors[view], cameras[[view]])
        assert torch.equal(both[view], alone[0])
    [apart] = torch.autograd.grad(both.sum(), colors)
    shared = colors[0].detach().requires_grad_()
    [whole] = torch.autograd.grad(render_soft(ball.vertices, ball.faces, shared, cameras).sum(), shared)
    same = torch.stack([shared.detach()] * 2).requires_grad_()
    [each] = torch.autograd.grad(render_soft(ball.vertices, ball.faces, same, cameras).sum(), same)
    assert torch.allclose(each.sum(0), whole, atol=1e-5) and apart.abs().min(0).values.max() > 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sigma": 0.0}, "sigma: expected a positive width, got 0.0"),
        ({"gamma": -1.0}, "gamma: expected a positive width"),
        ({"colors": torch.ones(5, 42, 3)}, r"colors: expected \(42, C\)"),
        ({"vertices": torch.ones(42, 3).half()}, "vertices: expected float32 or float64"),
        ({"colors": torch.ones(42, 3).double()}, "colors: expected torch.float32 as the vertices"),
    ],
)
def test_mistakes_are_told(changed: dict, message: str) -> None:
    ball, cameras = (icosphere(1), sphere_of_cameras(1, distance=3.0, fov_y_degrees=45.0, height=8, width=8))
    given = {"vertices": ball.vertices, "colors": None, **changed}
    vertices, colors = given.pop("vertices"), given.pop("colors")
    with pytest.raises(ValueError, match=message):
        render_soft(vertices, ball.faces, colors, cameras, **given)


def test_a_triangle_behind_the_camera_is_not_drawn() -> None:
    vertices = torch.tensor([[2.0, 2.0, 1.0], [20.0, 2.0, 1.0], [2.0, 18.0, -1.0]]).double()
    assert not render_soft(vertices, torch.tensor([[0, 1, 2]]), None, looking()).any()
