"""Each field of Settings has one option with its name, default and help; --help waits for no numerical package."""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from largesteps_zg._support.options import NO_OPTION, option
from largesteps_zg.cli.options import add_options, given
from largesteps_zg.cli.program import _parser
from largesteps_zg.comparison.plan import Plan
from largesteps_zg.reconstruct import Settings
from largesteps_zg.scenes import Reading

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("reconstruct", "render", "compare", "info")
HEAVY = ("torch", "numpy", "scipy", "warp", "matplotlib", "trimesh", "PIL", "jinja2")

# What a user writes for each field, and what it means; Python's own defaults are other values than these.
WRITTEN: dict[type, list[tuple[str, str, Any]]] = {
    Settings: [
        ("steps", "--steps 30", 30),
        ("lambda_", "--lambda 7", 7.0),
        ("step_size", "--step-size 1e-2", 0.01),
        ("views_per_step", "--views-per-step 3", 3),
        ("remesh", "--remesh 4,9", (4, 9)),
        ("remesh", "--remesh adaptive", "adaptive"),
        ("max_vertices", "--max-vertices 800", 800),
        ("device", "--device cpu", "cpu"),
        ("backend", "--backend warp", "warp"),
        ("seed", "--seed 5", 5),
        ("gradients", "--gradients spsa", "spsa"),
        ("renderer", "--renderer a.py:b --gradients spsa", "a.py:b"),
        ("loss", "--loss robust", "robust"),
        ("bending", "--bending 0", 0.0),
        ("gloss", "--gloss on", "on"),
        ("exposure", "--exposure off", "off"),
        ("patches", "--patches off", "off"),
        ("refine_cameras", "--refine-cameras", "on"),
        ("refine_cameras", "--no-refine-cameras", "off"),
        ("refine_cameras", "--refine-cameras --no-ref", "off"),  # the last one counts, and a beginning does
    ],
    Reading: [
        ("masks", "--masks there", Path("there")),
        ("masks", "--masks none", "none"),
        ("cameras", "--cameras there", Path("there")),
        ("background", "--background 0,4,255", (0, 4, 255)),
        ("background", "--background none", "none"),
        ("max_size", "--max-size 100", 100),
        ("hold_out", "--hold-out 0", 0),
        ("mask_model", f"--mask-model {__file__}", Path(__file__)),
        ("frames", "--frames 12", 12),
    ],
    Plan: [
        ("gradients", "--gradients spsa,zerograds", ("spsa", "zerograds")),
        ("gradients", "--gradients=", ("rasterizer", "soft", "per-pixel", "zerograds", "smoothed", "spsa")),
        ("seeds", "--seeds 3", (0, 1, 2)),
        ("renderer", "--renderer opengl", "opengl"),
        ("lambda_", "--lambda 7", 7.0),
        ("diagnostics", "--no-diagnostics", False),
    ],
}  # fmt: skip
COMMAND = {Settings: "reconstruct", Reading: "info", Plan: "compare"}
WITHOUT = {Settings: ("advanced",), Reading: ("advanced", "watch"), Plan: ("budget", "device")}


def parsed(kind: type, words: str = "") -> Any:
    """What a command makes of its words."""
    command = COMMAND[kind]
    return given(_parser().parse_args([command, "--output", "x", *words.split()]), kind)


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    return found.choices


@pytest.mark.parametrize("kind", WRITTEN)
def test_defaults_are_the_dataclass_s(kind: type) -> None:
    assert parsed(kind) == kind()


@pytest.mark.parametrize(
    ("kind", "field", "words", "value"), [(kind, *row) for kind, rows in WRITTEN.items() for row in rows]
)
def test_what_is_written_is_what_is_meant(kind: type, field: str, words: str, value: Any) -> None:
    found = getattr(parsed(kind, words), field)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("kind", WRITTEN)
def test_each_field_has_one_option(kind: type) -> None:
    names = {each.name for each in dataclasses.fields(kind)}
    assert names == {row[0] for row in WRITTEN[kind]} | set(WITHOUT[kind])  # none is left untried above
    actions = commands()[COMMAND[kind]]._actions
    for name in names:
        assert sum(action.dest == name for action in actions) == (name not in WITHOUT[kind]), name


def test_options_are_told_with_their_defaults() -> None:
    text = " ".join(commands()["reconstruct"].format_help().split())
    for words in (
        "--steps N gradient steps (default 1500; down to 500 where photographs agree over the surface)",
        "(default 5; 19 for estimates)",
        "(default 50000; 20000 for estimates)",
        "in scene radii (default 0.1)", "(default 0.025)", "(default rasterizer)", "(default 800)", "(default 8)",
        "--loss l1|l2|robust", "--backend auto|warp|nvdiffrast", "--remesh auto|adaptive|off|N,...",
        "per-pixel, zerograds, smoothed, spsa", "--refine-cameras, --no-refine-cameras",
    ):  # fmt: skip
        assert words in text
    text = " ".join(commands()["compare"].format_help().split())
    for words in (
        "smoothing (default 19)",
        "images of one view (default 48000)",
        "0 to N - 1 (default 1)",
        "(default all)",
    ):
        assert words in text


def test_a_field_says_that_it_has_no_option() -> None:
    @dataclasses.dataclass(frozen=True)
    class Told:
        share: float = dataclasses.field(default=0.5, metadata=option("100 % of it", "S", float))
        inner: int = dataclasses.field(default=3, metadata=NO_OPTION)

    parser = argparse.ArgumentParser()
    add_options(parser, Told)
    assert "100 % of it (default 0.5)" in parser.format_help()
    assert given(parser.parse_args(["--share", "1"]), Told) == Told(1.0)
    assert given(parser.parse_args([]), Told, inner=4) == Told(0.5, 4)

    @dataclasses.dataclass(frozen=True)
    class Silent:
        steps: int = 3

    with pytest.raises(TypeError, match=r"^Silent.steps: "):
        add_options(parser, Silent)


@pytest.mark.slow
@pytest.mark.parametrize("words", ["--version", *(f"{command} --help" for command in ("", *COMMANDS))])
def test_what_only_tells_loads_nothing_heavy(words: str) -> None:
    code = (
        "import sys\nfrom largesteps_zg.cli.main import main\n"
        f"try:\n    main({words.split()})\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    *told, loaded = run.stdout.splitlines()
    assert loaded == "[]"
    if words.startswith("reconstruct"):
        for each in dataclasses.fields(Settings):
            if each.name in WITHOUT[Settings]:
                continue
            assert f"  --{each.name.strip('_').replace('_', '-')}" in "\n".join(told), each.name


def test_settings_are_made_without_torch() -> None:
    code = (
        "import sys; from largesteps_zg.reconstruct import Settings\nSettings(steps=3, gradients='spsa')\n"
        "from largesteps_zg.scenes import Reading; Reading(); from largesteps_zg.comparison.plan import Plan; Plan()\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout == "[]\n"
