"""Per-pixel gradients: sums by hand and by loops, the exact mean by enumeration, what a missing id does, and a mesh."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from estimator_oracles import assert_mean, assert_spread, sample
from torch import Tensor

from largesteps_zg.cameras import Cameras, sphere_of_cameras
from largesteps_zg.estimators import (
    SPSA,
    EvaluationError,
    Objective,
    PerPixel,
    PixelLosses,
    differentiable,
    geometric,
    per_pixel,
)
from largesteps_zg.estimators.coherent import coherent_signs, weighed
from largesteps_zg.estimators.scattering import scatter
from largesteps_zg.images.contributors import Contributors
from largesteps_zg.images.losses import pixel_losses
from largesteps_zg.mesh import Mesh, icosphere, surface_distances
from largesteps_zg.optimize import UniformAdam
from largesteps_zg.parameterize import LargeSteps
from largesteps_zg.renderers import FunctionRenderer, HardRasterizer

# Sums


def test_two_triangles_by_hand() -> None:
    # 0---1   The picture has four pixels in a row. With + triangle 0 makes the first two and triangle 1 the third, the
    # | / |   fourth is empty; with - triangle 1 makes all but the first. The losses differ by 4, 1, 0 and -4.
    # 2---3
    # first:  triangle 0 in both: vertices 0, 1, 2 get 4, once. Second: 0 and 1, all vertices get 1, the shared ones
    # once too. Third: nothing. Fourth, a silhouette in one picture only: 1, 3, 2 get -4.
    faces = torch.tensor([[0, 1, 2], [1, 3, 2]])
    plus, minus = torch.tensor([[5.0, 3.0, 2.0, 0.0]]), torch.tensor([[1.0, 2.0, 2.0, 4.0]])
    ids = torch.tensor([[[0, 0, 1, -1]], [[0, 1, 1, 1]]])
    expected = torch.tensor([4.0 + 1, 4 + 1 - 4, 4 + 1 - 4, 1 - 4])
    found = scatter(plus, minus, *ids.int(), faces.int(), 4, separate=False)
    assert torch.equal(found, expected[None])

    vertices, moved = torch.rand(4, 2), []

    def f(x: Tensor) -> PixelLosses:
        moved.append(x - vertices)
        return PixelLosses((plus, minus)[len(moved) - 1], ids[len(moved) - 1])

    result = PerPixel(epsilon=0.25, primitives=faces).estimate(f, vertices)
    torch.testing.assert_close(moved[0], -moved[1])
    torch.testing.assert_close(moved[0].abs(), torch.full((4, 2), 0.25))
    torch.testing.assert_close(result.gradient, moved[0].sign() * expected[:, None] / (2 * 0.25))
    assert result.loss == 0.5 * (10 + 9) and result.evaluations == 2


def slow_sums(plus: Tensor, minus: Tensor, ids: list[Tensor], table: Tensor | None, rows: int) -> Tensor:
    """(B, rows) by sets and loops."""
    sums = torch.zeros(len(plus), rows, dtype=torch.float64)
    for pixel in itertools.product(*map(range, plus.shape)):
        made = {int(i) for one in ids for i in one[pixel].reshape(-1) if i >= 0}
        touched = made if table is None else {int(row) for i in made for row in table[i] if row >= 0}
        for row in touched:
            sums[pixel[0], row] += float(plus[pixel]) - float(minus[pixel])
    return sums


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("separate", [False, True], ids=["together", "views apart"])
@pytest.mark.parametrize("corners", [0, 1, 3, 5])
@pytest.mark.parametrize("slots", [0, 1, 4])
def test_sums_are_those_of_slow_loops(
    slots: int, corners: int, separate: bool, dtype: torch.dtype, generator: torch.Generator
) -> None:
    rows, count = 12, 9 if corners else 12

    def ids() -> Tensor:
        # Runs of equal ids, as pictures have them; and -1, -2 for none.
        coarse = torch.randint(-2, count, (3, 5, 3, *([slots] * bool(slots))), generator=generator)
        return coarse.repeat_interleave(3, dim=2).int()

    plus_ids, minus_ids = ids(), ids()
    minus_ids = torch.where(torch.rand(minus_ids.shape, generator=generator) < 0.5, plus_ids, minus_ids)
    plus, minus = torch.rand(2, 3, 5, 9, dtype=torch.float64, generator=generator).to(dtype)
    minus[:, 2] = plus[:, 2]
    # Few rows, so that primitives share them and have some twice.
    table = torch.randint(-1, rows, (count, corners), generator=generator).int() if corners else None
    expected = slow_sums(plus, minus, [plus_ids, minus_ids], table, rows)
    expected = expected if separate else expected.sum(0, keepdim=True)
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            found = scatter(plus, minus, plus_ids, minus_ids, table, rows, separate=separate)
        finally:
            torch.set_num_threads(before)
        assert found.dtype == dtype
        tolerance = 1e-5 if dtype == torch.float32 else 1e-13
        torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


def test_views_end_where_they_end() -> None:
    # The last pixel of a view and the first of the next show the same triangle.
    ids = torch.zeros(2, 1, dtype=torch.int32)
    plus = torch.tensor([[1.0], [2.0]])
    sums = scatter(plus, torch.zeros(2, 1), ids, ids, None, 1, separate=True)
    assert sums.tolist() == [[1.0], [2.0]]


def test_threads_do_not_add_to_one_place() -> None:
    # Two rows in turn, so that neighbours are not summed up first; whole numbers, so that the sums are exact.
    ids = torch.arange(2, dtype=torch.int32).repeat(1_000_000)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in range(5):
            sums = scatter(torch.ones(2_000_000), torch.zeros(2_000_000), ids, ids, None, 2, separate=False)
            assert sums.tolist() == [[1_000_000, 1_000_000]]
    finally:
        torch.set_num_threads(before)


# The mean, exactly: every sign pattern once


def all_signs(count: int) -> Tensor:
    """(2^n, n)."""
    return torch.tensor(list(itertools.product((1, -1), repeat=count)), dtype=torch.int8)


@pytest.fixture
def every_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimators draw all sign patterns in turn, be it by pairs or by views."""
    drawn = 0

    def next_signs(rows: int, count: int, generator: Any) -> Tensor:
        nonlocal drawn
        patterns = all_signs(count)
        chosen = patterns[torch.arange(drawn, drawn + rows) % len(patterns)]
        drawn += rows
        return chosen

    monkeypatch.setattr("largesteps_zg.estimators.per_pixel.random_signs", next_signs)


