"""How a program is stopped: by Ctrl-C, by `kill`, by a terminal that is closed."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

from .ending import heard, tell


class Stopped(KeyboardInterrupt):
    """A signal asked for the end."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"signal {signum}")
        self.signum = signum


def status_of(stop: KeyboardInterrupt) -> int:
    """The exit status of a program that was stopped: 130 after Ctrl-C, 143 after SIGTERM, as shells count."""
    return 128 + (stop.signum if isinstance(stop, Stopped) else signal.SIGINT)


@contextlib.contextmanager
def _handled(handler: Any) -> Iterator[None]:
    """Signals go to a handler; nothing changes in another than the main thread, which alone may ask for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.signal(s, handler) for s in heard()}
    try:
        yield
    finally:
        for number, former in before.items():
            # None: a handler that was not installed from Python.
            signal.signal(number, signal.SIG_DFL if former is None else former)


def _raise(signum: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(signum)


def raising() -> contextlib.AbstractContextManager[None]:
    """Within this, a signal raises `Stopped`, a KeyboardInterrupt, in the main thread."""
    return _handled(_raise)


class Stopping:
    """Within this, the first two signals only ask for the end; the third counts as it did before.

    Who presses Ctrl-C twice does not want to lose what is being saved.

    Attributes
    ----------
    signum : int or None
        The signal that asked.
    hurried : bool
        A second one came: nothing should be done but to save.
    worthwhile : bool
        Set where there is something to save. Before, the first signal counts as it did before already.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self.hurried = False
        self.worthwhile = False
        self._handlers = contextlib.ExitStack()

    def __enter__(self) -> Stopping:
        self._handlers.enter_context(_handled(self._ask))
        return self

    def _ask(self, signum: int, frame: FrameType | None) -> None:
        if not self.worthwhile or self.hurried:
            self._handlers.close()
            signal.raise_signal(signum)
        elif self.signum is None:
            self.signum = signum
        else:
            self.hurried = True
            tell("saving; one more signal ends at once, and what is not saved is lost")

    def __exit__(self, *_: object) -> None:
        self._handlers.close()


@contextlib.contextmanager
def signal_handlers_kept() -> Iterator[None]:
    """What is loaded in here leaves no signal handlers behind, as glog would, in whatever thread.

    Through C, because `signal.signal` neither knows of handlers that were not set by it nor works in other threads.
    """
    get, set_ = ctypes.pythonapi.PyOS_getsig, ctypes.pythonapi.PyOS_setsig
    get.argtypes, get.restype = [ctypes.c_int], ctypes.c_void_p
    set_.argtypes, set_.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
    before = {number: get(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if get(number) != handler:
                set_(number, handler)
