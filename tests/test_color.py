"""sRGB and back: values worked out by hand from IEC 61966-2-1, and laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from largesteps_zg.images import linear_to_srgb, srgb_to_linear

# sRGB 0.04 is on the line: 0.04 / 12.92. sRGB 0.5: (0.555 / 1.055)^2.4 = 0.526066^2.4 = exp(2.4 * -0.642329).
# Code 128 / 255 is the well-known 0.2159 of mid grey, code 188 / 255 about half the light.
KNOWN = [
    (0.0, 0.0),
    (0.04, 0.00309598),
    (0.5, 0.21404114),
    (128 / 255, 0.2158605),
    (188 / 255, 0.5028865),
    (1.0, 1.0),
]


@pytest.mark.parametrize(("srgb", "linear"), KNOWN)
def test_known_values_both_ways(srgb: float, linear: float) -> None:
    x = torch.tensor([srgb, linear], dtype=torch.float64)
    assert srgb_to_linear(x)[0].item() == pytest.approx(linear, abs=2e-7)
    assert linear_to_srgb(x)[1].item() == pytest.approx(srgb, abs=2e-7)


def test_all_bytes_survive_the_round_trip_in_single_precision() -> None:
    codes = torch.arange(256)
    back = linear_to_srgb(srgb_to_linear(codes.float() / 255))
    assert torch.equal((back * 255).round().long(), codes)


def test_both_rise_and_have_no_step_at_the_knee() -> None:
    for function, knee in ((srgb_to_linear, 0.04045), (linear_to_srgb, 0.0031308)):
        x = torch.linspace(0, 1, 100001, dtype=torch.float64)
        assert (function(x).diff() > 0).all()
        below, above = function(torch.tensor([knee - 1e-9, knee + 1e-9], dtype=torch.float64))
        # The standard's rounded constants leave 3e-8 between the two pieces.
        assert abs(above - below) < 1e-7


@pytest.mark.parametrize("function", [srgb_to_linear, linear_to_srgb])
def test_derivative_is_right_also_at_zero_and_outside(function) -> None:
    x = torch.tensor([-0.2, 0.0, 0.001, 0.02, 0.3, 1.0, 1.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, x)
    # At black the slopes are those of the line, 1 / 12.92 and 12.92.
    zero = torch.zeros(1, requires_grad=True)
    function(zero).sum().backward()
    assert zero.grad.item() == pytest.approx(1 / 12.92 if function is srgb_to_linear else 12.92)


def test_shape_and_dtype_are_kept() -> None:
    x = torch.zeros(2, 0, 3, dtype=torch.float64)
    assert srgb_to_linear(x).shape == x.shape
    assert linear_to_srgb(x).dtype == torch.float64
    assert np.isfinite(linear_to_srgb(torch.zeros(3)).numpy()).all()