def full_image(losses: Tensor, epsilon: Tensor | float) -> Tensor:
    """(n,) mean gradient of the whole loss from its values (2^n,) at all sign patterns.

    The difference of loss at x_i + e and x_i - e, averaged over the other signs: finite differences of the loss
    smoothed in the others.
    """
    signs = all_signs(round(math.log2(len(losses)))).to(losses)
    up = torch.stack([losses[signs[:, i] > 0].mean() for i in range(signs.shape[1])])
    down = torch.stack([losses[signs[:, i] < 0].mean() for i in range(signs.shape[1])])
    return (up - down) / (2 * epsilon)


CENTERS = torch.tensor([1.3, 2.45, 2.8, 4.6, 6.05], dtype=torch.float64)


def intervals(x: Tensor, *, half: float = 0.8) -> tuple[Tensor, Tensor]:
    """(..., 8) losses and (..., 8, 5) ids of a picture of five glowing intervals; where they overlap light adds up."""
    pixels = torch.arange(8).double() + 0.5
    covers = (pixels[:, None] - x[..., None, :]).abs() < half
    light = (covers * torch.tensor([1.0, 0.7, 1.6, 0.4, 1.1], dtype=x.dtype)).sum(-1)
    wanted = torch.tensor([0.0, 1.0, 0.5, 2.0, 0.2, 0.0, 1.5, 0.3], dtype=x.dtype)
    return (light - wanted).square(), torch.where(covers, torch.arange(5), -1)


def picture(x: Tensor) -> PixelLosses:
    return PixelLosses(*intervals(x))


def pictures(x: Tensor) -> list[PixelLosses]:
    """Of a batch."""
    return [PixelLosses(*one) for one in zip(*intervals(x), strict=True)]


def only_one_side(made: list[PixelLosses]) -> list[PixelLosses]:
    """Deliberately wrong: ids of the + picture for both; batches have + and - in turn."""
    return [PixelLosses(one.values, made[i - i % 2].primitives) for i, one in enumerate(made)]


def exact(epsilon: float) -> Tensor:
    patterns = all_signs(5).double()
    return full_image(intervals(CENTERS + epsilon * patterns)[0].sum(-1), epsilon)


