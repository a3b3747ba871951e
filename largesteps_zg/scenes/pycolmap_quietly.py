"""pycolmap without its own lines on the terminal and without its signal handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .._support.stopping import signal_handlers_kept
from .._support.while_inside import WhileInside


@contextmanager
def quiet_pycolmap() -> Iterator[Any]:
    """The module; it writes nothing to the terminal meanwhile.

    Raises
    ------
    ValueError
        Where it cannot be imported.
    """
    try:
        with signal_handlers_kept():
            import pycolmap
    except ImportError as error:
        raise ValueError(f"pycolmap cannot be imported ({error}); pip install pycolmap") from error
    with _nothing_told:
        yield pycolmap


def _tell_nothing() -> Callable[[], object]:
    from pycolmap import logging

    before, logging.minloglevel = logging.minloglevel, 4
    return lambda: setattr(logging, "minloglevel", before)


_nothing_told = WhileInside(_tell_nothing)
