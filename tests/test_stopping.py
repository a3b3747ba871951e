"""Signals: who hears of them, when, and what a program prints when it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from largesteps_zg._support.ending import SIGNALS
from largesteps_zg._support.stopping import Stopped, Stopping, raising, status_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no signals of this kind")


def test_two_signals_ask_and_the_third_counts_as_before(capfd: pytest.CaptureFixture) -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with pytest.raises(KeyboardInterrupt), Stopping() as stopping:
        stopping.worthwhile = True
        signal.raise_signal(signal.SIGTERM)
        assert stopping.signum == signal.SIGTERM and not stopping.hurried and capfd.readouterr().err == ""
        signal.raise_signal(signal.SIGHUP)  # as systemd sends both
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
        "import os, signal\nfrom largesteps_zg.scenes.formats.colmap import _quiet\n"
        "with _quiet():\n    pass\nos.kill(os.getpid(), signal.SIGTERM)"
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
