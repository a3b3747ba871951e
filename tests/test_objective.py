"""Objectives evaluated in the program itself: one by one, in a batch, by threads; and what their errors say."""

from __future__ import annotations

import math
import pickle
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from largesteps_zg.estimators import EvaluationError, Objective, as_objective


def squares(x: Tensor) -> Tensor:
    return (x * x).sum()


def pairs(count: int, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """Points of two tensors of different shapes and types."""
    return [
        (torch.randn(50, 3, generator=generator), torch.randn(7, generator=generator, dtype=torch.float64))
        for _ in range(count)
    ]


def mixed(vertices: Tensor, colors: Tensor) -> Tensor:
    return vertices.sin().sum() * colors.exp().mean()


def test_serial_batched_and_threads_agree_bit_for_bit_and_in_order(generator: torch.Generator) -> None:
    points = pairs(40, generator)
    expected = torch.tensor([float(mixed(*point)) for point in points], dtype=torch.float64)

    def slowly(vertices: Tensor, colors: Tensor) -> Tensor:
        time.sleep(0.004 * (float(colors[0]) > 0))  # out of order
        return mixed(vertices, colors)

    def batch(vertices: Tensor, colors: Tensor) -> list[Tensor]:
        assert vertices.shape == (40, 50, 3) and colors.shape == (40, 7)
        return [mixed(*point) for point in zip(vertices, colors, strict=True)]

    for objective in [
        Objective(mixed),
        Objective(batch, batched=True),
        Objective(slowly, executor=partial(ThreadPoolExecutor, 4)),
    ]:
        with objective:
            for _ in range(2):
                losses = objective.losses(points)
                assert losses.dtype == torch.float64 and torch.equal(losses, expected)
            assert objective.evaluations == 80


@pytest.mark.parametrize("executor", [None, partial(ThreadPoolExecutor, 2)])
def test_the_function_gets_copies_without_autograd(executor) -> None:
    x = torch.ones(3, requires_grad=True)

    def consuming(x: Tensor) -> Tensor:
        assert not x.requires_grad and not torch.is_grad_enabled()
        return x.mul_(2.0).sum()

    with torch.enable_grad(), Objective(consuming, executor=executor) as objective:
        assert objective.losses([(x,), (x,)]).tolist() == [6.0, 6.0]
    assert x.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "value",
    [
        2.5,
        np.float32(2.5),
        np.array(2.5),
        torch.tensor(2.5, dtype=torch.float16),
        torch.tensor([[2.5]]),
        Fraction(5, 2),
    ],
)
def test_numbers_of_all_kinds_are_losses(value) -> None:
    assert Objective(lambda x: value).losses([(torch.ones(1),)]).tolist() == [2.5]


def test_integers_are_losses_and_float32_is_not_rounded() -> None:
    third = torch.tensor(1 / 3)
    values = iter([3, np.int64(4), third])
    assert Objective(lambda x: next(values)).losses([(torch.ones(1),)] * 3).tolist() == [
        3.0,
        4.0,
        float(third),
    ]


@pytest.mark.parametrize(
    "value, what",
    [
        (math.nan, "nan instead of a finite number"),
        (torch.tensor(-math.inf), "-inf instead of a finite number"),
        (None, "NoneType instead of a number"),
        ("1", "str instead of a number"),
        (True, "bool instead of a number"),
        (torch.tensor(True), r"bool of shape \(\) instead of a number"),
        (torch.tensor(1j), r"complex64 of shape \(\) instead of a number"),
        (torch.ones(2, 3), r"float32 of shape \(2, 3\) instead of a number"),
        (np.ones(2), r"float64 of shape \(2,\) instead of a number"),
    ],
)
def test_other_values_are_errors_that_say_where(value, what) -> None:
    values = [1.0, 2.0, value, 4.0]
    objective = Objective(lambda x: values[int(x[0])])
    points = [(torch.tensor([float(i), -0.25]),) for i in range(4)]
    message = rf"^evaluation 2 of 4 returned {what}; parameters \(2,\) from -0.25 to 2, in error.parameters$"
    with pytest.raises(EvaluationError, match=message) as caught:
        objective.losses(points)
    assert caught.value.index == 2 and torch.equal(caught.value.parameters[0], points[2][0])
    assert caught.value.__cause__ is None and objective.evaluations == 2


