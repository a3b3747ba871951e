"""SPSA, the smoothed gradient and finite differences: what is particular to them, and what the harness catches."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch
from estimator_oracles import MEMBERS, assert_mean, assert_spread, known_mean, make, sample
from test_estimators import HESSIAN, SLOPE, X, batched, quadratic
from torch import Tensor

from largesteps_zg.estimators import (
    SPSA,
    CentralDifferences,
    GradientEstimate,
    Objective,
    Smoothed,
    geometric,
    linear,
)
from largesteps_zg.estimators.antithetic import estimate_from_pairs, random_signs
from largesteps_zg.estimators.packing import Packing
from largesteps_zg.estimators.schedules import Widths

# Draws


def test_signs_are_fair_and_independent(generator: torch.Generator) -> None:
    signs = random_signs(3, 130, generator)
    assert signs.shape == (3, 130) and set(signs.flatten().tolist()) == {-1, 1}
    words = random_signs(4000, 64, generator).double()
    # Standard normal off the diagonal, if bits do not know of each other.
    within = words.T @ words / math.sqrt(4000)
    off = within[~torch.eye(64, dtype=torch.bool)]
    assert off.abs().max() < 5.5 and abs(off.square().mean().item() - 1) < 0.1
    assert (words.sum(dim=0) / math.sqrt(4000)).abs().max() < 4.5  # each bit of a word
    assert (words[1:] * words[:-1]).sum(dim=0).abs().max() / math.sqrt(4000) < 4.5  # and the same of the next


def test_the_smoothed_gradient_perturbs_with_the_derivative_of_a_gaussian(generator: torch.Generator) -> None:
    moved: list[float] = []
    Smoothed(sigma=0.3, pairs=1).estimate(
        lambda x: moved.extend(x.tolist()) or 0.0, torch.zeros(20_000), generator=generator
    )
    drawn, mirrored = np.array(moved[:20_000]), np.array(moved[20_000:])
    assert np.array_equal(drawn, -mirrored)

    def distribution(t: Any) -> Any:
        """Integral of |t| exp(-t^2 / 2 sigma^2) / (2 sigma^2)."""
        tail = 0.5 * np.exp(-0.5 * (t / 0.3) ** 2)
        return np.where(t < 0, tail, 1 - tail)

    assert scipy.stats.kstest(drawn, distribution).pvalue > 1e-4
    assert drawn.var() == pytest.approx(2 * 0.3**2, rel=0.05)


# Which function's gradient it is, where that matters


def diagonal(x: Tensor) -> Tensor:
    """A step along a diagonal: no product of functions of one entry each."""
    return (x[..., 0] + 2 * x[..., 1] > 0.3).double()


@pytest.mark.slow
def test_smoothed_mean_at_a_diagonal_step(generator: torch.Generator) -> None:
    sigma, x = 0.5, torch.tensor([0.1, -0.2], dtype=torch.float64)

    def humps(t: float) -> float:
        return abs(t) * math.exp(-0.5 * (t / sigma) ** 2) / (2 * sigma**2)

    def normal(t: float) -> float:
        return math.exp(-0.5 * (t / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))

    # The derivative of the step is a delta along the edge: entry i of the gradient is one integral over the other.
    first, _ = scipy.integrate.quad(
        lambda u: humps(u) * normal(0.3 - 0.1 - 2 * (-0.2 + u)), -5, 5, points=[0.0]
    )
    second, _ = scipy.integrate.quad(
        lambda u: humps(u) * normal((0.3 - (0.1 + u)) / 2 + 0.2), -5, 5, points=[0.0]
    )
    expected = torch.tensor([first, second], dtype=torch.float64)
    estimator = Smoothed(sigma=sigma, pairs=400)
    samples = sample(estimator, batched(diagonal), x, repeats=60, pairs=400, generator=generator)
    assert_mean(samples, expected)
    # It is not the gradient of the step blurred with Gaussians in all entries, which has a closed form.
    both = math.sqrt(1 + 4) * sigma
    gaussian = math.exp(-0.5 * (0.6 / both) ** 2) / (both * math.sqrt(2 * math.pi)) * torch.tensor([1.0, 2.0])
    with pytest.raises(AssertionError):
        assert_mean(samples, gaussian)


@pytest.mark.slow
def test_spsa_mean_at_a_diagonal_step(generator: torch.Generator) -> None:
    # By hand: x + 2 y is -0.3, and +1.2, +0.2, -0.8 and -1.8 at the corners: above 0.3 only at (+, +). So half of the
    # pairs, those of equal signs, have a slope of 1 / (2 * 0.5), and the others none; the same for both entries.
    x = torch.tensor([0.1, -0.2], dtype=torch.float64)
    samples = sample(
        SPSA(epsilon=0.5, pairs=400), batched(diagonal), x, repeats=20, pairs=400, generator=generator
    )
    assert_mean(samples, torch.tensor([0.5, 0.5]))


# The harness itself: an estimator that is wrong is caught


class Wrong:
    """Pairs of its own, in NumPy's way of writing: a scale and a kernel that a test can spoil."""

    def __init__(
        self, *, factor: float = 1.0, kernel: str = "humps", sides: int = 2, error_factor: float = 1.0
    ) -> None:
        self.factor, self.kernel, self.sides, self.error_factor = factor, kernel, sides, error_factor

    def estimate(self, f: Any, x: Tensor, *, generator: torch.Generator) -> GradientEstimate:
        pairs, sigma = 400, 0.5
        normal = torch.randn(2, pairs, *x.shape, generator=generator, dtype=torch.float64)
        if self.kernel == "humps":  # the length of two normal numbers has Rayleigh's density
            t = sigma * normal.square().sum(dim=0).sqrt() * normal[0].sign()
            weight = math.sqrt(2 / math.pi) / sigma * t.sign()
        else:
            t = sigma * normal[0]
            weight = t / sigma**2
        if self.sides == 2:
            difference = 0.5 * (f.losses([(p,) for p in x + t]) - f.losses([(p,) for p in x - t]))
        else:
            t, weight = t.abs(), weight.abs()
            difference = f.losses([(p,) for p in x + t]) - f.losses([(x,)])
        each = self.factor * weight * difference[:, None]
        error = self.error_factor * each.std(dim=0) / math.sqrt(pairs)
        return GradientEstimate(torch.zeros(()), each.mean(dim=0), error, 2 * pairs)


