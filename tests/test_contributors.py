"""Lists of ids a pixel: sums by slow loops, one id to the bit as a buffer of ids, the mean against a known gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from largesteps_zg.cameras import sphere_of_cameras
from largesteps_zg.estimators import Contributors, PerPixel, PixelLosses
from largesteps_zg.estimators.scattering import scatter
from largesteps_zg.images.losses import pixel_losses
from largesteps_zg.mesh import icosphere
from largesteps_zg.renderers import HardRasterizer, Pictures

ZERO = torch.zeros(4, dtype=torch.int64)


def random_lists(pixels: int, most: int, count: int, generator: torch.Generator) -> list[list[int]]:
    """Of lengths 0 to `most`, with ids that are there twice, and with negative ones."""
    lengths = torch.randint(0, most + 1, (pixels,), generator=generator).tolist()
    return [torch.randint(-1, count, (n,), generator=generator).tolist() for n in lengths]


def packed(lists: list[list[int]]) -> Contributors:
    lengths = torch.tensor([0] + [len(one) for one in lists])
    return Contributors(lengths.cumsum(0), torch.tensor([i for one in lists for i in one], dtype=torch.int32))


@pytest.mark.parametrize("separate", [False, True], ids=["together", "views apart"])
@pytest.mark.parametrize("corners", [0, 3])
@pytest.mark.parametrize("most", [0, 1, 7])
def test_sums_over_lists_are_those_of_slow_loops(
    most: int, corners: int, separate: bool, generator: torch.Generator
) -> None:
    rows, count, pixels = 12, 9 if corners else 12, 3 * 40
    table = torch.randint(-1, rows, (count, corners), generator=generator).int() if corners else None
    lists = [random_lists(pixels, most, count, generator) for _ in range(2)]
    plus, minus = torch.rand(2, 3, 40, dtype=torch.float64, generator=generator)
    expected = torch.zeros(3, rows, dtype=torch.float64)
    for p in range(pixels):
        made = {i for one in lists for i in one[p] if i >= 0}
        touched = made if table is None else {int(r) for i in made for r in table[i] if r >= 0}
        for row in touched:
            expected[p // 40, row] += plus[p // 40, p % 40] - minus[p // 40, p % 40]
    expected = expected if separate else expected.sum(0, keepdim=True)
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            found = scatter(plus, minus, *map(packed, lists), table, rows, separate=separate)
            once = packed(lists[0])
            same = scatter(plus, minus, once, once, table, rows, separate=separate)
            apart = scatter(plus, minus, once, packed(lists[0]), table, rows, separate=separate)
        finally:
            torch.set_num_threads(before)
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)
        assert torch.equal(same, apart)


def test_one_id_a_pixel_gives_to_the_bit_what_the_mesh_gives() -> None:
    ball = icosphere(3)
    views = sphere_of_cameras(3, distance=3.0, fov_y_degrees=45.0, height=48, width=48)
    draw, target = HardRasterizer(), torch.rand(3, 48, 48, 4, generator=torch.Generator().manual_seed(0))

    def gradient(listed: bool, threads: int, **options: int) -> Tensor:
        def f(vertices: Tensor) -> PixelLosses:
            made = draw(vertices, ball.faces, torch.ones_like(vertices), views)
            assert made.triangles is not None
            if listed:
                made = Pictures(made.images, contributors=Contributors.of(made.triangles[..., None]))
            assert made.primitives is not None
            return PixelLosses(pixel_losses(made.images, target), made.primitives)

        torch.set_num_threads(threads)
        estimator = PerPixel(0.02, primitives=ball.faces, **options)
        found = estimator.estimate(f, ball.vertices, generator=torch.Generator().manual_seed(1)).gradient
        assert isinstance(found, Tensor)
        return found

    before = torch.get_num_threads()
    try:
        for threads, options in ((1, {}), (2, {}), (2, {"views": 3})):
            mesh = gradient(False, threads, **options)
            assert mesh.norm() > 0 and torch.equal(gradient(True, threads, **options), mesh)
    finally:
        torch.set_num_threads(before)


def glass(x: Tensor) -> tuple[Tensor, Tensor]:
    """(..., 20) losses and (..., 20, 6) opacities of a row of pixels, seen through six blurred panes, first in front.

    x : (..., 6, 3), place, logarithm of the width, brightness.
    """
    pixels = torch.arange(20, dtype=x.dtype)
    place, width, light = (part[..., None, :] for part in x.unbind(-1))
    alpha = 0.9 * (-0.5 * ((pixels[:, None] - place) / width.exp()).square()).exp()
    clear = torch.cat([torch.ones_like(alpha[..., :1]), (1 - alpha).cumprod(-1)[..., :-1]], -1)
    return ((clear * alpha * light).sum(-1) - (0.4 * pixels).sin().square()).square(), alpha


def estimates(places: slice, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mean and standard error of the gradient, with some of a pixel's ids; as 200 views that are all alike."""

    def f(x: Tensor) -> PixelLosses:
        losses, alpha = glass(x)
        ids = torch.where(alpha > 1e-6, torch.arange(6), -1)
        return PixelLosses(losses, Contributors.of(ids[..., places]))

    found = PerPixel(0.02, pairs=24, views=200).estimate(f, panes(), generator=generator)
    assert isinstance(found.gradient, Tensor) and isinstance(found.standard_error, Tensor)
    return found.gradient / 200, found.standard_error / 200


