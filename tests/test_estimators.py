"""The family of estimators: every entry of the registry keeps the same promises, and its mean is the known one."""

from __future__ import annotations

import copy
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from estimator_oracles import MEMBERS, assert_mean, assert_spread, known_mean, make, sample
from torch import Tensor

from largesteps_zg.estimators import (
    ESTIMATORS,
    SPSA,
    Estimator,
    EvaluationError,
    GradientEstimate,
    Objective,
    Smoothed,
    ZeroGrads,
    differentiable,
    geometric,
)

every = pytest.mark.parametrize("name", sorted(ESTIMATORS))
random = pytest.mark.parametrize("name", sorted(n for n in ESTIMATORS if MEMBERS[n].pairs))
known = pytest.mark.parametrize("name", sorted(n for n in ESTIMATORS if MEMBERS[n].slope))
known_random = pytest.mark.parametrize(
    "name", sorted(n for n in ESTIMATORS if MEMBERS[n].slope and MEMBERS[n].pairs)
)

X = torch.tensor([0.7, -0.4], dtype=torch.float64)
HESSIAN = torch.tensor([[3.0, -1.0], [-1.0, 2.0]], dtype=torch.float64)
SLOPE = torch.tensor([-1.5, 1.0], dtype=torch.float64)


def bowl(x: Tensor) -> Tensor:
    """Quadratic in any number of dimensions, lowest at 1."""
    return (x - 1).square().sum()


def quadratic(x: Tensor) -> Tensor:
    """(..., 2) to (...)."""
    return 0.5 * torch.einsum("...i,ij,...j", x, HESSIAN.to(x), x) + x @ SLOPE.to(x)


def batched(f: Any) -> Objective:
    """All points at once: statistics need thousands."""
    return Objective(f, batched=True)


def as_tuple(value: Any) -> tuple[Tensor, ...]:
    return value if isinstance(value, tuple) else (value,)


# What every member promises


def test_the_oracles_know_every_estimator() -> None:
    assert set(MEMBERS) == set(ESTIMATORS)


@every
def test_is_an_estimator_and_needs_no_arguments(name: str) -> None:
    assert isinstance(ESTIMATORS[name](), Estimator)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
def test_the_estimate_is_shaped_like_the_parameters_and_counts_its_evaluations(
    name: str, dtype: torch.dtype, several: bool, generator: torch.Generator
) -> None:
    parameters = (
        (torch.ones(3, 2, dtype=dtype), torch.ones((), dtype=dtype)) if several else torch.ones(4).to(dtype)
    )
    before = copy.deepcopy(parameters)
    calls = []

    def f(*tensors: Tensor) -> Tensor:
        assert not torch.is_grad_enabled() and not any(t.requires_grad for t in tensors)
        assert [(t.shape, t.dtype) for t in tensors] == [(t.shape, t.dtype) for t in as_tuple(parameters)]
        calls.append(1)
        return sum(t.square().sum() for t in tensors)

    result = make(name, pairs=3).estimate(MEMBERS[name].adapt(f), parameters, generator=generator)
    assert isinstance(result, GradientEstimate) and result.evaluations == len(calls) > 0
    assert result.loss.shape == () and result.loss.dtype == dtype and not result.loss.requires_grad
    for part in (result.gradient, result.standard_error):
        assert isinstance(part, tuple) == several
        for got, parameter in zip(as_tuple(part), as_tuple(parameters), strict=True):
            assert (got.shape, got.dtype, got.device) == (parameter.shape, dtype, parameter.device)
            assert got.isfinite().all()
    assert all(torch.equal(a, b) for a, b in zip(as_tuple(before), as_tuple(parameters), strict=True))