def test_the_mean_over_all_signs_is_the_gradient_of_the_smoothed_loss(every_pattern: None) -> None:
    # Nothing hides anything here, so it is exact, though pixels are of several intervals and jump.
    expected = exact(0.3)
    assert (expected.abs() > 0.1).all()
    found = PerPixel(epsilon=0.3, pairs=32).estimate(picture, CENTERS)
    torch.testing.assert_close(found.gradient, expected, rtol=1e-12, atol=1e-12)
    found = PerPixel(epsilon=0.3, views=32).estimate(picture, CENTERS)
    torch.testing.assert_close(found.gradient / 32, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_the_mean_of_samples_too_and_their_spread(generator: torch.Generator) -> None:
    objective, repeats, pairs = Objective(pictures, batched=True), 60, 40

    def samples(f: Objective) -> Any:
        estimator = PerPixel(epsilon=0.3, pairs=pairs)
        return sample(estimator, f, CENTERS, repeats=repeats, pairs=pairs, generator=generator)

    good = samples(objective)
    assert_mean(good, exact(0.3))
    assert good.error.max() < 0.05 * exact(0.3).norm()
    wrong = samples(Objective(lambda x: only_one_side(pictures(x)), batched=True))
    with pytest.raises(AssertionError, match=r"standard errors|times the gradient"):
        assert_mean(wrong, exact(0.3))


@pytest.mark.slow
def test_the_spread_is_the_claimed_one_and_falls_with_pairs(generator: torch.Generator) -> None:
    # A chain: pixel p mixes the entries p and p + 1. Entry i gets of its two pixels its own slopes, and those of the
    # two neighbours at random signs: their squares are the variance, and nothing comes of all the others.
    weights = torch.rand(2, 40, generator=generator, dtype=torch.float64) + 0.5
    ids = torch.stack([torch.arange(40), (torch.arange(40) + 1) % 40], dim=-1)

    def chain(x: Tensor) -> list[PixelLosses]:
        mixed = weights[0] * x + weights[1] * x.roll(-1, dims=-1)
        return [PixelLosses(one, ids) for one in mixed]

    gradient = weights[0] + weights[1].roll(1)
    variance = weights[1].square() + weights[0].roll(1).square()
    x = torch.zeros(40, dtype=torch.float64)
    for pairs in (2, 8):
        samples = sample(
            PerPixel(pairs=pairs),
            Objective(chain, batched=True),
            x,
            repeats=150,
            pairs=pairs,
            generator=generator,
        )
        assert_mean(samples, gradient)
        assert_spread(samples)
        assert (samples.gradients.var(0) / variance).mean().item() * pairs == pytest.approx(1, rel=0.08)
    whole = SPSA(pairs=400).estimate(
        Objective(lambda x: (weights[0] * x + weights[1] * x.roll(-1, dims=-1)).sum(-1), batched=True),
        x,
        generator=generator,
    )
    assert (400 * whole.standard_error.square() / variance).mean() > 15  # all 39 others in place of two


# Coherence and directions: the exact mean, over all patterns of signs with their chances


def patterns(rows: int, columns: int, coherence: float) -> tuple[Tensor, Tensor]:
    """(N, rows, columns) signs and (N,) their chances."""
    signs = all_signs(rows * columns).double().view(-1, rows, columns)
    either = [(0.5 + 0.5 * side * coherence**0.5 * signs).prod(1) for side in (1, -1)]
    return signs, torch.stack(either).mean(0).prod(-1)


SHEET = torch.tensor([[0, 1, 2], [1, 3, 2], [4, 4, 4]])
SHEET_IDS = torch.tensor([[0, 0, 1, 1, -1, 2], [0, 1, 1, -1, -1, 2]])


def sheet(generator: torch.Generator) -> Tensor:
    """(6, 5, 2): slopes of six pixels, made by two triangles and a lone row as SHEET_IDS has them in two pictures."""
    slopes = torch.rand(6, 5, 2, generator=generator, dtype=torch.float64) + 0.2
    for pixel, made in enumerate(SHEET_IDS.T.tolist()):
        touched = {row for one in made if one >= 0 for row in SHEET[one].tolist()}
        slopes[pixel, [row for row in range(5) if row not in touched]] = 0
    return slopes


def test_views_have_rows_and_gradients_of_their_own(generator: torch.Generator) -> None:
    """Painted pixels: the central difference of a square is its derivative. What views share sums up over them."""
    own, common = (torch.rand(shape, generator=generator, dtype=torch.float64) for shape in ((3, 5), (5,)))
    target = torch.rand(3, 5, generator=generator, dtype=torch.float64)

    def losses(own: torch.Tensor, common: torch.Tensor) -> PixelLosses:
        assert own.shape == common.shape == (3, 5)
        values = torch.cat([(own - target).square(), (common - target).square()], dim=1)
        apart = torch.full((3, 5), -1)
        ids = torch.arange(5).expand(3, 5)
        return PixelLosses(values, (torch.cat([ids, apart], 1), torch.cat([apart, ids], 1)))

    for coherence in (0.0, 0.6):
        estimator = PerPixel(0.01, pairs=2, views=3, per_view=(True, False), coherence=coherence)
        found = estimator.estimate(losses, (own, common), generator=generator).gradient
        torch.testing.assert_close(found[0], 2 * (own - target))
        torch.testing.assert_close(found[1], 2 * (common - target).sum(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per_view": True}, "per_view: expected a number of views beside it, got None"),
        (
            {"per_view": True, "views": 2},
            r"per_view: expected parameters of 2 views, leading, got shape \(4,\)",
        ),
        (
            {"per_view": (True, False), "views": 4},
            "per_view: expected one for all, or one for each of 1 tensors, got 2",
        ),
    ],
)
def test_rows_of_views_without_views_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PerPixel(**options).estimate(lambda x: PixelLosses(x.square(), torch.arange(4)), torch.ones(4))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["buffers", "lists", "directions"])
def test_coherent_signs_leave_the_mean_as_it_is(
    kind: str, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slopes = sheet(generator)
    signs, chances = patterns(5, 1 if kind == "directions" else 2, 0.6)
    monkeypatch.setattr(per_pixel, "coherent_signs", lambda *_: signs)
    moved: list[Tensor] = []

    def f(x: Tensor) -> PixelLosses:
        moved.append(x)
        values = chances[:, None] * (slopes * x[:, None]).sum((-1, -2))  # a view for each pattern
        ids = SHEET_IDS[len(moved) - 1].expand(values.shape)
        return PixelLosses(values, Contributors.of(ids[..., None]) if kind == "lists" else ids)

    units = torch.tensor([0.5, 1.0, 1.0, 2.0, 1.0]).double()[:, None]
    one = torch.nn.functional.normalize(torch.randn(5, 2, generator=generator, dtype=torch.float64), dim=-1)
    options: dict[str, Any] = {"primitives": SHEET, "views": len(signs), "units": lambda x: units}
    exact = slopes.sum(0)
    if kind == "directions":
        options["directions"] = lambda x: one.expand(len(signs), 5, 2)
        exact = (exact * one).sum(-1, keepdim=True) * one
    estimator = PerPixel(0.1, coherence=0.6, **options)
    found = estimator.estimate(f, torch.zeros(5, 2, dtype=torch.float64)).gradient
    torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-12)
    expected = 0.1 * units * signs * (one if kind == "directions" else 1)
    torch.testing.assert_close(moved[0], expected)
    torch.testing.assert_close(moved[1], -expected)


