"""ZeroGrads: what its surrogate learns and keeps, and the options that the family's tests do not know."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from test_estimators import HESSIAN, SLOPE, X, batched, bowl, quadratic
from torch import Tensor

from largesteps_zg.estimators import ZeroGrads
from largesteps_zg.estimators.encoding import derivative, encode
from largesteps_zg.estimators.surrogate import Surrogate


def settled(estimator: ZeroGrads, f: Any, x: Any, *, calls: int = 60, seed: int = 1) -> Any:
    """The last of several estimates at one place."""
    source = torch.Generator().manual_seed(seed)
    return [estimator.estimate(f, x, generator=source) for _ in range(calls)][-1]


def network(inputs: int, *, blocks: int = 1, depth: int = 2) -> Surrogate:
    return Surrogate(
        inputs,
        blocks=blocks,
        width=9,
        depth=depth,
        generator=torch.Generator().manual_seed(0),
        device=torch.device("cpu"),
        dtype=torch.float64,
    )


def at(surrogate: Surrogate, x: list[Tensor]) -> Tensor:
    """The surrogate's values for blocks of inputs."""
    return surrogate._forward(surrogate._first(x))[-1][:, 0]


# The surrogate


@pytest.mark.parametrize("blocks", [1, 3])
def test_its_gradient_is_autograds(blocks: int, generator: torch.Generator) -> None:
    surrogate = network(4, blocks=blocks)
    surrogate.weights[0].normal_(generator=generator)
    x = [torch.zeros(1, 4, dtype=torch.float64, requires_grad=True) for _ in range(blocks)]
    expected = torch.autograd.grad(at(surrogate, x).sum(), x)
    for got, wanted in zip(surrogate.gradient(), expected, strict=True):
        torch.testing.assert_close(got, wanted[0])


@pytest.mark.parametrize(("blocks", "depth"), [(1, 1), (3, 1), (2, 3)])
def test_an_update_is_the_damped_least_change_by_autograds_jacobian(
    blocks: int, depth: int, generator: torch.Generator
) -> None:
    surrogate = network(4, blocks=blocks, depth=depth)
    surrogate.weights[0].normal_(generator=generator)
    x = [torch.randn(5, 4, generator=generator, dtype=torch.float64) for _ in range(blocks)]
    y = torch.randn(5, generator=generator, dtype=torch.float64)
    weights = [t.requires_grad_() for t in (*surrogate.weights, *surrogate.biases)]
    outputs = at(surrogate, x)
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(out, weights, retain_graph=True)])
        for out in outputs
    ]
    jacobian = torch.stack(rows)
    inputs = [w.shape[1] for w in surrogate.weights]
    metric = torch.cat(
        [torch.full((t.numel(),), 1.0 / n) for t, n in zip(weights, inputs * 2, strict=True)]
    ).double()
    gram = jacobian * metric @ jacobian.T
    system = gram + 0.2 * gram.diagonal().mean() * torch.eye(5, dtype=torch.float64)
    change = 0.7 * metric * (jacobian.T @ torch.linalg.solve(system, y - outputs.detach()))
    before = torch.cat([t.detach().flatten() for t in weights])
    surrogate.weights = [w.detach() for w in surrogate.weights]
    surrogate.biases = [b.detach() for b in surrogate.biases]
    surrogate.fit(x, y, updates=1, rate=0.7, damping=0.2)
    after = torch.cat([t.flatten() for t in (*surrogate.weights, *surrogate.biases)])
    torch.testing.assert_close(after - before, change)


def test_moving_stretching_and_rescaling_keep_the_function(generator: torch.Generator) -> None:
    surrogate = network(4, blocks=3)
    surrogate.weights[0].normal_(generator=generator)
    x = [torch.randn(6, 4, generator=generator, dtype=torch.float64) for _ in range(3)]
    before = at(surrogate, x)
    shift = [torch.randn(4, generator=generator, dtype=torch.float64) for _ in range(3)]
    factor = torch.rand(4, generator=generator, dtype=torch.float64) + 0.5
    surrogate.move(shift)
    surrogate.stretch(factor)
    surrogate.rescale(3.0, -2.0)
    moved = [block - part for block, part in zip(x, shift, strict=True)]
    moved[0] = moved[0] / factor
    torch.testing.assert_close(at(surrogate, moved), 3 * before - 2)


