"""Signals: who hears of them, when, and what a program prints when it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from largesteps_zg._support.ending import SIGNALS, heard
from largesteps_zg._support.stopping import Stopped, Stopping, raising, status_of
from largesteps_zg.mesh import icosphere
from largesteps_zg.scenes import save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

ROOT = Path(__file__).resolve().parents[1]


def test_two_signals_ask_and_the_third_counts_as_before(capfd: pytest.CaptureFixture) -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with pytest.raises(KeyboardInterrupt), Stopping() as stopping:
        stopping.worthwhile = True
        signal.raise_signal(signal.SIGTERM)
        assert stopping.signum == signal.SIGTERM and not stopping.hurried and capfd.readouterr().err == ""
        # As systemd sends both; under nohup nobody hears the second.
        signal.raise_signal(signal.SIGHUP if signal.SIGHUP in heard() else signal.SIGTERM)
        assert stopping.signum == signal.SIGTERM and stopping.hurried
        assert capfd.readouterr().err.startswith("largesteps-zg: saving; one more signal ends at once")
        signal.raise_signal(signal.SIGINT)
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_before_there_is_something_to_save_the_first_signal_counts_as_before() -> None:
    with pytest.raises(KeyboardInterrupt), Stopping():
        signal.raise_signal(signal.SIGINT)


def test_signals_raise_where_that_is_asked_for() -> None:
    with pytest.raises(Stopped) as caught, raising():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.signum == signal.SIGTERM and status_of(caught.value) == 143
    assert status_of(KeyboardInterrupt()) == 130


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stopping() as stopping:
            stopping.worthwhile = True
            signal.raise_signal(signal.SIGHUP)
            assert stopping.signum is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_change_nothing_and_do_not_fail() -> None:
    found = []

    def work() -> None:
        with Stopping() as stopping, raising():
            found.append((stopping.signum, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(None, signal.getsignal(signal.SIGINT))]


FOREIGN = """
import ctypes, os, signal, sys, threading
from largesteps_zg._support.stopping import signal_handlers_kept
{own}
def load():
    with signal_handlers_kept():
        ctypes.CDLL(None).signal(signal.SIGTERM, ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p))
thread = threading.Thread(target=load); thread.start(); thread.join()
os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.parametrize(
    ("own", "status"), [("", -signal.SIGTERM), ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))", 7)]
)
def test_handlers_of_what_is_loaded_do_not_stay(own: str, status: int) -> None:
    """Not for those of the system, and not in the place of Python's; in another thread, too."""
    code = FOREIGN.replace("{own}", own)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == status and done.stderr == ""