@pytest.mark.slow
def test_coherence_lessens_the_variance_of_what_rows_have_in_common(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A pixel of three rows, a slope of a third each. Their sum is S^2 / (3 (1 + 2 c)), where S, the sum of their signs,
    # is 3 or 1 but for its own sign. A variance of 4/3 without coherence; 0.31 with one of 0.6.
    def f(x: Tensor) -> PixelLosses:
        return PixelLosses(x.mean(-1)[None], torch.zeros(1, dtype=torch.int64))

    for coherence, variance in ((1e-9, 4 / 3), (0.6, 0.3085)):
        signs, chances = patterns(3, 1, coherence)
        sums = torch.zeros(len(signs)).double()
        for i, one in enumerate(signs):
            monkeypatch.setattr(per_pixel, "coherent_signs", lambda *_, one=one: one[None])
            estimator = PerPixel(0.5, primitives=torch.tensor([[0, 1, 2]]), coherence=coherence)
            sums[i] = estimator.estimate(f, torch.zeros(3).double()).gradient.sum()
        mean = (chances * sums).sum().item()
        assert mean == pytest.approx(1)
        assert (chances * sums.square()).sum().item() - mean**2 == pytest.approx(variance, rel=1e-3)


def test_threads_weigh_as_one_does(generator: torch.Generator) -> None:
    # A thread that begins in the middle of equal pixels knows nothing of those before.
    values, ids = torch.rand(2, 7, generator=generator), torch.zeros(2, 7, dtype=torch.int32)
    signs = torch.tensor([[1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]])
    expected = values * torch.tensor([[1.0], [-3.0]]) * (0.5 / 2)
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            table = torch.tensor([[0, 1, 2]], dtype=torch.int32)
            found = weighed(values, torch.zeros_like(values), ids, ids, table, signs, 0.5)
            torch.testing.assert_close(found, expected)
    finally:
        torch.set_num_threads(before)


def test_refuses_directions_and_coherences_that_do_not_fit() -> None:
    x = torch.zeros(4, 3)
    for options, message in (
        (
            {"directions": lambda x: (None, None)},
            "directions: expected one or None for each of 1 tensors, got 2",
        ),
        ({"directions": lambda x: torch.ones(4)}, r"directions: expected shape \(4, 3\), .* got \(4,\)"),
        ({"coherence": (0.5, 0.5)}, "coherence: expected one for all, or one for each of 1 tensors, got 2"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            PerPixel(**options).estimate(at(), x)


def test_coherent_signs_agree_as_often_as_they_should(generator: torch.Generator) -> None:
    signs = coherent_signs((4000, 3, 2), 0.5, generator)
    assert signs.abs().eq(1).all() and signs.mean((0, 1)).abs().max() < 0.06
    flat = signs.flatten(1)
    products = flat.T @ flat / len(flat)
    column = torch.arange(6) % 2
    expected = torch.where(column[:, None] == column, 0.5, 0.0).fill_diagonal_(1.0)
    torch.testing.assert_close(products, expected, rtol=0, atol=0.07)


@pytest.mark.slow
def test_views_with_perturbations_of_their_own_reduce_the_variance(generator: torch.Generator) -> None:
    # Sixteen equal views of one pixel of two parameters, a slope of 1 each: with one perturbation for all, entry 0 is
    # 16 (1 + s0 s1), of variance 256; with one for each, the sum of sixteen 1 + s0 s1, of variance 16.
    both = torch.arange(2).expand(16, 2)

    def f(x: Tensor) -> PixelLosses:
        return PixelLosses((x + torch.zeros(16, 2)).sum(-1), both)

    def spread(**options: Any) -> float:
        estimator = PerPixel(epsilon=0.5, **options)
        found = torch.stack(
            [estimator.estimate(f, torch.zeros(2), generator=generator).gradient[0] for _ in range(400)]
        )
        assert abs(found.mean() - 16) < 4.5 * found.std() / 20
        return found.var().item()

    assert spread() == pytest.approx(256, rel=0.2) and spread(views=16) == pytest.approx(16, rel=0.3)


def test_standard_errors_are_nothing_where_nothing_is_random() -> None:
    def f(x: Tensor) -> PixelLosses:
        return PixelLosses(3 * x + 1000, torch.arange(4))

    result = PerPixel(epsilon=0.5, pairs=6).estimate(f, torch.zeros(4))
    torch.testing.assert_close(result.gradient, torch.full((4,), 3.0), rtol=1e-6, atol=0)
    assert result.standard_error.abs().max() < 1e-6


# A hard rasterizer


def camera(count: int, size: int = 32) -> Cameras:
    """So many cameras at one place, that look along z from 3 in front of the origin."""
    pose = torch.eye(4)
    pose[2, 3] = 3.0
    intrinsics = torch.tensor([[1.5 * size, 0, size / 2], [0, 1.5 * size, size / 2], [0, 0, 1.0]])
    return Cameras(pose.expand(count, 4, 4), intrinsics.expand(count, 3, 3), size, size)


def scene(
    vertices: Tensor, faces: Tensor, colors: Tensor, change: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], PixelLosses]:
    """L2 losses of what `change` makes of the parameters of each view, against the picture of a shifted mesh."""
    draw = HardRasterizer()
    target = draw(vertices + torch.tensor([0.11, -0.07, 0.0]), faces, 0.6 * colors, camera(1)).images

    def f(x: Tensor) -> PixelLosses:
        made = draw(change(x), faces, colors, camera(len(x)))
        losses = pixel_losses(made.images, target.expand_as(made.images), kind="l2")
        return PixelLosses(losses * len(x), made.triangles)  # those of each view as if it were alone

    return f


TRIANGLE = torch.tensor([[-0.6, -0.5, 0.1], [0.7, -0.3, -0.2], [-0.1, 0.7, 0.3]])


@pytest.mark.parametrize("shift", [0.0, 0.007, 0.015], ids=lambda s: f"{s * 16:.2f} pixels")
def test_a_triangle_before_nothing_is_exact(shift: float, every_pattern: None) -> None:
    # All 2^9 patterns at once, as views with perturbations of their own. 0.04 units are about 0.64 pixels.
    vertices, epsilon = TRIANGLE + shift, 0.04
    faces, colors = (
        torch.tensor([[0, 1, 2]]),
        torch.tensor([[0.9, 0.2, 0.1], [0.3, 0.8, 0.2], [0.1, 0.3, 0.9]]),
    )
    f = scene(vertices, faces, colors, lambda x: x)
    found = PerPixel(epsilon, primitives=faces, views=512).estimate(f, vertices).gradient.flatten() / 512
    losses = f(vertices + epsilon * all_signs(9).view(-1, 3, 3)).values.double().sum((1, 2))
    expected = full_image(losses, epsilon)
    assert expected.norm() > 0.1
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-5 * expected.norm().item())


@pytest.mark.parametrize("apart", [True, False], ids=["outlines apart", "outlines together"])
@pytest.mark.parametrize("epsilon", [0.02, 0.06])
def test_a_bias_where_outlines_lie_within_a_step_and_none_elsewhere(
    apart: bool, epsilon: float, every_pattern: None
) -> None:
    # Two triangles one behind the other, and only x moves: 2^6 patterns, of 0.3 and 1 pixel. The rear one is seen
    # around the front one, or is hidden exactly (3.5 / 3 times as large, as far away) so that their outlines coincide:
    # a pixel that shows it at one of its signs and nothing at the other tells it only half of the truth.
    size = 1.6 if apart else 1.16
    vertices = torch.cat([TRIANGLE, size * TRIANGLE + torch.tensor([0.0, 0.0, 0.5])])
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    colors = torch.tensor([[0.9, 0.2, 0.1]] * 3 + [[0.1, 0.7, 0.9]] * 3)

    def change(x: Tensor) -> Tensor:
        return torch.cat([x, vertices[:, 1:].expand(len(x), 6, 2)], dim=-1)

    f = scene(vertices, faces, colors, change)
    x = vertices[:, :1]
    found = PerPixel(epsilon, primitives=faces, views=64).estimate(f, x).gradient.flatten().double() / 64
    losses = f(x + epsilon * all_signs(6).view(-1, 6, 1)).values.double().sum((1, 2))
    expected = full_image(losses, epsilon)
    cosine = torch.cosine_similarity(found, expected, dim=0).item()
    ratio = (found.norm() / expected.norm()).item()
    if apart:
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-5 * expected.norm().item())
    else:
        assert 0.85 < cosine < 0.92 and 0.82 < ratio < 0.92, (cosine, ratio)


