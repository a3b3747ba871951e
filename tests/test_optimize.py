"""UniformAdam and VectorAdam: against loops over numbers, by their symmetries, and through remeshing."""

from __future__ import annotations

import copy
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from largesteps_zg.optimize import AdamUniform, PlainAdam, UniformAdam, VectorAdam, carry_state

ADAMS = [UniformAdam, VectorAdam, PlainAdam]


def gradients(generator: torch.Generator, count: int = 12) -> list[Tensor]:
    """Gradients of very different sizes from step to step, so that the two orders of mean and maximum differ."""
    sizes = torch.logspace(2, -2, count, dtype=torch.float64)
    return [s * torch.randn(5, 3, generator=generator, dtype=torch.float64) for s in sizes]


def run(kind, steps: list[Tensor], **options) -> Tensor:
    """Where a parameter that starts at zero is after these gradients."""
    parameter = torch.zeros_like(steps[0]).requires_grad_()
    optimizer = kind([parameter], **options)
    for gradient in steps:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


def reference(
    steps: list[Tensor], denominator, lr: float, b1: float, b2: float, eps: float = 1e-8
) -> np.ndarray:
    """Adam written out with numbers; `denominator` turns the corrected second moments (V, k) into divisors."""
    x, m, s = np.zeros((3, *steps[0].shape))
    for t, gradient in enumerate(steps, start=1):
        g = gradient.numpy()
        for index in np.ndindex(g.shape):
            m[index] = b1 * m[index] + (1 - b1) * g[index]
            s[index] = b2 * s[index] + (1 - b2) * g[index] ** 2
        x = x - lr * (m / (1 - b1**t)) / (np.sqrt(denominator(s / (1 - b2**t))) + eps)
    return x


def test_uniform_adam_is_adam_over_the_largest_second_moment(generator: torch.Generator) -> None:
    steps = gradients(generator)
    expected = reference(steps, np.max, 0.3, 0.8, 0.99)
    np.testing.assert_allclose(run(UniformAdam, steps, lr=0.3, betas=(0.8, 0.99)), expected, rtol=1e-12)


def test_vector_adam_is_adam_over_the_squared_length_of_each_row(generator: torch.Generator) -> None:
    steps = gradients(generator)
    expected = reference(steps, lambda s: s.sum(axis=1, keepdims=True), 0.3, 0.8, 0.99)
    np.testing.assert_allclose(run(VectorAdam, steps, lr=0.3, betas=(0.8, 0.99)), expected, rtol=1e-12)


def test_plain_adam_is_torchs(generator: torch.Generator) -> None:
    steps = gradients(generator)
    expected = run(torch.optim.Adam, steps, lr=0.3, betas=(0.8, 0.99))
    torch.testing.assert_close(run(PlainAdam, steps, lr=0.3, betas=(0.8, 0.99)), expected, rtol=1e-12, atol=0)


