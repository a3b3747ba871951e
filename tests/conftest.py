"""What all tests share: shapes checked at run time, no window, one seed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

# Before torch is imported: on a machine that has other work to do its threads would spin while they wait.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["MPLBACKEND"] = "Agg"
# Where it is set, each of a hundred processes that tests start would compile the whole package.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import hypothesis
import jaxtyping
import pytest
import torch
from typechecker import begin_test, jaxtyped_at_times

# A shell that starts something in the background turns Ctrl-C off for it, and so for what tests want to interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Failing or slow by chance is no result: the same examples every time, and no clock.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parents[1]

# What a whole file needs of a system, where not all of them have it.
NEEDS = {
    "limits of memory and devices as Linux has them": (
        sys.platform == "linux",
        ["test_exporters_fuzz.py", "test_hostile_files.py", "test_scene_fuzz.py"],
    ),
    "signals as POSIX has them": (os.name == "posix", ["test_kills.py", "test_stopping.py"]),
}
collect_ignore = [file for there, files in NEEDS.values() for file in files if not there]
collect_ignore.append("blender_steps.py")  # run by test_blender.py, in a process of its own


def pytest_runtest_setup() -> None:
    """Fixtures included."""
    begin_test()


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    return [
        f"no {need}, so not run: {', '.join(files)}" for need, (there, files) in NEEDS.items() if not there
    ]


def checked_modules() -> Iterator[str]:
    """Modules whose jaxtyping shapes are checked: all but those with kernels that a compiler reads."""
    for file in sorted((ROOT / "largesteps_zg").rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        if file.stem in ("__init__", "__main__") or "@wp." in source or "@make.kernel" in source:
            continue
        yield ".".join(file.relative_to(ROOT).with_suffix("").parts)


jaxtyping.jaxtyped = jaxtyped_at_times  # which the hook below calls by its name
# Kept for the whole session: doctests import modules long after the tests were collected.
jaxtyping.install_import_hook(list(checked_modules()), "typechecker.typechecker")


@pytest.fixture
def generator() -> torch.Generator:
    """Random numbers of the test's own, the same in every run."""
    return torch.Generator().manual_seed(20210916)


@pytest.fixture
def same_topology(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs do not ask for another topology, which takes half of a short one and has tests of its own."""
    monkeypatch.setattr("largesteps_zg.reconstruct.loop.retopologized", lambda *_: None)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Shapes not checked, as for users: for tests of the library's own errors about wrong shapes and types."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes hours unless `-m` names it, whatever else `-m` says."""
    left_out = {name for name in ("fuzz", "kills") if name not in config.getoption("markexpr")}
    gone = [item for item in items if left_out & {mark.name for mark in item.iter_markers()}]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in gone]
