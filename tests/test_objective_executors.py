"""Objectives evaluated by processes and on a cluster: the same losses, whatever dies or hangs."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from largesteps_zg.estimators import EvaluationError, Objective, processes

# Functions that workers import -----------------------------------------------------------------------------------


def mixed(vertices: Tensor, colors: Tensor) -> Tensor:
    assert vertices.device.type == "cpu" and not torch.is_grad_enabled()
    return vertices.sin().sum() * colors.exp().mean()


def marked(
    folder: Path, x: Tensor, *, deadly: tuple[int, ...] = (), hanging: tuple[int, ...] = (), first=True
) -> float:
    """The square of a number; a file for each evaluation begun, and another for each that finished."""
    index = int(x)
    before = len(list(folder.glob(f"begun-{index}-*")))
    (folder / f"begun-{index}-{time.time_ns()}-{os.getpid()}").touch()
    if before == 0 or not first:
        if index in deadly:
            os._exit(3)
        if index in hanging:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
    (folder / f"finished-{index}-{time.time_ns()}-{os.getpid()}").touch()
    return float(x) ** 2


def counts(folder: Path, what: str) -> Counter[int]:
    return Counter(int(path.name.split("-")[1]) for path in folder.glob(f"{what}-*"))


class Unsendable(Exception):
    """Pickles, but does not come back."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def fragile(x: Tensor) -> float:
    kind = int(x)
    if kind == 1:
        raise ZeroDivisionError("by nothing")
    if kind == 2:
        raise Unsendable(1, 2)
    return {0: 0.0, 3: float("nan"), 4: "text"}[kind]


def pictures(x: Tensor) -> dict:
    return {"image": x * torch.ones(8, 8), "empty": torch.ones(0, 3, dtype=torch.bfloat16), "mask": x > 0}


class Counting:
    """Makes something at its first call, as a renderer does its context."""

    def __init__(self, offset: float) -> None:
        self.offset, self.made = offset, 0

    def __call__(self, x: Tensor) -> float:
        self.made += 1
        return self.offset + self.made


# Executors ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with processes(2)() as pool:
        yield pool


@pytest.fixture(scope="module")
def cluster() -> Iterator[Executor]:
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor()


@pytest.fixture(params=["pool", pytest.param("cluster", marks=pytest.mark.slow)])
def executor(request: pytest.FixtureRequest) -> Executor:
    return request.getfixturevalue(request.param)


def numbers(count: int) -> list[tuple[Tensor]]:
    return [(torch.tensor(float(i)),) for i in range(count)]


@pytest.mark.slow
def test_the_losses_are_those_of_one_by_one(executor: Executor, generator: torch.Generator) -> None:
    count = 300 if isinstance(executor, ProcessPoolExecutor) else 60
    points = [
        (torch.randn(30, 3, generator=generator), torch.randn(7, generator=generator, dtype=torch.float64))
        for _ in range(count)
    ]
    objective = Objective(mixed, executor=executor)
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.exists() else 0
    assert torch.equal(objective.losses(points), Objective(mixed).losses(points))
    assert objective.evaluations == count
    if descriptors.exists():
        assert len(list(descriptors.iterdir())) < before + 20


@pytest.mark.slow
def test_results_of_all_kinds_come_back(executor: Executor) -> None:
    for (x,), result in zip(
        numbers(40), Objective(pictures, executor=executor).results(numbers(40)), strict=True
    ):
        assert torch.equal(result["image"], x * torch.ones(8, 8)) and result["mask"].dtype == torch.bool
        assert result["empty"].shape == (0, 3) and result["empty"].dtype == torch.bfloat16
        result["image"].add_(1)  # memory of its own


@pytest.mark.parametrize(
    "index, what, cause",
    [
        (1, "raised ZeroDivisionError: by nothing", ZeroDivisionError),
        (2, "raised Unsendable: 1 and 2", RuntimeError),
        (3, "returned nan instead of a finite number", None),
        (4, "returned str instead of a number", None),
    ],
)
def test_errors_say_where(executor: Executor, index: int, what: str, cause) -> None:
    points = [*numbers(1) * 3, numbers(5)[index], *numbers(1) * 5]
    objective = Objective(fragile, executor=executor)
    with pytest.raises(
        EvaluationError, match=rf"^evaluation 3 of 9 {what}; parameters \(\) from {index} to"
    ) as caught:
        objective.losses(points)
    assert caught.value.index == 3 and caught.value.parameters == points[3]
    assert type(caught.value.__cause__) is (cause or type(None))
    if cause is not None:
        assert "in fragile" in str(caught.value.__cause__.__cause__)  # the worker's traceback
    assert objective.losses(points[:2]).tolist() == [0.0, 0.0]


