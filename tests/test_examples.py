"""Every example runs as a user would run it, keeps its promise and writes only where it says."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("[0-9]*.py"))
every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)

# The number that an example prints to prove its point, the least it may be, and the most.
PROMISES = {
    "01_large_steps": (r"-> ([\d.]+) permille", 0.1, 9.0),
    "02_against_regularisation": (r"weak penalty against Large Steps: (\d+) to 1", 8, 1000),
    "03_drop_in": (r"Large Steps: (\d+) times less", 18, 1000),
    "04_remesh_and_carry": (r"changed the loss by ([+-]\d+) %", -25, 25),
    "05_rasterizer": (r"largest deviation ([\d.]+) %", 0.0, 3.0),
    "06_cameras": (r"K \(R x \+ t\): ([\d.e+-]+) pixels", 0.0, 1e-9),
    "07_light_and_albedo": (r"paint by ([\d.]+) % of its mean", 0.0, 8.0),
    "08_reconstruct": (r"Chamfer distance ([\d.]+) permille", 0.01, 1.0),
    "09_soft_selection": (r"the other by ([\d.e+-]+)", 0.0, 3e-4),
    "10_spsa": (r": ([\d.]+) times less", 50, 1000),
    "11_smoothed": (r"to ([\d.]+) from the target", 0.0, 0.012),
    "12_finite_differences": (r"within (\d+) lines", 0, 1),
    "13_search": (r"CMA-ES after 500 pictures: ([\d.]+) degrees", 0.0, 0.1),
    "14_zerograds": (r"farthest word ([\d.]+) characters", 0.0, 0.5),
    "15_per_pixel": (r"-> ([\d.]+) permille", 1.0, 15.0),
    "16_texture": (r"([\d.]+) times less", 4.0, 100.0),
    "17_opengl": (r"([\d.]+) times less", 5.0, 100.0),
    "18_photographs": (r"outlines ([\d.]+) pixels apart", 0.0, 0.5),
    "19_topology": (r"from the hull (\d+) times nearer", 10, 1000),
    "20_export": (r"worth ([\d.]+) dB", 1.0, 10.0),
}


def test_every_example_has_a_promise() -> None:
    assert [path.stem for path in EXAMPLES] == sorted(PROMISES)
    assert len(EXAMPLES) >= 7


@pytest.mark.slow
@every_example
def test_keeps_its_promise_and_writes_only_to_out_examples(path: Path, tmp_path: Path) -> None:
    # Threads that wait for each other in a busy loop (OpenMP's habit) take the processor from other tests.
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Warning" not in done.stderr, done.stderr[-2000:]
    pattern, least, most = PROMISES[path.stem]
    number = re.search(pattern, done.stdout)
    assert number, f"nothing like {pattern!r} in:\n{done.stdout}"
    assert least <= float(number[1]) <= most, done.stdout
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    for file in written:
        assert file.relative_to(tmp_path).parent == Path("out/examples") and file.stem == path.stem, file
        assert file.stat().st_size > 1000, f"{file} is nearly empty"
    # Pictures that the docstring speaks of are there, and no others.
    announced = set(
        re.findall(r"out/examples/(\S+?\.png)", ast.get_docstring(ast.parse(path.read_text())) or "")
    )
    assert {file.name for file in written if file.suffix == ".png"} == announced


@every_example
def test_is_short_and_says_what_it_does(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    docstring = ast.get_docstring(ast.parse(source)) or ""
    assert len(lines) < 80
    assert docstring.startswith(f"{int(path.stem[:2])}. ")  # the title, with the number of the file
    assert f"\n    python examples/{path.name}\n" in docstring
    assert "\nYou should see " in docstring
    assert any(line.startswith("assert ") for line in lines)  # it checks its own claim


def test_the_index_names_every_example() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\d\d_\w+\.py)\)", index) == [path.name for path in EXAMPLES]
