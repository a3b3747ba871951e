"""Settings are checked where they are made, in Python as on the command line: types, ranges, names; one line each."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from largesteps_zg.comparison import Budget
from largesteps_zg.comparison.plan import Plan
from largesteps_zg.images.losses import KINDS
from largesteps_zg.reconstruct import Settings, resolve_device
from largesteps_zg.reconstruct.gradients import GRADIENTS, make_source
from largesteps_zg.reconstruct.settings import LOSSES
from largesteps_zg.renderers import BlackBox, HardRasterizer, load_renderer
from largesteps_zg.scenes import Reading

pytestmark = pytest.mark.usefixtures("unchecked")  # else types alone would be refused by the checks of tests

COUNTS = ("steps", "views_per_step", "max_vertices")
NUMBERS = ("lambda_", "step_size", "bending")
NAMES = (
    "device",
    "backend",
    "gradients",
    "renderer",
    "loss",
    "gloss",
    "patches",
    "exposure",
    "refine_cameras",
)
NO_NUMBERS = (
    True,
    np.True_,
    "10",
    b"10",
    math.nan,
    math.inf,
    -math.inf,
    np.float32("nan"),
    [1],
    None,
    1j,
    torch.ones(3),
)


def refusal(kind: type, **change: Any) -> str:
    """What is said of a value: one line that names the field and what it got."""
    with pytest.raises(ValueError) as caught:
        kind(**change)
    said = str(caught.value)
    (name,) = change
    assert said.startswith(f"{name.strip('_').replace('_', ' ')}: ") and "\n" not in said and len(said) < 250
    assert "expected " in said or "is called for" in said
    return said


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [0, -1, 1.5, 10.0, np.float64(3), *NO_NUMBERS])
def test_what_is_no_count_is_refused(name: str, value: Any) -> None:
    if value is None:
        assert getattr(Settings(**{name: None}), name) is None
        return
    assert "is a good start" in refusal(Settings, **{name: value})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1.0, -1e-30, 10**400, *NO_NUMBERS])
def test_what_is_no_number_is_refused(name: str, value: Any) -> None:
    if value is None and name == "lambda_":
        assert Settings(lambda_=None).lambda_ is None
        return
    assert "is a good start" in refusal(Settings, **{name: value})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value", ["magic", "", "AUTO", "cuda:x", "auto,on", True, 0, None, ["auto"], b"auto", np.zeros(2)]
)
def test_what_is_no_name_is_refused(name: str, value: Any) -> None:
    refusal(Settings, **{name: value})


@pytest.mark.parametrize("value", [-1, 2**63, 1.0, "0", True, None, math.nan])
def test_what_is_no_seed_is_refused(value: Any) -> None:
    assert "in [0, 9223372036854775807]" in refusal(Settings, seed=value)


@pytest.mark.parametrize(
    "value",
    ["sometimes", "100,300", "", b"ab", 3, None, True, (), [], (1.5,), ("3",), (True,), {3, 4}, np.ones(2)],
)
def test_what_is_no_time_to_remesh_is_refused(value: Any) -> None:
    assert "auto, adaptive, off or steps such as 100,300" in refusal(Settings, remesh=value)


def test_remeshings_lie_within_the_run() -> None:
    assert Settings(steps=40, remesh=(0, 39)).remesh == (0, 39)
    for step in (-1, 40):
        with pytest.raises(ValueError, match=rf"^remesh: expected steps in \[0, 40\), got {step}$"):
            Settings(steps=40, remesh=(3, step))
    with pytest.raises(ValueError, match=r"^remesh: expected steps in \[0, 3\), got 5$"):
        dataclasses.replace(Settings(remesh=(5,)), steps=3)


def test_numbers_of_numpy_are_taken_and_kept_as_python_s() -> None:
    found = Settings(
        steps=np.int64(10), lambda_=np.float32(2), step_size=np.float64(0.5), views_per_step=np.uint8(3),  # type: ignore[arg-type]
        remesh=np.array([3, 5]), max_vertices=np.int32(900), seed=np.int16(7), bending=np.int64(0), loss=np.str_("l2"),  # type: ignore[arg-type]
    )  # fmt: skip
    plain = Settings(
        steps=10, lambda_=2.0, step_size=0.5, views_per_step=3, remesh=(3, 5), max_vertices=900, seed=7, bending=0.0,
        loss="l2",
    )  # fmt: skip
    assert found == plain
    for each in dataclasses.fields(Settings):
        assert type(getattr(found, each.name)) is type(getattr(plain, each.name)), each.name
    assert Settings(remesh=[3, 5]).remesh == Settings(remesh=range(3, 6, 2)).remesh == (3, 5)  # type: ignore[arg-type]


def test_names_that_are_known_are_taken() -> None:
    for name in ("auto", "cpu", "cuda", "cuda:1"):
        assert Settings(device=name).device == name
    assert Settings(device=torch.device("cpu")).device == "cpu"  # type: ignore[arg-type]
    for backend in ("auto", "warp", "nvdiffrast"):
        assert Settings(backend=backend).backend == backend
    for renderer in ("opengl", "antialiased", "mine.py:draw", "package.module:draw"):
        assert Settings(gradients="spsa", renderer=renderer).renderer == renderer
    assert LOSSES == KINDS


def test_every_source_of_gradients_is_made_by_the_name_that_settings_take() -> None:
    for name in GRADIENTS:
        assert Settings(gradients=name).gradients == name
        assert make_source(name, HardRasterizer(), 0).renders == 0
    with pytest.raises(ValueError, match=r"^gradients: expected one of rasterizer, .*, got 'magic'$"):
        make_source("magic", HardRasterizer(), 0)


def test_a_renderer_that_nothing_calls_is_refused() -> None:
    said = refusal(Settings, renderer="opengl")
    assert said.startswith("renderer: opengl is called for estimates alone") and "per-pixel" in said
    with pytest.raises(ValueError, match=r"^renderer: expected rasterizer, .*, got 'magic'$"):
        load_renderer("magic")


def test_devices_that_are_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^device: expected auto, cpu or cuda, got 'tpu9'$"):
        resolve_device("tpu9")
    assert resolve_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(ValueError, match=r"^device: cuda was asked for, .*; use --device cpu$"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match=r"^device: expected cuda:0 to cuda:1, got cuda:2"):
        resolve_device("cuda:2")


@pytest.mark.parametrize(
    "change",
    [
        *({"max_size": value} for value in (15, 100.0, "100", True, math.nan, None)),
        *({"hold_out": value} for value in (1, -1, 8.0, "8", True, None)),
        *({"background": value} for value in ("black", (1, 2), (0, 0, 256), (0, 0, math.nan), ("0", 0, 0), 3, None)),
        *({"masks": value} for value in (3, b"masks", True)),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(change: dict[str, Any]) -> None:
    refusal(Reading, **change)


def test_what_can_be_read_is_taken() -> None:
    found = Reading(
        masks="masks", background=np.array([0, 4, 255]), max_size=np.int64(16), hold_out=np.int64(2)
    )  # type: ignore[arg-type]
    assert found == Reading(Path("masks"), (0, 4, 255), 16, 2) and type(found.max_size) is int


@pytest.mark.parametrize(
    "change",
    [
        *({"gradients": value} for value in ((), "spsa", ("magic",), ("spsa", "spsa"), (1,), None)),
        *({"seeds": value} for value in ((), 0, True, "3", (0, 0), (1.5,), (-1,), ("0",), None)),
        *({"budget": value} for value in (100, None)),
        *({"renderer": value} for value in ("magic", 3, None, HardRasterizer)),
        *({"lambda_": value} for value in (-1, "19", math.nan, True)),
        *({"device": value} for value in ("tpu", None)),
        *({"diagnostics": value} for value in ("no", None, 1)),
    ],
)  # fmt: skip
def test_plans_that_cannot_be_carried_out_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:
        Plan(**change)
    (name,) = change
    said = str(caught.value)
    assert said.startswith(name.strip("_").rstrip("s")) and "expected" in said and "\n" not in said


def test_plans_are_taken_as_they_are_meant() -> None:
    renderer: BlackBox = HardRasterizer()
    found = Plan(["spsa"], np.arange(2), Budget(np.int64(3), "steps"), renderer, np.float32(2))  # type: ignore[arg-type]
    assert found == Plan(("spsa",), (0, 1), Budget(3, "steps"), renderer, 2.0)
    assert found == Plan(("spsa",), 2, Budget(3, "steps"), renderer, 2.0)
    assert found.runs == [("spsa", 0), ("spsa", 1)] and found.settings("spsa", 1).steps == 3
    assert Plan(budget=Budget(0.5, "steps")).settings("spsa", 0).steps == 1  # one step is always taken
    for amount, unit in ((True, "renders"), ("3", "renders"), (math.nan, "steps"), (1, "days"), (1, None)):
        with pytest.raises(ValueError, match=r"^budget: expected"):
            Budget(amount, unit)  # type: ignore[arg-type]