def test_colours_get_the_analytic_gradient_while_vertices_are_held_fixed(generator: torch.Generator) -> None:
    faces = torch.tensor([[0, 1, 2], [2, 1, 3]])
    vertices = torch.tensor([[-0.7, -0.7, 0.0], [0.7, -0.6, 0.1], [-0.6, 0.7, 0.1], [0.7, 0.7, 0.0]])
    colors = torch.rand(4, 3, generator=generator)
    draw, target = HardRasterizer(), torch.rand(1, 32, 32, 4, generator=generator)

    # A hundred views at one place, each with colours of its own; the loss is their mean.
    def f(vertices: Tensor, colors: Tensor) -> PixelLosses:
        made = draw(vertices, faces, colors, camera(100))
        assert made.triangles is not None and vertices.shape == (4, 3)
        losses = pixel_losses(made.images, target.expand_as(made.images), kind="l2")
        nothing = torch.full_like(made.triangles, -1)
        return PixelLosses(losses, (nothing, made.triangles))  # ids for each argument

    # The picture is linear in the colours: its derivative is the picture of a vertex that alone is white.
    shares = torch.stack(
        [draw(vertices, faces, torch.eye(4)[:, [i] * 3], camera(1)).images[..., 0] for i in range(4)]
    )
    image = draw(vertices, faces, colors, camera(1)).images
    slope = 2 * (image - target)[..., :3] / (32 * 32)
    expected = torch.einsum("vbhw,bhwc->vc", shares, slope)
    moving = colors.clone().requires_grad_()
    sampled = differentiable(f, PerPixel(0.05, primitives=faces, pairs=8, views=100), generator=generator)
    sampled(vertices, moving).backward()
    assert sampled.last is not None and not isinstance(sampled.last.standard_error, tuple)
    error = sampled.last.standard_error
    assert ((moving.grad - expected).abs() < 4.5 * error).all() and error.norm() < 0.1 * expected.norm()