@pytest.mark.parametrize("executor", [None, partial(ThreadPoolExecutor, 3)])
def test_what_the_function_raises_is_the_cause(executor) -> None:
    def fragile(x: Tensor, y: Tensor) -> float:
        if x[0] == 7:
            time.sleep(0.05)  # the later one fails first
        return 1 / (0 if x[0] in (7, 8) else 1)

    points = [(torch.full((2,), float(i), requires_grad=True), torch.empty(0, 3)) for i in range(20)]
    with Objective(fragile, executor=executor) as objective:
        with pytest.raises(
            EvaluationError,
            match=r"^evaluation 7 of 20 raised ZeroDivisionError: division by zero; "
            r"parameters \(2,\) from 7 to 7 and \(0, 3\), in",
        ) as caught:
            objective.losses(points)
        assert isinstance(caught.value.__cause__, ZeroDivisionError) and caught.value.index == 7
        assert not caught.value.parameters[0].requires_grad
        assert "in fragile" in str(caught.getrepr(style="native"))
        copy = pickle.loads(pickle.dumps(caught.value))
        assert (
            copy.index == 7
            and torch.equal(copy.parameters[0], points[7][0])
            and str(copy) == str(caught.value)
        )
        # The executor is as good as before.
        assert objective.losses(points[:7]).tolist() == [1.0] * 7


def test_after_a_failure_no_more_is_begun() -> None:
    begun: list[int] = []

    def fragile(x: Tensor) -> float:
        begun.append(int(x))
        raise ValueError

    with Objective(fragile, executor=partial(ThreadPoolExecutor, 2)) as objective:
        with pytest.raises(EvaluationError, match="evaluation 0 of 500 raised ValueError; parameters"):
            objective.losses([(torch.tensor(float(i)),) for i in range(500)])
    assert len(begun) <= 4 and 0 in begun


def test_errors_of_a_batch() -> None:
    points = [(torch.tensor([float(i)]),) for i in range(3)]

    def broken(x: Tensor) -> Tensor:
        raise KeyError("no such thing")

    with pytest.raises(
        EvaluationError, match=r"^a batch of 3 evaluations raised KeyError: .*\(3, 1\) from"
    ) as caught:
        Objective(broken, batched=True).losses(points)
    assert caught.value.index is None and torch.equal(caught.value.parameters[0], torch.arange(3.0)[:, None])
    for value, what in [
        (torch.ones(2), r"shape \(2,\) instead of one loss for each of 3 parameter sets"),
        (torch.tensor(1.0), r"shape \(\) instead of"),
        ([1.0, 2.0], "2 losses for 3 parameter sets"),
        (5.0, "float instead of one loss for each of 3"),
    ]:
        with pytest.raises(EvaluationError, match=f"a batch of 3 evaluations returned {what}"):
            Objective(lambda x, value=value: value, batched=True).losses(points)
    with pytest.raises(EvaluationError, match="evaluation 1 of 3 returned nan") as caught:
        Objective(lambda x: torch.tensor([1.0, math.nan, math.nan]), batched=True).losses(points)
    assert caught.value.index == 1 and torch.equal(caught.value.parameters[0], points[1][0])
    with pytest.raises(EvaluationError, match=r"evaluation 0 of 3 returned float32 of shape \(2,\)"):
        Objective(lambda x: torch.ones(3, 2), batched=True).losses(points)


def test_results_come_as_they_are(generator: torch.Generator) -> None:
    points = [(torch.randn(4, generator=generator),) for _ in range(5)]
    for executor in (None, partial(ThreadPoolExecutor, 2)):
        with Objective(lambda x: {"pixels": x * 2, "name": b"raw"}, executor=executor) as objective:
            for (x,), result in zip(points, objective.results(points), strict=True):
                assert torch.equal(result["pixels"], 2 * x) and result["name"] == b"raw"
    rows = Objective(lambda x: x * 2, batched=True).results(points)
    assert all(torch.equal(row, 2 * x) for row, (x,) in zip(rows, points, strict=True))


def test_no_points_no_call() -> None:
    for options in ({}, {"batched": True}, {"executor": ThreadPoolExecutor}):
        objective = Objective(lambda x: 1 / 0, **options)
        assert objective.losses([]).shape == (0,) and objective.results([]) == []


