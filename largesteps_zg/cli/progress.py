"""How far a run is: a bar at a terminal, a line every half minute in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

from .._support.compiling import telling

SECONDS = 30.0  # between lines


class Progress:
    """Shows a share and a text while it is open; nothing where `quiet`, or where there is no standard error.

    Parameters
    ----------
    total : float
        What `update` counts up to.
    start : float
        Where it begins.
    bar : dict
        What tqdm is given beside at a terminal.
    """

    def __init__(self, total: float, *, quiet: bool, start: float = 0.0, **bar: Any) -> None:
        self.total, self.done, self.text = total, start, "preparing"
        self.bar: Any = None
        self.silent = quiet or sys.stderr is None
        self.told, self.open = time.monotonic(), contextlib.ExitStack()
        if not self.silent and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=total, initial=start, dynamic_ncols=True, leave=False, **bar)
            self.bar.set_postfix_str(self.text)

    def __enter__(self) -> Progress:
        if not self.silent:
            self.open.enter_context(telling(self.say))  # the first run on a machine compiles its kernels
        return self

    def update(self, done: float, text: str, *, total: float | None = None) -> None:
        """So much is done, of a total that may have become another one."""
        self.total = self.total if total is None else total
        if self.bar is not None:
            self.bar.total = self.total
            self.bar.set_postfix_str(text, refresh=False)
            self.bar.update(done - self.done)
        self.done, self.text = done, text
        if self.bar is None and not self.silent and time.monotonic() - self.told >= SECONDS:
            self.told = time.monotonic()
            print(f"{100 * done / self.total:3.0f} %  {text}", file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        """A line beside the progress, also where that is quiet."""
        if self.bar is not None:
            self.bar.clear()
        print(line, file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        self.open.close()
        if self.bar is not None:
            self.bar.close()
