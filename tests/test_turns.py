"""The order in which steps see views: any few in a row look from all around, and chance decides the rest."""

from __future__ import annotations

import pytest
import torch

from largesteps_zg.reconstruct.turns import spread_order


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 17, 33])
def test_each_view_has_one_turn(count: int, generator: torch.Generator) -> None:
    places = torch.randn(count, 3, generator=generator)
    assert spread_order(places, generator).sort().values.tolist() == list(range(count))


def test_two_in_a_row_are_from_either_half(generator: torch.Generator) -> None:
    places = torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    seen = set()
    for _ in range(40):
        order = spread_order(places, generator).tolist()
        assert {i in (1, 3) for i in order[:2]} == {i in (1, 3) for i in order[2:]} == {True, False}
        seen.add(tuple(order))
    assert len(seen) == 8  # which half first, and which one of each half first


def test_eight_in_a_row_are_from_all_corners_of_a_box(generator: torch.Generator) -> None:
    corners = torch.cartesian_prod(*(torch.tensor([-side, side]) for side in (3.0, 2.0, 1.0)))
    places = corners.repeat(4, 1) + 0.1 * torch.rand(32, 3, generator=generator)
    order = spread_order(places, generator)
    assert all(sorted(part.tolist()) == list(range(8)) for part in (order % 8).split(8))