def test_equal_points_are_evaluated_each(executor: Executor, tmp_path: Path) -> None:
    objective = Objective(partial(marked, tmp_path), executor=executor)
    assert objective.losses(numbers(2)[1:] * 4).tolist() == [1.0] * 4
    assert counts(tmp_path, "finished") == {1: 4}


def test_workers_keep_the_function_until_it_changes() -> None:
    function = Counting(10.0)
    with processes(1)() as single:
        objective = Objective(function, executor=single)
        assert objective.losses(numbers(3)).tolist() == [11, 12, 13]
        assert objective.losses(numbers(1)).tolist() == [14]
        function.offset = 20.0
        assert objective.losses(numbers(2)).tolist() == [21, 22]


def test_what_cannot_be_pickled_names_the_cure(pool: ProcessPoolExecutor) -> None:
    objective = Objective(lambda x: 0.0, executor=pool)
    with pytest.raises(
        ValueError, match=r"^function: expected one that can be pickled .*<lambda>.*; define it with def"
    ):
        objective.losses(numbers(2))
    with pytest.raises(EvaluationError, match=r"evaluation 0 of 2 returned generator that cannot be pickled"):
        Objective(generating, executor=pool).results(numbers(2))


def generating(x: Tensor) -> Iterator[int]:
    yield 1


@pytest.mark.slow
def test_a_cluster_takes_lambdas(cluster: Executor) -> None:
    assert Objective(lambda x: x + 1, executor=cluster).losses(numbers(2)).tolist() == [1, 2]


# Death and hanging -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("given", [True, False])
def test_processes_that_die_lose_nothing(given: bool, tmp_path: Path) -> None:
    function = partial(marked, tmp_path, deadly=(5, 13))
    make = processes(2)
    executor = make() if given else make
    with Objective(function, executor=executor, retries=3) as objective:
        assert objective.losses(numbers(20)).tolist() == [i**2 for i in range(20)]
        assert objective.evaluations == 20
        begun = counts(tmp_path, "begun")
        assert begun[5] >= 2 and begun[13] >= 2
        assert sum(begun.values()) <= 20 + 2 * 4  # the dead ones, and what was under way or on its way
        assert objective.losses(numbers(3)).tolist() == [0, 1, 4]
        workers = multiprocessing.active_children()
        assert len(workers) >= 2
    if given:
        with pytest.raises(RuntimeError):  # broken, and shut down
            executor.submit(int)