@every
def test_never_asks_for_the_derivative_of_f(name: str, generator: torch.Generator) -> None:
    class Touchy(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.square().sum()

        @staticmethod
        def backward(ctx: Any, upstream: Tensor) -> Tensor:
            raise AssertionError("nobody asked for this")

    x = torch.tensor([1.0, -2.0], requires_grad=True)
    sampled = differentiable(MEMBERS[name].adapt(Touchy.apply), make(name), generator=generator)
    sampled(x).backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


@every
def test_a_function_that_spoils_its_arguments_spoils_nothing(name: str) -> None:
    def spoiling(x: Tensor) -> Tensor:
        loss = bowl(x)
        x.fill_(torch.nan)
        return loss

    x = torch.tensor([0.5, 2.0])
    pure, spoilt = (
        make(name, pairs=3).estimate(MEMBERS[name].adapt(f), x, generator=torch.Generator().manual_seed(3))
        for f in (bowl, spoiling)
    )
    assert torch.equal(pure.gradient, spoilt.gradient) and torch.equal(x, torch.tensor([0.5, 2.0]))


@every
def test_the_same_seed_gives_the_same_bits(name: str) -> None:
    x = torch.linspace(0, 1, 70)

    def run(seed: int) -> list[Tensor]:
        estimator, source = make(name, pairs=3), torch.Generator().manual_seed(seed)
        results = [estimator.estimate(MEMBERS[name].adapt(bowl), x, generator=source) for _ in range(3)]
        return [part for r in results for part in (r.loss, r.gradient, r.standard_error)]

    first, again, other = run(1), run(1), run(2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert (MEMBERS[name].pairs is None) == all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


@random
def test_random_numbers_come_from_the_generator_alone(name: str) -> None:
    state = torch.get_rng_state()
    make(name).estimate(MEMBERS[name].adapt(bowl), X, generator=torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    first = make(name).estimate(MEMBERS[name].adapt(bowl), X).gradient
    torch.manual_seed(5)
    assert torch.equal(make(name).estimate(MEMBERS[name].adapt(bowl), X).gradient, first)


@every
def test_threads_give_what_the_serial_run_gives(name: str) -> None:
    meeting = threading.Barrier(2, timeout=10)  # passed only where two evaluations run at one time

    def slow(x: Tensor) -> Tensor:
        meeting.wait()
        return bowl(x)

    def run(f: Any) -> GradientEstimate:
        source = torch.Generator().manual_seed(4)
        return make(name, pairs=4).estimate(MEMBERS[name].adapt(f), torch.zeros(4), generator=source)

    with ThreadPoolExecutor(2) as executor:
        parallel = run(Objective(slow, executor=executor))
    serial = run(bowl)
    for part in ("loss", "gradient", "standard_error"):
        assert torch.equal(getattr(parallel, part), getattr(serial, part))


@every
def test_goes_on_from_a_state(name: str) -> None:
    width = geometric(0.5, 0.01, 6)

    def made() -> Estimator:
        return ESTIMATORS[name](**{MEMBERS[name].width: width})

    f, whole, source = MEMBERS[name].adapt(bowl), made(), torch.Generator().manual_seed(2)
    wanted = [whole.estimate(f, X, generator=source) for _ in range(6)]
    half, source = made(), torch.Generator().manual_seed(2)
    for _ in range(3):
        half.estimate(f, X, generator=source)
    rest = made()
    rest.load_state_dict(copy.deepcopy(half.state_dict()))
    for i in (3, 4, 5):
        assert torch.equal(rest.estimate(f, X, generator=source).gradient, wanted[i].gradient)


@every
def test_schedules_count_the_estimates_that_were_made(name: str) -> None:
    asked = []

    def width(calls: int) -> float:
        asked.append(calls)
        return 0.1

    def failing(x: Tensor) -> float:
        raise RuntimeError("not this time")

    estimator = ESTIMATORS[name](**{MEMBERS[name].width: width})
    for f in (bowl, failing, bowl):
        try:
            estimator.estimate(MEMBERS[name].adapt(f), X)
        except EvaluationError:
            asked.append(-1)
    assert list(dict.fromkeys(asked)) == [0, 1, -1] and asked[-1] == 1


@every
def test_says_which_evaluation_failed(name: str) -> None:
    def failing(x: Tensor) -> float:
        return 1 / 0

    with pytest.raises(EvaluationError):
        make(name).estimate(MEMBERS[name].adapt(failing), X)
    with pytest.raises(EvaluationError):
        make(name).estimate(MEMBERS[name].adapt(lambda x: math.nan), X)


@every
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((), "got none"),
        (torch.zeros(0), "got none"),
        (torch.zeros(3, dtype=torch.int64), "expected float32 or float64, got torch.int64"),
        ((torch.zeros(3), torch.zeros(3, dtype=torch.bool)), "got torch.bool in tensor 1"),
        (torch.tensor([1.0, torch.nan]), "expected finite numbers, got 1 others"),
    ],
    ids=["no tensors", "no numbers", "integers", "booleans", "nan"],
)
def test_refuses_parameters_that_are_none(name: str, parameters: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(name).estimate(MEMBERS[name].adapt(lambda *x: 0.0), parameters)


@every
@pytest.mark.parametrize("width", [0.0, -0.1, math.inf, math.nan, "wide", ()], ids=str)
def test_refuses_widths_that_are_none(name: str, width: Any, unchecked: None) -> None:
    with pytest.raises(ValueError, match=f"{MEMBERS[name].width}: expected a number"):
        ESTIMATORS[name](**{MEMBERS[name].width: width})


@every
def test_refuses_widths_that_do_not_fit_the_parameters(name: str) -> None:
    word, f = MEMBERS[name].width, MEMBERS[name].adapt(lambda *x: 0.0)
    with pytest.raises(ValueError, match=f"{word}: expected one number, or one for each of the 1 .*got 2"):
        ESTIMATORS[name](**{word: (0.1, 0.2)}).estimate(f, X)
    with pytest.raises(ValueError, match=f"{word} at call 0: expected a number > 0, got -1.0"):
        ESTIMATORS[name](**{word: lambda calls: -1.0}).estimate(f, X)
    with pytest.raises(
        ValueError, match=f"{word}: expected a size that float32 can add .*1e-09 for an entry of 1"
    ):
        make(name, width=1e-9).estimate(f, torch.ones(2))


@random
@pytest.mark.parametrize("pairs", [0, -1, 1.5, True], ids=str)
def test_refuses_numbers_of_pairs_that_are_none(name: str, pairs: Any, unchecked: None) -> None:
    word = MEMBERS[name].pairs
    with pytest.raises(ValueError, match=f"{word}: expected an integer >= 1, got {pairs}"):
        ESTIMATORS[name](**{word: pairs})


# As a loss


@every
def test_the_chain_rule_goes_on_through_what_is_before(name: str) -> None:
    matrix = torch.tensor([[2.0, 0.5, 0.0], [-1.0, 1.0, 3.0]])
    latent = torch.tensor([0.1, 0.2, 0.3], requires_grad=True)
    sampled = differentiable(MEMBERS[name].adapt(bowl), make(name, pairs=2))
    loss = sampled(matrix @ latent)
    (3 * loss).backward()
    assert sampled.last is not None and torch.equal(loss.detach(), sampled.last.loss)
    torch.testing.assert_close(latent.grad, 3 * matrix.T @ sampled.last.gradient)
    assert latent.grad.abs().sum() > 0


@every
def test_parameters_without_a_gradient_are_held_fixed(name: str) -> None:
    fixed, moving = torch.tensor([5.0]), torch.tensor([1.0, 2.0], requires_grad=True)
    seen = []

    def f(a: Tensor, b: Tensor) -> Tensor:
        seen.append(a.clone())
        return a.sum() * bowl(b)

    sampled = differentiable(MEMBERS[name].adapt(f), make(name, pairs=2))
    sampled(fixed, moving).backward()
    assert fixed.grad is None and moving.grad is not None
    assert all(torch.equal(a, fixed) for a in seen) and len(seen) == sampled.evaluations


@every
def test_one_plain_evaluation_where_no_gradient_is_asked_for(name: str) -> None:
    x = torch.tensor([1.0, 3.0], requires_grad=True)
    sampled = differentiable(MEMBERS[name].adapt(bowl), make(name))
    with torch.no_grad():
        loss = sampled(x)
    assert loss.item() == 4.0 and not loss.requires_grad and loss.dtype == torch.float32
    assert sampled(x.detach()).item() == 4.0
    assert sampled.evaluations == 2 and sampled.last is None
    sampled(x)
    assert sampled.last is not None and sampled.evaluations == 2 + sampled.last.evaluations


@every
def test_a_second_derivative_is_refused_not_zero(name: str) -> None:
    x = torch.tensor([1.0, 3.0], requires_grad=True)
    loss = differentiable(MEMBERS[name].adapt(bowl), make(name))(x).square()
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_a_loss_refuses_parameters_that_are_none() -> None:
    sampled = differentiable(bowl, make("spsa"))
    with pytest.raises(ValueError, match="got none"):
        sampled()
    with pytest.raises(ValueError, match=r"got torch\.int64"):
        sampled(torch.arange(3))


# Means and standard errors. 16,000 pairs bring the error along the gradient near 1 % of its length; the harness fails
# where it is above 2 %.


@pytest.mark.slow
@known
def test_mean_on_a_quadratic_is_the_gradient(name: str, generator: torch.Generator) -> None:
    estimator = make(name, width=0.3, pairs=400)
    repeats = 40 if MEMBERS[name].pairs else 2
    samples = sample(estimator, batched(quadratic), X, repeats=repeats, pairs=400, generator=generator)
    assert_mean(samples, HESSIAN @ X + SLOPE)


@pytest.mark.slow
@known
def test_mean_and_spread_in_a_hundred_dimensions(name: str, generator: torch.Generator) -> None:
    root = torch.randn(100, 100, generator=generator, dtype=torch.float64) / 10
    hessian = root @ root.T
    x = torch.randn(100, generator=generator, dtype=torch.float64)
    objective = batched(lambda x: 0.5 * ((x @ hessian) * x).sum(dim=-1))
    estimator = make(name, width=0.1, pairs=50)
    samples = sample(estimator, objective, x, repeats=240, pairs=50, generator=generator)
    assert_mean(samples, hessian @ x)
    if MEMBERS[name].pairs:
        assert_spread(samples)


@pytest.mark.slow
@known
def test_mean_on_a_cubic_tells_one_kernel_from_another(name: str, generator: torch.Generator) -> None:
    def cubic(x: Tensor) -> Tensor:
        return x[..., 0] * x[..., 1] ** 2 + 0.5 * x[..., 0] ** 3

    member = MEMBERS[name]
    assert member.slope is not None and member.blur is not None
    expected = known_mean(cubic, X, member.slope(0.5), member.blur(0.5))
    # In words: x y^2 has the slope y^2 + variance of the other entry, x^3 / 2 three halves of x^2 + a third or all of
    # the width's square.
    other, own = {"finite-differences": (0, 1 / 3), "spsa": (1, 1 / 3), "smoothed": (2, 1)}.get(
        name, (None, None)
    )
    if other is not None:
        by_hand = X[1] ** 2 + other * 0.25 + 1.5 * (X[0] ** 2 + own * 0.25)
        assert expected[0].item() == pytest.approx(by_hand.item(), rel=1e-4)
    repeats = 40 if member.pairs else 2
    estimator = make(name, width=0.5, pairs=400)
    samples = sample(estimator, batched(cubic), X, repeats=repeats, pairs=400, generator=generator)
    assert_mean(samples, expected)


@pytest.mark.slow
@known
@pytest.mark.parametrize("distance", [0.1, -0.2])
def test_mean_at_a_step_is_the_known_slope(name: str, distance: float, generator: torch.Generator) -> None:
    member = MEMBERS[name]
    assert member.step is not None
    x = torch.tensor([1.0], dtype=torch.float64)
    objective = batched(lambda x: (x[:, 0] > 1.0 + distance).double())
    estimator = make(name, width=0.25, pairs=400)
    repeats = 40 if member.pairs else 2
    samples = sample(estimator, objective, x, repeats=repeats, pairs=400, generator=generator)
    assert_mean(samples, torch.tensor([member.step(0.25, distance)]))


@pytest.mark.slow
@known_random
def test_each_tensor_has_a_width_of_its_own(name: str, generator: torch.Generator) -> None:
    member = MEMBERS[name]
    assert member.step is not None
    estimator = ESTIMATORS[name](**{member.width: (0.25, 0.05), str(member.pairs): 4000})
    objective = batched(lambda a, b: (a[:, 0] > 0.1).double() + (b[:, 0] > 0.02).double())
    zero = torch.zeros(1, dtype=torch.float64)
    result = estimator.estimate(objective, (zero, zero), generator=generator)
    for got, error, width, distance in zip(
        result.gradient, result.standard_error, (0.25, 0.05), (0.1, 0.02), strict=True
    ):
        assert error < 0.2 * got
        assert abs(got.item() - member.step(width, distance)) < 4.5 * error.item()


@random
def test_one_pair_says_nothing_of_its_spread(name: str) -> None:
    assert make(name, pairs=1).estimate(MEMBERS[name].adapt(bowl), X).standard_error.isnan().all()
    assert make(name, pairs=2).estimate(MEMBERS[name].adapt(bowl), X).standard_error.isfinite().all()


@pytest.mark.parametrize("pairs", [2, 3])
def test_the_standard_error_of_few_pairs_is_that_of_their_mean(
    pairs: int, generator: torch.Generator
) -> None:
    """By definition, from the points that were asked for: divided by one less than there are pairs."""
    asked: list[torch.Tensor] = []
    x = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)

    def f(at: torch.Tensor) -> torch.Tensor:
        asked.append(at)
        return at.prod() + at.square().sum() + at[0]

    result = SPSA(epsilon=0.4, pairs=pairs).estimate(f, x, generator=generator)
    points = torch.stack(asked)
    plus, minus = points[0::2], points[1::2]
    losses = points.prod(1) + points.square().sum(1) + points[:, 0]
    each = (losses[0::2] - losses[1::2])[:, None] / (plus - minus)
    torch.testing.assert_close(result.gradient, each.mean(0))
    torch.testing.assert_close(result.standard_error, each.std(0, correction=1) / pairs**0.5)


@known
def test_the_loss_is_the_mean_over_the_perturbed(name: str, generator: torch.Generator) -> None:
    seen: list[float] = []

    def f(x: Tensor) -> float:
        seen.append(bowl(x).item())
        return seen[-1]

    result = make(name, pairs=5).estimate(f, X, generator=generator)
    assert result.loss.item() == pytest.approx(sum(seen) / len(seen), rel=1e-12)


@known
def test_many_points_are_evaluated_a_few_at_a_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def f(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return x.square().sum(dim=1)

    def run() -> Tensor:
        estimator = make(name, pairs=20)
        return estimator.estimate(
            batched(f), torch.arange(20.0), generator=torch.Generator().manual_seed(1)
        ).gradient

    whole = run()
    assert sizes == [40]
    monkeypatch.setattr("largesteps_zg.estimators.packing.NUMBERS_AT_ONCE", 20 * 6)
    assert torch.equal(run(), whole)
    assert sizes == [40] + 6 * [6] + [4]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@known
def test_on_cuda_the_draws_are_those_of_the_cpu(name: str) -> None:
    def run(device: str) -> GradientEstimate:
        source = torch.Generator().manual_seed(6)
        return make(name, pairs=3).estimate(bowl, torch.linspace(0, 1, 70, device=device), generator=source)

    on_cuda, on_cpu = run("cuda"), run("cpu")
    assert on_cuda.gradient.is_cuda and on_cuda.loss.is_cuda and on_cuda.standard_error.is_cuda
    torch.testing.assert_close(on_cuda.gradient.cpu(), on_cpu.gradient, rtol=1e-3, atol=1e-3)
    drawn = make(name).estimate(bowl, torch.zeros(70, device="cuda"), generator=torch.Generator("cuda"))
    assert drawn.gradient.is_cuda


@pytest.mark.parametrize(("kind", "name"), [(SPSA, "epsilon"), (Smoothed, "sigma"), (ZeroGrads, "sigma")])
def test_a_width_given_with_a_call_counts_as_one_given_before(kind, name) -> None:
    x = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)

    def f(x: torch.Tensor) -> torch.Tensor:
        return (x**4).sum() + (x > 0.4).sum()

    own = kind(**{name: 0.2}).estimate(f, x, generator=torch.Generator().manual_seed(1))
    other = kind(**{name: 0.01})
    given = other.estimate(f, x, generator=torch.Generator().manual_seed(1), width=0.2)
    assert torch.equal(own.gradient, given.gradient) and other.state_dict()["calls"] == 1
    narrow = other.estimate(f, x, generator=torch.Generator().manual_seed(1))  # for that one call only
    assert not torch.equal(narrow.gradient, given.gradient)
    with pytest.raises(ValueError, match=f"^{name}: expected a number > 0, got -1"):
        other.estimate(f, x, width=-1)
