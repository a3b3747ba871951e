"""Commands that are stopped at any moment: what they leave behind is gone on with, or begun anew, to the same mesh."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from largesteps_zg.mesh import icosphere
from largesteps_zg.output.destination import OF_A_RUN
from largesteps_zg.scenes import save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

STEPS = 24
OPTIONS = ["--steps", str(STEPS), "--views-per-step", "2", "--remesh", "6,14", "--max-vertices", "500"]
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}


class Runs:
    """One command in folders of their own, whole or stopped, and what it came to when nobody stopped it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shown = scene_from_mesh(icosphere(2, radius=2.0), views=4, test_views=1, height=24, width=32)
        save_scene(folder / "scene", shown)
        begin = time.monotonic()
        self.whole = self.finished(folder / "whole")
        self.seconds = time.monotonic() - begin

    def start(self, output: Path, *more: str) -> subprocess.Popen[str]:
        words = [
            "reconstruct",
            str(self.folder / "scene"),
            "--output",
            str(output),
            *OPTIONS,
            "--init",
            "sphere",
        ]
        return subprocess.Popen(
            [sys.executable, "-m", "largesteps_zg", *words, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finished(self, output: Path, *more: str) -> bytes:
        with self.start(output, *more) as process:
            _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert not [file.name for file in output.iterdir() if file.name.startswith(".")]
        return (output / "mesh.ply").read_bytes()

    def stopped(
        self, output: Path, number: signal.Signals, wait: Callable[[subprocess.Popen[str]], None]
    ) -> int:
        """Stop one where `wait` ends, see that it says no more than it should, and let it end: the mesh is the same."""
        with self.start(output) as process:
            wait(process)
            process.send_signal(number)
            _, err = process.communicate(timeout=300)
        assert process.returncode in (0, STATUS[number]), (process.returncode, err)
        assert err.count("\n") <= 2 and "Traceback" not in err and "***" not in err, err
        resumable = (output / "checkpoint.pt").is_file()
        assert self.finished(output, *(["--resume"] if resumable else [])) == self.whole
        return process.returncode


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("kills"))


def until(file: Path) -> Callable[[subprocess.Popen[str]], None]:
    """Until a file is there, or the process is over."""

    def wait(process: subprocess.Popen[str]) -> None:
        while not file.exists() and process.poll() is None:
            time.sleep(0.001)

    return wait


@pytest.mark.slow
def test_killed_while_pictures_are_written(runs: Runs, tmp_path: Path) -> None:
    runs.stopped(tmp_path / "run", signal.SIGKILL, until(tmp_path / "run" / "comparison.png"))
    (tmp_path / "run" / "run.json").unlink()
    (tmp_path / "run" / ".mesh.0123abcd.ply").touch()
    assert runs.finished(tmp_path / "run") == runs.whole  # anew in the same folder does too


@pytest.mark.slow
def test_sigterm_while_modules_are_loaded(runs: Runs, tmp_path: Path) -> None:
    """Half a second in; there is nothing yet to go on with, and nothing is left."""
    with runs.start(tmp_path / "run") as process:
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=300)
    assert process.returncode in (143, -15) and err.count("\n") <= 1 and "Traceback" not in err, err
    assert not (tmp_path / "run").exists() or not any((tmp_path / "run").iterdir())


@pytest.mark.kills
@pytest.mark.parametrize(
    "name", sorted({*OF_A_RUN} - {"results.json", "mesh.mtl", "mesh.png", "recording.html"})
)
def test_killed_at_each_file(runs: Runs, tmp_path: Path, name: str) -> None:
    runs.stopped(tmp_path / "run", signal.SIGKILL, until(tmp_path / "run" / name))


@pytest.mark.kills
@pytest.mark.parametrize("seed", range(30))
def test_stopped_at_a_random_moment(runs: Runs, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    number = draw.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    seconds = draw.uniform(0.3, runs.seconds)  # sooner, Python itself is not there yet
    runs.stopped(tmp_path / "run", number, lambda _: time.sleep(seconds))
