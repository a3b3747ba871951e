"""The rasterizer's own interface in clip space: depth, layers, barycentrics, attributes with indices of their own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from clip_oracle import frustum, layers_of, soup, soup_triangles
from raster_oracle import seen_at, soup_faces, sphere, triangle_soup

from largesteps_zg.rasterizer import (
    antialias,
    edge_table,
    interpolate,
    nvdiffrast_backend,
    pixels_from_clip,
    rasterize,
    rasterize_layers,
)
from largesteps_zg.rasterizer.depth_test import in_clip_space

SIZE = (23, 31)


def test_clip_coordinates_become_pixels():
    # A 4 x 8 image: its borders, and a point at w = 2.
    clip = torch.tensor([[-1.0, -1, 0, 1], [1, 1, 0.5, 1], [0, 1, 3, 2]])
    points = pixels_from_clip(clip, (4, 8))
    assert points.tolist() == [[0, 0, 0, 1], [8, 4, 0.5, 1], [8, 6, 3, 2]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("w", [(1.0, 1.0), (1.0, 4.0)], ids=["orthographic", "perspective"])
def test_depth_is_that_of_clip_space(dtype, w):
    pos, tri = soup(13, 20, w=w), soup_triangles(20)
    (expected, *_), clear = layers_of(pos, tri, SIZE, 1)
    f = rasterize(pixels_from_clip(pos.to(dtype)[None], SIZE), tri, SIZE)
    assert clear.mean() > 0.9
    assert np.array_equal(f.triangle_ids()[0].numpy()[clear], expected[clear, 3] - 1)
    rows = torch.cat([f.barycentrics()[:, :2], f.depths()[:, None]], dim=1).double()
    tolerance = 1e-4 if dtype == torch.float32 else 1e-9
    np.testing.assert_allclose(f.image(rows)[0].numpy()[clear], expected[clear, :3], atol=tolerance)


def test_the_nearer_of_two_triangles_wins_in_an_orthographic_view_too():
    pos = torch.tensor([[-1.0, -1, 0.5, 1], [3, -1, 0.5, 1], [-1, 3, 0.5, 1]]).repeat(2, 1)
    pos[3:, 2] = -0.5
    f = rasterize(pixels_from_clip(pos[None], (2, 2)), soup_faces(2), (2, 2))
    assert f.triangle_ids().unique().tolist() == [1]


def test_perspective_gives_the_same_images_with_and_without_planes():
    vertices, faces = sphere(3, seed=5)
    clip = frustum(0.5, 20.0, 3.5, vertices)[None]
    points = pixels_from_clip(clip, (40, 40))
    colors = vertices.sin()
    images = []
    for given in (points, torch.cat([points[..., :2], points[..., 3:]], dim=-1)):
        f = rasterize(given, faces, (40, 40))
        images.append(antialias(interpolate(colors, f), f))
    torch.testing.assert_close(*images)


def test_fragments_make_images_and_say_how_deep_they_lie():
    vertices, faces = sphere(2)
    points = torch.cat([seen_at(vertices, 24, shift=(s, 0)) for s in (-9.0, 900.0, 5.0)])
    f = rasterize(points, faces, (24, 24))
    image = f.image(f.depths(), background=-1.0)
    assert image.shape == (3, 24, 24) and torch.equal(image >= 0, f.triangle_ids() >= 0)
    corners = points[f.pixels.long() // 24**2, faces[f.triangles.long()].T].transpose(0, 1)  # (N, 3, 3)
    weights = f.barycentrics()
    torch.testing.assert_close(f.depths(), (weights * corners[..., 2]).sum(1))
    # Weighted, the corners lie on the ray through the pixel's centre.
    hit = (weights[..., None] * corners).sum(1)
    pixel = torch.stack([f.pixels % 24, f.pixels // 24 % 24], dim=1) + 0.5
    torch.testing.assert_close(hit[:, :2] / hit[:, 2:], pixel.double())
    assert f.image(torch.ones(len(f.pixels), 2, 5)).shape == (3, 24, 24, 2, 5)
    with pytest.raises(ValueError, match=rf"^rows: expected {len(f.pixels)}, one a fragment, got 1$"):
        f.image(torch.ones(1))


@pytest.mark.parametrize("wide", [3, 4])
def test_depths_and_barycentrics_have_their_derivatives(wide):
    points = pixels_from_clip(soup(8, 6, w=(1.0, 3.0))[None], (5, 6))
    points = (points if wide == 4 else torch.cat([points[..., :2], points[..., 3:]], -1)).requires_grad_()

    def outputs(points):
        f = rasterize(points, soup_faces(6), (5, 6))
        return f.depths(), f.barycentrics(), f.image(f.depths())

    assert torch.autograd.gradcheck(outputs, (points,), fast_mode=True)


@pytest.mark.parametrize("sets", [1, 2])
def test_attributes_take_indices_of_their_own(sets, generator):
    points = torch.cat([triangle_soup(n, 9, SIZE, (1.0, 3.0)) for n in range(2)]).requires_grad_()
    own = torch.randint(0, 4, (9, 3), generator=generator)
    attributes = torch.rand(sets, 4, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    f = rasterize(points, soup_faces(9), SIZE)
    found = interpolate(attributes, f, faces=own)
    unrolled = attributes[:, own.reshape(-1)]  # the soup's vertex 3 t + k is corner k of triangle t
    expected = interpolate(unrolled, f)
    assert torch.equal(found, expected)
    factors = torch.rand(found.shape, generator=generator, dtype=torch.float64)
    grads = [
        torch.autograd.grad((values * factors).sum(), (attributes, points)) for values in (found, expected)
    ]
    torch.testing.assert_close(*grads)


def test_own_indices_are_checked(unchecked):
    f = rasterize(triangle_soup(1, 4, SIZE, (1.0, 3.0)), soup_faces(4), SIZE)
    with pytest.raises(
        ValueError, match=r"^faces: expected \(4, 3\) on cpu as the rasterized ones, got \(3, 3\)"
    ):
        interpolate(torch.zeros(12, 1).double(), f, faces=soup_faces(3))
    with pytest.raises(ValueError, match=r"^faces: expected indices in \[0, 11\)"):
        interpolate(torch.zeros(11, 1).double(), f, faces=soup_faces(4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_layers_come_nearest_first_until_nothing_is_left(dtype):
    pos, tri = soup(11, 16, w=(1.0, 4.0)), soup_triangles(16)
    # Depth before the near plane as well: these points have none, and see all of it.
    pos[:, 2] = 0.9 * pos[:, 3] - 0.8  # z/w rises with w, and stays within -1 and 1
    images, clear = layers_of(pos, tri, SIZE, 9)
    points = pixels_from_clip(pos.to(dtype)[None], SIZE)
    for given in (points, torch.cat([points[..., :2], points[..., 3:]], dim=-1)):
        layers = list(rasterize_layers(given, tri, SIZE))
        assert 5 < len(layers) <= 9
        for layer, expected in zip(layers, images, strict=False):
            assert np.array_equal(layer.triangle_ids()[0].numpy()[clear], expected[clear, 3] - 1)
        assert not images[len(layers) :].any()


def test_the_first_layer_is_what_rasterize_finds():
    vertices, faces = sphere(3, seed=5)
    points, edges = seen_at(vertices, 32), edge_table(faces)
    first = next(rasterize_layers(points, faces, (32, 32), edges=edges))
    plain = rasterize(points, faces, (32, 32), edges=edges)
    ones = torch.ones(len(plain.pixels), 1, dtype=torch.float64)
    assert torch.equal(first.triangle_ids(), plain.triangle_ids())
    assert torch.equal(antialias(ones, first), antialias(ones, plain))
    assert torch.equal(first.depths(), plain.depths())
    counts = [len(f.pixels) for f in itertools.islice(rasterize_layers(points, faces, (32, 32)), 4)]
    assert counts == [len(plain.pixels)] * 2


def test_points_of_clip_space_are_checked(unchecked):
    with pytest.raises(ValueError, match=r"^clip: expected shape \(\.\.\., V, 4\), got \(5, 3\)$"):
        pixels_from_clip(torch.zeros(5, 3), (4, 4))
    with pytest.raises(
        ValueError, match=r"^points: expected shape \(B, V, 3\) or \(B, V, 4\), got \(1, 3, 5\)$"
    ):
        rasterize(torch.ones(1, 3, 5), soup_faces(1), (4, 4))
    points = torch.ones(1, 3, 4)
    with pytest.raises(
        ValueError, match=r"^backend: layers, and points \(B, V, 4\), need 'warp', got 'nvdiffrast'$"
    ):
        edges = torch.zeros(0, 6, dtype=torch.int32)
        nvdiffrast_backend.rasterize(points, soup_faces(1), edges, (4, 4), 0.5, in_clip_space(points))
