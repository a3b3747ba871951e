"""What the mean of each estimator is, worked out apart from its code, and the harness that holds samples against it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import scipy.stats
import torch
from torch import Tensor

from largesteps_zg.estimators import ESTIMATORS, Estimator, Objective, PixelLosses

Rule = tuple[Tensor, Tensor]  # nodes and weights of a sum that stands for an integral over one entry


@dataclass(frozen=True)
class Member:
    """What the family's tests have to know of an estimator.

    `slope` and `blur` are given a width: entry i of the mean gradient is the sum with `slope` in entry i and with
    `blur` in all others. `step` gets a width and the distance to a step of height 1, and gives the mean in 1-D.
    None: the mean is not known in closed form, and only the tests of behaviour are inherited.
    """

    width: str  # its keyword
    slope: Callable[[float], Rule] | None = None
    blur: Callable[[float], Rule] | None = None
    step: Callable[[float, float], float] | None = None
    pairs: str | None = "pairs"  # its keyword; None where nothing is random
    adapt: Callable[[Callable[..., Any]], Any] = lambda f: f  # from a plain loss to the f that it wants


def make(name: str, *, width: float | None = None, pairs: int | None = None) -> Estimator:
    """An estimator of the registry, with its own words for the options."""
    member, options = MEMBERS[name], {}
    if width is not None:
        options[member.width] = width
    if pairs is not None and member.pairs:
        options[member.pairs] = pairs
    return ESTIMATORS[name](**options)


def _two_points(width: float) -> Rule:
    return torch.tensor([-width, width]).double(), torch.tensor([-0.5 / width, 0.5 / width]).double()


def _either_side(width: float) -> Rule:
    return torch.tensor([-width, width]).double(), torch.tensor([0.5, 0.5]).double()


def _nothing(width: float) -> Rule:
    return torch.zeros(1).double(), torch.ones(1).double()


def _grid(width: float) -> tuple[Tensor, float]:
    """Midpoints from -9 to 9 widths; a kink in the middle costs them some 1e-5."""
    count = 900
    spacing = 18 * width / count
    return (torch.arange(count).double() + 0.5) * spacing - 9 * width, spacing


def _gaussian_slope(width: float) -> Rule:
    """Of f at x + t, weighed with t / sigma^2 N(t): the derivative of a convolution with a Gaussian."""
    t, spacing = _grid(width)
    density = torch.exp(-0.5 * (t / width) ** 2) / (width * math.sqrt(2 * math.pi))
    return t, spacing * t / width**2 * density


def _two_humps(width: float) -> Rule:
    """The density that is proportional to |N'|."""
    t, _ = _grid(width)
    size = t.abs() * torch.exp(-0.5 * (t / width) ** 2)
    return t, size / size.sum()


def _within(width: float, distance: float) -> float:
    return 0.5 / width if abs(distance) < width else 0.0


def _normal(width: float, distance: float) -> float:
    return float(scipy.stats.norm.pdf(distance, scale=width))


def _one_pixel(f: Any) -> Any:
    """The loss as that of a picture's only pixel, which all rows of all tensors touch."""
    if isinstance(f, Objective):
        f.function = _one_pixel(f.function)
        return f

    def pixel(*tensors: Tensor) -> PixelLosses:
        rows = tuple(torch.arange(len(t) if t.dim() else 1)[None] for t in tensors)
        return PixelLosses(torch.as_tensor(f(*tensors)).reshape(1), rows)

    return pixel


# One line for each estimator of the registry; a test asks for it.
MEMBERS: dict[str, Member] = {
    "finite-differences": Member("epsilon", _two_points, _nothing, _within, pairs=None),
    "spsa": Member("epsilon", _two_points, _either_side, _within),
    "smoothed": Member("sigma", _gaussian_slope, _two_humps, _normal),
    "zerograds": Member("sigma"),
    "per-pixel": Member("epsilon", adapt=_one_pixel),
}


def known_mean(f: Callable[[Tensor], Tensor], x: Tensor, slope: Rule, blur: Rule) -> Tensor:
    """Mean gradient at x, of two entries, by summing over a grid.

    `f` maps (..., 2) to (...).
    """
    entries = []
    for i in range(2):
        rules = [slope if j == i else blur for j in range(2)]
        offsets = torch.stack(torch.meshgrid(rules[0][0], rules[1][0], indexing="ij"), dim=-1)
        entries.append((torch.outer(rules[0][1], rules[1][1]) * f(x + offsets)).sum())
    return torch.stack(entries)


@dataclass(frozen=True)
class Samples:
    """Gradients (R, P) of R estimates, with the standard errors they claim."""

    gradients: Tensor
    claimed: Tensor
    pairs: int

    @property
    def mean(self) -> Tensor:
        return self.gradients.mean(dim=0)

    @property
    def error(self) -> Tensor:
        """Of the mean, from what the estimates claim."""
        return (self.claimed.square().mean(dim=0) / len(self.claimed)).sqrt()


def sample(
    estimator: Estimator, f: Any, x: Tensor, *, repeats: int, pairs: int, generator: torch.Generator
) -> Samples:
    """Estimate R times at the same place."""
    estimates = [estimator.estimate(f, x, generator=generator) for _ in range(repeats)]
    gradients = torch.stack([torch.as_tensor(e.gradient).flatten() for e in estimates]).double()
    claimed = torch.stack([torch.as_tensor(e.standard_error).flatten() for e in estimates]).double()
    return Samples(gradients, claimed, pairs)


def assert_mean(samples: Samples, expected: Tensor, *, sharpness: float = 0.02) -> None:
    """The mean is within 4.5 standard errors of what is expected, in each entry and along the whole gradient.

    Sharp, because the standard error along the gradient must be below `sharpness` of its length, and because it is
    checked twice: as the estimates claim it and as they spread.
    """
    mean, error, expected = samples.mean, samples.error, expected.double().flatten()
    rounding = 1e-9 * (1 + expected.abs())
    deviation = (mean - expected).abs()
    assert bool((deviation <= 4.5 * error + rounding).all()), (
        f"{(deviation / error).max():.1f} standard errors"
    )
    if expected.norm() == 0:
        return
    along = samples.gradients @ expected / expected.square().sum()  # 1 on average
    spread = along.std().item() / math.sqrt(len(along))
    claimed = (error.square() * expected.square()).sum().sqrt().item() / expected.square().sum().item()
    assert max(spread, claimed) < sharpness, (
        f"relative error {max(spread, claimed):.3f}: too few samples to tell"
    )
    assert abs(along.mean().item() - 1) <= 4.5 * spread + 1e-9, (
        f"{along.mean().item():.4f} times the gradient"
    )


def assert_spread(samples: Samples) -> None:
    """The claimed standard errors are those of the observed spread.

    (R - 1) variances over their expectation are chi-square with R - 1 degrees of freedom, and the claimed variances are
    such a quantity too, of pairs - 1 per estimate. The entries' spreads are independent, their claims are not, as all
    come from the same differences: hence the F distribution, at one in a million on either side.
    """
    repeats, entries = samples.gradients.shape
    ratio = (samples.gradients.var(dim=0) / samples.claimed.square().mean(dim=0)).mean().item()
    law = scipy.stats.f((repeats - 1) * entries, repeats * (samples.pairs - 1))
    assert law.ppf(1e-6) < ratio < law.ppf(1 - 1e-6), f"variance {ratio:.3f} times what is claimed"