def cubic(x: Tensor) -> Tensor:
    return x[..., 0] * x[..., 1] ** 2 + 0.5 * x[..., 0] ** 3


def smoothed_cubic() -> Tensor:
    member = MEMBERS["smoothed"]
    assert member.slope is not None and member.blur is not None
    return known_mean(cubic, X, member.slope(0.5), member.blur(0.5))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoilt", "caught"),
    [
        ({}, False),
        ({"factor": 1.06}, True),
        ({"factor": math.sqrt(math.pi / 2)}, True),  # forgets the kernel's weight
        ({"kernel": "gaussian"}, True),  # blurs all entries alike
    ],
    ids=["right", "6 percent", "forgets a factor", "other kernel"],
)
def test_the_harness_catches_a_wrong_mean(
    spoilt: dict[str, Any], caught: bool, generator: torch.Generator
) -> None:
    samples = sample(Wrong(**spoilt), batched(cubic), X, repeats=50, pairs=400, generator=generator)
    if caught:
        with pytest.raises(AssertionError, match=r"standard errors|times the gradient"):
            assert_mean(samples, smoothed_cubic())
    else:
        assert_mean(samples, smoothed_cubic())


@pytest.mark.slow
def test_the_harness_catches_one_that_looks_to_one_side_of_a_step(generator: torch.Generator) -> None:
    objective, x = batched(lambda x: (x[:, 0] > 0.2).double()), torch.zeros(1, dtype=torch.float64)
    expected = torch.tensor([scipy.stats.norm.pdf(0.2, scale=0.5)])
    assert_mean(sample(Wrong(), objective, x, repeats=40, pairs=400, generator=generator), expected)
    with pytest.raises(AssertionError, match="standard errors"):
        assert_mean(
            sample(Wrong(sides=1), objective, x, repeats=40, pairs=400, generator=generator), expected
        )


@pytest.mark.slow
@pytest.mark.parametrize(("error_factor", "caught"), [(1.0, False), (0.9, True), (1.1, True)])
def test_the_harness_catches_a_wrong_standard_error(
    error_factor: float, caught: bool, generator: torch.Generator
) -> None:
    slope = torch.linspace(-1, 1, 60, dtype=torch.float64)
    objective = batched(lambda x: x @ slope)
    estimator = Wrong(error_factor=error_factor)
    samples = sample(
        estimator, objective, torch.zeros(60).double(), repeats=60, pairs=400, generator=generator
    )
    if caught:
        with pytest.raises(AssertionError, match="what is claimed"):
            assert_spread(samples)
    else:
        assert_spread(samples)


def test_too_few_samples_are_no_proof(generator: torch.Generator) -> None:
    samples = sample(SPSA(pairs=4), batched(quadratic), X, repeats=40, pairs=4, generator=generator)
    with pytest.raises(AssertionError, match="too few samples"):
        assert_mean(samples, HESSIAN @ X + SLOPE)