def test_each_argument_has_ids_of_its_own() -> None:
    # Four pixels, two of which show a and two b, in reverse; a table of one corner, in reverse again, for the third.
    ids = (
        torch.tensor([0, 1, -1, -1, -1, -1]),
        torch.tensor([-1, -1, 1, 0, -1, -1]),
        torch.tensor([-1] * 4 + [0, 1]),
    )

    def f(a: Tensor, b: Tensor, c: Tensor) -> PixelLosses:
        return PixelLosses(torch.cat([3 * a, b.flip(0) * torch.tensor([5.0, 7.0]), c.flip(0)]), ids)

    estimator = PerPixel(0.5, primitives=(None, None, torch.tensor([[1], [0]])))
    a, b, c = estimator.estimate(f, (torch.zeros(2), torch.zeros(2), torch.zeros(2))).gradient
    assert a.tolist() == [3, 3] and b.tolist() == [7, 5] and c.tolist() == [1, 1]

    def two(a: Tensor, b: Tensor) -> PixelLosses:
        return PixelLosses(f(a, b, torch.zeros(2)).values, ids[:2])

    a, b = PerPixel(0.5).estimate(two, (torch.zeros(2), torch.zeros(2))).gradient
    assert a.tolist() == [3, 3] and b.tolist() == [7, 5]


def test_tables_may_have_different_sizes() -> None:
    for _ in range(20):  # of a tuple, a type checker looks at one item, drawn by chance
        PerPixel(0.5, primitives=(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(4, 1, dtype=torch.int64)))


# Sizes


def test_each_tensor_has_a_step_and_a_schedule_of_its_own() -> None:
    seen: list[tuple[float, float]] = []

    def f(a: Tensor, b: Tensor) -> PixelLosses:
        seen.append((a.abs().max().item(), b.abs().max().item()))
        return PixelLosses(torch.zeros(3), (torch.arange(3), torch.zeros(3, dtype=torch.int64)))

    estimator = PerPixel((geometric(0.4, 0.1, 2), 3.0))
    for _ in range(3):
        estimator.estimate(f, (torch.zeros(5), torch.zeros(1, 2)))
    assert [a for a, _ in seen[::2]] == pytest.approx([0.4, 0.2, 0.1])
    assert {b for _, b in seen} == {3.0}
    assert estimator.state_dict() == {"calls": 3}


