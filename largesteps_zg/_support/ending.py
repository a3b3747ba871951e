"""The end of a process when a signal asks for it. Loads next to nothing, so that a command can ask for it first."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # typing's own takes milliseconds, in which Ctrl-C would print a traceback
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
last_acts: list[Callable[[], None]] = []  # what is done before: modules that are loaded later add to it


def heard() -> list[signal.Signals]:
    """Signals that the process wants to hear of: `nohup` turns SIGHUP off."""
    return [s for s in SIGNALS if s == signal.SIGINT or signal.getsignal(s) is not signal.SIG_IGN]


def tell(text: str) -> None:
    """A line on standard error, in a signal handler: print() may be in the middle of another."""
    try:
        os.write(2, b"\n" * os.isatty(2) + f"largesteps-zg: {text}\n".encode())  # below a progress bar
    except OSError:
        pass


def end_at_once(signum: int, frame: FrameType | None = None) -> NoReturn:
    """End the process, of which nothing is worth keeping.

    Not by an exception: modules that are being loaded and callbacks swallow those, or print a traceback.
    """
    try:
        for act in last_acts:
            act()
    finally:
        tell("stopped")
        os._exit(128 + signum)


def stop_at_once() -> None:
    """From now on the first signal ends the process; only the main thread may ask for it, others change nothing."""
    for number in heard():
        try:
            signal.signal(number, end_at_once)
        except ValueError:  # in another thread
            return
