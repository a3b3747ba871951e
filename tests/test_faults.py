"""Whose fault an error is: what the command line says and with which status it ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from largesteps_zg._support import caches
from largesteps_zg._support.atomic import atomic_path, remove_leftovers
from largesteps_zg.cli.faults import InputError, RunError, answer, inputs
from largesteps_zg.cli.progress import Progress
from largesteps_zg.comparison.records import laid, stood
from largesteps_zg.mesh import icosphere
from largesteps_zg.output.pictures import drawing


def told(error: BaseException, capsys, **options: bool) -> tuple[int, str]:
    try:
        raise error
    except BaseException as caught:
        status = answer(caught, **options)
    return status, capsys.readouterr().err


def test_errors_where_inputs_are_read_are_the_users(capsys) -> None:
    for error in (ValueError("steps: 0"), ImportError("steps: 0"), OSError("steps: 0")):
        with pytest.raises(InputError) as caught, inputs():
            raise error
        assert told(caught.value, capsys) == (2, "largesteps-zg: steps: 0\n")
        assert caught.value.__cause__ is error
    with pytest.raises(TypeError), inputs():  # nobody's but the program's
        raise TypeError("x")


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, KeyError, ImportError, ZeroDivisionError])
def test_the_same_errors_elsewhere_are_the_programs(kind: type[Exception], capsys) -> None:
    status, err = told(kind("shape"), capsys)
    assert status == 1 and err.count("\n") == 1 and "Traceback" not in err
    assert "internal error" in err and kind.__name__ in err and "please report" in err and "--debug" in err
    status, err = told(kind("shape"), capsys, debug=True)
    assert status == 1 and "Traceback" in err and "test_faults.py" in err


def test_what_a_good_program_meets_asks_for_no_report(capsys) -> None:
    full = OSError(28, "No space left on device", "out/mesh.ply")
    assert told(full, capsys) == (1, "largesteps-zg: out/mesh.ply: No space left on device\n")
    assert told(RunError("step 1: the loss is nan"), capsys) == (
        1,
        "largesteps-zg: step 1: the loss is nan\n",
    )
    for error in (MemoryError(), torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to")):
        status, err = told(error, capsys)
        assert status == 1 and "out of memory" in err and "--max-size" in err and "report" not in err


def test_a_full_disk_is_told_with_the_file_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, atomic_path(tmp_path / "a.ply"):
        raise OSError(28, "No space left on device")  # as write() does
    assert caught.value.filename == str(tmp_path / "a.ply") and caught.value.errno == 28
    with pytest.raises(OSError, match=r"a\.png: encoder error"), atomic_path(tmp_path / "a.png"):
        raise OSError("encoder error -2")


def test_only_parts_of_our_files_are_removed(tmp_path: Path) -> None:
    names = [
        ".mesh.0123abcd.ply",
        ".mesh.ply",
        ".notes.0123abcd.ply",
        "mesh.0123abcd.ply",
        ".mesh.0123abcg.ply",
    ]
    for name in names:
        (tmp_path / name).touch()
    assert remove_leftovers(tmp_path, lambda name: name == "mesh.ply") == names[:1]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names[1:])


def test_progress_in_a_log_is_a_line_every_half_minute(monkeypatch, capsys) -> None:
    now = [0.0]
    monkeypatch.setattr("largesteps_zg.cli.progress.time.monotonic", lambda: now[0])
    with Progress(200, quiet=False) as shown, Progress(200, quiet=True) as silent:
        for step in range(1, 201):
            now[0] += 1.0
            shown.update(step, f"step {step}")
            silent.update(step, f"step {step}")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"{step / 2:3.0f} %  step {step}" for step in range(30, 201, 30)]


@pytest.mark.skipif(sys.platform != "linux", reason="names a folder that cannot be made on Linux")
def test_without_a_home_the_cache_is_a_temporary_one() -> None:
    code = (
        "import os, largesteps_zg._support.caches as c; print(c.use_temporary_cache()); "
        "d = os.environ['WARP_CACHE_PATH']; assert os.path.isdir(d) and c.use_temporary_cache() is None; print(d)"
    )
    env = {"HOME": "/proc/nowhere", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    first, folder = done.stdout.splitlines()
    assert first.startswith("/proc/nowhere/.cache cannot be written") and not Path(folder).exists()


def test_a_cache_that_can_be_written_stays(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("WARP_CACHE_PATH", raising=False)
    assert caches.use_temporary_cache() is None and list((tmp_path / "warp").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense", "svg"])
def test_matplotlib_is_imported_whatever_the_notebook_named(backend: str) -> None:
    code = (
        "import os; from largesteps_zg.output.pictures.drawing import plotting; m = plotting();"
        "print(os.environ['MPLBACKEND'], m.rcParams._get_backend_or_none() == 'svg')"
    )
    env = {**drawing.os.environ, "MPLBACKEND": backend}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    # What the user named stays, and counts where matplotlib knows it.
    assert done.stdout.split() == [backend, str(backend == "svg")], done.stderr


def test_meshes_are_turned_back_to_the_bit() -> None:
    mesh = icosphere(1, center=(0.1, 0.7, -0.3))
    assert torch.equal(stood(laid(mesh)).vertices, mesh.vertices)
    assert laid(mesh).vertices[:, 2].equal(mesh.vertices[:, 1])  # what was up is up


def test_the_command_runs_in_a_thread(capsys) -> None:
    from largesteps_zg.cli.main import main

    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(main(["render", "no-such-mesh", "--output", "x"])))
    thread.start()
    thread.join()
    assert found == [2] and "mesh: expected one of" in capsys.readouterr().err