@pytest.mark.slow
def test_a_pool_of_another_kind_that_dies_is_the_end_and_names_the_cure(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as given:
        objective = Objective(partial(marked, tmp_path, deadly=(1,)), executor=given)
        with pytest.raises(
            EvaluationError, match=r"^evaluation \d of 3 .*its worker died.*processes\(N\), which"
        ):
            objective.losses(numbers(3))
    assert counts(tmp_path, "begun")[1] == 1


@pytest.mark.slow
def test_an_evaluation_that_always_kills_is_named(tmp_path: Path) -> None:
    function = partial(marked, tmp_path, deadly=(6,), first=False)
    with Objective(function, executor=processes(2), retries=1) as objective:
        with pytest.raises(
            EvaluationError, match=r"evaluation \d of 300 was lost 2 times: its worker died"
        ) as caught:
            objective.losses(numbers(300))
        assert caught.value.__cause__ is not None
        named = str(caught.value).split(";")[0]
        assert "6" in named and "299" not in named  # by itself or beside its neighbour, and nobody who waited
        assert counts(tmp_path, "begun")[6] in (2, 3)


@pytest.mark.slow
def test_processes_that_hang_are_terminated_and_lose_nothing(tmp_path: Path) -> None:
    before = set(multiprocessing.active_children())
    function = partial(marked, tmp_path, hanging=(0, 4))
    with Objective(function, executor=processes(2), timeout=1.0, retries=2) as objective:
        assert objective.losses(numbers(10)).tolist() == [i**2 for i in range(10)]
        finished = counts(tmp_path, "finished")
        assert set(finished) == set(range(10)) and finished[0] == finished[4] == 1
    assert set(multiprocessing.active_children()) <= before


@pytest.mark.slow
def test_always_hanging_is_an_error(tmp_path: Path) -> None:
    before = set(multiprocessing.active_children())
    function = partial(marked, tmp_path, hanging=(0,), first=False)
    with Objective(function, executor=processes(1), timeout=0.5, retries=0) as objective:
        with pytest.raises(
            EvaluationError,
            match=r"evaluation 0 of 2 was lost 1 times: no evaluation finished within 0.5 s; parameters",
        ):
            objective.losses(numbers(2))
    assert set(multiprocessing.active_children()) <= before


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process")
def test_closing_ends_within_seconds_whatever_the_workers_do() -> None:
    # A stopped worker answers nobody: as one does that waits for the lock of a dead one.
    before = set(multiprocessing.active_children())
    objective = Objective(mixed, executor=processes(2))
    point = (torch.ones(2), torch.ones(2))
    objective.losses([point] * 8)
    workers = sorted(set(multiprocessing.active_children()) - before, key=lambda process: process.pid)
    os.kill(workers[0].pid, signal.SIGSTOP)
    started = time.monotonic()
    objective.close()
    assert time.monotonic() - started < 10
    for process in workers:
        process.join(5)
        assert not process.is_alive()
    assert objective.losses([point] * 2).shape == (2,)  # with new ones
    objective.close()


@pytest.mark.slow
def test_closing_does_not_wait_for_a_thread_that_hangs() -> None:
    release = threading.Event()
    objective = Objective(lambda x: 0.0, executor=partial(ThreadPoolExecutor, 1))
    objective.losses(numbers(1))
    objective._workers.executor.submit(release.wait, 60)
    started = time.monotonic()
    objective.close()
    assert time.monotonic() - started < 10
    release.set()


@pytest.mark.slow
def test_a_cluster_whose_worker_dies_loses_nothing(cluster: Executor, tmp_path: Path) -> None:
    objective = Objective(partial(marked, tmp_path, deadly=(3,)), executor=cluster)
    assert objective.losses(numbers(6)).tolist() == [i**2 for i in range(6)]
    assert counts(tmp_path, "begun")[3] == 2


# Programs ----------------------------------------------------------------------------------------------------------

PROGRAM = """
import sys, time
from pathlib import Path
import torch
from largesteps_zg.estimators import Objective, processes

def large(x):
    return x.sin().sum()

def hanging(x):
    Path(sys.argv[2], str(time.time_ns())).touch()
    time.sleep(600)

if __name__ == "__main__":
    torch.set_num_threads(2)
    points = [(torch.full((200_000,), float(i)),) for i in range(4)]
    expected = torch.stack([x.sin().sum() for x, in points])  # torch's threads have been at work
    make = processes(2, threads=2, method=sys.argv[1])
    remaining = Objective(large, executor=make, timeout=20.0)  # not closed
    losses = remaining.losses(points)
    torch.testing.assert_close(losses, expected.double(), rtol=1e-5, atol=1e-5)
    if sys.argv[2:]:
        Objective(hanging, executor=make).losses(points)
"""
METHODS = multiprocessing.get_all_start_methods()


@pytest.mark.slow
def test_torch_works_in_spawned_processes_and_the_program_ends_quietly(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.replace("processes(2", "processes(1"))
    command = [sys.executable, script, "spawn"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.skipif("fork" not in METHODS, reason="this system does not fork")
def test_torch_works_in_forked_processes_and_an_interrupt_ends_those_that_hang(tmp_path: Path) -> None:
    script, markers = tmp_path / "program.py", tmp_path / "markers"
    script.write_text(PROGRAM)
    markers.mkdir()
    command = [sys.executable, "-W", "ignore", script, "fork", markers]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    program = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment
    )
    try:
        deadline = time.monotonic() + 60
        while len(list(markers.iterdir())) < 2 and time.monotonic() < deadline and program.poll() is None:
            time.sleep(0.02)
        assert len(list(markers.iterdir())) >= 2, "the program did not get so far"
        program.send_signal(signal.SIGINT)  # to the program alone, as a notebook does
        started = time.monotonic()
        _, error = program.communicate(timeout=30)
        assert time.monotonic() - started < 10
        assert program.returncode != 0 and error.rstrip().endswith("KeyboardInterrupt"), error
        with pytest.raises(ProcessLookupError):  # nothing of it is left
            os.killpg(program.pid, 0)
    finally:
        try:
            os.killpg(program.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