def test_units_say_what_a_step_is_for_each_row_and_view() -> None:
    # Two views, three rows, two columns; a pixel is 1, 2, 3 long in the first view, 10, 20, 30 in the second.
    size = torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])[..., None]
    x, moved = torch.zeros(3, 2, dtype=torch.float64), []

    def f(x: Tensor) -> PixelLosses:
        moved.append(x)
        return PixelLosses(x[..., 0] + 0.5 * x[..., 1], torch.arange(3).expand(2, 3))

    estimator = PerPixel(0.5, views=2, units=lambda x: size)
    found = torch.stack([estimator.estimate(f, x).gradient for _ in range(50)])
    assert moved[0].dtype == torch.float64
    assert torch.equal(moved[0].abs(), (0.5 * size).expand(2, 3, 2).double())
    # Slopes of 1 and 0.5 in both views, each with the other's at a random sign: 1 + 0.5 s and 0.5 + s, summed up.
    assert set(found[..., 0].unique().tolist()) == {1.0, 2.0, 3.0}
    assert set(found[..., 1].unique().tolist()) == {-1.0, 1.0, 3.0}
    assert (found.mean((0, 1)) - torch.tensor([2.0, 1.0])).abs().max() < 4.5 * math.sqrt(2 / 150)


def test_small_steps_that_large_entries_do_not_hide_are_fine() -> None:
    x = torch.tensor([0.0, 1000.0])

    def f(x: Tensor) -> PixelLosses:
        return PixelLosses(x, torch.arange(2))

    sizes = torch.tensor([1e-6, 1.0])
    found = PerPixel(1.0, units=lambda x: sizes).estimate(f, x).gradient
    torch.testing.assert_close(found, torch.ones(2))
    with pytest.raises(ValueError, match=r"^epsilon: expected a size that float32 can add .* entry of 1000;"):
        PerPixel(1e-6).estimate(f, x)


# Errors


def at(values: Any = None, primitives: Any = None) -> Callable[..., PixelLosses]:
    """A function of any parameters that returns these."""
    values = torch.arange(4.0) if values is None else values
    primitives = torch.zeros(4, dtype=torch.int64) if primitives is None else primitives
    calls = itertools.count()
    return lambda *x: PixelLosses(values + next(calls), primitives)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": 0}, "views: expected an integer >= 1 or None, got 0"),
        ({"views": True}, "views: expected an integer >= 1 or None, got True"),
        ({"coherence": 1.0}, r"coherence: expected a number in \[0, 1\), got 1.0"),
        ({"coherence": (0.5, -0.1)}, r"coherence: expected a number in \[0, 1\), got -0.1"),
        (
            {"primitives": torch.zeros(3)},
            r"primitives: expected \(F, C\) rows .*, got torch.float32 of shape \(3,\)",
        ),
        (
            {"primitives": (None, torch.zeros(3, 0, dtype=torch.int64))},
            r"primitives: expected .* of shape \(3, 0\)",
        ),
    ],
)
def test_refuses_options(options: dict[str, Any], message: str, unchecked: None) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        PerPixel(**options)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (
            lambda x: 1.0,
            r"f: expected PixelLosses\(values, primitives\), got float; a function that only gives a number has SPSA",
        ),
        (at(torch.zeros(0)), r"f: expected values of shape \(0,\), got \(0,\)"),
        (
            at(primitives=torch.zeros(4)),
            r"f: expected whole numbers of the values' shape \(4,\).* torch.float32",
        ),
        (at(primitives=torch.zeros(3, dtype=torch.int64)), r"f: expected whole numbers .*of shape \(3,\)"),
        (
            at(primitives=(torch.zeros(4, dtype=torch.int64),) * 2),
            "f: expected primitives for each of 1 tensors",
        ),
        (
            at(primitives=torch.tensor([0, 5, 7, 1])),
            r"primitives: expected ids below 5, got 7; are they of this",
        ),
    ],
)
def test_refuses_what_f_returns(f: Any, message: str, unchecked: None) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        PerPixel().estimate(f, torch.zeros(5, 3))


def test_refuses_pictures_that_differ_in_shape_or_views() -> None:
    zero = torch.zeros(4, dtype=torch.int64)
    two = iter([PixelLosses(torch.zeros(4), zero), PixelLosses(torch.zeros(3), zero[:3])])
    with pytest.raises(ValueError, match=r"^f: expected values of shape \(4,\), got \(3,\)"):
        PerPixel().estimate(lambda x: next(two), torch.zeros(2))
    two = iter([PixelLosses(torch.zeros(4), zero), PixelLosses(torch.zeros(4), zero[:, None])])
    with pytest.raises(ValueError, match=r"^f: expected as many primitives a pixel .*fill up with -1"):
        PerPixel().estimate(lambda x: next(two), torch.zeros(2))
    with pytest.raises(ValueError, match=r"^f: expected values of 3 views, leading, got shape \(4,\)"):
        PerPixel(views=3).estimate(at(), torch.zeros(2))


