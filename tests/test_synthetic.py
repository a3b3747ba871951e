"""Scenes made from a mesh: where its points land, which way is up, what the pixels hold, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch

from largesteps_zg.cameras import look_at
from largesteps_zg.images import srgb_to_linear
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.renderers import SphericalHarmonicsLight
from largesteps_zg.scenes.synthetic import bounding_ball, render_views, scene_from_mesh, studio_light

AMBIENT = SphericalHarmonicsLight.ambient(0)
SMALL = {"views": 4, "test_views": 2, "height": 32, "width": 32}


def stick(axis: int) -> Mesh:
    """A thin sphere, long along one axis, far from the origin and in large units."""
    ball = icosphere(2)
    scale = torch.full((3,), 10.0)
    scale[axis] = 50.0
    return Mesh(ball.vertices * scale + torch.tensor([300.0, -200.0, 100.0]), ball.faces)


def test_bounding_ball_of_a_box() -> None:
    corners = torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 3.0], [1.0, 6.0, 3.0], [3.0, 6.0, 7.0]])
    center, radius = bounding_ball(Mesh(corners, torch.tensor([[0, 1, 2], [0, 1, 3]])))
    assert center.tolist() == [2.0, 4.0, 5.0]
    assert radius == pytest.approx(3.0)  # sqrt(1 + 4 + 4)


def test_the_y_axis_of_the_mesh_becomes_the_z_axis_of_the_scene() -> None:
    mesh = stick(axis=1)
    turned = scene_from_mesh(mesh, **SMALL).mesh
    x, y, z = mesh.vertices.unbind(1)
    assert torch.equal(turned.vertices, torch.stack([x, -z, y], 1))
    extent = turned.vertices.amax(0) - turned.vertices.amin(0)
    assert int(extent.argmax()) == 2
    # A rotation and not a mirror: the faces still look outward, so the volume that they enclose is positive.
    centered = turned.vertices.double() - turned.vertices.double().mean(0)
    assert float(torch.linalg.det(centered[turned.faces]).sum()) / 6 > 0.9 * 4 / 3 * math.pi * 10 * 10 * 50
    assert torch.equal(scene_from_mesh(mesh, **SMALL, up="z").mesh.vertices, mesh.vertices)


def test_upright_things_stand_upright_in_the_images() -> None:
    # Seen from the side, a stick along the scene's z axis is taller than wide.
    scene = scene_from_mesh(stick(axis=1), **SMALL)
    side = int(scene.train.cameras.forward[:, 2].abs().argmin())
    mask = scene.train.images[side, ..., 3] > 127
    assert int(mask.any(1).sum()) > 2 * int(mask.any(0).sum())


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 48), (48, 24)])
def test_the_mesh_lies_where_the_cameras_say_and_inside_every_image(height: int, width: int) -> None:
    mesh = stick(axis=0)
    scene = scene_from_mesh(mesh, views=4, test_views=3, height=height, width=width, up="z")
    for views in (scene.train, scene.test):
        pixels, depth = views.cameras.project(mesh.vertices.double())
        assert bool((depth > 0).all())
        for image, points in zip(views.images, pixels, strict=True):
            inside = (image[..., 3] > 127).nonzero().double()
            assert len(inside) > 10
            # (row, column) of the covered pixels' outer borders against the projected extremes, to a pixel.
            low, high = inside.amin(0).flip(0), inside.amax(0).flip(0) + 1
            assert float((low - points.amin(0)).abs().max()) < 1
            assert float((high - points.amax(0)).abs().max()) < 1
            assert float(points.amin()) > 0 and bool((points.amax(0) < torch.tensor([width, height])).all())


def test_a_clay_ball_in_even_light_is_seven_tenths() -> None:
    camera = look_at(
        torch.tensor([[0.0, -4.0, 0.0]]), torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]),
        fov_y_degrees=40.0, height=24, width=24,
    )  # fmt: skip
    views = render_views(icosphere(3), camera, light=AMBIENT, prefix="one")
    assert views.names == ("one_000",)
    image = views.images[0]
    middle = srgb_to_linear(image[12, 12, :3].double() / 255)
    torch.testing.assert_close(middle, torch.full((3,), 0.7, dtype=torch.float64), atol=0.004, rtol=0)
    assert image[12, 12, 3] == 255 and image[0, 0].tolist() == [0, 0, 0, 0]
    # Straight alpha: a border pixel holds the surface's colour, not a mixture with black.
    border = (image[..., 3] > 20) & (image[..., 3] < 235)
    assert int(border.sum()) > 10
    assert int((image[border][:, :3].int() - image[12, 12, :3].int()).abs().max()) <= 2
    # Area of the disc: radius 1 at distance 4, focal length 12 / tan 20°, tangent cone 1 / sqrt(15).
    radius = 12 / math.tan(math.radians(20)) / math.sqrt(15)
    assert float(image[..., 3].double().sum() / 255) == pytest.approx(math.pi * radius**2, rel=0.02)


def test_vertex_colours_are_seen_and_light_multiplies_them() -> None:
    ball = icosphere(2)
    red = Mesh(ball.vertices, ball.faces, torch.tensor([0.5, 0.1, 0.0]).expand_as(ball.vertices))
    scene = scene_from_mesh(red, **SMALL, light=AMBIENT)
    middle = srgb_to_linear(scene.train.images[:, 16, 16, :3].double() / 255)
    torch.testing.assert_close(
        middle, torch.tensor([0.5, 0.1, 0.0]).double().expand(4, 3), atol=0.004, rtol=0
    )


def test_the_studio_has_a_bright_sky_and_a_different_shade_everywhere() -> None:
    light = studio_light()
    axes = torch.cat([torch.eye(3), -torch.eye(3)])
    shade = light(axes).mean(1)
    assert int(shade.argmax()) in (0, 1, 2) and float(shade[2]) > 1.5 * float(shade[5])
    apart = (shade[:, None] - shade).abs() + torch.eye(6)
    assert float(apart.min()) > 0.02 and float(shade.min()) > 0.1


def test_held_out_cameras_stand_between_the_others() -> None:
    scene = scene_from_mesh(stick(axis=0), **SMALL)
    assert not set(scene.train.names) & set(scene.test.names)
    cosine = scene.test.cameras.forward @ scene.train.cameras.forward.T
    assert float(cosine.max()) < 0.999
    assert scene_from_mesh(stick(axis=0), **{**SMALL, "test_views": 0}).test is None


def test_an_open_mesh_and_isolated_vertices() -> None:
    ball = icosphere(2)
    half = Mesh(torch.cat([ball.vertices, torch.zeros(1, 3)]), ball.faces[:200])
    assert int(scene_from_mesh(half, **SMALL).train.images[..., 3].amax((1, 2)).min()) == 255


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"views": 1}, "views: expected at least 2 to train"),
        ({"test_views": -1}, "views: expected at least 2 to train and 0 to test, got 4 and -1"),
        ({"up": "x"}, "up: expected y or z, got 'x'"),
    ],
)
def test_wrong_numbers_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scene_from_mesh(icosphere(1), **{**SMALL, **change})


def test_a_mesh_without_extent_is_refused() -> None:
    with pytest.raises(ValueError, match="mesh: expected an extent, got all vertices in one point"):
        scene_from_mesh(Mesh(torch.ones(3, 3), torch.tensor([[0, 1, 2]])), **SMALL)
