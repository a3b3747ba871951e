"""Drawing in one pass gives what interpolation and antialiasing give one after the other, and their derivatives."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from raster_oracle import seen_at, soup_faces, sphere, triangle_soup
from torch import Tensor

from largesteps_zg.rasterizer import antialias, draw, interpolate, rasterize
from largesteps_zg.rasterizer import drawing as one_pass
from largesteps_zg.rasterizer.warp_backend import find_pairs

SIZE = (24, 70)  # rows of more than 16 pixels of one triangle


def two_steps(attributes: Tensor, fragments) -> Tensor:
    return antialias(interpolate(attributes, fragments), fragments)


def soup() -> tuple[Tensor, Tensor]:
    """Large triangles in front of, behind and across the camera's plane; the second view shows none of them."""
    some = torch.cat([triangle_soup(seed, 8, SIZE, (-0.5, 3.0)) for seed in (4, 8)])
    return torch.cat([some[:1], some[:1] + torch.tensor([1e4, 0.0, 0.0]), some[1:]]), soup_faces(8)


def spheres() -> tuple[Tensor, Tensor]:
    """Small triangles, and silhouettes before another surface."""
    vertices, faces = sphere(2, seed=3)
    seen = [
        torch.cat([seen_at(vertices, 24, shift=(x, 0.3)), seen_at(vertices, 24, distance=6.0)], dim=1)
        for x in (0.0, 9.0)
    ]
    return torch.cat(seen), torch.cat([faces, faces + len(vertices)])


def edge_on() -> tuple[Tensor, Tensor]:
    """A triangle in a plane through the camera, and one behind it."""
    flat = torch.tensor([[4.0, 4.5, 1.0], [36.0, 36.5, 8.0], [14.0, 14.5, 2.0]], dtype=torch.float64)
    wide = torch.tensor([[-20.0, -20.0, 20.0], [1400.0, 0.0, 20.0], [0.0, 500.0, 20.0]], dtype=torch.float64)
    return torch.cat([flat, wide])[None], soup_faces(2)


SCENES = {"soup": soup, "spheres": spheres, "edge-on": edge_on}


def result(way, points: Tensor, faces: Tensor, attributes: Tensor, weights: Tensor) -> list[Tensor]:
    """Image, and gradients of a weighted sum of it."""
    points, attributes = (t.detach().clone().requires_grad_() for t in (points, attributes))
    image = way(attributes, rasterize(points, faces, SIZE))
    (image * weights).sum().backward()
    assert points.grad is not None and attributes.grad is not None
    return [image.detach(), points.grad, attributes.grad]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("per_view", [False, True])
@pytest.mark.parametrize("name", SCENES)
def test_one_pass_gives_what_two_steps_give(name, per_view, threads, generator, monkeypatch):
    points, faces = SCENES[name]()
    shape = (len(points), points.shape[1], 3) if per_view else (points.shape[1], 3)
    attributes = torch.randn(shape, generator=generator, dtype=torch.float64)
    weights = torch.randn(len(points), *SIZE, 4, generator=generator, dtype=torch.float64)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert one_pass.can_draw(attributes)
    both = [result(way, points, faces, attributes, weights) for way in (draw, two_steps)]
    for one, other in zip(*both, strict=True):
        assert other.abs().max() > 0
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10 * other.abs().max().item())


def test_single_precision_is_as_close_as_its_digits(generator):
    points, faces = spheres()
    attributes = torch.randn(points.shape[1], 3, generator=generator, dtype=torch.float64)
    f = rasterize(points, faces, SIZE)
    rough = draw(attributes.float(), replace(f, points=points.float()))
    assert (rough - draw(attributes, f)).norm() < 3e-6 * rough.norm()


def test_coverage_is_exactly_one_inside(generator):
    points, faces = spheres()
    attributes = torch.rand(points.shape[1], 3, generator=generator)
    image = draw(attributes, rasterize(points.float(), faces, SIZE))
    assert (image[..., 3] == 1).sum() > 200


@pytest.mark.parametrize("channels", [1, 4])
def test_other_numbers_of_channels_are_drawn_too(channels, generator):
    points, faces = spheres()
    attributes = torch.randn(points.shape[1], channels, generator=generator, dtype=torch.float64)
    f = rasterize(points, faces, SIZE)
    assert torch.equal(draw(attributes, f), two_steps(attributes, f))


def test_wrong_attributes_are_refused_in_one_line():
    points, faces = spheres()
    f = rasterize(points, faces, SIZE)
    with pytest.raises(ValueError, match="attributes: expected") as refused:
        draw(torch.zeros(5, 3, dtype=torch.float64), f)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
@pytest.mark.parametrize("per_view", [False, True])
def test_the_number_of_threads_may_change_before_the_derivative(
    per_view, before, after, generator, monkeypatch
):
    points, faces = soup()
    views, vertices, _ = points.shape
    shape = (views, vertices, 3) if per_view else (vertices, 3)
    attributes = torch.rand(shape, generator=generator, dtype=torch.float64)
    weights = torch.randn(views, *SIZE, 4, generator=generator, dtype=torch.float64)
    expected = result(draw, points, faces, attributes, weights)

    def fewer_or_more(attributes: Tensor, fragments) -> Tensor:
        monkeypatch.setattr(torch, "get_num_threads", lambda: before)
        image = draw(attributes, fragments)
        monkeypatch.setattr(torch, "get_num_threads", lambda: after)
        return image

    for found, wanted in zip(
        result(fewer_or_more, points, faces, attributes, weights), expected, strict=True
    ):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("way", [draw, two_steps])
def test_there_is_room_for_edges_that_lie_upon_each_other(way, generator):
    points = torch.tensor([[[8.0, 4.0, 1.0], [120.0, 6.0, 2.0], [60.0, 60.0, 3.0]]], dtype=torch.float64)
    attributes = torch.rand(3, 3, generator=generator, dtype=torch.float64)
    weights = torch.randn(1, *SIZE, 4, generator=generator, dtype=torch.float64)
    one, many = (torch.tensor([[0, 1, 2]]).repeat(count, 1) for count in (1, 60))
    both = [result(way, points, faces, attributes, weights) for faces in (many, one)]
    for found, wanted in zip(*both, strict=True):
        torch.testing.assert_close(found, wanted)
    for found, wanted in zip(
        *(find_pairs(rasterize(points, faces, SIZE)) for faces in (many, one)), strict=True
    ):
        assert len(found) == len(wanted)
