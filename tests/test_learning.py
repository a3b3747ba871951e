"""Meta-learning: against quadratics whose best start and rates are known, finite differences, and the optimisers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice, repeat
from pathlib import Path

import pytest
import torch
from torch import Tensor

from largesteps_zg.learning import Learned, Task, adapt, meta_learn
from largesteps_zg.optimize import UniformAdam

CURVATURE = torch.tensor([1.0, 4.0], dtype=torch.float64)
MEAN = torch.tensor([2.0, -1.0], dtype=torch.float64)
SPREAD, NOISE = 0.5, 0.25


def noisy_quadratics() -> Iterator[Task]:
    """Minima MEAN ± SPREAD, which the step sees displaced by ± NOISE: all four combinations at once, for ever."""
    sides = torch.tensor([[SPREAD, NOISE], [SPREAD, -NOISE], [-SPREAD, NOISE], [-SPREAD, -NOISE]]).double()
    true = MEAN + sides[:, :1]
    seen = true + sides[:, 1:]
    yield from repeat(
        Task(
            lambda parameters, step: 0.5 * (CURVATURE * (parameters["x"] - seen).square()).sum(1),
            lambda parameters: (parameters["x"] - true).square().sum(1),
            together=4,
        )
    )


def network(seed: int, together: int = 0) -> tuple[Task, dict[str, Tensor], dict[str, Tensor]]:
    """A small regression with curvature in every entry, a start and rates."""
    generator = torch.Generator().manual_seed(seed)
    shape = (together,) if together else ()
    inputs = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    targets = torch.randn(*shape, 5, 2, generator=generator, dtype=torch.float64)

    def losses(parameters: dict[str, Tensor]) -> Tensor:
        found = torch.tanh(inputs @ parameters["w"] + parameters["b"][..., None, :])
        return (found - targets).square().mean((-1, -2))

    start = {
        "w": torch.randn(3, 2, generator=generator, dtype=torch.float64),
        "b": torch.zeros(2, dtype=torch.float64),
    }
    rates = {
        "w": torch.rand(3, 2, generator=generator, dtype=torch.float64),
        "b": torch.tensor(0.3, dtype=torch.float64),
    }
    return Task(lambda parameters, step: (1 + step) * losses(parameters), losses, together), start, rates


@pytest.mark.parametrize("order", [1, 2])
def test_the_best_start_is_the_mean_and_the_best_rate_is_wieners(order: int) -> None:
    """After one step the error is (1 - ra)²(spread² + (start - mean)²) + (ra)² noise²: least at these."""
    start = {"x": torch.zeros(2, dtype=torch.float64)}
    learned = meta_learn(
        noisy_quadratics(), start, rates=0.1, steps=500, inner_steps=1, order=order,
        start_step=0.1, rate_step=0.05,
    )  # fmt: skip
    share = SPREAD**2 / (SPREAD**2 + NOISE**2)
    torch.testing.assert_close(learned.start["x"], MEAN, atol=1e-3, rtol=0)
    torch.testing.assert_close(learned.rates["x"], share / CURVATURE, atol=0, rtol=1e-3)
    assert learned.losses[-1] == pytest.approx(2 * (1 - share) * SPREAD**2, rel=1e-4)


@pytest.mark.parametrize("rule", ["gradient", "uniform-adam"])
def test_second_order_is_the_derivative_of_the_score(rule: str) -> None:
    task, start, rates = network(0)

    def score(w: Tensor, b: Tensor, rate_w: Tensor, rate_b: Tensor) -> Tensor:
        *_, last = adapt(task, {"w": w, "b": b}, {"w": rate_w, "b": rate_b}, steps=3, rule=rule, order=2)
        return task.score(last)

    leaves = [value.clone().requires_grad_() for value in (*start.values(), *rates.values())]
    assert torch.autograd.gradcheck(score, leaves, eps=1e-6, atol=1e-7)


def test_first_order_takes_gradients_for_constants() -> None:
    """By the start: the score's gradient at the end. By a rate: minus its product with the sum of the gradients."""
    task, start, rates = network(0)
    rates = {name: rate.requires_grad_() for name, rate in rates.items()}
    begin = {name: value.clone().requires_grad_() for name, value in start.items()}
    path = [start, *adapt(task, begin, rates, steps=3)]
    found = torch.autograd.grad(task.score(path[-1]), [begin["w"], rates["w"]])
    at = [{name: value.detach().requires_grad_() for name, value in point.items()} for point in path]
    passed = sum(torch.autograd.grad(task.loss(at[k], k), at[k]["w"])[0] for k in range(3))
    last = torch.autograd.grad(task.score(at[-1]), at[-1]["w"])[0]
    torch.testing.assert_close(found, (last, -passed * last))