# The variance laws of the docstrings


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spsa", "smoothed"])
def test_variance_of_a_pair_on_a_linear_function(name: str, generator: torch.Generator) -> None:
    slope = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    total = slope.square().sum()
    law = {"spsa": total - slope.square(), "smoothed": 4 / math.pi * total - slope.square()}[name]
    result = make(name, pairs=8000).estimate(
        batched(lambda x: x @ slope), torch.zeros(4).double(), generator=generator
    )
    torch.testing.assert_close(8000 * result.standard_error.square(), law, rtol=0.05, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spsa", "smoothed"])
def test_variance_from_noise(name: str, generator: torch.Generator) -> None:
    noise = torch.Generator().manual_seed(8)

    def noisy(x: Tensor) -> Tensor:
        return 0.1 * torch.randn(len(x), generator=noise, dtype=torch.float64)

    law = {"spsa": 0.01 / (2 * 0.2**2), "smoothed": 0.01 / (math.pi * 0.2**2)}[name]
    result = make(name, width=0.2, pairs=8000).estimate(batched(noisy), X, generator=generator)
    assert 8000 * result.standard_error.square().mean().item() == pytest.approx(law, rel=0.07)


@pytest.mark.parametrize("pairs", [2, 3, 7])
def test_the_spread_of_few_pairs_is_that_of_their_mean(pairs: int, generator: torch.Generator) -> None:
    # Offsets and signs are known, so each pair's gradient is: NumPy's sample deviation over sqrt(pairs) is the law.
    x, slope = torch.zeros(5, dtype=torch.float64), torch.arange(1.0, 6.0, dtype=torch.float64)
    signs = torch.randint(0, 2, (pairs, 5), generator=generator) * 2 - 1
    offsets = torch.randn(pairs, 5, generator=generator, dtype=torch.float64)
    scale = torch.rand(5, generator=generator, dtype=torch.float64)
    taken = [0]

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        part = slice(taken[0], taken[0] + count)
        taken[0] += count
        return signs[part], offsets[part]

    objective = Objective(lambda p: (p * slope).sum())
    result = estimate_from_pairs(objective, Packing(x), draw, scale, pairs=pairs)
    each = (scale * signs * (offsets @ slope)[:, None]).numpy()
    np.testing.assert_allclose(result.gradient.numpy(), each.mean(0), atol=1e-12)
    error = each.std(0, ddof=1) / np.sqrt(pairs)
    np.testing.assert_allclose(result.standard_error.numpy(), error, rtol=1e-9)


# Central differences


def test_central_differences_are_exact_to_second_order() -> None:
    x = torch.tensor([0.3, -1.2], dtype=torch.float64)
    for epsilon in (0.1, 0.01):
        result = CentralDifferences(epsilon=epsilon).estimate(lambda x: x[0].exp() + x[1].sin(), x)
        # e^2 / 6 times the third derivative, and nothing else up to e^4.
        error = result.gradient - torch.stack([x[0].exp(), x[1].cos()])
        expected = epsilon**2 / 6 * torch.stack([x[0].exp(), -x[1].cos()])
        torch.testing.assert_close(error, expected, rtol=epsilon**2, atol=1e-12)
        assert torch.equal(result.standard_error, torch.zeros(2).double()) and result.evaluations == 4


def test_central_differences_divide_by_the_step_that_was_made() -> None:
    x = torch.tensor([1000.0])  # float32 has steps of 6e-5 there: 1000.001 is 1000.00098
    result = CentralDifferences(epsilon=1e-3).estimate(lambda x: x.double(), x)
    assert result.gradient.item() == pytest.approx(1.0, abs=1e-6)


# Schedules


def test_geometric_schedule() -> None:
    size = geometric(0.5, 0.01, 200, start=100)
    assert size(0) == size(100) == 0.5 and size(300) == size(10_000) == pytest.approx(0.01)
    assert size(200) == pytest.approx(math.sqrt(0.5 * 0.01))
    assert pickle.loads(pickle.dumps(size))(200) == size(200)
    for bad in ({"first": 0.0}, {"last": -1.0}, {"steps": 0}, {"start": -1}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            geometric(**{"first": 1.0, "last": 0.1, "steps": 5, **bad})


def test_linear_schedule() -> None:
    size = linear(0.5, 0.1, 200, start=100)
    assert size(0) == size(100) == 0.5 and size(300) == size(10_000) == 0.1
    assert size(150) == pytest.approx(0.4)  # a quarter of the way
    assert pickle.loads(pickle.dumps(size))(150) == size(150)
    for bad in ({"first": 0.0}, {"last": -1.0}, {"steps": 0}, {"start": -1}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            linear(**{"first": 1.0, "last": 0.1, "steps": 5, **bad})


@pytest.mark.parametrize("state", [{}, {"calls": -1}, {"calls": "many"}])
def test_refuses_a_state_that_is_none(state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="state: expected 'calls'"):
        Widths("sigma", 0.1).load_state_dict(state)


@pytest.mark.parametrize("name", ["spsa", "smoothed"])
def test_float32_and_float64_are_perturbed_alike(name: str) -> None:
    single, double = (
        make(name, pairs=3).estimate(
            lambda x: (x * torch.arange(5.0).to(x)).sum(),
            torch.zeros(5, dtype=dtype),
            generator=torch.Generator().manual_seed(9),
        )
        for dtype in (torch.float32, torch.float64)
    )
    torch.testing.assert_close(single.gradient.double(), double.gradient, rtol=1e-4, atol=1e-5)