def test_refuses_tables_and_units_that_do_not_fit_the_parameters() -> None:
    x, faces = torch.zeros(4, 3), torch.tensor([[0, 1, 4]])
    with pytest.raises(
        ValueError, match=r"^primitives: expected rows below 4, those of the parameters, got 4"
    ):
        PerPixel(primitives=faces).estimate(at(), x)
    with pytest.raises(
        ValueError, match=r"^primitives: expected one for all, or one for each of 1 tensors, got 2"
    ):
        PerPixel(primitives=(faces, None)).estimate(at(), x)
    for units, message in (
        (lambda x: (1.0, 2.0), r"units: expected one for each of 1 tensors, got 2"),
        (lambda x: 0.0, r"units: expected finite numbers > 0, got steps from 0 to 0"),
        (lambda x: torch.nan, r"units: expected finite numbers > 0, got steps from nan"),
        (lambda x: torch.ones(2, 4, 3), r"units: .* broadcasts to \(4, 3\), got shape \(2, 4, 3\)"),
        (lambda x: torch.ones(5), r"units: .* broadcasts to \(4, 3\), got shape \(5,\)"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            PerPixel(units=units).estimate(at(), x)


def test_losses_that_are_not_finite_are_told_with_their_parameters() -> None:
    two = iter([at()(), at(torch.tensor([0.0, torch.inf, 0, 0]))()])
    with pytest.raises(
        EvaluationError, match=r"^evaluation 1 of 2 returned pixels whose losses sum up to inf"
    ) as told:
        PerPixel(0.5).estimate(lambda x: next(two), torch.zeros(2))
    assert told.value.index == 1 and torch.equal(told.value.parameters[0].abs(), torch.full((2,), 0.5))


# Meshes


def eight_bits(seed: int) -> FunctionRenderer:
    """A renderer of bytes, with noise of one of 255 steps."""
    source, draw = torch.Generator().manual_seed(seed), HardRasterizer()

    def function(vertices: Tensor, faces: Tensor, colors: Tensor, cameras: Cameras) -> Tensor:
        images = 255 * draw(vertices, faces, colors, cameras).images
        return (images + torch.randn(images.shape, generator=source)).round().clamp(0, 255).to(torch.uint8)

    return FunctionRenderer(function, batched=True)


@pytest.mark.slow
@pytest.mark.parametrize("noisy", [False, True], ids=["hard rasterizer", "8 bits and noise"])
def test_a_sphere_reaches_a_target(noisy: bool) -> None:
    ball = icosphere(3)
    stretched = ball.vertices * torch.tensor([1.25, 0.8, 1.0]) + torch.tensor([0.05, 0.1, 0.0])
    views = sphere_of_cameras(6, distance=4.0, fov_y_degrees=45.0, height=64, width=64)
    draw = eight_bits(0) if noisy else HardRasterizer()
    colors = (0.5 + 0.5 * ball.vertices).clamp(0, 1)
    targets = HardRasterizer()(stretched, ball.faces, colors, views).images

    def f(vertices: Tensor, colors: Tensor) -> PixelLosses:
        made = draw(vertices, ball.faces, colors, views)
        return PixelLosses(pixel_losses(made.images, targets), made.triangles)

    shape = LargeSteps(ball.faces, ball.vertices, lambda_=10.0)
    latent = shape.to_differential(ball.vertices).requires_grad_()
    paint = torch.full_like(colors, 0.5).requires_grad_()
    loss = differentiable(
        f,
        PerPixel((geometric(0.03, 0.01, 120), 0.05), primitives=ball.faces, views=6),
        generator=torch.Generator().manual_seed(1),
    )
    optimizer = UniformAdam([{"params": [latent], "lr": 0.06}, {"params": [paint], "lr": 0.1}], lr=0.06)
    falling = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.975)

    def distance(vertices: Tensor) -> float:
        found, truth = Mesh(vertices, ball.faces), Mesh(stretched, ball.faces)
        return surface_distances(found, truth, samples=4000).chamfer_permille

    before = distance(ball.vertices)
    for _ in range(120):
        optimizer.zero_grad()
        loss(shape.from_differential(latent), paint).backward()
        optimizer.step()
        falling.step()
    after = distance(shape.from_differential(latent.detach()))
    print(before, after, (paint.detach() - colors).abs().mean(), (0.5 - colors).abs().mean())
    assert after < 0.15 * before, (before, after)
    assert (paint.detach() - colors).abs().mean() < 0.5 * (0.5 - colors).abs().mean()