@pytest.mark.parametrize("rule", ["gradient", "uniform-adam"])
def test_an_optimizer_takes_the_steps_that_were_learned_for(rule: str) -> None:
    task, start, rates = network(1)
    learned = Learned(start, rates, rule, ())
    parameters = learned.parameters()
    optimizer = learned.optimizer(parameters)
    for step, adapted in enumerate(adapt(task, start, rates, steps=4, rule=rule)):
        optimizer.zero_grad()
        task.loss(parameters, step).backward()
        optimizer.step()
        torch.testing.assert_close({name: value.detach() for name, value in parameters.items()}, adapted)
    assert isinstance(optimizer, UniformAdam) == (rule == "uniform-adam")


def test_one_rate_for_a_tensor_goes_to_optimizers_of_torch() -> None:
    task, start, _ = network(1)
    learned = Learned(start, {"w": torch.tensor(0.5), "b": torch.tensor([0.1])}, "gradient", ())
    parameters = learned.parameters()
    optimizer = torch.optim.SGD(learned.groups(parameters), momentum=0.9)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, pytest.approx(0.1)]
    *_, adapted = adapt(task, start, learned.rates, steps=1)
    task.loss(parameters, 0).backward()
    optimizer.step()
    torch.testing.assert_close({name: value.detach() for name, value in parameters.items()}, adapted)


@pytest.mark.parametrize("rule", ["gradient", "uniform-adam"])
def test_tasks_at_once_are_those_tasks_one_by_one(rule: str) -> None:
    together, start, rates = network(2, together=3)
    *_, all_of_them = adapt(together, start, rates, steps=3, rule=rule)
    for i in range(3):

        def loss(parameters: dict[str, Tensor], step: int, i: int = i) -> Tensor:
            many = {name: value.expand(3, *value.shape) for name, value in parameters.items()}
            return together.loss(many, step)[i]

        *_, alone = adapt(Task(loss, lambda p: loss(p, 0)), start, rates, steps=3, rule=rule)
        torch.testing.assert_close(alone, {name: value[i] for name, value in all_of_them.items()})


def test_what_was_learned_can_be_kept(tmp_path: Path) -> None:
    _, start, rates = network(0)
    Learned(start, rates, "uniform-adam", (2.0, 1.0)).save(tmp_path / "learned.pt")
    again = Learned.load(tmp_path / "learned.pt")
    assert (again.rule, again.losses) == ("uniform-adam", (2.0, 1.0))
    torch.testing.assert_close((again.start, again.rates), (start, rates))


def test_of_tasks_that_diverge_nothing_is_learned() -> None:
    """Each fifth has a loss, or a gradient, that is no number."""
    sick = (lambda x: x / 0.0 * 0.0, lambda x: (0.0 * x).sqrt())

    def tasks(ill: bool) -> Iterator[Task]:
        for index, task in enumerate(islice(noisy_quadratics(), 250)):
            if index % 5 < 4:
                yield task
            elif ill:
                off = sick[index % 2]
                yield Task(task.loss, lambda parameters, off=off: off(parameters["x"]).sum(), together=4)

    start, options = {"x": torch.zeros(2, dtype=torch.float64)}, {"inner_steps": 1, "rate_step": 0.05}
    learned = meta_learn(tasks(True), start, steps=250, **options)
    healthy = meta_learn(tasks(False), start, steps=200, **options)
    assert sum(map(math.isnan, learned.losses)) == 25 and len(learned.losses) == 250
    torch.testing.assert_close(learned.rates, healthy.rates, rtol=0.1, atol=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rates": 0.0}, "rates: expected a number > 0, got 0.0"),
        ({"rates": {"y": torch.ones(2)}}, "rates: expected the names x, got y"),
        ({"rates": {"x": torch.ones(3)}}, r"rates: expected a shape that broadcasts to \(2,\) in x, got \(3,\)"),
        ({"rates": {"x": -torch.ones(2)}}, "rates: expected numbers > 0, got -1.0 in x"),
        ({"order": 3}, "order: expected 1 or 2, got 3"),
        ({"rule": "newton"}, "rule: expected one of gradient, uniform-adam, got 'newton'"),
        ({"steps": 2, "tasks_per_step": 3}, "tasks: expected 6, got 4"),
        ({"rates": 1e200}, "tasks: the score is .* in step 1; begin with smaller rates"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said(given: dict, message: str) -> None:
    tasks = islice(noisy_quadratics(), 4)
    start = {"x": torch.zeros(2, dtype=torch.float64)}
    with pytest.raises(ValueError, match=message):
        meta_learn(tasks, start, **{"steps": 1, "inner_steps": 1} | given)