def test_it_starts_flat() -> None:
    assert not any(part.any() for part in network(4, blocks=3).gradient())


def test_the_encodings_derivative_is_autograds(generator: torch.Generator) -> None:
    y = torch.randn(1, 7, generator=generator, dtype=torch.float64).mul_(5).requires_grad_()
    blocks = encode(y, 3)
    assert len(blocks) == 7
    for block, slope in zip(blocks, derivative(y[0].detach(), 3), strict=True):
        torch.testing.assert_close(torch.autograd.grad(block.sum(), y, retain_graph=True)[0][0], slope)
    torch.testing.assert_close(
        encode(torch.full((1, 1), 4.0), 1)[1:], encode(torch.zeros(1, 1), 1)[1:], atol=1e-6, rtol=0
    )


# What is learned


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"memory": 1.0}, {"bands": 3}, {"log_targets": True}, {"inner": 0.0, "depth": 1}],
    ids=["as it is", "keeps all", "bands", "log", "plain"],
)
def test_settles_at_the_gradient(options: dict[str, Any]) -> None:
    # Above 0 for the logarithm; in a region so narrow that the function is nearly linear there.
    found = settled(ZeroGrads(sigma=0.02, **options), batched(lambda x: quadratic(x) + 2), X)
    torch.testing.assert_close(found.gradient, HESSIAN @ X + SLOPE, rtol=0.03, atol=0.03)
    assert found.standard_error.max() < 0.1


def test_each_tensor_counts_in_its_own_sigma() -> None:
    # Without: an entry of sigma 0.001 would need a slope a thousand times larger to be seen.
    a, b = torch.tensor([1.0]), torch.tensor([2.0])
    estimator = ZeroGrads(sigma=(1.0, 0.001), memory=1.0)
    found = settled(estimator, lambda a, b: 3 * a.sum() + 5000 * b.sum(), (a, b))
    assert found.gradient[0].item() == pytest.approx(3, rel=0.03)
    assert found.gradient[1].item() == pytest.approx(5000, rel=0.03)


def test_remembers_and_forgets() -> None:
    """In 400 dimensions ten pairs say little; what they say adds up, and without memory does not."""
    slope = torch.randn(400, generator=torch.Generator().manual_seed(3))

    def likeness(memory: float, calls: int) -> float:
        found = settled(
            ZeroGrads(memory=memory, k_phi=1, rate=1.0),
            batched(lambda x: x @ slope),
            torch.zeros(400),
            calls=calls,
        )
        return torch.cosine_similarity(found.gradient, slope, dim=0).item()

    assert likeness(0.0, 60) < 0.35
    assert likeness(1.0, 60) > 0.85


