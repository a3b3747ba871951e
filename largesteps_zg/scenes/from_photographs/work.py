"""Long work of native code: in a thread, so that Ctrl-C is heard, with progress, and without its own lines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..pycolmap_quietly import quiet_pycolmap

Watch = Callable[[float, str], None]  # share of the whole that is done, and what is being done
SECONDS = 0.5  # between looks at the progress


def unwatched(share: float, text: str) -> None:
    """Tell nobody."""


def part_of(watch: Watch, start: float, end: float) -> Watch:
    """A watch for a part of the work, which goes from 0 to 1 while the whole goes from `start` to `end`."""
    return lambda share, text: watch(start + (end - start) * min(max(share, 0.0), 1.0), text)


def attended(call: Callable[..., Any], *, look: Callable[[], None]) -> Any:
    """What `call(token)` gives in a thread of its own; `look` is called meanwhile, here.

    Where this thread is interrupted, or `look` raises, the token is cancelled, the call is waited for, and the
    exception goes on.
    """
    with quiet_pycolmap() as pycolmap:
        token = pycolmap.CancellationToken()
        made: list[Any] = []
        faults: list[BaseException] = []

        def work() -> None:
            try:
                made.append(call(token))
            except BaseException as error:  # raised again below, in the thread that asked
                faults.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(SECONDS)
                look()
        except BaseException:
            token.cancel()
            thread.join()
            raise
        if faults:
            raise faults[0]
        return made[0]
