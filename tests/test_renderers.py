"""The renderer: projection as the cameras have it, and shading as light and albedo say."""

from __future__ import annotations

import pytest
import torch
from raster_oracle import sphere

from largesteps_zg.cameras import look_at, sphere_of_cameras
from largesteps_zg.geometry import vertex_normals
from largesteps_zg.rasterizer import edge_table
from largesteps_zg.renderers import SphericalHarmonicsLight, homogeneous_pixels, render, shade


def test_homogeneous_pixels_are_what_the_cameras_project(generator):
    cameras = sphere_of_cameras(5, distance=3, fov_y_degrees=40, height=30, width=50, dtype=torch.float64)
    points = torch.randn(9, 3, generator=generator, dtype=torch.float64)
    found = homogeneous_pixels(points, cameras)
    pixels, depth = cameras.project(points)
    assert torch.allclose(found[..., 2], depth)
    assert torch.allclose(found[..., :2] / found[..., 2:], pixels)


@pytest.mark.parametrize("size", [(48, 48), (40, 64)])
def test_a_ball_appears_where_its_centre_is_projected(size):
    vertices, faces = sphere(3)
    center = torch.tensor([0.4, -0.2, 0.3], dtype=torch.float64)
    cameras = sphere_of_cameras(
        6, distance=4, fov_y_degrees=40, height=size[0], width=size[1], dtype=torch.float64
    )
    image = render(0.5 * vertices + center, faces, torch.ones(len(vertices), 1, dtype=torch.float64), cameras)
    alpha = image[..., -1]
    assert torch.allclose(image[..., 0], alpha)  # white, premultiplied
    rows, columns = torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5
    area = alpha.sum((1, 2))
    middle = (
        torch.stack([(alpha * columns).sum((1, 2)), (alpha * rows[:, None]).sum((1, 2))], dim=1)
        / area[:, None]
    )
    expected, _ = cameras.project(center[None])
    # Seen off the axis a sphere's image is an ellipse, its middle a little farther out than the centre's image.
    assert (middle - expected[:, 0]).norm(dim=1).max() < 0.3


def test_row_zero_is_on_top():
    # A small triangle above the target, where up is +z.
    eye = torch.tensor([[4.0, 0.0, 0.0]])
    cameras = look_at(eye, fov_y_degrees=60, height=20, width=20)
    vertices = torch.tensor([[0.0, -0.5, 1.0], [0.0, 0.5, 1.0], [0.0, 0.0, 2.0]])
    image = render(vertices, torch.tensor([[0, 1, 2]]), torch.ones(3, 1), cameras)[0, ..., -1]
    assert image[:10].sum() > 3 and image[10:].sum() == 0


def test_shading_is_albedo_times_light(generator):
    vertices, faces = sphere(2)
    albedo = torch.rand(len(vertices), 3, generator=generator, dtype=torch.float64)
    assert torch.allclose(
        shade(vertices, faces, albedo, SphericalHarmonicsLight.ambient()), albedo, atol=1e-6
    )
    coefficients = torch.randn(9, 3, generator=generator, dtype=torch.float64)
    light = SphericalHarmonicsLight(coefficients)
    assert torch.allclose(
        shade(vertices, faces, albedo, light), albedo * light(vertex_normals(vertices, faces))
    )


def test_a_given_edge_table_changes_nothing(generator):
    vertices, faces = sphere(2)
    colors = torch.rand(len(vertices), 3, generator=generator, dtype=torch.float64)
    cameras = sphere_of_cameras(2, distance=3, fov_y_degrees=50, height=24, width=24, dtype=torch.float64)
    image = render(vertices, faces, colors, cameras)
    assert torch.equal(image, render(vertices, faces, colors, cameras, edges=edge_table(faces)))