def test_features_say_what_to_expect() -> None:
    """A gradient that is smooth along the parameters, found from few samples by features that are smooth."""
    smooth = torch.linspace(0, 3.14, 300).sin()

    def blur(x: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool1d(x[None, None], 61, 1, 30)[0, 0]

    f = batched(lambda x: x @ smooth)
    plain, blurred = (
        settled(ZeroGrads(features=features), f, torch.zeros(300), calls=3).gradient
        for features in (None, blur)
    )
    assert torch.cosine_similarity(plain, smooth, dim=0) < 0.6
    assert torch.cosine_similarity(blurred, smooth, dim=0) > 0.9


def test_the_network_of_two_calls_is_one() -> None:
    """Moved away and back without samples, the gradient is the same: the surrogate is a function of the parameters."""
    estimator = ZeroGrads(sigma=lambda calls: 0.5 / (1 + calls), k_theta=3, bands=2)
    source = torch.Generator().manual_seed(1)
    first = estimator.estimate(bowl, X, generator=source)
    away = estimator.estimate(bowl, X + 0.3, generator=source)
    back = estimator.estimate(bowl, X, generator=source)
    assert (first.evaluations, away.evaluations, back.evaluations) == (20, 0, 0)
    assert not torch.allclose(first.gradient, away.gradient)
    torch.testing.assert_close(first.gradient, back.gradient)
    assert away.standard_error.isnan().all() and away.loss.isfinite()
    assert estimator.estimate(bowl, X, generator=source).evaluations == 20


def test_a_plateau_has_no_gradient_and_spoils_nothing() -> None:
    estimator, source = ZeroGrads(sigma=0.02), torch.Generator().manual_seed(1)
    flat = estimator.estimate(lambda x: 2.0, X, generator=source)
    assert flat.gradient.abs().max() < 1e-12 and flat.loss == 2
    for _ in range(60):
        found = estimator.estimate(quadratic, X, generator=source)
    torch.testing.assert_close(found.gradient, HESSIAN @ X + SLOPE, rtol=0.03, atol=0.03)


# State


@pytest.mark.parametrize("options", [{}, {"bands": 2, "k_theta": 2}], ids=["plain", "bands"])
def test_goes_on_from_a_state_to_the_bit(options: dict[str, Any]) -> None:
    whole, source = ZeroGrads(**options), torch.Generator().manual_seed(1)
    for _ in range(3):
        whole.estimate(bowl, X, generator=source)
    state, later = copy.deepcopy(whole.state_dict()), source.get_state()
    wanted = [whole.estimate(bowl, X - 0.01 * i, generator=source) for i in range(4)]
    rest, source = ZeroGrads(**options), torch.Generator()
    source.set_state(later)
    rest.load_state_dict(state)
    for i, want in enumerate(wanted):
        got = rest.estimate(bowl, X - 0.01 * i, generator=source)
        assert torch.equal(got.gradient, want.gradient) and torch.equal(got.loss, want.loss)


def test_a_state_is_a_copy() -> None:
    estimator = ZeroGrads()
    estimator.estimate(bowl, X)
    state = estimator.state_dict()
    kept = copy.deepcopy(state)
    estimator.estimate(bowl, X + 1)
    for a, b in zip(state["surrogate"]["weights"], kept["surrogate"]["weights"], strict=True):
        assert torch.equal(a, b)
    assert torch.equal(state["kept"]["center"], kept["kept"]["center"])


def test_an_evaluation_that_fails_changes_nothing() -> None:
    estimator = ZeroGrads()
    estimator.estimate(bowl, X)
    before = copy.deepcopy(estimator.state_dict())
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        estimator.estimate(lambda x: 1 / 0, X + 1)
    after = estimator.state_dict()
    assert after["calls"] == before["calls"]
    assert torch.equal(after["kept"]["center"], before["kept"]["center"])
    assert torch.equal(after["surrogate"]["biases"][0], before["surrogate"]["biases"][0])


# Refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width: expected an integer >= 1, got 0"),
        ({"bands": 3, "width": 6}, "width: expected an integer >= 7, got 6"),
        ({"bands": -1}, "bands: expected an integer >= 0"),
        ({"depth": 1.5}, "depth: expected an integer >= 1, got 1.5"),
        ({"k_phi": 0}, "k_phi"),
        ({"k_theta": True}, "k_theta"),
        ({"memory": 1.1}, r"memory: expected a number in \[0, 1\], got 1.1"),
        ({"rate": 0.0}, r"rate: expected a number in \(0, 1\]"),
        ({"damping": 0.0}, "damping: expected a number > 0"),
        ({"inner": float("nan")}, "inner: expected a number >= 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_refuses_options_out_of_range(options: dict[str, Any], message: str, unchecked: None) -> None:
    with pytest.raises(ValueError, match=message):
        ZeroGrads(**options)


def test_refuses_other_parameters_than_before() -> None:
    estimator = ZeroGrads()
    estimator.estimate(bowl, X)
    with pytest.raises(ValueError, match=r"shapes \[\(2,\)\], .* got \[\(3,\)\]; make a new ZeroGrads"):
        estimator.estimate(bowl, torch.zeros(3))


def test_refuses_losses_without_a_logarithm() -> None:
    with pytest.raises(ValueError, match="log_targets: expected losses > -1"):
        ZeroGrads(log_targets=True).estimate(lambda x: -2.0, X)


def test_refuses_the_state_of_another() -> None:
    estimator = ZeroGrads(width=8)
    estimator.estimate(bowl, X)
    with pytest.raises(ValueError, match="state: expected weights of shapes"):
        ZeroGrads(width=9).load_state_dict(estimator.state_dict())
    with pytest.raises(ValueError, match="state: expected 'surrogate'"):
        ZeroGrads().load_state_dict({"calls": 3})
