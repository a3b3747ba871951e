"""How much hue there is, and what brightness counts then."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.reconstruct.appearance.hue import VIEWS, brightness_weight, colorfulness
from largesteps_zg.scenes.synthetic import scene_from_mesh

LEAST = 0.45  # as docs/constants.md has it


@pytest.fixture(scope="module")
def views():
    ball = icosphere(2)
    return scene_from_mesh(Mesh(ball.vertices, ball.faces), views=24, test_views=1, height=16, width=16).train


def of_color(views, *rgb: int):
    """The same views, all of one colour within and without their masks."""
    images = views.images.clone()
    images[..., :3] = torch.tensor(rgb, dtype=torch.uint8)
    return replace(views, images=images)


def test_grey_has_none_and_a_pure_colour_most(views):
    assert colorfulness(of_color(views, 90, 90, 90)) < 1e-6
    assert colorfulness(of_color(views, 255, 0, 0)) == pytest.approx(2**0.5)
    assert colorfulness(of_color(views, 255, 0, 255)) == pytest.approx(0.5**0.5)
    assert colorfulness(of_color(views, 0, 0, 0)) == 0.0


def test_what_is_outside_the_masks_does_not_count(views):
    images = of_color(views, 120, 120, 120).images
    images[..., :3][images[..., 3] == 0] = torch.tensor([255, 0, 0], dtype=torch.uint8)
    assert colorfulness(replace(views, images=images)) < 1e-6


def test_brightness_counts_in_full_without_hue_and_least_with_much(views):
    assert brightness_weight(of_color(views, 90, 90, 90)) == 1.0
    assert brightness_weight(of_color(views, 255, 0, 0)) == pytest.approx(LEAST)
    # In linear light (0.22323, 0.15593, 0.15593): hue 0.05495 over brightness 0.30893 is 0.17788. That is 0.38939 of
    # the way from 0.1 to 0.3, on which the weight falls from 1 to 0.45.
    middling = of_color(views, 130, 110, 110)
    assert colorfulness(middling) == pytest.approx(0.17788, abs=2e-5)
    assert brightness_weight(middling) == pytest.approx(0.78584, abs=1e-4)


def test_brightness_counts_in_full_with_few_views(views):
    colorful = of_color(views, 255, 0, 0)
    weights = [brightness_weight(colorful[list(range(count))]) for count in (4, 8, 16, 24)]
    assert weights == pytest.approx([1.0, 1.0, 0.725, 0.45])


def test_of_many_views_some_are_enough(views):
    many = replace(
        of_color(views, 255, 0, 0)[[0] * (2 * VIEWS)],
        images=of_color(views, 255, 0, 0).images[[0] * (2 * VIEWS)].clone(),
    )
    many.images[1::2, ..., :3] = 90
    assert colorfulness(many) == pytest.approx(2**0.5)