@pytest.mark.slow
def test_pycolmap_leaves_no_handler() -> None:
    code = (
        "import os, signal\nfrom largesteps_zg.scenes.pycolmap_quietly import quiet_pycolmap\n"
        "with quiet_pycolmap():\n    pass\nos.kill(os.getpid(), signal.SIGTERM)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGTERM and done.stderr == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped_says_so_in_one_line(number: signal.Signals) -> None:
    code = (
        "import os, largesteps_zg.cli.own_process as p; p.take_over(); os.kill(os.getpid(), {}); print('on')"
    )
    done = subprocess.run([sys.executable, "-c", code.format(int(number))], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "largesteps-zg: stopped\n")


@pytest.mark.slow
def test_taking_over_comes_before_pytorch() -> None:
    """Its threads read only then whether they may spin."""
    code = (
        "import os, sys, largesteps_zg.cli.main, largesteps_zg.cli.own_process as p; p.take_over();"
        "print([m for m in ('torch', 'numpy', 'scipy') if m in sys.modules], os.environ['OMP_WAIT_POLICY'])"
    )
    env = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stdout == "[] PASSIVE\n", done.stderr
    code = "import os, largesteps_zg, largesteps_zg.reconstruct; print(os.environ.get('OMP_WAIT_POLICY'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stdout == "None\n", done.stderr  # the library does not


# --- commands that are stopped at their work --------------------------------------------------------------------------

ENTRY = """
import os, signal, sys
{patch}
from largesteps_zg.cli.main import main
sys.argv = ["largesteps-zg", *sys.argv[1:]]
sys.exit(main())
"""
AT = """
import importlib
def stopping_at(module, name):
    home = importlib.import_module(module)
    work = getattr(home, name)
    def stopped(*given, **options):
        os.kill(os.getpid(), {number})
        return work(*given, **options)
    setattr(home, name, stopped)
stopping_at("{module}", "{name}")
"""


def command(words: list[str], patch: str = "") -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, in which something was patched."""
    code = ENTRY.format(patch=patch)
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=170)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopping") / "scene"
    save_scene(folder, scene_from_mesh(icosphere(2), views=4, test_views=1, height=24, width=32))
    return folder


PLACES = {
    "baking": ("largesteps_zg.output.export.of_a_run", "bake_run", signal.SIGTERM),
    "texels": ("largesteps_zg.output.export.bake", "fit_texels", signal.SIGHUP),
    "measuring": ("largesteps_zg.output.evaluate", "mesh_report", signal.SIGINT),
    "pictures": ("largesteps_zg.output.pictures.figures", "save_comparison", signal.SIGTERM),
    "numbers": ("largesteps_zg.output.run_folder", "json_text", signal.SIGHUP),
}


@pytest.mark.slow
@pytest.mark.parametrize("where", PLACES)
def test_a_run_that_is_stopped_while_it_writes_is_kept(where: str, scene: Path, tmp_path: Path) -> None:
    """One line, the status of the signal, no part of a file; the mesh is there, and --resume writes the rest."""
    output = tmp_path / "run"
    words = ["reconstruct", str(scene), "--output", str(output), "--steps", "2", "--views-per-step", "2"]
    words += ["--remesh", "off", "--init", "sphere", "--texture", "64"]
    module, name, number = PLACES[where]
    done = command(words, AT.format(number=int(number), module=module, name=name))
    assert (done.returncode, done.stderr) == (128 + number, "largesteps-zg: stopped\n")
    found = {file.name for file in output.iterdir()}
    assert {"mesh.ply", "checkpoint.pt"} <= found and "run.json" not in found
    assert not [name for name in found if name.startswith(".")]
    if where != "texels":
        return
    mesh = (output / "mesh.ply").read_bytes()
    done = command([*words, "--resume"])
    assert done.returncode == 0, done.stderr
    found = {file.name for file in output.iterdir()}
    assert {"mesh.png", "mesh.glb", "comparison.png", "run.json"} <= found
    assert (output / "mesh.ply").read_bytes() == mesh


@pytest.mark.slow
def test_a_comparison_that_is_stopped_while_it_writes_its_report_is_kept(scene: Path, tmp_path: Path) -> None:
    words = ["compare", str(scene), "--output", str(tmp_path / "out"), "--budget-steps", "2"]
    words += ["--gradients", "rasterizer"]
    place = AT.format(
        number=int(signal.SIGHUP), module="largesteps_zg.comparison.folder", name="write_report"
    )
    done = command(words, place)
    assert (done.returncode, done.stderr) == (129, "largesteps-zg: stopped\n")
    found = {file.name for file in (tmp_path / "out").iterdir()}
    # The first signal waited for all of them.
    assert found == {"results.json", "rasterizer-0.ply", "report.html"}


COMMANDS = {
    "info": ([], "largesteps_zg.cli.capabilities", "capabilities", signal.SIGINT),
    "info of a scene": (["SCENE"], "largesteps_zg.output.pictures.overview", "save_overview", signal.SIGHUP),
    "render": (["pebble", "--size", "16"], "largesteps_zg.scenes.save", "save_scene", signal.SIGTERM),
    "evaluate": (
        ["MESH", "--reference", "MESH"],
        "largesteps_zg.evaluation.evaluate",
        "evaluate",
        signal.SIGINT,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_commands_that_are_stopped_at_their_work_say_so_in_one_line(
    name: str, scene: Path, tmp_path: Path
) -> None:
    words, module, place, number = COMMANDS[name]
    given = {"SCENE": str(scene), "MESH": str(scene / "mesh.ply")}
    output = [] if name == "info" else ["--output", str(tmp_path / "out.png")]
    done = command(
        [name.split()[0], *(given.get(word, word) for word in words), *output],
        AT.format(number=int(number), module=module, name=place),
    )
    assert (done.returncode, done.stderr) == (128 + number, "largesteps-zg: stopped\n")
    assert not (tmp_path / "out.png").exists()


def test_nothing_that_takes_long_is_loaded_before_a_command_can_be_stopped() -> None:
    """Until then Ctrl-C prints a traceback, and modules of Python such as re and typing take as long as all of it."""
    first = "import sys; before = set(sys.modules); "
    ending = "; print(*sorted(set(sys.modules) - before)); sys.stdout.flush(); import os; os._exit(0)"
    door = "import signal; signal.signal = lambda *_: exec(%r, globals()); from largesteps_zg.cli import main; main()"
    alone = [first + "import signal, os, io" + ending, first + door % ending.removeprefix("; ")]
    loaded = [
        set(
            subprocess.run(
                [sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=ROOT
            ).stdout.split()
        )
        for code in alone
    ]
    more = loaded[1] - loaded[0]
    assert "largesteps_zg._support.ending" in more
    assert {name for name in more if not name.startswith("largesteps_zg")} == {"__future__"}


@pytest.mark.parametrize(
    ("option", "shown"), [((), ["ours"]), (("-W", "default"), ["log", "ours", "theirs"])]
)
def test_warnings_and_log_lines_of_other_packages_are_not_shown_to_users(
    option: tuple[str, ...], shown: list[str]
) -> None:
    """Packages make their warnings point at whoever called them, so that these seem to be this package's own."""
    code = (
        "import logging, warnings, largesteps_zg.cli.own_process as p; p.take_over()\n"
        "from largesteps_zg._support.errors import OwnWarning, hushed\n"
        "for kind, text in ((RuntimeWarning, 'theirs'), (OwnWarning, 'ours')):\n"
        "    warnings.warn_explicit(text, kind, 'largesteps_zg/mesh.py', 1, module='largesteps_zg.mesh')\n"
        "logging.getLogger('matplotlib').warning('log')\n"
        "print(hushed())"
    )
    done = subprocess.run([sys.executable, *option, "-c", code], capture_output=True, text=True)
    assert sorted(line.split(": ")[-1] for line in done.stderr.splitlines()) == shown
    assert done.stdout == f"{not option}\n"