def test_threads_that_hang_are_gone_around() -> None:
    # Two threads, of which one hangs at its first evaluation until the test is over.
    release, calls = threading.Event(), []

    def hanging_once(x: Tensor) -> float:
        calls.append(int(x))
        if x == 1 and calls.count(1) == 1:
            release.wait(30)
        return float(x)

    points = [(torch.tensor(float(i)),) for i in range(6)]
    with ThreadPoolExecutor(2) as pool:
        objective = Objective(hanging_once, executor=pool, timeout=0.3)
        try:
            assert objective.losses(points).tolist() == [0, 1, 2, 3, 4, 5]
        finally:
            release.set()
    assert sorted(calls) == [0, 1, 1, 2, 3, 4, 5] and objective.evaluations == 6


def test_executors_that_lose_a_task_are_asked_again() -> None:
    # As a cluster does: the task's future has the error, the executor goes on.
    class Forgetful(ThreadPoolExecutor):
        submitted = 0

        def submit(self, *arguments, **options) -> Future:
            self.submitted += 1
            if self.submitted in (2, 5):
                future: Future = Future()
                future.set_exception(OSError("worker gone"))
                return future
            return super().submit(*arguments, **options)

    points = [(torch.tensor(float(i)),) for i in range(4)]
    with Forgetful(1) as pool:
        assert Objective(squares, executor=pool, retries=2).losses(points).tolist() == [0, 1, 4, 9]
        assert pool.submitted == 6
    with Forgetful(1) as pool:
        with pytest.raises(
            EvaluationError, match="evaluation 1 of 4 was lost 2 times: OSError: worker gone; "
        ) as caught:
            Objective(squares, executor=pool, retries=1).losses(points)
        assert caught.value.index == 1 and isinstance(caught.value.__cause__, OSError)


def test_who_shuts_down_what() -> None:
    made: list[ThreadPoolExecutor] = []

    def make() -> ThreadPoolExecutor:
        made.append(ThreadPoolExecutor(1))
        return made[-1]

    point = [(torch.ones(1),)]
    objective = Objective(squares, executor=make)
    assert not made  # before there is work
    with objective:
        objective.losses(point)
        objective.losses(point)
    assert len(made) == 1
    with pytest.raises(RuntimeError, match="shutdown"):
        made[0].submit(int)
    objective.losses(point)
    assert len(made) == 2
    del objective
    with pytest.raises(RuntimeError, match="shutdown"):
        made[1].submit(int)
    with ThreadPoolExecutor(1) as mine:
        with Objective(squares, executor=mine) as objective:
            objective.losses(point)
        assert mine.submit(int).result() == 0


def test_as_objective() -> None:
    objective = Objective(squares)
    assert as_objective(objective) is objective
    assert as_objective(squares).losses([(torch.ones(2),)]).tolist() == [2.0]


def test_bad_arguments(unchecked: None) -> None:
    class Client:
        def get_executor(self) -> None: ...

    for arguments, message in [
        ({"function": 3}, "function: expected a callable, got int"),
        (
            {"executor": 3},
            "executor: expected a concurrent.futures.Executor or a function that makes one, got int",
        ),
        ({"executor": Client()}, r"got Client; give client.get_executor\(pure=False\)"),
        ({"executor": ThreadPoolExecutor, "batched": True}, "executor: expected None for a batched function"),
        ({"timeout": 0.0, "executor": ThreadPoolExecutor}, "timeout: expected seconds > 0 or None, got 0.0"),
        ({"timeout": math.nan, "executor": ThreadPoolExecutor}, "timeout: expected seconds"),
        ({"timeout": 1.0}, "timeout: expected None without an executor"),
        ({"retries": -1}, "retries: expected an integer >= 0, got -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            Objective(**{"function": squares, **arguments})
    with pytest.raises(
        ValueError, match=r"executor: expected a function that makes .*, got one that made list"
    ):
        Objective(squares, executor=list).losses([(torch.ones(1),)])
    with pytest.raises(
        ValueError, match=r"points: expected tuples of tensors, got Tensor; write \(tensor,\)"
    ):
        Objective(squares).losses(torch.ones(4, 3))
