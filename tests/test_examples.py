"""Every example runs as a user would run it, keeps its promise and writes only where it says."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
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
    "21_nvdiffrast": (r"\((\d+) times less\)", 20, 1000),
    "22_mipmaps": (r"([\d.]+) times less", 3.0, 100.0),
    "23_environment": (r"surroundings off by ([\d.]+) %", 0.0, 1.0),
}


# A process that has loaded what takes seconds and started no thread. It forks for each example, which then runs as
# `python example.py` does: in a process and a folder of its own, with its own modules.
STARTER = """
import os, runpy, signal, sys
import numpy, torch, warp
for line in sys.stdin:
    path, folder = line.rstrip("\\n").split("\\t")
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    for name in ("stdout", "stderr"):
        os.dup2(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT), getattr(sys, name).fileno())
    signal.alarm(300)
    os.chdir(os.path.join(folder, "cwd"))
    sys.path[0], sys.argv = os.path.dirname(path), [path]
    runpy.run_path(path, run_name="__main__")
    sys.exit()
"""


@pytest.fixture(scope="module")
def starter() -> Iterator[subprocess.Popen[str]]:
    # Threads that wait for each other in a busy loop (OpenMP's habit) take the processor from other tests.
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE", "MPLBACKEND": "Agg"}
    with subprocess.Popen(
        [sys.executable, "-c", STARTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield process
        process.stdin.close()


def test_every_example_has_a_promise() -> None:
    assert [path.stem for path in EXAMPLES] == sorted(PROMISES)
    assert len(EXAMPLES) >= 7


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@every_example
def test_keeps_its_promise_and_writes_only_to_out_examples(
    path: Path, tmp_path: Path, starter: subprocess.Popen[str]
) -> None:
    folder = tmp_path / "cwd"
    folder.mkdir()
    print(path, tmp_path, sep="\t", file=starter.stdin, flush=True)
    status = starter.stdout.readline()
    out, err = ((tmp_path / name).read_text() for name in ("stdout", "stderr"))
    assert status == "0\n", err[-2000:]
    assert "Warning" not in err, err[-2000:]
    pattern, least, most = PROMISES[path.stem]
    number = re.search(pattern, out)
    assert number, f"nothing like {pattern!r} in:\n{out}"
    assert least <= float(number[1]) <= most, out
    written = [file for file in folder.rglob("*") if file.is_file()]
    for file in written:
        assert file.relative_to(folder).parent == Path("out/examples") and file.stem == path.stem, file
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