@pytest.mark.slow
def test_no_optimiser_loads_torchs_compiler() -> None:
    program = """
import sys, torch
from largesteps_zg.optimize import PlainAdam, UniformAdam, VectorAdam
for kind in (PlainAdam, UniformAdam, VectorAdam):
    parameter = torch.zeros(2, 3, requires_grad=True)
    optimizer = kind([parameter])
    parameter.sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_first_step_by_hand() -> None:
    # Bias correction makes the first moment g and the second g^2: steps of lr * g / 4 and lr * g / 5.
    parameter = torch.zeros(2, 2).requires_grad_()
    parameter.grad = torch.tensor([[3.0, -4.0], [0.0, 0.0]])
    UniformAdam([parameter], lr=0.5).step()
    torch.testing.assert_close(parameter.detach(), torch.tensor([[-0.375, 0.5], [0.0, 0.0]]))
    parameter = torch.zeros(2, 2).requires_grad_()
    parameter.grad = torch.tensor([[3.0, -4.0], [0.0, 0.0]])
    VectorAdam([parameter], lr=0.5).step()
    torch.testing.assert_close(parameter.detach(), torch.tensor([[-0.3, 0.4], [0.0, 0.0]]))


def test_published_name_and_positions() -> None:
    assert AdamUniform is UniformAdam
    group = AdamUniform([torch.zeros(1).requires_grad_()], 0.2, (0.5, 0.9)).param_groups[0]
    assert (group["lr"], group["betas"]) == (0.2, (0.5, 0.9))
    assert AdamUniform([torch.zeros(1).requires_grad_()]).param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("kind", ADAMS)
def test_steps_do_not_depend_on_the_scale_of_the_loss(kind, generator: torch.Generator) -> None:
    steps = gradients(generator)
    torch.testing.assert_close(run(kind, [1e6 * g for g in steps], eps=0.0), run(kind, steps, eps=0.0))


def test_vector_adam_turns_with_the_coordinates_and_plain_adam_does_not(generator: torch.Generator) -> None:
    steps = gradients(generator)
    rotation, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    turned = [g @ rotation for g in steps]
    torch.testing.assert_close(run(VectorAdam, turned), run(VectorAdam, steps) @ rotation)
    plain = run(torch.optim.Adam, turned, lr=0.1) - run(torch.optim.Adam, steps, lr=0.1) @ rotation
    assert plain.abs().max() > 1e-2


@pytest.mark.parametrize("kind", ADAMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_state_dict_round_trip_goes_on_exactly(kind, dtype, generator: torch.Generator) -> None:
    steps = [g.to(dtype) for g in gradients(generator)]
    whole = run(kind, steps)
    parameter = torch.zeros_like(steps[0]).requires_grad_()
    optimizer = kind([parameter])
    for gradient in steps[:5]:
        parameter.grad = gradient.clone()
        optimizer.step()
    saved = copy.deepcopy(optimizer.state_dict())
    again = parameter.detach().clone().requires_grad_()
    resumed = kind([again], lr=77.0)
    resumed.load_state_dict(saved)
    for gradient in steps[5:]:
        again.grad = gradient.clone()
        resumed.step()
    assert all(x.dtype == dtype for x in resumed.state[again].values() if isinstance(x, Tensor))
    assert torch.equal(again.detach(), whole)


@pytest.mark.parametrize("kind", ADAMS)
def test_closure_groups_schedule_and_missing_gradients(kind) -> None:
    moved, still = torch.ones(3, 3).requires_grad_(), torch.ones(2, 3).requires_grad_()
    slow = torch.ones(3, 3).requires_grad_()
    optimizer = kind([{"params": [moved, still]}, {"params": [slow], "lr": 0.01}], lr=0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (moved + slow).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 18
    schedule.step()
    assert torch.equal(still, torch.ones(2, 3))
    torch.testing.assert_close(
        (1 - moved.detach()) / (1 - slow.detach()), torch.full((3, 3), 10.0), rtol=1e-4, atol=0
    )
    before = moved.detach().clone()
    optimizer.step(closure)
    torch.testing.assert_close(before - moved.detach(), (1 - before) / 2, rtol=1e-4, atol=0)


@pytest.mark.parametrize("kind", ADAMS)
def test_a_quadratic_is_minimised(kind, generator: torch.Generator) -> None:
    target = torch.randn(20, 3, generator=generator)
    parameter = torch.zeros(20, 3).requires_grad_()
    optimizer = kind([parameter], lr=0.05, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    for _ in range(400):
        optimizer.zero_grad()
        (parameter - target).square().sum().backward()
        optimizer.step()
        schedule.step()
    assert (parameter.detach() - target).abs().max() < 1e-2


@pytest.mark.parametrize("kind", ADAMS)
def test_empty_and_zero_gradients_change_nothing(kind) -> None:
    empty, zero = torch.zeros(0, 3).requires_grad_(), torch.ones(2, 3).requires_grad_()
    empty.grad, zero.grad = torch.zeros(0, 3), torch.zeros(2, 3)
    kind([empty, zero]).step()
    assert torch.equal(zero, torch.ones(2, 3))


@pytest.mark.parametrize("kind", ADAMS)
def test_sparse_gradients_are_refused(kind) -> None:
    parameter = torch.zeros(3, 3).requires_grad_()
    parameter.grad = torch.eye(3).to_sparse()
    with pytest.raises(ValueError, match=f"{kind.__name__}: expected dense gradients"):
        kind([parameter]).step()


@pytest.mark.parametrize(
    "options, name",
    [
        ({"lr": -0.1}, "lr"),
        ({"lr": math.nan}, "lr"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"eps": -1.0}, "eps"),
    ],
)
def test_options_out_of_range_are_refused(options, name) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected"):
        UniformAdam([torch.zeros(1).requires_grad_()], **options)


KINDS = [UniformAdam, VectorAdam, torch.optim.Adam]


def stepped(kind, generator: torch.Generator):
    """An optimiser after three steps of a parameter of five rows."""
    parameter = torch.zeros(5, 3, dtype=torch.float64).requires_grad_()
    optimizer = kind([parameter], lr=0.1)
    for gradient in gradients(generator, 3):
        parameter.grad = gradient
        optimizer.step()
    return optimizer, parameter


@pytest.mark.parametrize("kind", KINDS)
def test_carrying_by_a_permutation_is_renaming_the_vertices(kind, generator: torch.Generator) -> None:
    optimizer, old = stepped(kind, generator)
    order = torch.tensor([3, 0, 4, 1, 2])
    new = old.detach()[order].clone()
    other, same = stepped(kind, generator.manual_seed(20210916))
    generator.manual_seed(20210916)
    optimizer, old = stepped(kind, generator)
    new = old.detach()[order].clone()
    carry_state(optimizer, old, new, order)
    assert old not in optimizer.state and optimizer.param_groups[0]["params"][0] is new
    gradient = torch.arange(15, dtype=torch.float64).reshape(5, 3)
    same.grad, new.grad = gradient, gradient[order]
    other.step()
    optimizer.step()
    torch.testing.assert_close(new.detach(), same.detach()[order])


@pytest.mark.parametrize("kind", KINDS)
def test_carrying_by_weights_in_all_forms(kind, generator: torch.Generator) -> None:
    # Seven vertices from five: the last two are midpoints of 0-1 and 3-4.
    weights = torch.zeros(7, 5, dtype=torch.float64)
    weights[range(5), range(5)] = 1.0
    weights[5, [0, 1]] = weights[6, [3, 4]] = 0.5
    forms = [weights, weights.to_sparse(), weights.float().to_sparse_coo(), lambda x: weights @ x]
    for transfer in forms:
        optimizer, old = stepped(kind, generator)
        before = {k: v for k, v in optimizer.state[old].items()}
        new = weights @ old.detach()
        carry_state(optimizer, old, new, transfer)
        assert new.requires_grad
        for name, value in optimizer.state[new].items():
            if isinstance(value, Tensor) and value.ndim:
                assert value.dtype == torch.float64
                torch.testing.assert_close(value, weights @ before[name])
            else:
                assert value == before[name] == 3
        new.grad = torch.ones_like(new)
        optimizer.step()


def test_second_moments_stay_positive_under_negative_weights(generator: torch.Generator) -> None:
    optimizer, old = stepped(VectorAdam, generator)
    carry_state(optimizer, old, old.detach().clone(), -torch.eye(5, dtype=torch.float64))
    (new,) = optimizer.param_groups[0]["params"]
    assert optimizer.state[new]["g2"].min() >= 0 and optimizer.state[new]["g1"].any()


def test_carrying_before_the_first_step_only_replaces() -> None:
    old = torch.zeros(5, 3).requires_grad_()
    optimizer = UniformAdam([old])
    new = torch.zeros(4, 3)
    carry_state(optimizer, old, new, torch.arange(4))
    new.grad = torch.ones(4, 3)
    optimizer.step()
    assert new.detach().unique().tolist() == pytest.approx([-0.1])


def test_carrying_refuses_strangers_results_and_wrong_sizes(generator: torch.Generator) -> None:
    optimizer, old = stepped(UniformAdam, generator)
    with pytest.raises(ValueError, match="old: expected a parameter of the optimizer"):
        carry_state(optimizer, torch.zeros(5, 3), torch.zeros(4, 3), torch.arange(4))
    with pytest.raises(ValueError, match="new: expected a leaf"):
        carry_state(optimizer, old, old * 2, torch.arange(5))
    with pytest.raises(
        ValueError, match=r"transfer: expected g1 of shape \(4, 3\) from \(5, 3\), got \(3, 3\)"
    ):
        carry_state(optimizer, old, torch.zeros(4, 3), torch.arange(3))
    assert old in optimizer.state  # nothing was lost on the way