def panes() -> Tensor:
    places = torch.tensor([3.2, 5.0, 9.5, 10.5, 14.0, 16.3], dtype=torch.float64)
    widths = torch.tensor([0.3, 0.5, 0.1, 0.6, 0.2, 0.4], dtype=torch.float64)
    return torch.stack([places, widths, torch.linspace(0.3, 1.2, 6, dtype=torch.float64)], 1)


def test_the_mean_over_lists_is_the_known_gradient(generator: torch.Generator) -> None:
    x = panes().requires_grad_()
    glass(x)[0].sum().backward()
    assert x.grad is not None
    mean, error = estimates(slice(None), generator)
    assert error.norm() < 0.06 * x.grad.norm()
    assert ((mean - x.grad).abs() < 4.5 * error + 2e-3 * x.grad.norm()).all()  # and a bias of order e²
    wrong, error = estimates(slice(0, 5), generator)  # without the last pane
    assert ((wrong - x.grad).abs() > 4.5 * error + 2e-3 * x.grad.norm()).any()


def test_a_buffer_and_its_lists_go_both_ways(generator: torch.Generator) -> None:
    buffer = torch.randint(-2, 5, (3, 4, 6), generator=generator)
    lists = Contributors.of(buffer)
    assert lists.pixels == 12 and lists.longest == int((buffer >= 0).sum(-1).max())
    padded = lists.padded(lists.longest + 1)
    for row, places in zip(buffer.view(12, 6).tolist(), padded.tolist(), strict=True):
        assert [i for i in row if i >= 0] == [i for i in places if i >= 0]
    empty = Contributors.of(torch.full((2, 1), -1))
    assert empty.longest == 0
    zero = torch.zeros(2)
    assert scatter(zero + 1, zero, empty, empty, None, 3, separate=False).tolist() == [[0, 0, 0]]


def test_refuses_lists_that_do_not_fit() -> None:
    ids = torch.zeros(3, dtype=torch.int32)
    with pytest.raises(
        ValueError, match=r"^starts: expected one axis of torch\.int64, got torch\.int32 of shape \(3,\)"
    ):
        Contributors(ids, ids)
    for starts in ([0, 2], [0, 3, 2, 3], [1, 3], []):
        with pytest.raises(ValueError, match=r"^starts: expected numbers that rise from 0 to 3"):
            Contributors(torch.tensor(starts, dtype=torch.int64), ids)
    two = Contributors(torch.tensor([0, 1, 3]), ids)
    with pytest.raises(ValueError, match=r"^f: expected a list of primitives for each of 4 pixels, got 2"):
        PerPixel().estimate(lambda x: PixelLosses(torch.zeros(4), two), torch.zeros(2))
    mixed = iter([PixelLosses(torch.zeros(2), two), PixelLosses(torch.zeros(2), ZERO[:2])])
    with pytest.raises(ValueError, match=r"^f: expected primitives of one kind in both pictures"):
        PerPixel().estimate(lambda x: next(mixed), torch.zeros(2))
    high = Contributors(torch.tensor([0, 1, 3]), ids + 7)
    calls = iter((1.0, 0.0))
    with pytest.raises(ValueError, match=r"^primitives: expected ids below 2, got 7"):
        PerPixel().estimate(lambda x: PixelLosses(torch.zeros(2) + next(calls), high), torch.zeros(2))
